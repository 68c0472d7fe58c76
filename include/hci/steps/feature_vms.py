"""Raising the configuration version of virtual machines: on the node that owns each, never while it runs, as found afterwards."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.cluster.nodes import get_cluster_resources
from include.hci.cluster.vm_power import ClusteredVm, clustered_vms
from include.hci.cluster.vm_versions import VmVersion, get_default_version, get_vm_version, order, update_vm_version
from include.hci.policy.post_question import Question
from include.hci.powershell.errors import CommandFailed
from include.hci.report import events as ev
from include.hci.report.post_events import RaiseResult
from include.hci.report.values import Problem
from include.hci.steps.actions import Note
from include.hci.steps.base import BaseStep
from include.hci.steps.cau_run_access import feature_request
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Action, Decision, Done, Scene, Stop, Wait
from include.hci.steps.engine import CANCELLED
from include.hci.steps.feature_consent import Asking, consent, left, level_left, not_allowed
from include.hci.steps.feature_raise import Raise
from include.hci.steps.feature_reading import ClusterFacts, level_missing, read_cluster, unfit
from include.hci.steps.gates import lock_decision
from include.hci.steps.offline_actions import StartVms, StopVm

WHAT = "the version of the virtual machines"
ASKS = "approve_vm_versions"
#: How long a guest has for shutting down.
PATIENCE = timedelta(minutes=15)
#: How often one machine is told the same.
MOST_TRIES = 2


@dataclass(frozen=True, slots=True)
class Machine:
    """A clustered virtual machine, with the version that it has, and the one that new machines get on its node."""

    role: ClusteredVm
    now: VmVersion
    default: str

    @property
    def name(self) -> str:
        """The role that it belongs to."""
        return self.role.name

    @property
    def is_raised(self) -> bool:
        """Whether there is nothing above its version on its node."""
        return order(self.now.version) >= order(self.default)


@dataclass(frozen=True, slots=True)
class VmFacts:
    """The machines that this run is about. ``missing``: names that no machine of the cluster has.

    ``stopped``: since when each machine is to be down by this run; ``orders``: the version with which a machine was found that
    this run has raised, or has tried to. ``tried`` counts what each machine was told in this step, ``errors`` is the answer.
    """

    cluster: ClusterFacts
    machines: tuple[Machine, ...] = ()
    missing: tuple[str, ...] = ()
    stopped: Mapping[str, datetime] = field(default_factory=dict)
    orders: Mapping[str, str] = field(default_factory=dict)
    tried: Mapping[tuple[str, str], int] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    defaults: tuple[str, ...] = ()

    def found(self, machine: Machine) -> str:
        """Return the version with which this run found ``machine``."""
        return self.orders.get(machine.name, machine.now.version)

    def gave_up(self, machine: Machine) -> bool:
        """Tell whether ``machine`` was told to take its version often enough."""
        return self.tried.get((machine.name, "raise"), 0) >= MOST_TRIES


@dataclass(frozen=True, slots=True)
class VmEnd:
    """How it ended with one machine."""

    machine: Machine
    result: RaiseResult
    why: str = ""


class VmVersions(BaseStep[VmFacts]):
    """Ends 'done' with a result for every machine, or 'left' where it was not allowed."""

    name: ev.StepName = "vm_versions"

    def __init__(self, context: StepContext) -> None:
        super().__init__(context)
        self.tried: Counter[tuple[str, str]] = Counter()
        self.errors: dict[str, str] = {}
        self._request = feature_request(context)
        self._read: dict[ClusteredVm, VmVersion] = {}
        self._defaults: dict[str, str] = {}

    def observe(self, cluster: Cluster) -> VmFacts:
        """Read the machines; Hyper-V is asked again about those that have moved, changed their state, or were told something."""
        shell, found = read_cluster(cluster, self.context)
        if self._request.vm_versions == "no":
            return VmFacts(found)
        roles = clustered_vms(get_cluster_resources(shell))
        wanted = {name.lower() for name in self._request.vm_names}
        chosen = [role for role in roles if not wanted or role.name.lower() in wanted]
        self._read = {role: version for role, version in self._read.items() if role in chosen}
        for role in chosen:
            if role not in self._read:
                self._read[role] = get_vm_version(cluster.on(role.node), role.name)
        for node in found.versions:
            if node not in self._defaults:
                self._defaults[node] = get_default_version(cluster.on(node))
        known = {role.name.lower() for role in roles}
        # A node that is away tells nothing: what the others give new machines stands for it, so that nothing counts as raised.
        newest = max(self._defaults.values(), key=order, default="")
        return VmFacts(
            cluster=found,
            machines=tuple(
                Machine(role, self._read[role], self._defaults.get(role.node) or newest or self._read[role].version)
                for role in chosen
            ),
            missing=tuple(name for name in self._request.vm_names if name.lower() not in known),
            stopped={change.subject: change.at for change in self.changes.open_changes("vm-stopped")},
            orders=self._orders(),
            tried=dict(self.tried),
            errors=dict(self.errors),
            defaults=tuple(sorted({*self._defaults.values()}, key=order)),
        )

    def decide(self, facts: VmFacts, now: datetime) -> Decision:
        """Do the machines that are off first, then those that have to be shut down, one after the other."""
        if gate := lock_decision(facts.cluster.lock, self.name):
            return gate
        stays = f"{WHAT} stays as it is"
        if self._request.vm_versions == "no":
            return left(stays, "it was not asked for when the run was begun")
        if why := level_missing(facts.cluster, level_left(self.context.record)):
            return left(stays, why)
        question = self.question(facts)
        allowed = consent(self.context.record, self._request.vm_versions, question)
        if facts.missing and allowed.answer != "left":
            return Stop(_no_such(facts.missing))
        if any(not machine.is_raised for machine in facts.machines) and (
            refused := not_allowed(allowed, stays, question.step)
        ):
            return refused
        if not facts.stopped and (problem := unfit(facts.cluster, WHAT)):
            return Stop(problem)
        ends: list[VmEnd] = []
        for machine in sorted(facts.machines, key=lambda one: (one.name not in facts.stopped, one.role.is_running)):
            found = self._next(machine, facts, question, allowed.by, now)
            if not isinstance(found, VmEnd):
                return found
            ends.append(found)
        return Done("done", _summary(ends), {"machines": {end.machine.name: end.result for end in ends}})

    def refused(self, action: Action, error: CommandFailed, facts: VmFacts, now: datetime) -> Decision | None:
        """One machine that refuses does not keep the others from it."""
        return Wait(f"'{action.describe()}' was refused: {error.detail}")

    def events(self, facts: VmFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put on record how it ended with each machine."""
        if not isinstance(decision, Done) or decision.outcome == CANCELLED:
            return ()
        if decision.outcome == "left":
            return (ev.PostSkipped(step=self.name, why=decision.why),)
        question = self.question(facts)
        ends = [end for machine in facts.machines if (end := self._end(machine, facts, question)) is not None]
        return tuple(
            ev.VersionSettled(
                step=self.name,
                node=end.machine.role.node,
                subject=end.machine.name,
                name=end.machine.name,
                result=end.result,
                before=facts.found(end.machine),
                after=end.machine.now.version,
                why=end.why,
            )
            for end in ends
        )

    def may_cancel(self, facts: VmFacts, decision: Decision) -> bool:
        """What was stopped is started again at the end, and a machine is raised or not."""
        return not isinstance(decision, Done | Stop)

    def asking(self, cluster: Cluster, facts: VmFacts, now: datetime) -> Asking:
        """Return what a person is to be asked."""
        if why := level_missing(facts.cluster, level_left(self.context.record)):
            return Asking(why=why)
        if facts.missing:
            return Asking(problem=_no_such(facts.missing))
        question = self._question(facts, _open(facts))
        if not question.subjects:
            return Asking(why="every machine has the version that its host gives to new ones")
        if problem := unfit(facts.cluster, WHAT):
            return Asking(problem=problem)
        return Asking(question)

    def question(self, facts: VmFacts) -> Question:
        """Return what is agreed to: the machines that a person was asked about, or else all of them."""
        asked = [entry.event for entry in self.context.record.all_of(ev.PostAsked) if entry.event.step == ASKS]
        subjects = asked[-1].subjects if asked and self._request.vm_versions == "ask" else _open(facts)
        return self._question(facts, subjects)

    def _question(self, facts: VmFacts, subjects: Mapping[str, str]) -> Question:
        running = "A machine that runs is left as it is."
        if self._request.running_vms == "restart":
            running = "A machine that runs is shut down, updated and started again: it is down for some minutes."
        return Question(
            ASKS, self.context.cluster, subjects, ", ".join(facts.defaults), facts.cluster.builds, terms=running
        )

    def _next(self, machine: Machine, facts: VmFacts, question: Question, by: str, now: datetime) -> Decision | VmEnd:
        """Return what comes next for ``machine``, or how it ended with it."""
        since = facts.stopped.get(machine.name)
        if since is not None:
            return self._bring_back(machine, facts, question, by, since, now)
        end = self._end(machine, facts, question)
        if end is not None:
            return end
        if machine.now.state == "Off":
            return self._raise(machine, question, by)
        stop = _Told(self, "stop", machine.role, StopVm(machine.role, "shutdown", PATIENCE, self.name))
        return Act(stop, f"the version of {machine.name} can only be raised while it is off")

    def _bring_back(
        self, machine: Machine, facts: VmFacts, question: Question, by: str, since: datetime, now: datetime
    ) -> Decision | VmEnd:
        """A machine that this run has told to shut down: raise it once it is off, and start it again."""
        role, is_over = machine.role, machine.is_raised or facts.gave_up(machine)
        if role.state == "Online" and machine.now.state == "Running":
            if is_over:
                seen = ev.ChangeTakenBack(step=self.name, change="vm-stopped", subject=machine.name)
                return Act(Note(f"{machine.name} runs again", (seen,)), "it was started after its version was raised")
            if now - since >= PATIENCE:
                return VmEnd(machine, "left", _LATE)
            if not facts.tried.get((machine.name, "stop")):
                stop = _Told(self, "stop", role, StopVm(role, "shutdown", PATIENCE, self.name))
                return Act(stop, f"{machine.name} was told to shut down before, and runs")
            return Wait(f"{machine.name} shuts down")
        if machine.now.state != "Off" or role.is_running or role.state == "Pending":
            return Wait(f"{machine.name} is {machine.now.state}, its role {role.state}")
        if not is_over:
            return self._raise(machine, question, by)
        return Act(StartVms((machine.name,)), f"{machine.name} was found running")

    def _end(self, machine: Machine, facts: VmFacts, question: Question) -> VmEnd | None:
        """Return how it ended with ``machine``, or None where something is still to be done."""
        before, state = facts.found(machine), machine.now.state
        if machine.is_raised:
            return VmEnd(machine, "raised" if before != machine.now.version else "already")
        if facts.gave_up(machine):
            return VmEnd(machine, "failed", facts.errors.get(machine.name, f"it stays {machine.now.version}"))
        if question.subjects.get(machine.name) != before:
            return VmEnd(machine, "left", "nobody was asked about it in this state")
        if machine.name in facts.stopped:
            return VmEnd(machine, "left", _LATE)
        if state == "Off" or (state == "Running" and self._request.running_vms == "restart"):
            return None
        why = "it runs, and this run was told to leave such machines" if state == "Running" else f"it is {state}"
        return VmEnd(machine, "left", f"{why}; its version can only be raised while it is off")

    def forget(self, role: ClusteredVm) -> None:
        """Read the machine again: it was told something."""
        self._read.pop(role, None)

    def _raise(self, machine: Machine, question: Question, by: str) -> Act:
        raising = Raise(
            self.name,
            machine.name,
            machine.now.version,
            machine.default,
            by,
            f"Update-VMVersion {machine.name} on {machine.role.node}",
            lambda cluster: update_vm_version(cluster.on(machine.role.node), machine.name),
            node=machine.role.node,
        )
        why = f"it is {machine.now.version} and off, and {machine.role.node} gives new machines {machine.default}"
        return Act(_Told(self, "raise", machine.role, raising), why)

    def _orders(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for entry in self.context.record.all_of(ev.VersionRaising):
            if entry.event.step == self.name:
                found.setdefault(entry.event.subject, entry.event.before)
        return found


@dataclass(frozen=True, slots=True)
class _Told:
    """Counts what a machine is told, then tells it; what was read of it before is read again."""

    step: VmVersions
    what: str
    role: ClusteredVm
    action: Action

    def describe(self) -> str:
        return self.action.describe()

    def perform(self, scene: Scene) -> None:
        self.step.tried[self.role.name, self.what] += 1
        self.step.forget(self.role)
        try:
            self.action.perform(scene)
        except CommandFailed as error:
            self.step.errors[self.role.name] = error.detail
            raise


_LATE = f"its guest did not shut down within {int(PATIENCE.total_seconds() // 60)} min, and runs on"


def _open(facts: VmFacts) -> dict[str, str]:
    """Return the machines whose version is to be raised, or was raised by this run, with the one that they were found with."""
    return {
        machine.name: facts.found(machine)
        for machine in facts.machines
        if not machine.is_raised or machine.name in facts.orders
    }


def _summary(ends: Iterable[VmEnd]) -> str:
    words = {"raised": "raised", "already": "had the newest version", "left": "left as it was", "failed": "not raised"}
    counts = Counter(str(end.result) for end in ends)
    listed = ", ".join(f"{counts[result]} {word}" for result, word in words.items() if counts[result])
    return f"{WHAT}: {listed or 'there is no clustered virtual machine'}"


def _no_such(names: tuple[str, ...]) -> Problem:
    return Problem(
        title=f"The cluster has no virtual machine {', '.join(names)}.",
        meaning="The version of these was to be raised (vm_names). Nothing was changed.",
        next_action="Start another run with post_steps_only and the names as Failover Cluster Manager shows them.",
        retry_is_safe=False,
    )
