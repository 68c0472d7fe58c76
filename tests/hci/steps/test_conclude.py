from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from include.hci.cluster.machine import Build
from include.hci.powershell.command import as_pipeline
from include.hci.powershell.errors import CommandFailed, ConnectionLost, NodeUnreachable
from include.hci.powershell.records import ErrorRecord
from include.hci.report import events as ev
from include.hci.report.facts import OpenRestart, RunFacts
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.steps.answer import NodeAnswer
from include.hci.steps.conclude import LEAVING, MOST_TRIES, PATIENCE, STALE, TRY_AGAIN_AFTER, Conclude, ConcludeFacts
from include.hci.steps.decisions import Act, Done, Wait
from include.hci.steps.engine import StepRunner, run_step
from include.hci.steps.remainders import Remainder, Remember
from tests.hci.cluster.fakes import FakeCluster, node_obj
from tests.hci.cluster.lockable import LockableShell
from tests.hci.steps.facts import (
    DOWN,
    DRAINED,
    ISOLATED,
    ME,
    NAMES,
    NOW,
    OURS,
    PAUSED,
    QUARANTINED,
    THEIRS,
    UP,
    check,
    context,
    minutes,
    node,
    now,
    others,
)
from tests.hci.steps.test_engine import Clock

PAUSED_US = RunFacts(paused={ME: NOW - minutes(30)}, lock_guid=str(OURS), lock_nodes=NAMES)
KEPT = Remainder(
    "HCI02 is paused by this run", "the node is Down", "Resume-ClusterNode -Name HCI02 -Failback Immediate"
)
BOOT = NOW - minutes(600)
ORDER = OpenRestart(NOW - minutes(3), BOOT)


def facts(state: Any = DRAINED, **changes: Any) -> ConcludeFacts:
    well: dict[str, Any] = {"nodes": (state, *others()), "changes": PAUSED_US, "began": NOW}
    return ConcludeFacts(**{**well, **changes})


CLEAN = RunFacts()
LOCKED = replace(PAUSED_US, paused={})
BY_HAND = replace(PAUSED_US, in_maintenance={ME: NOW})
UNSEEN = replace(PAUSED_US, pause_unseen=frozenset({ME}))
UNSEEN_OF_LATE = replace(UNSEEN, paused={ME: NOW - minutes(14)})
RESUMED = {f"node {ME}: Resume-ClusterNode -Name HCI02 -Failback Immediate": 1}


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (facts(), "act: Resume-ClusterNode -Name HCI02 -Failback Immediate"),
        (facts(node(UP)), "act: note that HCI02 is Up"),
        (facts(node(PAUSED)), "act: Resume-ClusterNode"),
        # On these versions the resume takes the disks out; a node that is back without one is left with them.
        (facts(node(PAUSED), in_maintenance=frozenset({"hci02"})), "act: Resume-ClusterNode"),
        (facts(node(UP), in_maintenance=frozenset({"hci02"})), "act: Disable-StorageMaintenanceMode"),
        (
            facts(
                node(UP),
                in_maintenance=frozenset({"hci02"}),
                tries={f"node {ME}: Resume-ClusterNode -Name HCI02 -Failback Immediate": 1},
            ),
            "act: note that HCI02 is Up",
        ),
        (facts(node(DOWN)), "wait: HCI02 is Down"),
        # Nobody saw the order to pause it arrive: without a drain it was not this run's.
        (facts(node(PAUSED), changes=UNSEEN), "act: leave to a person: HCI02 is paused"),
        (facts(node(PAUSED), changes=replace(UNSEEN, paused={ME: NOW})), "wait: its drain is not to be seen yet"),
        (facts(changes=UNSEEN_OF_LATE), "act: Resume-ClusterNode"),
        # Long after the order even a drained node may be in somebody's hands.
        (facts(changes=UNSEEN), "act: leave to a person: HCI02 is paused: nobody saw this run's order"),
        (facts(node(UP), changes=UNSEEN), "act: note that HCI02 is Up"),
        (facts(node(DOWN), began=NOW - PATIENCE), "act: leave to a person: HCI02 is paused by this run"),
        (facts(node(DOWN), began=NOW - PATIENCE, orders={ME: ORDER}), "wait: told to restart"),
        (facts(node(DOWN, status=QUARANTINED)), "act: leave to a person"),
        (facts(node(DOWN, status=ISOLATED)), "wait: HCI02 is isolated"),
        (facts(node(DOWN, status=ISOLATED), began=NOW - PATIENCE), "act: leave to a person"),
        (facts(nodes=others()), "act: leave to a person: HCI02 was paused by this run: it is no node of the cluster"),
        # What is waited for has its own time: it may not have been so from the beginning.
        (facts(node(DOWN), began=NOW - minutes(60), since={f"away {ME}": NOW - minutes(1)}), "wait: HCI02 is Down"),
        (
            facts(nodes=(), silence="x", began=NOW - minutes(60), since={"silence": NOW - minutes(1)}),
            "wait: not answer",
        ),
        # Another coordinator is at work, long after anybody has worked on this run.
        (facts(others="22222222 on HCI01"), "act: another coordinator holds the cluster (22222222 on HCI01)"),
        (facts(node(UP), others="22222222 on HCI01"), "act: note that HCI02 is Up"),
        # The storage tells only of maintenance mode.
        (facts(blind="the provider is gone"), "act: Resume-ClusterNode"),
        (facts(changes=BY_HAND, blind="the provider is gone"), "wait: in maintenance mode: the provider is gone"),
        (facts(changes=BY_HAND, blind="gone", began=NOW - PATIENCE), "act: leave to a person: the disks of HCI02"),
        (facts(tries=RESUMED, tried=dict.fromkeys(RESUMED, NOW - minutes(0.1))), "wait: has not helped yet"),
        (facts(tries=RESUMED, tried=dict.fromkeys(RESUMED, NOW - TRY_AGAIN_AFTER)), "act: Resume-ClusterNode"),
        # A lock that could not be read on a node in service is looked for again.
        (facts(changes=LOCKED, unread={ME: "reset"}, since={f"unread {ME}": NOW}), "wait: the run lock on HCI02"),
        (facts(changes=LOCKED, unread={ME: "reset"}, since={f"unread {ME}": NOW - PATIENCE}), "act: leave to a person"),
        (facts(changes=CLEAN, unreadable="events/x.json (ValueError)"), "act: leave to a person: a part of this run's"),
        (facts(orders={ME: ORDER}), "wait: told to restart"),
        (facts(node(UP), orders={ME: ORDER}), "wait: told to restart"),
        (facts(orders={ME: replace(ORDER, ordered_at=NOW - minutes(20))}), "act: Resume-ClusterNode"),
        (
            facts(orders={ME: ORDER}, answers={ME: NodeAnswer(NOW, (), Build(20348, 2))}),
            "act: note that HCI02 has restarted",
        ),
        (
            facts(changes=replace(PAUSED_US, in_maintenance={ME: NOW}), in_maintenance=frozenset({"hci02"})),
            "act: Disable-StorageMaintenanceMode",
        ),
        (
            facts(
                changes=replace(PAUSED_US, in_maintenance={ME: NOW}),
                in_maintenance=frozenset({"hci02"}),
                leaving_maintenance=frozenset({"hci02"}),
            ),
            "wait: leaving maintenance mode",
        ),
        (
            facts(
                changes=replace(PAUSED_US, in_maintenance={ME: NOW}),
                in_maintenance=frozenset({"hci02"}),
                leaving_maintenance=frozenset({"hci02"}),
                began=NOW - LEAVING,
            ),
            "act: leave to a person: the disks of HCI02 are in maintenance mode",
        ),
        (
            facts(changes=replace(PAUSED_US, in_maintenance={ME: NOW})),
            "act: note that the disks of HCI02 are in service",
        ),
        (
            facts(tries={f"node {ME}: Resume-ClusterNode -Name HCI02 -Failback Immediate": MOST_TRIES}),
            "act: leave to a person",
        ),
        (facts(given_up={f"node {ME}": KEPT}, node_locks=(ME,)), "act: remove our MSFT_CAUNode from HCI02"),
        (facts(given_up={f"node {ME}": KEPT}, run_locks=NAMES), "act: release the run lock on HCI01, HCI02, HCI03"),
        (facts(given_up={f"node {ME}": KEPT}), "done left-work: HCI02 is paused by this run (the node is Down)"),
        (
            facts(given_up={f"node {ME}": KEPT}, unread={ME: "the node is Down"}),
            "act: leave to a person: the run lock on HCI02",
        ),
        (facts(changes=CLEAN, nodes=others()), "done clean: nothing was left to undo"),
        (facts(changes=CLEAN, run_locks=NAMES), "act: release the run lock"),
        (facts(changes=CLEAN, node_locks=("HCI01",), run_locks=NAMES), "act: remove our MSFT_CAUNode from HCI01"),
        (
            facts(changes=CLEAN, run_locks=NAMES, tries={"lock": MOST_TRIES}),
            "act: leave to a person: the run lock on HCI01",
        ),
        (facts(nodes=(), silence="no route"), "wait: does not answer"),
        (facts(nodes=(), silence="no route", began=NOW - PATIENCE), "act: leave to a person: HCI02 is paused"),
        (
            facts(nodes=(), silence="no route", began=NOW - PATIENCE, given_up={f"node {ME}": KEPT}),
            "act: leave to a person: the run lock on HCI01",
        ),
        (facts(nodes=(), silence="no route", began=NOW - PATIENCE, changes=CLEAN), "done clean"),
    ],
)
def test_the_end_undoes_what_it_can_and_names_what_it_cannot(seen, expected):
    check(Conclude(context(), now).decide(seen, NOW), expected)


@pytest.mark.parametrize(
    ("changes", "tries", "said"),
    [
        (UNSEEN, RESUMED, "if a person has paused it, pause it again"),
        (UNSEEN, {}, "HCI02 was resumed"),
        (PAUSED_US, RESUMED, "HCI02 was resumed"),
    ],
)
def test_that_a_resumed_node_may_have_been_paused_by_a_person_is_said(changes, tries, said):
    decision = Conclude(context(), now).decide(facts(node(UP), changes=changes, tries=tries), NOW)
    assert isinstance(decision, Act)
    assert isinstance(decision.action, Remember)
    assert decision.action.undone.endswith(said)


@pytest.mark.parametrize(
    ("reboot_minutes", "waited", "expected"),
    [(1, 1, "act: leave to a person"), (1, 0.9, "wait: HCI02 is Down"), (60, 4.9, "wait: HCI02 is Down")],
)
def test_nobody_is_waited_for_longer_than_a_restart_may_take(reboot_minutes, waited, expected):
    end = Conclude(context(reboot_timeout_minutes=reboot_minutes), now)
    check(end.decide(facts(node(DOWN), began=NOW - minutes(waited)), NOW), expected)


def test_what_is_left_carries_the_command_to_type():
    end = Conclude(context(), now).decide(facts(given_up={f"node {ME}": KEPT}), NOW)
    assert isinstance(end, Done)
    assert end.details == {
        "undone": [],
        "left": [{"what": KEPT.what, "why": KEPT.why, "command": KEPT.command}],
        "lock_released": True,
    }


# --- with shells ---------------------------------------------------------------------------------------------------------


class Node(LockableShell):
    """A node with lock objects, whose cluster state the test sets."""

    def __init__(self, name: str, states: dict[str, str]) -> None:
        super().__init__(name, {"MSFT_CAURun": OURS})
        self.states = states
        self.quarantined: set[str] = set()
        self.replies |= {"Get-ClusterNode": self._nodes, "Resume-ClusterNode": self._resume}

    def _nodes(self, pipeline: object) -> object:
        if self.dead:
            return NodeUnreachable("no route", node=self.node)
        return [
            node_obj(name, state, "Completed" if state == "Paused" else "NotInitiated", 2 * (name in self.quarantined))
            for name, state in self.states.items()
        ]

    def _resume(self, pipeline: object) -> object:
        self.states[ME] = "Up"
        return []


def world(record: RunRecord | None = None, **states: str) -> tuple[FakeCluster, RunRecord, Clock]:
    seen = {**dict.fromkeys(NAMES, "Up"), **states}
    record = record or RunRecord(MemoryStorage())
    record.add(ev.LockTaken(guid=str(OURS), nodes=NAMES), NOW)
    return FakeCluster({name: Node(name, seen) for name in NAMES}), record, Clock()


def conclude(cluster: FakeCluster, record: RunRecord, clock: Clock) -> Done:
    step = Conclude(context(record), clock)
    end = run_step(StepRunner(step, cluster, record, clock, clock() + minutes(60)), clock.sleep)
    assert isinstance(end, Done)
    return end


def held(cluster: FakeCluster) -> dict[str, dict[str, UUID]]:
    return {name: shell.held for name, shell in cluster.shells.items() if shell.held}  # type: ignore[attr-defined]


def test_a_node_this_run_paused_is_resumed_and_the_lock_given_back():
    cluster, record, clock = world(HCI02="Paused")
    record.add(ev.Pausing(node=ME), NOW)
    record.add(ev.Paused(node=ME), NOW)
    end = conclude(cluster, record, clock)
    assert (end.outcome, end.details["undone"]) == ("clean", ["HCI02 was resumed"])
    assert held(cluster) == {}
    assert dict(record.facts.paused) == {}
    assert record.facts.lock_nodes == ()


def test_a_node_somebody_else_paused_is_not_touched():
    cluster, record, clock = world(HCI02="Paused")
    assert conclude(cluster, record, clock).outcome == "clean"
    assert not any("Resume" in line for shell in cluster.shells.values() for line in shell.lines)


def test_a_node_that_stays_down_is_left_and_everything_else_undone():
    cluster, record, clock = world(HCI02="Down")
    record.add(ev.Pausing(node=ME), NOW)
    end = conclude(cluster, record, clock)
    assert end.outcome == "left-work"
    assert end.details["left"][0]["command"] == "Resume-ClusterNode -Name HCI02 -Failback Immediate"  # type: ignore[index]
    assert list(held(cluster)) == [ME]
    assert {stamped.event.what for stamped in record.all_of(ev.Left)} == {
        "HCI02 is paused by this run",
        "the run lock on HCI02, and MSFT_CAUNode of this run if it is there",
    }
    command = record.all_of(ev.Left)[-1].event.command or ""
    assert ("-ClassName MSFT_CAURun" in command, "-ClassName MSFT_CAUNode" in command) == (True, True)


def test_a_lock_that_is_gone_by_itself_is_left_only_on_the_node_that_nobody_could_read():
    cluster, record, clock = world(HCI02="Down")
    for name in ("HCI01", "HCI03"):
        cluster.shells[name].held = {}  # type: ignore[attr-defined]
    assert conclude(cluster, record, clock).outcome == "left-work"
    assert record.facts.lock_nodes == (ME,)


@pytest.mark.parametrize(("answers", "left"), [(True, {}), (False, {ME: {"MSFT_CAURun": OURS}})])
def test_a_quarantined_node_that_answers_gives_its_lock_back(answers, left):
    cluster, record, clock = world(HCI02="Down")
    for shell in cluster.shells.values():
        shell.quarantined = {ME}  # type: ignore[attr-defined]
    cluster.shells[ME].dead = not answers  # type: ignore[attr-defined]
    end = conclude(cluster, record, clock)
    assert held(cluster) == left
    assert end.outcome == ("clean" if answers else "left-work")
    assert [stamped.event.node for stamped in record.all_of(ev.Left)] == list(left)


def test_a_lock_that_cannot_be_removed_is_named_for_each_node():
    cluster, record, clock = world()
    cluster.shells["HCI01"].stubborn = True  # type: ignore[attr-defined]
    end = conclude(cluster, record, clock)
    assert end.outcome == "left-work"
    assert end.details["lock_released"] is False
    assert list(held(cluster)) == ["HCI01"]
    assert "HCI01" in record.facts.lock_nodes


@pytest.mark.parametrize(("answers", "outcome", "left"), [(True, "clean", []), (False, "left-work", ["HCI02"])])
def test_a_lock_on_a_node_that_was_evicted_is_given_back_or_named(answers, outcome, left):
    cluster, record, clock = world()
    for shell in cluster.shells.values():
        shell.states.pop(ME, None)  # type: ignore[attr-defined]
    cluster.shells[ME].dead = not answers  # type: ignore[attr-defined]
    assert conclude(cluster, record, clock).outcome == outcome
    assert list(held(cluster)) == left
    assert [stamped.event.node for stamped in record.all_of(ev.Left)] == left


def test_a_resume_that_is_refused_is_tried_a_few_times_and_the_lock_is_released_all_the_same():
    cluster, record, clock = world(HCI02="Paused")
    record.add(ev.Pausing(node=ME), NOW)
    refusal = CommandFailed([ErrorRecord("access is denied", native_code=5)])
    for shell in cluster.shells.values():
        shell.replies["Resume-ClusterNode"] = refusal
    end = conclude(cluster, record, clock)
    assert end.outcome == "left-work"
    assert sum("Resume" in line for shell in cluster.shells.values() for line in shell.lines) == MOST_TRIES
    assert held(cluster) == {}


def test_a_cluster_that_does_not_answer_is_left_after_some_patience():
    cluster, record, clock = world(HCI02="Paused")
    record.add(ev.Pausing(node=ME), NOW)
    for shell in cluster.shells.values():
        shell.dead = True  # type: ignore[attr-defined]
    end = conclude(cluster, record, clock)
    assert end.outcome == "left-work"
    assert end.details["lock_released"] is False
    assert clock() - NOW >= PATIENCE
    assert isinstance(clock(), datetime)


class Flaky(Node):
    """A node that cannot be asked now and then: ``lost`` says when, from what is asked and when."""

    clock: Clock
    lost: Any = staticmethod(lambda command, at: False)

    def run(self, pipeline: Any, *, timeout: Any = None, on_progress: Any = None) -> Any:
        if self.lost(as_pipeline(pipeline).commands[0].name, self.clock() - NOW):
            raise ConnectionLost("the connection was reset", node=self.node)
        return super().run(pipeline, timeout=timeout, on_progress=on_progress)


def flaky(lost: Any, **states: str) -> tuple[FakeCluster, RunRecord, Clock]:
    cluster, record, clock = world(**states)
    shells = cluster.shells.values()
    seen = next(iter(shells)).states  # type: ignore[attr-defined]
    cluster.shells = {name: Flaky(name, seen) for name in NAMES}
    for shell in cluster.shells.values():
        shell.clock, shell.lost = clock, lost  # type: ignore[attr-defined]
    return cluster, record, clock


def test_one_reading_that_is_lost_late_does_not_give_up_the_cluster():
    comes_back, lost_from = minutes(20), minutes(12)

    def lost(command: str, at: Any) -> bool:
        return command == "Get-ClusterNode" and lost_from <= at < lost_from + minutes(1)

    cluster, record, clock = flaky(lost, HCI02="Down")
    record.add(ev.Pausing(node=ME), NOW)
    record.add(ev.RestartOrdered(node=ME, boot_time_before=BOOT), NOW + minutes(8))
    states = cluster.shells["HCI01"].states  # type: ignore[attr-defined]
    sleep = clock.sleep

    def pass_time(duration: Any) -> None:
        sleep(duration)
        if clock() - NOW >= comes_back and states[ME] == "Down":
            states[ME] = "Paused"

    clock.sleep = pass_time  # type: ignore[method-assign]
    end = conclude(cluster, record, clock)
    assert (end.outcome, end.details["undone"]) == ("clean", ["HCI02 was resumed"])
    assert held(cluster) == {}


def test_a_storage_that_says_nothing_keeps_no_node_from_being_resumed():
    cluster, record, clock = flaky(lambda command, at: command == "Get-StorageFaultDomain", HCI02="Paused")
    record.add(ev.Pausing(node=ME), NOW)
    assert conclude(cluster, record, clock).outcome == "clean"
    assert clock() - NOW < PATIENCE


def test_a_lock_that_one_reading_missed_is_given_back_all_the_same():
    cluster, record, clock = flaky(lambda command, at: command == "Get-CimInstance" and at < minutes(1))
    end = conclude(cluster, record, clock)
    assert (end.outcome, held(cluster), record.facts.lock_nodes) == ("clean", {}, ())


@pytest.mark.parametrize(("quiet", "state"), [(STALE, "Paused"), (STALE / 2, "Up")])
def test_a_run_that_was_dead_for_long_leaves_a_node_to_whoever_holds_the_cluster_now(quiet, state):
    cluster, record, clock = world(HCI02="Paused")
    record.add(ev.Pausing(node=ME), NOW)
    record.add(ev.Paused(node=ME), NOW)
    for shell in cluster.shells.values():
        shell.held = {"MSFT_CAURun": THEIRS}  # type: ignore[attr-defined]
    clock.at += quiet
    end = conclude(cluster, record, clock)
    assert cluster.shells["HCI01"].states[ME] == state  # type: ignore[attr-defined]
    assert {name: shell.held["MSFT_CAURun"] for name, shell in cluster.shells.items()} == dict.fromkeys(NAMES, THEIRS)  # type: ignore[attr-defined]
    if state == "Paused":
        assert str(THEIRS) in end.why


def test_every_wait_of_the_end_says_when_it_gives_up():
    step = Conclude(context(), now)
    for seen in (facts(node(DOWN)), facts(nodes=(), silence="no route"), facts(orders={ME: ORDER})):
        decision = step.decide(seen, NOW)
        assert isinstance(decision, Wait)
        assert decision.deadline is not None
    assert step.decide(facts(nodes=(), silence="no route"), NOW).deadline == NOW + PATIENCE  # type: ignore[union-attr]


def test_that_nobody_could_look_at_the_cluster_is_told_apart_from_what_is_left_to_a_person():
    cluster, record, clock = world(HCI02="Paused")
    record.add(ev.Pausing(node=ME), NOW)
    for shell in cluster.shells.values():
        shell.dead = True  # type: ignore[attr-defined]
    assert "no route" in str(conclude(cluster, record, clock).details["silent"])
    for shell in cluster.shells.values():
        shell.dead = False  # type: ignore[attr-defined]
    assert "silent" not in conclude(cluster, record, clock).details
    for shell in cluster.shells.values():
        shell.dead = True  # type: ignore[attr-defined]
    assert "silent" not in conclude(cluster, record, clock).details  # nothing was left by then


def test_concluding_twice_is_harmless():
    cluster, record, clock = world(HCI02="Paused")
    record.add(ev.Pausing(node=ME), NOW)
    conclude(cluster, record, clock)
    lines = sum(
        len([line for line in shell.lines if "Resume" in line or "Remove" in line]) for shell in cluster.shells.values()
    )
    assert conclude(cluster, record, clock).outcome == "clean"
    again = sum(
        len([line for line in shell.lines if "Resume" in line or "Remove" in line]) for shell in cluster.shells.values()
    )
    assert again == lines
