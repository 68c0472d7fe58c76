"""What a feature update may do with what the nodes are offered, and when all of them have the new version."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from include.hci.cluster.machine import Build
from include.hci.cluster.nodes import ClusterNode
from include.hci.cluster.updates import Update

#: Azure Stack HCI 22H2. What it is offered next is Azure Local 23H2, which this program does not update (azure-stack-docs).
LAST_HCI_BUILD = 20349


@dataclass(frozen=True, slots=True)
class NodeOffer:
    """A node with its ``build`` (empty: unread) and the feature updates that it is offered."""

    node: ClusterNode
    build: str
    updates: tuple[Update, ...] = ()

    @property
    def number(self) -> int:
        """The number of the build, which tells the version; 0 where it is unread."""
        return Build.parse(self.build).number if self.build else 0

    def describe(self) -> str:
        """Return who is offered what, in words."""
        if not self.node.is_up:
            return f"{self.node.name} is {self.node.state}"
        offered = " and ".join(f"'{update.title}'" for update in self.updates) or "nothing"
        return f"{self.node.name} ({self.build or 'build unread'}) is offered {offered}"


@dataclass(frozen=True, slots=True)
class Offers:
    """What is to be done: ``waiting`` nodes get ``update``, ``upgraded`` ones have it; ``problem`` says why none of it may be.

    Without ``waiting`` nodes there is nothing to install. ``advice`` is what helps against this ``problem`` alone.
    """

    problem: str = ""
    advice: str = ""
    update: Update | None = None
    waiting: tuple[str, ...] = ()
    upgraded: tuple[str, ...] = ()


_TO_LOCAL = (
    "Upgrade the cluster by the vendor's own way to Azure Local, and take it out of the fleet file. What is left to raise at the "
    "present version is done by a run with post_steps_only."
)


#: CAU targets no single node (windowsserverdocs, cluster-aware-updating-faq). By hand: azure-stack-docs, update-cluster.
_AHEAD = (
    "A cluster may span two versions, and CAU cannot be told to leave a node out. Decline the later update at WSUS, or hide it "
    "on {ahead}, and start the run again: it begins once nothing is offered there. Or bring {behind} to the version of {ahead} "
    "by hand, one after the other: drain the node, upgrade it with SConfig or with setup media of just that version, wait for "
    "the storage, resume it. Then start a run with post_steps_only."
)


def judge_offers(nodes: Sequence[NodeOffer]) -> Offers:
    """Return what a feature update does with ``nodes``.

    CAU installs on every node what that one is offered. So it may begin only when all that are not upgraded yet are offered one
    and the same (azure-stack-docs, update-cluster: servers at mixed patch levels are offered several), and when those that have
    it are offered nothing: a cluster may span two versions, never three (windowsserverdocs,
    cluster-operating-system-rolling-upgrade).
    """
    if away := [each for each in nodes if not each.node.is_up]:
        return Offers(f"{_list([each.node.name for each in away])} cannot be asked")
    if unread := [each.node.name for each in nodes if not each.number]:
        return Offers(f"the build of {_list(unread)} cannot be read")
    waiting, others = [each for each in nodes if each.updates], [each for each in nodes if not each.updates]
    if not waiting:
        names = tuple(each.node.name for each in others)
        problem = "" if _is_one(others) else "no node is offered a feature update, and they do not run one version"
        return Offers(problem, upgraded=names)
    if behind := _behind_those_that_go_on(nodes):
        ahead = _list([each.node.name for each in nodes if each.node.name not in behind])
        problem = f"{ahead} already has a later version than {_list(behind)}, and is offered one that is later still"
        return Offers(problem, _AHEAD.format(ahead=ahead, behind=_list(behind)))
    if local := [each.node.name for each in waiting if each.number == LAST_HCI_BUILD]:
        # After the first node the cluster could neither be gone on with nor updated by this program.
        return Offers(
            f"{_list(local)} would become Azure Local, whose updates belong to its own orchestrator", _TO_LOCAL
        )
    if len({update.update_id for each in waiting for update in each.updates}) > 1:
        return Offers("the nodes are not offered one and the same feature update")
    if any(len(each.updates) > 1 for each in waiting) or not _is_one(waiting):
        return Offers("nodes of different versions are offered the same feature update")
    if behind := [each.node.name for each in others if each.number <= waiting[0].number]:
        return Offers(f"{_list(behind)} is not upgraded and not offered what the others are")
    return Offers(
        update=waiting[0].updates[0],
        waiting=tuple(each.node.name for each in waiting),
        upgraded=tuple(each.node.name for each in others),
    )


def _behind_those_that_go_on(nodes: Sequence[NodeOffer]) -> list[str]:
    """Return the nodes of older versions where those of the latest are offered what no other is: none, or a rest to be done."""
    latest = max(each.number for each in nodes)
    behind = [each for each in nodes if each.number < latest]
    known = {update.update_id for each in behind for update in each.updates}
    goes_on = any(update.update_id not in known for each in nodes if each.number == latest for update in each.updates)
    return [each.node.name for each in behind] if goes_on else []


def judge_versions(nodes: Sequence[ClusterNode], builds: Mapping[str, str], before: Mapping[str, str]) -> str:
    """Return why not every node is up and on one new version; empty: every one is.

    ``before`` are the builds of the nodes that were to be upgraded, as they were when that began.
    """
    if away := [f"{node.name} is {node.state}" for node in nodes if not node.is_up]:
        return "; ".join(away)
    if unread := [node.name for node in nodes if not builds.get(node.name)]:
        return f"the build of {_list(unread)} cannot be read"
    listed = "; ".join(f"{node.name} is on {builds[node.name]}" for node in nodes)
    numbers = {Build.parse(builds[node.name]).number for node in nodes}
    if len(numbers) > 1:
        return listed
    if any(Build.parse(build).number >= min(numbers) for build in before.values()):
        return f"no node has another version than before: {listed}"
    return ""


def _is_one(nodes: Sequence[NodeOffer]) -> bool:
    return len({each.number for each in nodes}) <= 1


def _list(names: Sequence[str]) -> str:
    return ", ".join(names)
