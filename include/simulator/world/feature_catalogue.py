"""The feature updates that Windows Update offers, what follows each of them, and what setup media bring."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from include.simulator.world.catalogue import FEATURE, SECURITY, UpdateSpec, quality_updates, update_id
from include.simulator.world.versions import VERSIONS, OsVersion, running

#: From this build on the whole solution is updated, not the operating system by itself (azure-stack-docs, about-updates-23h2).
_SOLUTION_UPDATES = 25398
#: What the cumulative update of the month adds to the revision of 20H2; servers that have it get another revision.
_MONTH = 280


def standard_catalogue(os: OsVersion, month: str = "2026-11", *, later: bool = False) -> tuple[UpdateSpec, ...]:
    """Return one month's updates for ``os`` with the feature update to the next version and, with ``later``, those beyond it."""
    beyond = later_versions(os, month) if later else []
    return (*quality_updates(os, month), *feature_updates(os, month), *beyond)


def feature_updates(os: OsVersion, month: str) -> list[UpdateSpec]:
    """Return the update to the next version, the revision that servers behind on patches get, and what follows it.

    Servers at mixed patch levels therefore see different feature updates (azure-stack-docs, update-cluster, known issues); 20H2
    before KB5003237 (17784.1737) sees none. WSUS does not have the one to 23H2 (azure-stack-docs, upgrade).
    """
    return _step(os, month, 0) if os.next_build else []


def later_versions(os: OsVersion, month: str = "2026-11") -> list[UpdateSpec]:
    """Return the feature updates beyond the next version: Windows Update offers one to every server that has reached it.

    A server of a cluster that is half upgraded from 20H2 to 21H2 is so offered 22H2 before the others have 21H2.
    """
    found: list[UpdateSpec] = []
    number, version = 1, running(os, os.next_build)
    while version is not os and version.next_build and version.build < _SOLUTION_UPDATES:
        found += [replace(each, for_build=each.for_build or version.build) for each in _step(version, month, number)]
        os, number, version = version, number + 1, running(version, version.next_build)
    return found


def as_preview(updates: Iterable[UpdateSpec]) -> tuple[UpdateSpec, ...]:
    """Return ``updates`` with every feature update a preview build, which only servers on a preview channel are offered."""
    return tuple(replace(each, preview_build=each.is_feature_update or each.preview_build) for each in updates)


def from_media(source: OsVersion, target: OsVersion) -> UpdateSpec:
    """Return what the setup media of ``target`` bring to a server that runs ``source``."""
    name = f"{target.caption.removeprefix('Microsoft ')}, version {target.display_version}"
    return UpdateSpec(
        update_id=update_id(f"media-{source.key}-{target.key}"),
        kb="",
        title=f"Feature update to {name}, from setup media",
        categories=(FEATURE,),
        download_minutes=12,
        install_minutes=45,
        needs_restart=True,
        long_reboot_hint=True,
        boot_minutes=15,
        build=target.build,
        ubr=1,
        for_build=source.build,
        on_windows_update=False,
        listed=False,
    )


def media_updates(target: OsVersion) -> list[UpdateSpec]:
    """Return what the media of ``target`` bring to every version of its edition that they upgrade.

    A cluster goes from one version to the next (windowsserverdocs, cluster-operating-system-rolling-upgrade).
    """
    return [
        from_media(version, target)
        for version in VERSIONS.values()
        if version.edition_id == target.edition_id and version.next_build == target.build
    ]


def _step(os: OsVersion, month: str, number: int) -> list[UpdateSpec]:
    """Return the ``number``th feature update from the cluster's first version on, that of servers that run ``os``."""
    current = _current(os, number)
    following = UpdateSpec(
        update_id=update_id(f"lcu-next-{os.key}"),
        kb=f"KB{5099131 + number}",
        title=f"{month} Cumulative Update for the version after {os.display_version} for x64-based Systems "
        f"(KB{5099131 + number})",
        categories=(SECURITY,),
        severity="Critical",
        download_minutes=6,
        install_minutes=12,
        needs_restart=True,
        long_reboot_hint=True,
        boot_minutes=3,
        servicing_minutes=2,
        for_build=os.next_build,
        ubr=1001,
    )
    return [*_revisions(os, current, number), following]


def _revisions(os: OsVersion, current: UpdateSpec, number: int) -> list[UpdateSpec]:
    if os.build == 17784:
        later = replace(
            current,
            update_id=update_id(f"feature-later-{os.key}"),
            kb=f"KB{5099950 + number}",
            title=f"{current.title} (later revision)",
            min_ubr=os.ubr + _MONTH,
        )
        return [replace(current, max_ubr=os.ubr + _MONTH - 1), later]
    earlier = replace(
        current,
        update_id=update_id(f"feature-earlier-{os.key}"),
        kb=f"KB{5098900 + number}",
        title=f"{current.title} (earlier revision)",
        min_ubr=0,
        max_ubr=os.ubr - 1,
    )
    return [current, earlier]


def _current(os: OsVersion, number: int) -> UpdateSpec:
    return UpdateSpec(
        update_id=update_id(f"feature-{os.key}"),
        kb=f"KB{5099900 + number}",
        title=f"Feature update to the version after {os.display_version}",
        categories=(FEATURE,),
        download_minutes=25,
        install_minutes=40,
        needs_restart=True,
        long_reboot_hint=True,
        boot_minutes=15,
        build=os.next_build,
        ubr=1,
        min_ubr=os.ubr,
        on_wsus=os.next_build != 25398,
        listed=False,
    )
