"""The proof that roles still move: one of them goes to another node and comes home, and is looked at all the way."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from include.hci.cluster.as_found import get_credssp
from include.hci.cluster.facade import Cluster
from include.hci.cluster.lock import LockState
from include.hci.cluster.nodes import ClusterGroup, ClusterNode
from include.hci.cluster.values import GroupState
from include.hci.policy.gates import find_node
from include.hci.powershell.errors import CommandFailed, RemotingError
from include.hci.report import events as ev
from include.hci.report.facts import Change
from include.hci.report.values import Problem
from include.hci.settings.feature import FeatureUpdateRequest
from include.hci.steps.actions import Note
from include.hci.steps.base import BaseStep, read_lock, read_members
from include.hci.steps.cau_run_access import feature_request, get_computer_name
from include.hci.steps.cau_run_actions import EnableCredSsp
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Action, Decision, Done, Scene, Stop, Wait
from include.hci.steps.feature_move_actions import (
    MOVE_PATIENCE,
    VIRTUAL_MACHINE,
    CancelMove,
    MoveOrder,
    MoveRole,
    open_move,
)
from include.hci.steps.feature_move_choice import Choice, choose_role
from include.hci.steps.gates import lock_decision

#: How often the role is told to go home before a person, or the end of the run, has to see to it.
MOST_RETURNS = 2


@dataclass(frozen=True, slots=True)
class HostFacts:
    """The management host, from which a virtual machine is migrated: its session has to carry credentials on to the nodes.

    ``problem``: why none of its sessions can. ``needs_credssp``: one could once the host accepts delegated credentials.
    """

    name: str = ""
    problem: str = ""
    needs_credssp: bool = False


@dataclass(frozen=True, slots=True)
class MoveFacts:
    """The cluster, and how far the proof is.

    ``choice`` is made while nothing is moved; ``role`` is what was moved, ``change`` says from where. ``moved`` are the moves
    that were seen to end, ``ended`` why the last one came to nothing. ``outbound`` and ``returns`` count the orders of this step.
    """

    lock: LockState
    nodes: tuple[ClusterNode, ...] = ()
    choice: Choice | None = None
    host: HostFacts | None = None
    role: ClusterGroup | None = None
    change: Change | None = None
    order: MoveOrder | None = None
    moved: tuple[ev.RoleMoved, ...] = ()
    interrupted: tuple[str, ...] = ()
    ended: str = ""
    outbound: int = 0
    returns: int = 0
    readings: int = 0


class ProveMove(BaseStep[MoveFacts]):
    """Ends 'moved', 'unproven' where nothing can be moved, or 'left' where it was not asked for."""

    name: ev.StepName = "move_role"

    def __init__(self, context: StepContext) -> None:
        super().__init__(context)
        self._request: FeatureUpdateRequest = feature_request(context)
        self.outbound = 0
        self.returns = 0
        self._readings = 0
        self._leg: MoveOrder | None = None
        self._last_state = ""

    def observe(self, cluster: Cluster) -> MoveFacts:
        """Read where the role is; while nothing is moved, which one could be."""
        _, members = read_members(cluster)
        lock = read_lock(cluster, self.context, members)
        changes = self.changes.open_changes("vm-moved")
        change = changes[-1] if changes else None
        moved = tuple(entry.event for entry in self.context.record.all_of(ev.RoleMoved))
        ended = self.context.record.last(ev.RoleMoveEnded)
        known = MoveFacts(
            lock,
            members.nodes,
            change=change,
            moved=moved,
            interrupted=tuple(entry.event.state for entry in self.context.record.all_of(ev.RoleInterrupted)),
            ended=ended.event.why if ended is not None else "",
            outbound=self.outbound,
            returns=self.returns,
            readings=self._readings,
        )
        if change is None:
            if moved or self.outbound or not self._request.verify_move:
                return known
            choice = choose_role(cluster, members, self._request.move_role)
            host = self._host(cluster) if choice.role is not None and choice.is_vm else None
            return replace(known, choice=choice, host=host)
        role = next((group for group in members.groups if group.name == change.subject), None)
        order = open_move(self.context.record, change.subject)
        self._readings = self._readings + 1 if order == self._leg else 1
        self._leg = order
        return replace(known, role=role, order=order, readings=self._readings)

    def noticed(self, facts: MoveFacts) -> tuple[ev.RunEvent, ...]:
        """Put on record every state but Online in which the role was read on its way."""
        state = "" if facts.role is None or facts.role.state is GroupState.ONLINE else str(facts.role.state)
        news = state and state != self._last_state
        self._last_state = state
        return (ev.RoleInterrupted(step=self.name, role=facts.role.name, state=state),) if news and facts.role else ()

    def decide(self, facts: MoveFacts, now: datetime) -> Decision:
        """Move it away, see it arrive, move it home, see it arrive."""
        if facts.change is not None:
            return lock_decision(facts.lock, self.name) or self._on_its_way(facts, facts.change, now)
        if facts.moved:
            return Done("moved", _proven(facts), {"role": facts.moved[0].role})
        if not self._request.verify_move:
            return Done("left", "no role is moved: verify_move is off", {"left": True})
        if facts.outbound:
            return Stop(_failed(facts))
        choice = facts.choice
        if choice is None or choice.role is None or choice.why:
            return _unproven(choice.why if choice is not None else "there is no role")
        if facts.host is not None and facts.host.problem:
            return _unproven(f"{choice.role.name} cannot be migrated: {facts.host.problem}")
        if gate := lock_decision(facts.lock, self.name):
            return gate
        if facts.host is not None and facts.host.needs_credssp:
            why = (
                f"{facts.host.name} accepts no delegated credentials, without which a virtual machine does not migrate"
            )
            return Act(EnableCredSsp(facts.host.name), why)
        move = MoveRole(choice.role.name, choice.role.owner, choice.target, choice.is_vm, announce=True)
        return Act(_Count(self, move, "outbound"), f"the proof that roles move: {choice.said}")

    def refused(self, action: Action, error: CommandFailed, facts: MoveFacts, now: datetime) -> Decision | None:
        """What was refused is on record; where the role is tells what comes next."""
        if isinstance(action, EnableCredSsp):
            return _unproven(f"{action.host} does not let this run switch CredSSP on: {error.detail}")
        return Wait(f"'{action.describe()}' was refused: {error.detail}") if isinstance(action, _Count) else None

    def events(self, facts: MoveFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put on record why nothing was proven."""
        if isinstance(decision, Done) and decision.outcome in ("left", "unproven"):
            return (ev.PostSkipped(step=self.name, why=decision.why),)
        return ()

    def may_cancel(self, facts: MoveFacts, decision: Decision) -> bool:
        """What was moved is moved home at the end."""
        return not isinstance(decision, Done | Stop)

    def _on_its_way(self, facts: MoveFacts, change: Change, now: datetime) -> Decision:
        role, order = facts.role, facts.order
        if role is None:
            return Stop(_lost(change))
        is_vm = role.kind == VIRTUAL_MACHINE
        if order is not None:
            if role.owner == order.target and role.state is GroupState.ONLINE:
                return self._arrived(facts, change, order, now)
            if now - order.at < MOVE_PATIENCE:
                return Wait(
                    f"{role.name} moves from {order.source} to {order.target}; it is {role.state} on {role.owner}"
                )
            late = f"it has not arrived at {order.target} within {int(MOVE_PATIENCE.total_seconds() // 60)} min"
            return Act(CancelMove(role.name, late, is_vm), late)
        if role.owner == change.before:
            seen = ev.ChangeTakenBack(step=self.name, change="vm-moved", subject=role.name)
            return Act(
                Note(f"{role.name} is on {role.owner}, where it was found", (seen,)), "nothing is to be taken back"
            )
        home = find_node(facts.nodes, change.before)
        if home is None or not home.is_up:
            return Wait(f"{change.before}, where {role.name} was found, is {home.state if home else 'gone'}")
        if facts.returns >= MOST_RETURNS:
            return Stop(_failed(facts))
        move = MoveRole(role.name, role.owner, change.before, is_vm)
        return Act(_Count(self, move, "returns"), "it is moved home")

    def _arrived(self, facts: MoveFacts, change: Change, order: MoveOrder, now: datetime) -> Act:
        role = change.subject
        moved: ev.RunEvent = ev.RoleMoved(
            step=self.name,
            role=role,
            source=order.source,
            target=order.target,
            seconds=(now - order.at).total_seconds(),
            readings=facts.readings,
        )
        home = ev.ChangeTakenBack(step=self.name, change="vm-moved", subject=role)
        seen = (moved, home) if order.target == change.before else (moved,)
        return Act(Note(f"{role} is Online on {order.target}", seen), "it was moved there")

    def _host(self, cluster: Cluster) -> HostFacts:
        host = cluster.management()
        if host is None or host.shell is None:
            return HostFacts(problem=host.problem if host is not None else "the cluster has no management_host")
        if host.passes_credentials:
            return HostFacts(host.name)
        if host.by_credssp is None:
            return HostFacts(problem=f"no connection to {host.name} passes credentials on to the nodes")
        try:
            if get_credssp(host.shell)[0]:
                return HostFacts(host.name)
            if self._request.credssp == "never":
                return HostFacts(problem=f"{host.name} accepts no delegated credentials, and credssp is never")
            return HostFacts(get_computer_name(host.shell), needs_credssp=True)
        except RemotingError as error:
            return HostFacts(problem=f"{host.name} does not answer: {error.detail}")


@dataclass(frozen=True, slots=True)
class _Count:
    """Counts an order, then gives it."""

    step: ProveMove
    action: MoveRole
    what: str

    def describe(self) -> str:
        return self.action.describe()

    def perform(self, scene: Scene) -> None:
        if self.what == "outbound":
            self.step.outbound += 1
        else:
            self.step.returns += 1
        self.action.perform(scene)


def _unproven(why: str) -> Done:
    return Done("unproven", f"that roles move was not proven: {why}")


def _proven(facts: MoveFacts) -> str:
    ways = ", and ".join(f"from {move.source} to {move.target} in {move.seconds:.0f} s" for move in facts.moved)
    states = ", ".join(dict.fromkeys(facts.interrupted))
    kept = f"It was also read as {states}" if states else "It was Online at every reading"
    return f"{facts.moved[0].role} moved {ways}. {kept}"


def _failed(facts: MoveFacts) -> Problem:
    return Problem(
        title=f"The proof that roles move failed: {facts.ended or 'the role did not arrive'}.",
        meaning="Nodes that cannot take over roles make every later maintenance an outage.",
        next_action="Move the role by hand (Move-ClusterVirtualMachineRole) and see the cluster's events, then clear this task.",
        retry_is_safe=True,
    )


def _lost(change: Change) -> Problem:
    return Problem(
        title=f"The role {change.subject} is gone: it was moved from {change.before} to {change.after} for the proof.",
        next_action="Look for it in Failover Cluster Manager.",
        retry_is_safe=True,
    )
