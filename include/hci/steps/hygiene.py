"""Reading what a run might leave behind, before it changes anything and after it has undone everything, and comparing the two."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from typing import TypeVar

from include.hci.cluster.as_found import (
    get_credssp,
    get_firewall_groups,
    get_our_tasks,
    get_session_configurations,
    get_start_types,
)
from include.hci.cluster.facade import Cluster
from include.hci.cluster.nodes import ClusterNode, get_cluster_resources
from include.hci.cluster.storage import get_fault_domains
from include.hci.cluster.witness import read_from_witness
from include.hci.policy.checks.coordination import is_role_online
from include.hci.policy.hygiene import NodeSnapshot, Remainder, RunChanges, Snapshot, left_over
from include.hci.powershell.errors import CommandFailed, RemotingError
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.report.facts import Change
from include.hci.report.proof_events import NodeFound, NotAsFound
from include.hci.steps.base import LOCKABLE
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Clock, Scene

T = TypeVar("T")
#: How long the reading of all nodes may take: servers that answer slowly must not keep a run from its work or its end.
BUDGET = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Sight:
    """What is known before a snapshot: the nodes, who holds which of our lock classes, and why some nodes are not asked."""

    nodes: tuple[ClusterNode, ...]
    locks: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    silent: Mapping[str, str] = field(default_factory=dict)


def read_snapshot(
    cluster: Cluster, shell: Shell, sight: Sight, clock: Clock
) -> tuple[tuple[NodeFound, ...], bool | None]:
    """Return every node of ``sight`` as it is now, and whether the self-updating role is enabled; nothing is raised.

    What a node does not answer is named with the reason. ``shell`` answers for the cluster as a whole.
    """
    ends, whole = clock() + BUDGET, _Asking()
    domains = whole.ask("maintenance mode", partial(get_fault_domains, shell))
    resources = whole.ask("self-updating role", partial(get_cluster_resources, shell))
    maintained = None
    if domains is not None:
        maintained = {each.name.lower() for each in domains if each.in_maintenance and not each.leaves_maintenance}
    found = []
    for node in sight.nodes:
        why = sight.silent.get(node.name, "" if node.state in LOCKABLE else f"the node is {node.state}")
        if not why and clock() >= ends:
            why = f"the other nodes took more than {BUDGET.total_seconds() / 60:.0f} minutes to answer"
        seen = NodeFound(
            name=node.name,
            state=str(node.state),
            in_maintenance=None if maintained is None else node.name.lower() in maintained,
            locks=dict(sight.locks.get(node.name, {})),
            unread={"everything else": why} if why else dict(whole.unread),
        )
        found.append(seen if why else _read_node(cluster, seen))
    return tuple(found), None if resources is None else is_role_online(resources)


def _read_node(cluster: Cluster, seen: NodeFound) -> NodeFound:
    asking = _Asking(dict(seen.unread))
    try:
        shell = cluster.on(seen.name)
    except RemotingError as error:
        return seen.model_copy(update={"unread": {"everything else": error.detail}})
    credssp = asking.ask("CredSSP", partial(get_credssp, shell))
    return seen.model_copy(
        update={
            "credssp_server": None if credssp is None else credssp[0],
            "credssp_client": None if credssp is None else credssp[1],
            "services": asking.ask("service start types", partial(get_start_types, shell)) or {},
            "firewall": asking.ask("firewall groups", partial(get_firewall_groups, shell)) or {},
            "tasks": asking.ask("scheduled tasks", partial(get_our_tasks, shell)),
            "endpoints": asking.ask("session configurations", partial(get_session_configurations, shell)),
            "unread": asking.unread,
        }
    )


class _Asking:
    """Asks one thing after the other; a machine that does not answer at all is not asked any further."""

    def __init__(self, unread: dict[str, str] | None = None) -> None:
        self.unread: dict[str, str] = {} if unread is None else unread
        self._silent = ""

    def ask(self, what: str, read: Callable[[], T]) -> T | None:
        """Return what ``read`` gives, or None with the reason kept."""
        if self._silent:
            self.unread[what] = self._silent
            return None
        try:
            return read()
        except (RemotingError, ValueError) as error:
            detail = error.detail if isinstance(error, RemotingError) else str(error)
            self.unread[what] = detail
            if isinstance(error, RemotingError) and not isinstance(error, CommandFailed):
                self._silent = detail
            return None


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """Nothing is changed: what the run might touch goes on record as it was found."""

    sight: Sight

    def describe(self) -> str:
        """Return it as one line."""
        return "note how the nodes were found"

    def perform(self, scene: Scene) -> None:
        """Read and write."""
        nodes, role = read_snapshot(scene.cluster, scene.cluster.any(), self.sight, scene.clock)
        scene.record.add(ev.SnapshotTaken(moment="before", nodes=nodes, role_enabled=role), scene.clock())


def snapshot_of(event: ev.SnapshotTaken) -> Snapshot:
    """Return the snapshot as it is compared."""
    nodes = tuple(NodeSnapshot(**{name: getattr(node, name) for name in _FIELDS}) for node in event.nodes)
    return Snapshot(nodes, event.role_enabled)


_FIELDS = tuple(name for name in NodeFound.model_fields if name != "unread")


@dataclass(frozen=True, slots=True)
class ProveHygiene:
    """Nothing is changed: the nodes are compared with how they were found, and what differs goes on record.

    ``silence``: why the cluster cannot be asked at all. ``proved`` is told what is left by this run itself.
    """

    context: StepContext
    sight: Sight
    proved: Callable[[tuple[Remainder, ...], Scene], None]
    silence: str = ""

    def describe(self) -> str:
        """Return it as one line."""
        return "compare the nodes with how they were found"

    def perform(self, scene: Scene) -> None:
        """Read, compare and write; what cannot be read is unproven and never an error."""
        taken = [each.event for each in self.context.record.all_of(ev.SnapshotTaken) if each.event.moment == "before"]
        why, found = self.silence, tuple[Remainder, ...]()
        if not taken:
            why = "it was not noted how the nodes were found"
        if not why:
            try:
                found = self._compare(snapshot_of(taken[0]), scene)
            except RemotingError as error:
                why = error.detail
        differing = tuple(
            NotAsFound(node=item.node, what=item.what, command=item.command, by_run=item.by_run) for item in found
        )
        scene.record.add(ev.HygieneProved(remainders=differing, unproven=why), scene.clock())
        self.proved(tuple(item for item in found if item.by_run), scene)

    def _compare(self, before: Snapshot, scene: Scene) -> tuple[Remainder, ...]:
        shell, nodes = read_from_witness(scene.cluster, avoid=tuple(self.context.record.facts.paused))
        seen, role = read_snapshot(scene.cluster, shell, replace(self.sight, nodes=nodes), scene.clock)
        event = ev.SnapshotTaken(step="conclude", moment="after", nodes=seen, role_enabled=role)
        scene.record.add(event, scene.clock())
        after = snapshot_of(event)
        return left_over(before, after, changes_of(self.context, after))


def changes_of(context: StepContext, after: Snapshot) -> RunChanges:
    """Return what the record says that the run itself has changed of what was compared.

    A pause counts until it was seen to be over: whoever pauses a node later was somebody else. Everything else that the run has
    ever announced counts, because taking it back is what is to be proved.
    """
    facts, begun = context.record.facts, {each.event.node for each in context.record.all_of(ev.Pausing)}
    back = {node.name for node in after.nodes if node.state == "Up"}
    announced = [
        Change(each.event.change, each.event.node or "", each.event.subject, "", "", each.at)
        for each in context.record.all_of(ev.Changing)
    ]
    names = {node.name: node for node in after.nodes}
    mine = str(context.guid)
    return RunChanges(
        guid=context.guid,
        paused=tuple(facts.paused),
        # A pause of this run began it; a node that is paused again was paused by somebody else.
        in_maintenance={*facts.in_maintenance, *facts.paused, *(begun & back)},
        credssp={change.node for change in announced if change.kind in ("credssp-server", "credssp-client")},
        services=_named(announced, "service-start-type", {name: node.services for name, node in names.items()}),
        # Rules are announced by whatever names their group; there are few groups, and no run changes others than these.
        firewall={
            f"{node}/{group}"
            for node, found in names.items()
            for group in found.firewall
            if any(change.kind == "firewall-group" and change.node.lower() == node.lower() for change in announced)
        },
        tasks=_named(announced, "scheduled-task", {name: node.tasks or () for name, node in names.items()})
        | {f"{name}/{task}" for name, node in names.items() for task in node.tasks or () if mine in task},
    )


def _named(changes: Sequence[Change], kind: str, things: Mapping[str, Collection[str]]) -> set[str]:
    """Return ``node/thing`` of everything that a change of ``kind`` on that node names."""
    return {
        f"{node}/{thing}"
        for node, found in things.items()
        for thing in found
        for change in changes
        if change.kind == kind and change.node.lower() == node.lower() and thing.lower() in change.subject.lower()
    }
