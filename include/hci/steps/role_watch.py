"""Watching the roles while nodes come and go: where they were, where they went, and which virtual machine was not Online."""

from __future__ import annotations

from collections.abc import Collection

from include.hci.cluster.nodes import ClusterGroup
from include.hci.policy.order import CORE_GROUPS
from include.hci.report import events as ev
from include.hci.report.facts import RunFacts
from include.hci.report.values import ONLINE, VM, RoleSeen

#: What is said of a virtual machine whose role is not in the cluster any more.
GONE = "not in the cluster"


def seen_before(groups: Collection[ClusterGroup], node: str) -> tuple[RoleSeen, ...]:
    """Return what the report needs to know of the roles before ``node`` is paused: all virtual machines and its own roles."""
    return tuple(
        _seen(group)
        for group in groups
        if group.kind == VM
        or (group.owner.lower() == node.lower() and group.is_running and group.kind not in CORE_GROUPS)
    )


def seen_now(groups: Collection[ClusterGroup], names: Collection[str]) -> tuple[RoleSeen, ...]:
    """Return the roles called ``names`` as they are now."""
    wanted = frozenset(names)
    return tuple(_seen(group) for group in groups if group.name in wanted)


def noticed(
    facts: RunFacts, groups: Collection[ClusterGroup], step: ev.StepName, node: str | None
) -> tuple[ev.RunEvent, ...]:
    """Return what a reading of ``groups`` adds to the record: virtual machines that went out of Online or came back to it.

    Watched are those that were Online when this run last began to pause a node. How long one was out is known only to the
    readings on both sides of it.
    """
    if not facts.vms_online and not facts.vms_down:
        return ()
    now = {group.name: group for group in groups}
    out = tuple(
        ev.VmNotOnline(step=step, node=node, vm=name, state=_state(now.get(name)), owner=_owner(now.get(name)))
        for name in sorted(facts.vms_online - facts.vms_down.keys())
        if _state(now.get(name)) != ONLINE
    )
    back = tuple(
        ev.VmOnline(step=step, node=node, vm=name, owner=_owner(now.get(name)))
        for name in sorted(facts.vms_down)
        if _state(now.get(name)) == ONLINE
    )
    return (*out, *back)


def _seen(group: ClusterGroup) -> RoleSeen:
    return RoleSeen(name=group.name, kind=group.kind, state=str(group.state), owner=group.owner)


def _state(group: ClusterGroup | None) -> str:
    return GONE if group is None else str(group.state)


def _owner(group: ClusterGroup | None) -> str:
    return "" if group is None else group.owner
