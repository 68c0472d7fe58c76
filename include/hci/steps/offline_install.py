"""Installing on all nodes at once: while the cluster is stopped, or right before, while it is still up.

Each node works by itself. There is no turn and no drain: what keeps a node safe is that the whole cluster is down by this run's
own doing, its service disabled, so that nothing on the node is in use.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from include.hci.cluster.cau import LockHolder, get_lock_holders
from include.hci.cluster.facade import Cluster
from include.hci.cluster.lock import LockState, RunLock
from include.hci.cluster.machine import Service, get_services
from include.hci.cluster.nodes import ClusterNode
from include.hci.cluster.services import CLUSTER_SERVICE
from include.hci.policy.gates import find_node
from include.hci.powershell.errors import CommandFailed, RemotingError
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.base import NodeStep, read_members
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Action, Clock, Decision, Done, Stop, Wait
from include.hci.steps.failures import is_refused
from include.hci.steps.gates import Custody, lock_decision
from include.hci.steps.install import LOOK_AGAIN_AFTER, Install, InstallFacts, failed_updates
from include.hci.steps.jobs import look_at_job
from include.hci.steps.offline_plan import is_cleared
from include.hci.steps.scan import foreign_updater
from include.hci.steps.work import Work, lost_installs


@dataclass(frozen=True, slots=True)
class OfflineCustody:
    """What must be known before a node of a stopped cluster is touched; ``silence`` is why the node says nothing.

    ``stopped_by_run``: the record says that this run has stopped the cluster. ``lock``: as the node itself tells it; a provider
    that says nothing while the cluster service is stopped is no other coordinator.
    """

    began: datetime
    silence: str = ""
    service: Service | None = None
    stopped_by_run: bool = False
    lock: LockState | None = None
    holders: tuple[LockHolder, ...] = ()


@dataclass(frozen=True, slots=True)
class OfflineInstallFacts:
    """The custody, and what the step has done so far."""

    custody: OfflineCustody
    install: InstallFacts | None = None


class OfflineWork:
    """The node's part of a step that installs while the cluster is stopped; the pieces of work are those of ``Install``."""

    def __init__(self, step: NodeStep[Any], clock: Clock) -> None:
        self.step, self._clock = step, clock
        self.work = Work()
        self.install = Install(step.context, step.node, clock, self.work)
        # What is installed belongs to the step that has it installed.
        self.install.name = step.name
        self._began: datetime | None = None

    def read_custody(self, cluster: Cluster) -> OfflineCustody:
        """Read the node's own cluster service and locks; that it does not answer is a finding, not an error."""
        self._began = self._began or self._clock()
        node, guid = self.step.node, self.step.context.guid
        down = self.step.context.record.last(ev.ClusterDown) is not None
        stopped = down and any(change.node == node for change in self.step.changes.open_changes("cluster-stopped"))
        try:
            service = get_services(cluster.on(node), (CLUSTER_SERVICE,))[0]
        except RemotingError as error:
            if is_refused(error):
                raise
            return OfflineCustody(self._began, error.detail, stopped_by_run=stopped)
        try:
            lock: LockState | None = RunLock(cluster, guid).read((node,))
            holders = get_lock_holders(cluster.on(node), node, "MSFT_CAUNode")
        except CommandFailed:
            lock, holders = None, ()
        return OfflineCustody(self._began, "", service, stopped, lock, holders)

    def read_install(self, cluster: Cluster | None, lock: LockState | None) -> InstallFacts:
        """Return what the step has done so far; without ``cluster`` the node does not answer."""
        context, node, now = self.step.context, self.step.node, self._clock()
        lost = lost_installs(context.record, node)
        scan = self.work.scan
        if lost and scan is not None and scan.restart_pending and now - scan.at >= LOOK_AGAIN_AFTER:
            self.work.forget()
        # It was neither drained nor paused: what the installing itself goes by is only what was done.
        custody = Custody(node, None, (), False, False, (), lock or LockState(context.guid, ()))
        return InstallFacts(
            custody=custody,
            holders=(),
            scan=self.work.scan,
            downloaded=self.work.downloaded,
            passes=self.work.passes,
            results=tuple(self.work.results),
            lost_since=max((install.started_at for install in lost), default=None),
            job=None if cluster is None else look_at_job(cluster, context, node, self.work),
        )

    def gate(self, custody: OfflineCustody, doing: str) -> Decision | None:
        """Return why ``doing`` cannot go on with the node, or None."""
        node, service = self.step.node, custody.service
        if service is None:
            limit = custody.began + timedelta(minutes=self.step.context.options.reboot_timeout_minutes)
            said = f"{node} does not answer: {custody.silence}"
            return Wait(said, None, limit, _silent(node, custody.silence))
        if not custody.stopped_by_run:
            return Stop(_refused(node, doing, "this run has not stopped the cluster"))
        if service.status == "StopPending":
            return Wait(f"the cluster service of {node} is still stopping")
        if service.status != "Stopped" or service.start_type != "Disabled":
            said = f"its cluster service is {service.status} and starts {service.start_type}"
            return Stop(_refused(node, doing, said))
        if custody.lock is not None and (gate := lock_decision(custody.lock, self.step.name)):
            return gate
        foreign = [holder for holder in custody.holders if holder.guid != self.step.context.guid]
        return Stop(foreign_updater(node, foreign[0])) if foreign else None


class InstallOffline(NodeStep[OfflineInstallFacts]):
    """Ends 'installed', 'nothing-to-install' or 'restart-needed'."""

    name: ev.StepName = "install_offline"

    def __init__(self, context: StepContext, node: str, clock: Clock) -> None:
        super().__init__(context, node)
        self.offline = OfflineWork(self, clock)

    def observe(self, cluster: Cluster) -> OfflineInstallFacts:
        """Read everything from the node itself: there is no cluster to be asked."""
        custody = self.offline.read_custody(cluster)
        return OfflineInstallFacts(
            custody, self.offline.read_install(None if custody.silence else cluster, custody.lock)
        )

    def decide(self, facts: OfflineInstallFacts, now: datetime) -> Decision:
        """Refuse a node that is in use, else do the next piece of work."""
        if gate := self.offline.gate(facts.custody, "installing on"):
            return gate
        if facts.install is None:
            return Wait("nothing is known of the updates yet")
        if facts.install.failed:
            return Stop(failed_updates(self.node, facts.install.failed))
        return self.offline.install.work_on(facts.install, now)

    def refused(
        self, action: Action, error: CommandFailed, facts: OfflineInstallFacts, now: datetime
    ) -> Decision | None:
        """Another installation in progress is waited for."""
        return self.offline.install.refused(action, error, facts.install, now) if facts.install else None

    def may_cancel(self, facts: OfflineInstallFacts, decision: Decision) -> bool:
        """Until the first install: what was begun is finished, restart included, before the node is brought back."""
        return not isinstance(decision, Stop) and not self.context.record.all_of(ev.InstallStarted, self.node)


@dataclass(frozen=True, slots=True)
class InstallBeforeFacts:
    """The node as the cluster sees it, the locks, and what the step has done so far."""

    cleared: bool
    node: ClusterNode | None
    lock: LockState
    holders: tuple[LockHolder, ...]
    install: InstallFacts


class InstallBefore(NodeStep[InstallBeforeFacts]):
    """Installs while the cluster is up, so that only the restarts fall into the downtime; it never restarts anything."""

    name: ev.StepName = "install_before"

    def __init__(self, context: StepContext, node: str, clock: Clock) -> None:
        super().__init__(context, node)
        self.work = OfflineWork(self, clock)

    def observe(self, cluster: Cluster) -> InstallBeforeFacts:
        """Read the node's state and its locks."""
        _, members = read_members(cluster)
        lock = RunLock(cluster, self.context.guid).read((self.node,))
        return InstallBeforeFacts(
            cleared=is_cleared(self.context.record),
            node=find_node(members.nodes, self.node),
            lock=lock,
            holders=get_lock_holders(cluster.on(self.node), self.node, "MSFT_CAUNode"),
            install=self.work.read_install(cluster, lock),
        )

    def decide(self, facts: InstallBeforeFacts, now: datetime) -> Decision:
        """Install on a node that is in service; what needs a restart gets it later."""
        if not facts.cleared:
            return Stop(_refused(self.node, "installing on", "the gate before the downtime was not passed"))
        if facts.node is None or not facts.node.is_up:
            state = facts.node.state if facts.node else "gone"
            return Stop(_refused(self.node, "installing on", f"it is {state}"))
        if gate := lock_decision(facts.lock, self.name):
            return gate
        foreign = [holder for holder in facts.holders if holder.guid != self.context.guid]
        if foreign:
            return Stop(foreign_updater(self.node, foreign[0]))
        if facts.install.failed:
            return Stop(failed_updates(self.node, facts.install.failed))
        return self.work.install.work_on(facts.install, now)

    def refused(
        self, action: Action, error: CommandFailed, facts: InstallBeforeFacts, now: datetime
    ) -> Decision | None:
        """Another installation in progress is waited for."""
        return self.work.install.refused(action, error, facts.install, now)

    def may_cancel(self, facts: InstallBeforeFacts, decision: Decision) -> bool:
        """No virtual machine was stopped: what is installed already waits for the next restart."""
        return not isinstance(decision, Stop | Done)


def _refused(node: str, doing: str, reason: str) -> Problem:
    return Problem(
        title=f"{doing.capitalize()} {node} was refused: {reason}.",
        meaning="All servers are worked on at once only while this run keeps the whole cluster stopped.",
        next_action="Look at the report of the run; what it has changed is taken back at its end.",
        retry_is_safe=True,
    )


def _silent(node: str, why: str) -> Problem:
    return Problem(
        title=f"Node {node} does not answer: {why}.",
        meaning="The cluster is stopped; the other servers go on and are brought back without it.",
        next_action=f"Check the console of {node} (BMC). Its cluster service is left disabled until it answers.",
        retry_is_safe=False,
    )
