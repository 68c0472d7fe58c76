"""Reads the fleet file. Whatever is wrong with one cluster stays with that cluster; the others can be updated."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import Field

from include.hci.settings.cluster import ClusterEntry, ClusterSettings, DefaultsEntry
from include.hci.settings.positions import YamlProblem, read_yaml
from include.hci.settings.problems import Location, SettingsProblem, key_text, unknown_key
from include.hci.settings.profile import UpdatingRunProfile, not_supported
from include.hci.settings.reading import Reader
from include.hci.settings.resolve import DEFAULT_PROFILE, resolve_cluster
from include.hci.settings.values import ComputerName, Settings

FLEET_FILE_VARIABLE = "HCI_FLEET_FILE"


class FleetFile(Settings):
    """The fleet file: the clusters, the updating-run profiles they use, and what clusters have in common."""

    defaults: DefaultsEntry = Field(
        default=DefaultsEntry(), description="What every cluster has unless it says otherwise."
    )
    profiles: dict[str, UpdatingRunProfile] = Field(default={}, description="Updating-run profiles by name.")
    clusters: dict[ComputerName, ClusterEntry] = Field(description="The clusters by their (NetBIOS) name.")


@dataclass(frozen=True, slots=True)
class Fleet:
    """What the fleet file holds: the usable ``clusters`` by name, and everything that is wrong, in the file's order.

    ``refusals`` name the options on which a rolling update does not act: such a cluster can be updated by CAU only.
    """

    file: str
    clusters: Mapping[str, ClusterSettings] = field(default_factory=dict)
    problems: tuple[SettingsProblem, ...] = ()
    refusals: tuple[SettingsProblem, ...] = ()

    @property
    def rolling(self) -> tuple[ClusterSettings, ...]:
        """The clusters that a rolling update takes."""
        refused = {problem.cluster for problem in self.refusals}
        return tuple(cluster for name, cluster in self.clusters.items() if name not in refused)

    def problems_of(self, cluster: str) -> tuple[SettingsProblem, ...]:
        """Return what makes ``cluster`` unusable."""
        return tuple(problem for problem in self.problems if problem.cluster == cluster)


def fleet_path(environ: Mapping[str, str] = os.environ) -> Path:
    """Return where the fleet file is: ``HCI_FLEET_FILE`` when it is set, else ``include/fleet/fleet.yaml``."""
    given = environ.get(FLEET_FILE_VARIABLE, "").strip()
    return Path(given) if given else Path(__file__).resolve().parents[2] / "fleet" / "fleet.yaml"


def load_fleet(path: Path | str) -> Fleet:
    """Return the fleet of the file at ``path``. Never raises: what is wrong is in the result's ``problems``."""
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        message = f"does not exist. Create it (fleet.example.yaml shows how) or set {FLEET_FILE_VARIABLE}."
        return Fleet(str(path), problems=(SettingsProblem(str(path), None, "", None, message),))
    except (OSError, UnicodeDecodeError) as error:
        return Fleet(str(path), problems=(SettingsProblem(str(path), None, "", None, f"cannot be read: {error}."),))
    return parse_fleet(text, str(path))


def parse_fleet(text: str, file: str) -> Fleet:
    """Return the fleet of ``text``; ``file`` is the name that problems carry."""
    try:
        reader = Reader(read_yaml(text), file)
    except YamlProblem as error:
        return Fleet(file, problems=(SettingsProblem(file, error.line, "", None, str(error)),))
    clusters = _clusters(reader)
    problems = tuple(sorted(reader.problems, key=lambda problem: problem.line or 0))
    broken = {problem.cluster for problem in problems}
    usable = {name: found for name, found in clusters.items() if name not in broken}
    return Fleet(file, usable, problems, tuple(_refusals(usable, reader)))


def _clusters(reader: Reader) -> dict[str, ClusterSettings]:
    root = reader.document.value
    if not isinstance(root, dict):
        reader.report((), None, "must be a group of keys: 'clusters', and 'profiles' and 'defaults' as needed.")
        return {}
    if not _has_right_keys(root, reader):
        return {}
    defaults = reader.part(DefaultsEntry, root.get("defaults") or {}, ("defaults",), None)
    profiles = {name: _profile(name, value, reader) for name, value in reader.group(root, "profiles").items()}
    profiles.setdefault(DEFAULT_PROFILE, UpdatingRunProfile())
    clusters: dict[str, ClusterSettings] = {}
    for name, value in reader.group(root, "clusters").items():
        entry = reader.part(ClusterEntry, value, ("clusters", name), name)
        if entry:
            if defaults is None:
                reader.report(
                    ("clusters", name), name, "takes settings from 'defaults', which has a problem of its own."
                )
                continue
            cluster = resolve_cluster(name, entry, defaults, profiles, reader)
            if cluster and _stands_apart(cluster, clusters, reader):
                clusters[name] = cluster
    return clusters


def _has_right_keys(root: Mapping[str, object], reader: Reader) -> bool:
    """Tell whether the file's outermost keys are right: a misspelt 'defaults' would change every cluster's run."""
    for key in root:
        if key not in FleetFile.model_fields:
            reader.report((key,), None, unknown_key(key, FleetFile.model_fields))
    if "clusters" not in root:
        reader.report((), None, "the key 'clusters' is missing.")
    twice = any(len(duplicate.location) == 1 for duplicate in reader.document.duplicates)
    return not twice and "clusters" in root and all(key in FleetFile.model_fields for key in root)


def _profile(name: str, value: object, reader: Reader) -> UpdatingRunProfile | None:
    place: Location = ("profiles", name)
    return reader.part(UpdatingRunProfile, {} if value is None else value, place, None)


def _refusals(clusters: Mapping[str, ClusterSettings], reader: Reader) -> list[SettingsProblem]:
    """Return what keeps a rolling update from each of ``clusters``, where it stands."""
    found = []
    for name, cluster in clusters.items():
        own: Location = ("clusters", name, "profile_overrides")
        shared: Location = ("profiles", cluster.profile)
        for key, message in not_supported(cluster.options).items():
            place = (*own, key) if (*own, key) in reader.document.lines else (*shared, key)
            found.append(SettingsProblem(reader.file, reader.document.line(place), key_text(place), name, message))
    return sorted(found, key=lambda problem: problem.line or 0)


def _stands_apart(cluster: ClusterSettings, others: Mapping[str, ClusterSettings], reader: Reader) -> bool:
    """Tell whether ``cluster`` can be told from every one of ``others``: by its ids in Airflow and by its nodes."""
    place: Location = ("clusters", cluster.name)
    for other in others.values():
        line = reader.document.line(("clusters", other.name))
        if other.slug == cluster.slug:
            reader.report(
                place,
                cluster.name,
                f"would have the same ids in Airflow ({cluster.slug}) as cluster {other.name} on line {line}. Rename one.",
            )
            return False
        theirs = {node.target: node.name for node in other.nodes}
        for position, node in enumerate(cluster.nodes):
            if node.target in theirs:
                reader.report(
                    (*place, "nodes", position),
                    cluster.name,
                    f"{node.name} would be reached in the same way as {theirs[node.target]} of cluster {other.name} "
                    f"(line {line}). Where two domains use the same name, give the full DNS name under 'address'.",
                )
                return False
    return True
