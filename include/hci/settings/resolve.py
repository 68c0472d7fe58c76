"""Puts a cluster's entry, the defaults and its profile together, and checks what only shows when they are together."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from include.hci.settings.cau_role import beyond_cau_role
from include.hci.settings.cluster import (
    ClusterEntry,
    ClusterSettings,
    DefaultsEntry,
    ManagementHost,
    NodeSettings,
    Pacing,
    option_problems,
)
from include.hci.settings.problems import Location
from include.hci.settings.profile import UpdatingRunProfile
from include.hci.settings.reading import Reader

DEFAULT_PROFILE = "default"


def resolve_cluster(
    name: str,
    entry: ClusterEntry,
    defaults: DefaultsEntry,
    profiles: Mapping[str, UpdatingRunProfile | None],
    reader: Reader,
) -> ClusterSettings | None:
    """Return the cluster ``name`` with everything resolved, or None after reporting why it cannot be used.

    ``profiles`` holds None for a profile that exists and is wrong.
    """
    place: Location = ("clusters", name)
    given = entry.model_fields_set
    nodes = _nodes(name, entry, defaults, reader)
    profile = entry.profile or defaults.profile or DEFAULT_PROFILE
    options = _options(name, entry, profile, profiles, reader)
    host = entry.management_host if "management_host" in given else defaults.management_host
    schedule = entry.schedule if "schedule" in given else defaults.schedule
    if entry.ring_offset_days and (schedule is None or not schedule.lines):
        reader.report((*place, "ring_offset_days"), name, "moves the lines of a schedule, and this cluster has none.")
        return None
    if nodes is None or options is None:
        return None
    if schedule is not None and schedule.run_by == "cau":
        problems = beyond_cau_role(options, entry.ring_offset_days)
        for problem in problems:
            reader.report((*place, "schedule") if "schedule" in given else place, name, problem)
        if problems:
            return None
    try:
        return ClusterSettings(
            name=name,
            nodes=nodes,
            description=entry.description,
            os_version=entry.os_version,
            management_host=_machine(host),
            profile=profile,
            options=options,
            schedule=schedule,
            ring_offset_days=entry.ring_offset_days,
            cau_role=entry.cau_role,
            pacing=_pacing(defaults.pacing, entry.pacing),
            tags=entry.tags if "tags" in given else defaults.tags,
            owner=entry.owner if "owner" in given else defaults.owner,
        )
    except ValidationError as error:
        # What is left to be wrong here is the cluster's own name.
        reader.report_error(error, ClusterSettings, place, name)
        return None


def _nodes(
    cluster: str, entry: ClusterEntry, defaults: DefaultsEntry, reader: Reader
) -> tuple[NodeSettings, ...] | None:
    place: Location = ("clusters", cluster, "nodes")
    before = len(reader.problems)
    shared = entry.connection or defaults.connection
    nodes: list[NodeSettings] = []
    names: dict[str, int] = {}
    reached: dict[tuple[str, str, int | None], str] = {}
    for position, node in enumerate(entry.nodes):
        here: Location = (*place, position)
        first = names.setdefault(node.name.casefold(), position)
        if first != position:
            line = reader.document.line((*place, first))
            reader.report(here, cluster, f"names {node.name} for the second time; the first is on line {line}.")
            continue
        connection = node.connection or shared
        if connection is None:
            reader.report(
                here,
                cluster,
                f"{node.name} has no connection. Name an Airflow connection under 'connection' of the cluster, "
                "of this node or of 'defaults'.",
            )
            continue
        # A connection of its own already says where the node is; a shared one cannot.
        host = node.address or (None if node.connection else node.name)
        settings = NodeSettings(name=node.name, connection=connection, host=host, port=node.port)
        other = reached.setdefault(settings.target, node.name)
        if other != node.name:
            reader.report(
                here, cluster, f"{node.name} would be reached in the same way as {other}: one of them is wrong."
            )
        nodes.append(settings)
    return None if len(reader.problems) > before else tuple(nodes)


def _options(
    cluster: str,
    entry: ClusterEntry,
    profile: str,
    profiles: Mapping[str, UpdatingRunProfile | None],
    reader: Reader,
) -> UpdatingRunProfile | None:
    place: Location = ("clusters", cluster)
    if profile not in profiles:
        known = ", ".join(sorted(profiles))
        reader.report((*place, "profile"), cluster, f"there is no profile {profile!r}. Profiles in this file: {known}.")
        return None
    base = profiles[profile]
    if base is None:
        line = reader.document.line(("profiles", profile))
        reader.report((*place, "profile"), cluster, f"the profile {profile!r} (line {line}) has a problem of its own.")
        return None
    overrides = entry.profile_overrides
    try:
        options = base.merged(overrides)
    except ValidationError as error:
        reader.report_error(error, UpdatingRunProfile, (*place, "profile_overrides"), cluster)
        return None
    problems = option_problems(options, tuple(node.name for node in entry.nodes))
    for key, message in problems.items():
        if key in overrides.model_fields_set:
            reader.report((*place, "profile_overrides", key), cluster, message)
        else:
            reader.report((*place, "profile"), cluster, f"{key} of the profile {profile!r} {message}")
    return None if problems else _as_named(options, entry)


def _as_named(options: UpdatingRunProfile, entry: ClusterEntry) -> UpdatingRunProfile:
    """Return ``options`` with the nodes of ``node_order`` written as the cluster's own are: a form compares letter by letter."""
    known = {node.name.casefold(): node.name for node in entry.nodes}
    order = tuple(known[name.casefold()] for name in options.node_order)
    return options if order == options.node_order else options.merged_with({"node_order": order})


def _machine(host: ManagementHost | None) -> NodeSettings | None:
    return None if host is None else NodeSettings(name="management host", connection=host.connection, host=host.address)


def _pacing(defaults: Pacing, own: Pacing) -> Pacing:
    return defaults.model_copy(update={name: getattr(own, name) for name in own.model_fields_set})
