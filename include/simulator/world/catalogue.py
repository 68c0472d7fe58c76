"""The updates that Windows Update offers to the simulated servers."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from include.simulator.world.versions import OsVersion

#: Update categories by their published ids.
SECURITY = "0FA1201D-4330-4FA8-8AE9-B877473B6441"
UPDATES = "CD5FFD1E-E932-4E3A-BF74-18BF0B1BBD83"
DEFINITIONS = "E0789628-CE08-4437-BE74-2495B842F43B"
DRIVERS = "EBFC1FC5-71A4-4F7B-9ACA-3B9A503104A0"
FEATURE = "3689BDC8-B205-4AF4-8D4A-A63924C5E9D5"


@dataclass(frozen=True, slots=True)
class UpdateSpec:
    """One update on offer.

    ``requires`` names update ids that must be installed, and effective after a restart where they need one, before this one is
    offered. ``supersedes`` names ids that are no longer offered beside it. ``ubr`` and ``build`` are what the server reports once
    the update is effective. ``boot_minutes`` is what it adds to the restart, ``servicing_minutes`` to the work after the boot.
    ``recommended``: only offered with IncludeRecommendedUpdates. ``for_build`` is the build it is for where that is not the
    cluster's first one; ``min_ubr`` and ``max_ubr`` bound the revisions it is offered to. ``on_wsus``: WSUS servers have it.
    ``on_windows_update``: Windows Update has it; setup media bring what it has not.
    ``preview_build``: only servers on a preview channel get it. ``needs_input``: it wants its licence terms accepted.
    ``listed``: it shows as a hotfix once installed. ``published``: the day of its LastDeploymentChangeTime (IUpdate), empty where
    the agent tells none.
    """

    update_id: str
    kb: str
    title: str
    description: str = ""
    type: str = "Software"
    categories: tuple[str, ...] = (UPDATES,)
    assigned: bool = True
    auto_select: bool = True
    hidden: bool = False
    recommended: bool = False
    deployment_action: str = "Installation"
    download_minutes: float = 2.0
    install_minutes: float = 3.0
    needs_restart: bool = False
    long_reboot_hint: bool = False
    boot_minutes: float = 0.0
    servicing_minutes: float = 0.0
    requires: tuple[str, ...] = ()
    supersedes: tuple[str, ...] = ()
    ubr: int | None = None
    build: int | None = None
    severity: str = ""
    for_build: int | None = None
    min_ubr: int = 0
    max_ubr: int | None = None
    on_wsus: bool = True
    on_windows_update: bool = True
    preview_build: bool = False
    needs_input: bool = False
    listed: bool = True
    published: str = ""

    @property
    def is_feature_update(self) -> bool:
        """Whether it brings a new operating system version."""
        return FEATURE in self.categories


def update_id(name: str) -> str:
    """Return the id that an update called ``name`` always has."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"update:{name}"))


def quality_updates(os: OsVersion, month: str = "2026-11") -> tuple[UpdateSpec, ...]:
    """Return one month's updates for ``os``, feature updates aside.

    The cumulative update (after its servicing stack, where that is separate), .NET, definitions, a second wave that is offered
    only after the cumulative update is effective, last month's superseded one, a preview and a recommended one.
    """
    product = "Microsoft server operating system, version " + os.display_version
    ssu, cumulative, old = update_id(f"ssu-{os.key}"), update_id(f"lcu-{os.key}"), update_id(f"lcu-old-{os.key}")
    catalogue = [
        UpdateSpec(
            update_id=cumulative,
            kb="KB5099101",
            title=f"{month} Cumulative Update for {product} for x64-based Systems (KB5099101)",
            categories=(SECURITY,),
            severity="Critical",
            download_minutes=6,
            install_minutes=12,
            needs_restart=True,
            long_reboot_hint=True,
            boot_minutes=3,
            servicing_minutes=2,
            requires=(ssu,) if os.separate_ssu else (),
            supersedes=(old,),
            ubr=os.ubr + 280,
        ),
        UpdateSpec(
            update_id=old,
            kb="KB5098012",
            title=f"2026-10 Cumulative Update for {product} for x64-based Systems (KB5098012)",
            categories=(SECURITY,),
            needs_restart=True,
            ubr=os.ubr + 130,
        ),
        UpdateSpec(
            update_id=update_id(f"net-{os.key}"),
            kb="KB5099204",
            title=f"{month} Cumulative Update for .NET Framework 3.5, 4.8 and 4.8.1 for {product} for x64 (KB5099204)",
            categories=(SECURITY,),
            download_minutes=1,
            install_minutes=4,
            needs_restart=True,
        ),
        UpdateSpec(
            update_id=update_id(f"defender-{os.key}"),
            kb="KB2267602",
            title="Security Intelligence Update for Microsoft Defender Antivirus - KB2267602 (Version 1.441.212.0)",
            categories=(DEFINITIONS,),
            listed=False,
            download_minutes=0.5,
            install_minutes=0.5,
        ),
        UpdateSpec(
            update_id=update_id(f"second-{os.key}"),
            kb="KB5099377",
            title=f"{month} Security Update for {product} for x64-based Systems (KB5099377)",
            categories=(SECURITY,),
            download_minutes=1,
            install_minutes=3,
            needs_restart=True,
            requires=(cumulative,),
            ubr=os.ubr + 283,
        ),
        UpdateSpec(
            update_id=update_id(f"preview-{os.key}"),
            kb="KB5099555",
            title=f"{month} Cumulative Update Preview for {product} for x64-based Systems (KB5099555)",
            assigned=False,
            auto_select=False,
            deployment_action="OptionalInstallation",
            install_minutes=12,
            needs_restart=True,
            requires=(cumulative,),
            ubr=os.ubr + 410,
        ),
        UpdateSpec(
            update_id=update_id(f"recommended-{os.key}"),
            kb="KB890830",
            title="Windows Malicious Software Removal Tool x64 - v5.136 (KB890830)",
            recommended=True,
            listed=False,
            download_minutes=1,
            install_minutes=2,
        ),
    ]
    if os.separate_ssu:
        catalogue.append(
            UpdateSpec(
                update_id=ssu,
                kb="KB5099012",
                title=f"{month} Servicing Stack Update for {product} for x64-based Systems (KB5099012)",
                categories=(SECURITY,),
                download_minutes=0.5,
                install_minutes=1,
            )
        )
    catalogue += _left_to_people(os)
    return tuple(catalogue)


def _left_to_people(os: OsVersion) -> list[UpdateSpec]:
    """Return what no default query finds: an optional driver, and an update that somebody has hidden."""
    return [
        UpdateSpec(
            update_id=update_id(f"driver-{os.key}"),
            kb="",
            title="Mellanox Technologies Ltd. - Net - 24.4.26429.0",
            type="Driver",
            categories=(DRIVERS,),
            assigned=False,
            auto_select=False,
            deployment_action="OptionalInstallation",
            listed=False,
            needs_restart=True,
        ),
        UpdateSpec(
            update_id=update_id(f"hidden-{os.key}"),
            kb="KB4023057",
            title="Update for Windows Update Service components (KB4023057)",
            hidden=True,
            install_minutes=1,
        ),
    ]
