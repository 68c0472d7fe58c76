"""Bringing the cluster back: what was changed to take it down is taken back, last to first, by the undoers of a run's end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from include.hci.cluster.facade import Cluster
from include.hci.cluster.machine import get_windows_version
from include.hci.cluster.storage import get_virtual_disks
from include.hci.cluster.volumes import get_volumes
from include.hci.cluster.witness import read_from_witness
from include.hci.powershell.errors import CommandFailed, RemotingError
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.actions import Note
from include.hci.steps.base import BaseStep
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Action, Clock, Decision, Done, Scene, Stop, Wait
from include.hci.steps.offline_plan import offline_plan
from include.hci.steps.undo import Stages, Standing, Undoer, read_standings, subject_of
from include.hci.steps.undoers import UNDOERS

#: How long anything that is taken back may take; a cluster takes minutes to form.
PATIENCE = timedelta(minutes=15)
#: How often each thing is tried.
MOST_TRIES = 3


@dataclass(frozen=True, slots=True)
class TakeBackFacts:
    """How the changes stand that this step takes back, the last one first.

    ``failed``: nodes that the run has given up; what cannot be done there now is left to the end of the run. ``left``: what this
    step could not take back, with the reason. ``builds``: of the nodes, read once before the cluster is started; ``unwell``: what
    of the storage is not as it should be when everything is back; ``staged``: since when some wait for what was done.
    """

    began: datetime
    standings: tuple[Standing, ...] = ()
    failed: frozenset[str] = frozenset()
    tries: Mapping[str, int] = field(default_factory=dict)
    left: Mapping[str, str] = field(default_factory=dict)
    staged: Mapping[str, datetime] = field(default_factory=dict)
    builds: ev.BuildsCompared | None = None
    unwell: tuple[str, ...] = ()


class TakeBack(BaseStep[TakeBackFacts]):
    """Takes back the open changes of ``kinds``; ends 'back', or stops with what it could not take back."""

    kinds: frozenset[ev.ChangeKind]

    def __init__(self, context: StepContext, clock: Clock, undoers: Mapping[ev.ChangeKind, Undoer] = UNDOERS) -> None:
        super().__init__(context)
        self._clock = clock
        self._undoers = undoers
        self._began: datetime | None = None
        self.tries: dict[str, int] = {}
        self.left: dict[str, str] = {}
        self._stages = Stages()

    def observe(self, cluster: Cluster) -> TakeBackFacts:
        """Read how the changes stand."""
        self._began = self._began or self._clock()
        mine = [change for change in self.changes.changes if change.kind in self.kinds]
        open_ones = [change for change in mine if subject_of(change) not in self.left]
        standings = read_standings(cluster, self.context, open_ones, self._undoers)
        return TakeBackFacts(
            began=self._began,
            standings=standings,
            staged=self._stages.note(standings, self._clock()),
            failed=frozenset(self.changes.failed),
            tries=MappingProxyType(dict(self.tries)),
            left=MappingProxyType(dict(self.left)),
            builds=self.builds(cluster) if mine else None,
            unwell=() if open_ones or self.left else self.unwell(cluster),
        )

    def builds(self, cluster: Cluster) -> ev.BuildsCompared | None:
        """Return what is noted before anything is started."""
        return None

    def unwell(self, cluster: Cluster) -> tuple[str, ...]:
        """Return what keeps the step from being over although everything was taken back."""
        return ()

    def decide(self, facts: TakeBackFacts, now: datetime) -> Decision:
        """Do the next thing that can be done; one machine that cannot be helped holds up nobody else."""
        if facts.builds is not None:
            return Act(
                Note("the builds of the servers were read", (facts.builds,)), "the cluster is about to be started"
            )
        later: Decision | None = None
        for standing in facts.standings:
            subject = subject_of(standing.change)
            since = facts.staged.get(subject, facts.began)
            limit = max(since + PATIENCE, standing.until or since)
            if standing.wait and standing.change.node in facts.failed and standing.undo is None:
                return Act(
                    _Leave(self, subject, f"{standing.what} ({standing.wait})"), "the run has given this server up"
                )
            if standing.wait and now < limit:
                wait = Wait(f"{standing.what}: {standing.wait}", None, limit + PATIENCE)
                if standing.holds_up:
                    return wait
                later = later or wait
                continue
            if standing.undo is not None and facts.tries.get(subject, 0) < MOST_TRIES:
                return Act(_Try(self, subject, standing.undo), "the cluster is brought back as it was found")
            if standing.undo is not None or standing.wait:
                why = standing.wait or f"it did not help to try it {MOST_TRIES} times"
                return Act(_Leave(self, subject, f"{standing.what} ({why})"), why)
            change = standing.change
            seen = ev.ChangeTakenBack(
                step=self.name, node=change.node or None, change=change.kind, subject=change.subject
            )
            return Act(Note(f"{change.subject} is as it was found", (seen,)), "it was taken back")
        if later is not None:
            return later
        return self._end(facts)

    def refused(self, action: Action, error: CommandFailed, facts: TakeBackFacts, now: datetime) -> Decision | None:
        """What is refused is tried again a few times; it never stops the rest."""
        return Wait(f"'{action.describe()}' was refused: {error.detail}")

    def _end(self, facts: TakeBackFacts) -> Decision:
        if facts.left:
            return Stop(
                Problem(
                    title=f"Not everything is back: {'; '.join(facts.left.values())}.",
                    meaning="Everything else was brought back; the end of the run tries this once more.",
                    next_action="Look at what the report of the run leaves to you, with its commands.",
                    retry_is_safe=False,
                )
            )
        if facts.unwell:
            said = "; ".join(facts.unwell)
            limit = facts.began + 2 * PATIENCE
            return Wait(f"not everything is well yet: {said}", None, limit, _unwell(said))
        return Done("back", "everything that this run took down is back")


class StartCluster(TakeBack):
    """Start types, cluster services, virtual disks."""

    name: ev.StepName = "start_cluster"
    kinds = frozenset({"service-start-type", "cluster-stopped", "virtual-disk-offline"})

    def builds(self, cluster: Cluster) -> ev.BuildsCompared | None:
        """Read the builds of all servers, once, before their cluster services start."""
        planned = offline_plan(self.context.record)
        if planned is None or self.context.record.last(ev.BuildsCompared) is not None:
            return None
        builds, silent = {}, {}
        for node in planned.nodes:
            try:
                builds[node] = str(get_windows_version(cluster.on(node)).build)
            except (RemotingError, ValueError) as error:
                silent[node] = error.detail if isinstance(error, RemotingError) else str(error)
        return ev.BuildsCompared(builds=builds, silent=silent)

    def unwell(self, cluster: Cluster) -> tuple[str, ...]:
        """Return the virtual disks that are still detached and the volumes that are not healthy."""
        if self.context.record.last(ev.BuildsCompared) is None:
            return ()  # the cluster was never stopped
        shell, _ = read_from_witness(cluster)
        detached = [disk.describe() for disk in get_virtual_disks(shell) if "Detached" in disk.operational]
        ill = [f"the volume {each.label} is {each.health}" for each in get_volumes(shell) if each.health == "Unhealthy"]
        return (*detached, *ill)


class StartVms(TakeBack):
    """Every virtual machine that this run has stopped, and no other."""

    name: ev.StepName = "start_vms"
    kinds = frozenset({"vm-stopped"})


@dataclass(frozen=True, slots=True)
class _Try:
    """Counts a try, then does ``action``."""

    step: TakeBack
    subject: str
    action: Action

    def describe(self) -> str:
        return self.action.describe()

    def perform(self, scene: Scene) -> None:
        self.step.tries[self.subject] = self.step.tries.get(self.subject, 0) + 1
        self.action.perform(scene)


@dataclass(frozen=True, slots=True)
class _Leave:
    """Leaves a change to the end of the run."""

    step: TakeBack
    subject: str
    what: str

    def describe(self) -> str:
        return f"go on without this: {self.what}"

    def perform(self, scene: Scene) -> None:
        self.step.left[self.subject] = self.what


def _unwell(said: str) -> Problem:
    return Problem(
        title=f"The storage is not well after the downtime: {said}.",
        next_action="Look at Get-VirtualDisk and Get-Volume; the virtual machines are started all the same.",
        retry_is_safe=False,
    )
