"""Reading what nobody else should change while a run goes on: at plan time, and again before every node."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from include.hci.cluster.as_found import count_installed_updates
from include.hci.cluster.cau import (
    CauRunState,
    LockClass,
    LockHolder,
    get_cau_cluster_role,
    get_cau_run,
    get_lock_holders,
)
from include.hci.cluster.facade import Cluster
from include.hci.cluster.machine import WindowsVersion, get_windows_version
from include.hci.cluster.nodes import ClusterInfo, ClusterResource
from include.hci.policy.checks.facts import ReadinessFacts
from include.hci.policy.interference import Fingerprint, OurChanges, fingerprint
from include.hci.policy.plan import Plan
from include.hci.powershell.errors import CommandFailed, RemotingError
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.steps.base import Members
from include.hci.steps.context import StepContext

T = TypeVar("T")
#: What tells that a run has begun to work on a node: from then on what changes there is its own doing.
_TOUCHED = (ev.Pausing, ev.InstallStarted, ev.RestartOrdered)
_BOTH: tuple[LockClass, ...] = ("MSFT_CAURun", "MSFT_CAUNode")


def read_fingerprint(
    cluster: Cluster,
    shell: Shell,
    members: Members,
    resources: Sequence[ClusterResource],
    software: Collection[str],
    holders: Sequence[LockHolder] | None = None,
) -> Fingerprint:
    """Return the cluster's fingerprint; what is not answered is named in it, and nothing is raised.

    ``software`` are the nodes whose build and number of updates are asked for. ``holders`` are who holds MSFT_CAURun where that
    was read already.
    """
    reading = _Reading()
    run, role, role_known = _cau(cluster.name, shell, reading)
    found, versions, installed = list(holders or ()), dict[str, WindowsVersion](), dict[str, int]()
    wanted = {name.lower() for name in software}
    classes = _BOTH if holders is None else _BOTH[1:]
    for name in members.lockable:
        try:
            own = cluster.on(name)
            for kind in classes:
                found += reading.ask(f"{kind} on {name}", partial(get_lock_holders, own, name, kind)) or ()
            if name.lower() not in wanted:
                continue
            if (version := reading.ask(f"the build of {name}", partial(get_windows_version, own))) is not None:
                versions[name] = version
            if (count := reading.ask(f"the updates of {name}", partial(count_installed_updates, own))) is not None:
                installed[name] = count
        except RemotingError as error:
            reading.unread.append(f"{name} ({error.detail})")
    facts = ReadinessFacts(
        cluster=ClusterInfo(cluster.name),
        nodes=members.nodes,
        expected=cluster.nodes,
        resources=tuple(resources),
        versions=versions,
        holders=tuple(found),
        cau_run=run,
        cau_role=role,
    )
    return replace(fingerprint(facts, installed), role_known=role_known, unread=tuple(reading.unread))


def our_changes(context: StepContext, plan: Plan) -> OurChanges:
    """Return what this run changes by itself.

    A node that waited for a restart when the plan was made comes back with another build whoever restarts it.
    """
    pending = {node.name for node in plan.nodes if node.restart_pending}
    return OurChanges(context.guid, updated=touched_nodes(context.record) | pending)


def touched_nodes(record: RunRecord) -> frozenset[str]:
    """Return the nodes that the run has begun to work on."""
    return frozenset(
        entry.node for entry in record.events() if entry.node is not None and isinstance(entry.event, _TOUCHED)
    )


class _Reading:
    """Asks, and keeps what was not answered."""

    def __init__(self) -> None:
        self.unread: list[str] = []

    def ask(self, what: str, read: Callable[[], T]) -> T | None:
        """Return what ``read`` gives, or None with the reason kept; raises when nobody answers at all."""
        try:
            return read()
        except CommandFailed as error:
            self.unread.append(f"{what} ({error.detail})")
            return None


def _cau(name: str, shell: Shell, reading: _Reading) -> tuple[CauRunState | None, dict[str, str] | None, bool]:
    """Return CAU's run and role, and whether what is said of the role can be believed."""
    try:
        run = reading.ask("the state of Cluster-Aware Updating", partial(get_cau_run, shell, name))
        if run is None:
            return None, None, False
        if run.state == "Unknown":
            reading.unread.append("the state of Cluster-Aware Updating (it was not told)")
            run = None
        before = len(reading.unread)
        role = reading.ask("the self-updating role", partial(get_cau_cluster_role, shell, name))
    except RemotingError as error:
        reading.unread.append(f"Cluster-Aware Updating ({error.detail})")
        return None, None, False
    return run, role, len(reading.unread) == before
