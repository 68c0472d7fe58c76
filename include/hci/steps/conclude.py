"""The end of a run, whatever way it ended: make safe, undo what this run left, give the lock back, and name what is left.

It never stops half-way: what cannot be undone is named with the command to type, and the next thing is tried.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from uuid import UUID

from include.hci.cluster.cau import LockClass, get_lock_holders
from include.hci.cluster.facade import Cluster
from include.hci.cluster.nodes import ClusterNode
from include.hci.cluster.storage import FaultDomain, get_fault_domains
from include.hci.cluster.values import NodeState
from include.hci.cluster.witness import read_from_witness
from include.hci.policy import hygiene as policy
from include.hci.policy.gates import find_node
from include.hci.powershell.errors import CommandFailed, RemotingError
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.report.facts import OpenRestart, RunFacts
from include.hci.report.record import RunRecord
from include.hci.steps.actions import LeaveMaintenance, Note, ReleaseRunLock, ResumeNode
from include.hci.steps.answer import NodeAnswer, open_orders, read_answer, restarted
from include.hci.steps.base import LOCKABLE, BaseStep
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Action, Clock, Decision, Done, Scene, Wait
from include.hci.steps.hygiene import ProveHygiene, Sight
from include.hci.steps.pausing import SETTLES, UNSEEN, is_anothers
from include.hci.steps.remainders import GiveUp, Remainder, Remember, Try, is_said, remove_command
from include.hci.steps.undo import Stages, Standing, Undoer, read_standings, subject_of
from include.hci.steps.undoers import UNDOERS
from include.hci.steps.work import ReleaseUpdater

#: How long the end of a run waits for a node, or for the whole cluster, to answer; never longer than a restart may take.
PATIENCE = timedelta(minutes=5)
#: How long disks may take to leave maintenance mode; a wait without an end would keep everything else from being undone.
LEAVING = timedelta(minutes=20)
#: When nobody has worked on a run for so long, whoever holds the lock now may have paused what the run had paused: a lock without
#: an owner lasts for an hour (MSFT_CAURun class).
STALE = timedelta(minutes=30)
#: How often each thing is tried, and how long it is given to show.
MOST_TRIES = 3
TRY_AGAIN_AFTER = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class ConcludeFacts:
    """What is still as this run left it.

    ``silence`` is why the cluster could not be read at all, ``blind`` why its storage could not. ``run_locks``, ``node_locks``:
    nodes on which our lock objects stand; ``unread``: nodes whose lock objects could not be read, with the reason. ``others``:
    who else holds the run lock, where nobody has worked on this run for so long that they may have paused its nodes since.
    ``since``: since when what is waited for has been so at every reading. ``tries``, ``tried`` (when last) and ``given_up`` by
    subject.
    ``orders``: restarts of paused nodes that were ordered and not seen, with the nodes' own ``answers``. ``standings``: how the
    run's other changes stand, the last one first, and ``staged`` since when some of them wait for what was done.
    ``unproven``: it is still to be shown that nothing was left behind. ``unreadable``: what of the run's record cannot be read.
    """

    nodes: tuple[ClusterNode, ...]
    changes: RunFacts
    began: datetime
    silence: str = ""
    in_maintenance: frozenset[str] = frozenset()
    leaving_maintenance: frozenset[str] = frozenset()
    run_locks: tuple[str, ...] = ()
    node_locks: tuple[str, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)
    tries: Mapping[str, int] = field(default_factory=dict)
    given_up: Mapping[str, Remainder] = field(default_factory=dict)
    undone: tuple[str, ...] = ()
    orders: Mapping[str, OpenRestart] = field(default_factory=dict)
    answers: Mapping[str, NodeAnswer] = field(default_factory=dict)
    standings: tuple[Standing, ...] = ()
    unproven: bool = False
    staged: Mapping[str, datetime] = field(default_factory=dict)
    blind: str = ""
    others: str = ""
    since: Mapping[str, datetime] = field(default_factory=dict)
    tried: Mapping[str, datetime] = field(default_factory=dict)
    unreadable: str = ""


class Conclude(BaseStep[ConcludeFacts]):
    """Ends 'clean', or 'left-work' with what a person has to do."""

    name: ev.StepName = "conclude"

    def __init__(self, context: StepContext, clock: Clock, undoers: Mapping[ev.ChangeKind, Undoer] = UNDOERS) -> None:
        super().__init__(context)
        self._clock = clock
        self._undoers = undoers
        self._began: datetime | None = None
        self.tries: dict[str, int] = {}
        self.tried: dict[str, datetime] = {}
        self.given_up: dict[str, Remainder] = {}
        self._silent: dict[str, str] = {}
        self.undone: list[str] = []
        self._proved: ConcludeFacts | None = None
        self._stages = Stages()
        self._since: dict[str, datetime] = {}
        self._quiet_since = last_work(context.record)
        self._patience = min(PATIENCE, timedelta(minutes=context.options.reboot_timeout_minutes))

    def observe(self, cluster: Cluster) -> ConcludeFacts:
        """Read what is left; a cluster that does not answer is a finding, not an error."""
        if self._proved is not None:  # nothing was changed since everything was read
            return replace(self._proved, given_up=MappingProxyType(dict(self.given_up)), unproven=False)
        facts = self._read(cluster)
        return replace(facts, unproven=True, staged=self._stages.note(facts.standings, self._clock()))

    def _read(self, cluster: Cluster) -> ConcludeFacts:
        now = self._clock()
        self._began = self._began or now
        changes = self.changes
        open_ones = [change for change in changes.changes if subject_of(change) not in self.given_up]
        standings = read_standings(cluster, self.context, open_ones, self._undoers)
        facts = ConcludeFacts(
            nodes=(),
            changes=changes,
            began=self._began,
            tries=MappingProxyType(dict(self.tries)),
            tried=MappingProxyType(dict(self.tried)),
            given_up=MappingProxyType(dict(self.given_up)),
            undone=tuple(self.undone),
            standings=standings,
            unreadable="; ".join(f"{broken.file} ({broken.reason})" for broken in self.context.record.unreadable()),
        )
        waiting = [subject_of(standing.change) for standing in standings if standing.wait]
        try:
            shell, nodes = read_from_witness(cluster, avoid=tuple(changes.paused))
        except RemotingError as error:
            return replace(facts, silence=error.detail, since=self._lasting(now, "silence", *waiting))
        domains, blind = _read_domains(shell) if changes.in_maintenance or changes.paused else ((), "")
        held: dict[LockClass, list[str]] = {"MSFT_CAURun": [], "MSFT_CAUNode": []}
        unread: dict[str, str] = {}
        others: dict[UUID, str] = {}
        states = {node.name: node.state for node in nodes}
        # A node that the cluster keeps out may well be up: its provider answers, and its lock objects are given back.
        kept_out = {node.name for node in nodes if node.kept_out}
        members = {name.lower() for name in states}
        # A node that was evicted keeps its lock objects and may well answer.
        gone = [name for name in changes.lock_nodes if name.lower() not in members]
        for name in (*states, *gone):
            if name in states and states[name] not in LOCKABLE and name not in kept_out:
                unread[name] = f"the node is {states[name]}"
                continue
            if name in self._silent or f"lock {name}" in self.given_up:  # what was left to a person stays left
                unread[name] = self._silent.get(name) or self.given_up[f"lock {name}"].why
                continue
            try:
                for kind, names in held.items():
                    holders = get_lock_holders(cluster.on(name), name, kind)
                    names.extend(name for holder in holders if holder.guid == self.context.guid)
                    if kind == "MSFT_CAURun":
                        others.update({holder.guid: name for holder in holders if holder.guid != self.context.guid})
            except (RemotingError, ValueError) as error:
                unread[name] = str(error)
                if name in kept_out:  # it was asked once; a node that is cut off keeps everybody waiting
                    self._silent[name] = str(error)
        maintained = frozenset(domain.name.lower() for domain in domains if domain.in_maintenance)
        leaving = frozenset(domain.name.lower() for domain in domains if domain.leaves_maintenance)
        restarts = {name: open_orders(self.context.record, name) for name in changes.paused}
        orders = {name: found[-1] for name, found in restarts.items() if found}
        running = {node.name for node in nodes if node.state in LOCKABLE}
        return replace(
            facts,
            nodes=nodes,
            blind=blind,
            in_maintenance=maintained,
            leaving_maintenance=leaving,
            run_locks=tuple(held["MSFT_CAURun"]),
            node_locks=tuple(held["MSFT_CAUNode"]),
            unread=unread,
            others=_held_by(others) if now - self._quiet_since >= STALE else "",
            orders=orders,
            answers={name: read_answer(cluster, name) for name in orders if name in running},
            since=self._lasting(
                now,
                *waiting,
                *(["storage"] if blind else []),
                *(f"away {node.name}" for node in nodes if node.state not in LOCKABLE or node.kept_out),
                *(f"unread {name}" for name in unread if name in running and name not in kept_out),
            ),
        )

    def _lasting(self, now: datetime, *subjects: str) -> Mapping[str, datetime]:
        """Return since when each of ``subjects`` has been found at every reading, so that one lost reading uses up no wait."""
        self._since = {subject: self._since.get(subject, now) for subject in subjects}
        return MappingProxyType(self._since)

    def decide(self, facts: ConcludeFacts, now: datetime) -> Decision:
        """Do the next thing that is still to be undone: nodes first, the lock last.

        A cluster that is silent may be so by this run's own doing, so that everything else is taken back first then.
        """
        if facts.silence and (taking_back := self._take_back(facts, now)):
            return taking_back
        if facts.silence:
            if waiting := self._wait_for(facts, "silence", f"the cluster does not answer: {facts.silence}", now):
                return waiting
            remainder = self._unreadable(facts)
            return self._give_up(remainder) if remainder else self._end(facts)
        for name in facts.changes.paused:
            decision = None if f"node {name}" in facts.given_up else self._resume(facts, name, now)
            if decision:
                return decision
        for name in facts.node_locks:
            action = ReleaseUpdater(self.context, name)
            command = remove_command("MSFT_CAUNode", str(self.context.guid), name)
            what = f"MSFT_CAUNode of this run on {name}"
            if decision := self._attempt(facts, f"updater {name}", action, what, command, now):
                return decision
        if taking_back := self._take_back(facts, now):
            return taking_back
        if facts.run_locks:
            return self._release(facts)
        for name in facts.changes.lock_nodes:
            if name in facts.unread and f"lock {name}" not in facts.given_up:
                said = f"the run lock on {name} could not be read: {facts.unread[name]}"
                if f"unread {name}" in facts.since and (waiting := self._wait_for(facts, f"unread {name}", said, now)):
                    return waiting
                why = f"{facts.unread[name]}; they disappear by themselves after an hour without activity"
                return self._give_up((f"lock {name}", self._locks(name, why)))
        return self._end(facts)

    def refused(self, action: Action, error: CommandFailed, facts: ConcludeFacts, now: datetime) -> Decision | None:
        """What is refused is tried again a few times; it never stops the rest."""
        return Wait(f"'{action.describe()}' was refused: {error.detail}")

    def events(self, facts: ConcludeFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put on record where the lock is gone: everywhere, or on all nodes but those that it was given up on."""
        if facts.silence or facts.changes.lock_guid is None:
            return ()
        guid = str(self.context.guid)
        if not any(key.startswith("lock ") for key in facts.given_up):
            return (ev.LockReleased(guid=guid),)
        standing = {*facts.unread, *facts.run_locks, *facts.node_locks}
        free = tuple(
            name for name in facts.changes.lock_nodes if name not in standing and f"lock {name}" not in facts.given_up
        )
        return (ev.LockReleased(guid=guid, nodes=free),) if free else ()

    def _resume(self, facts: ConcludeFacts, name: str, now: datetime) -> Decision | None:
        failback = self.context.options.failback_mode
        command = f"Resume-ClusterNode -Name {name} -Failback {failback}"
        key, what = f"node {name}", f"{name} is paused by this run"
        node = find_node(facts.nodes, name)
        if node is None:
            gone = "it is no node of the cluster any more, so there is nothing to resume"
            again = f"Add-ClusterNode -Name {name} if it is to be one again: it comes back Up"
            return self._give_up((key, Remainder(f"{name} was paused by this run", gone, again)))
        if node.kept_out == "quarantined":
            cleared = f"Start-ClusterNode -Name {name} -ClearQuarantine, then {command}"
            return self._give_up((key, Remainder(what, "the node is quarantined", cleared)))
        if facts.others and node.state is NodeState.PAUSED:
            why = f"another coordinator holds the cluster ({facts.others}) and may have paused the node since"
            return self._give_up((key, Remainder(what, why, f"{command}, when the other one has ended")))
        if name in facts.changes.in_maintenance:
            by_hand = f"Get-StorageScaleUnit -FriendlyName {name} | Disable-StorageMaintenanceMode; {command}"
            held = f"the disks of {name} are in maintenance mode"
            if facts.blind:
                said = f"the storage does not say whether the disks of {name} are in maintenance mode: {facts.blind}"
                return self._wait_for(facts, "storage", said, now) or self._give_up(
                    (key, Remainder(held, facts.blind, by_hand))
                )
            if name.lower() in facts.leaving_maintenance:
                until = max(facts.began, self._restart_ends(facts, name) or facts.began) + LEAVING
                if now < until:
                    return Wait(f"the disks of {name} are leaving maintenance mode", deadline=until)
                return self._give_up((key, Remainder(held, "they have been leaving it for too long", by_hand)))
            if name.lower() in facts.in_maintenance:
                return self._attempt(facts, key, LeaveMaintenance(name), held, by_hand, now)
            seen = (ev.MaintenanceLeft(step=self.name, node=name),)
            return Act(Note(f"the disks of {name} are in service", seen), "they left maintenance mode")
        if name in facts.orders and (waiting := self._await_restart(facts, name, now)):
            return waiting
        by_itself = not any(subject.startswith(f"{key}: Resume") for subject in facts.tries)
        if node.is_up and by_itself and name.lower() in facts.in_maintenance:
            # It came back without a resume, evicted and added again for example: nobody else ends what its drain began.
            by_hand = f"Get-StorageScaleUnit -FriendlyName {name} | Disable-StorageMaintenanceMode"
            held = f"the disks of {name} are in maintenance mode"
            return self._attempt(facts, key, LeaveMaintenance(name), held, by_hand, now)
        unseen = name in facts.changes.pause_unseen
        if node.is_up:
            undone = f"{name} was resumed{f', though {UNSEEN}' if unseen and not by_itself else ''}"
            seen_up = (ev.Resumed(step=self.name, node=name, failback_mode=failback), ev.Undone(node=name, what=undone))
            return Act(Remember(self, undone, Note(f"{name} is Up", seen_up)), "it is in service again")
        since = now - facts.changes.paused[name]
        if why := is_anothers(node, since, unseen=unseen):
            if since < SETTLES:
                return Wait(f"{name} is paused, and its drain is not to be seen yet", deadline=now + SETTLES - since)
            return self._give_up((key, Remainder(f"{name} is paused", why, command)))
        if node.state is NodeState.PAUSED:
            return self._attempt(facts, key, ResumeNode(name, failback, self.name), what, command, now)
        state = node.kept_out or str(node.state)
        said = f"{name} is {state}: it is resumed as soon as it is back"
        if waiting := self._wait_for(facts, f"away {name}", said, now, self._restart_ends(facts, name)):
            return waiting
        return self._give_up((key, Remainder(what, f"the node is {state}", command)))

    def _wait_for(
        self, facts: ConcludeFacts, subject: str, said: str, now: datetime, until: datetime | None = None
    ) -> Wait | None:
        """Return the wait for ``subject``: until it has been so for too long, at least until ``until``; None: it is over."""
        end = facts.since.get(subject, facts.began) + self._patience
        end = max(end, until or end)
        return Wait(said, deadline=end) if now < end else None

    def _take_back(self, facts: ConcludeFacts, now: datetime) -> Decision | None:
        later: Decision | None = None
        for standing in facts.standings:
            change, subject = standing.change, subject_of(standing.change)
            since = facts.staged.get(subject, facts.since.get(subject, facts.began))
            until = max(since + self._patience, standing.until or since)
            if standing.wait and now < until:
                wait = Wait(f"{standing.what}: {standing.wait}", deadline=until)
                if standing.holds_up:
                    return wait
                later = later or wait
                continue
            if standing.undo is not None:
                return self._attempt(facts, subject, standing.undo, standing.what, standing.command, now)
            if standing.wait:
                return self._give_up((subject, Remainder(standing.what, standing.wait, standing.command)))
            node = change.node or None
            said = f"{standing.what}: as it was found"
            seen = ev.ChangeTakenBack(step=self.name, node=node, change=change.kind, subject=change.subject)
            note = Note(said, (seen, ev.Undone(node=node, what=said)))
            return Act(Remember(self, said, note), "what this run changed is put back")
        return later

    def _await_restart(self, facts: ConcludeFacts, name: str, now: datetime) -> Decision | None:
        answer, until = facts.answers.get(name, NodeAnswer()), self._restart_ends(facts, name)
        if answer.boot_time is not None and answer.shows_restart(facts.orders[name]):
            seen = restarted(name, answer, answer.boot_time, self.name)
            return Act(Note(f"{name} has restarted", (seen,)), "the restart was not seen before")
        # A node that is about to go down must not get its roles back.
        said = f"{name} was told to restart and has not been seen to do so yet"
        return Wait(said, deadline=until) if until and now < until else None

    def _restart_ends(self, facts: ConcludeFacts, name: str) -> datetime | None:
        order = facts.orders.get(name)
        limit = timedelta(minutes=self.context.options.reboot_timeout_minutes)
        return None if order is None else order.ordered_at + limit

    def _release(self, facts: ConcludeFacts) -> Decision:
        action = ReleaseRunLock(self.context.guid, facts.run_locks)
        if facts.tries.get("lock", 0) < MOST_TRIES:
            return Act(Try(self, "lock", action), "the run is over")
        open_ones = [name for name in facts.run_locks if f"lock {name}" not in facts.given_up]
        if not open_ones:
            return self._end(facts)
        command = remove_command("MSFT_CAURun", str(self.context.guid), open_ones[0])
        remainder = Remainder(
            f"the run lock on {open_ones[0]}", f"it could not be removed in {MOST_TRIES} tries", command
        )
        return self._give_up((f"lock {open_ones[0]}", remainder))

    def _attempt(
        self, facts: ConcludeFacts, key: str, action: Action, what: str, command: str, now: datetime
    ) -> Decision | None:
        if key in facts.given_up:
            return None
        # Every action of one subject has its own tries: leaving maintenance mode must not use up those of the resume.
        subject = f"{key}: {action.describe()}"
        if facts.tries.get(subject, 0) >= MOST_TRIES:
            return self._give_up(
                (key, Remainder(what, f"'{action.describe()}' did not help in {MOST_TRIES} tries", command))
            )
        if subject in facts.tried and now < facts.tried[subject] + TRY_AGAIN_AFTER:
            # What a command has done may take a moment to be seen, and what keeps it from working a moment to pass.
            return Wait(f"'{action.describe()}' has not helped yet; it is tried {MOST_TRIES} times")
        return Act(Try(self, subject, action), "this run must not leave it behind")

    def _give_up(self, remainder: tuple[str, Remainder]) -> Act:
        key, left = remainder
        return Act(GiveUp(self, key, left), left.why)

    def _unreadable(self, facts: ConcludeFacts) -> tuple[str, Remainder] | None:
        for name in facts.changes.paused:
            if f"node {name}" not in facts.given_up:
                command = f"Resume-ClusterNode -Name {name} -Failback {self.context.options.failback_mode}"
                return f"node {name}", Remainder(f"{name} is paused by this run", facts.silence, command)
        for name in facts.changes.lock_nodes:
            if f"lock {name}" not in facts.given_up:
                return f"lock {name}", self._locks(name, facts.silence)
        return None

    def _locks(self, name: str, why: str) -> Remainder:
        """Return what may stand on a node that nobody could read: both kinds of lock object."""
        guid = str(self.context.guid)
        command = "; ".join(
            [
                remove_command("MSFT_CAURun", guid, name),
                remove_command("MSFT_CAUNode", guid, name).partition(": ")[2],
            ]
        )
        return Remainder(f"the run lock on {name}, and MSFT_CAUNode of this run if it is there", why, command)

    def _end(self, facts: ConcludeFacts) -> Decision:
        if facts.unreadable and "record " not in facts.given_up:
            why = f"what the run has changed may stand there, so it was not taken back: {facts.unreadable}"
            look = "Get-ClusterNode shows what is paused; compare it with the run's report"
            return self._give_up(("record ", Remainder("a part of this run's record cannot be read", why, look)))
        if facts.unproven:
            return Act(self._proof(facts), "nothing may be left behind unsaid")
        left = [{"what": item.what, "why": item.why, "command": item.command} for item in facts.given_up.values()]
        released = not facts.silence and not any(key.startswith("lock ") for key in facts.given_up)
        details: dict[str, object] = {"undone": list(facts.undone), "left": left, "lock_released": released}
        if left and facts.silence and not facts.changes.changes:
            # Nothing is left to a person's judgement: it is only that nobody could look.
            details["silent"] = facts.silence
        if left:
            return Done(
                "left-work", "; ".join(f"{item.what} ({item.why})" for item in facts.given_up.values()), details
            )
        said = "; ".join(facts.undone) or "nothing was left to undo"
        return Done("clean", f"{said}; the run lock is released", details)

    def _proof(self, facts: ConcludeFacts) -> ProveHygiene:
        """Return the comparison with how the nodes were found; whatever comes of it, the run ends."""
        guid = str(self.context.guid)
        locks: dict[str, dict[str, str]] = {}
        for kind, names in (("MSFT_CAURun", facts.run_locks), ("MSFT_CAUNode", facts.node_locks)):
            for name in names:
                locks.setdefault(name, {})[kind] = guid

        def proved(remainders: tuple[policy.Remainder, ...], scene: Scene) -> None:
            self._proved = facts
            for item in remainders:
                if not is_said(item, facts.given_up):
                    why = "the nodes were compared with how this run had found them"
                    left = Remainder(item.what, why, item.command)
                    GiveUp(self, f"proof {item.node}", left).perform(scene)

        return ProveHygiene(self.context, Sight(facts.nodes, locks, dict(self._silent)), proved, facts.silence)


def last_work(record: RunRecord) -> datetime:
    """Return when somebody has last worked on the run, other than to end it; the first moment of all where nobody has."""
    worked = (entry.at for entry in reversed(record.events()) if entry.step not in ("conclude", "operator"))
    return next(worked, datetime.min.replace(tzinfo=UTC))


def _read_domains(shell: Shell) -> tuple[tuple[FaultDomain, ...], str]:
    """Return the servers' disks as the storage shows them, or why it does not: that keeps no node from being resumed."""
    try:
        return get_fault_domains(shell), ""
    except (RemotingError, ValueError) as error:
        return (), str(error)


def _held_by(others: Mapping[UUID, str]) -> str:
    return ", ".join(f"{guid} on {name}" for guid, name in others.items())
