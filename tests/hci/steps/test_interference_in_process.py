"""Whole runs on a cluster where other hands are at work between the plan and the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from include.hci.cluster.facade import Cluster
from include.hci.powershell.command import Command, Pipeline
from include.hci.powershell.values import SWITCH
from include.hci.report import events as ev
from include.hci.report.facts import Change
from include.hci.report.model import Section
from include.hci.report.proof import COMPARED, LEFT, OTHERS
from include.hci.settings import RunOptions
from include.hci.settings.selection import UpdateSelection
from include.hci.steps.conclude import Conclude
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Done, Stop, Wait
from include.hci.steps.engine import StepRunner, run_step
from include.hci.steps.undo import Standing
from include.simulator.world.world import World
from tests.hci.steps.coordinator import Coordinator, Killed
from tests.hci.steps.judging import locks, outcomes, report, said, violations, world_nodes

PATIENCE = timedelta(minutes=5)
NAMES = ("HCI01", "HCI02", "HCI03", "HCI04")
NEW = "99999999-9999-9999-9999-999999999999"


def coordinator(simulate, **options) -> Coordinator:
    return Coordinator(simulate(), RunOptions(max_failed_nodes=1, **options), retries=0, patience=PATIENCE)


def at(run: Coordinator, step: str, node: str | None, strike: Callable[[World], object]) -> Coordinator:
    """Let ``strike`` happen to the world as soon as the step is over."""

    def watch(name, of, decision):
        if (name, of) == (step, node) and isinstance(decision, Done):
            strike(run.simulation.cluster.world)

    run.watch = watch
    return run


def sections(run: Coordinator) -> dict[str, Section]:
    return {section.title: section for section in report(run).sections}


def expire(world: World) -> None:
    for node in world.nodes:
        world.locks.expire(node, "MSFT_CAURun")


def begin_cau(world: World) -> None:
    expire(world)
    world.inject("cau-run-in-progress")


def steal(world: World) -> None:
    expire(world)
    world.inject("foreign-lock")


@pytest.mark.parametrize(
    ("strike", "names"),
    [
        (begin_cau, "A Cluster-Aware Updating run"),
        (steal, "has taken MSFT_CAURun on HCI01, HCI02, HCI03, HCI04"),
        (lambda world: world.inject("foreign-node-lock-on-node-4"), "has taken MSFT_CAUNode on HCI04"),
        (lambda world: world.inject("cau-role-schedule"), "A self-updating role has appeared: DaysOfWeek Tuesday"),
        (lambda world: world.inject("hand-patched-node-on-node-3"), "HCI03 was updated by somebody else: its build is"),
        (lambda world: world.inject("node-added"), "HCI05 was added to the cluster."),
        (lambda world: world.inject("node-evicted-on-node-4"), "HCI04 was evicted from the cluster."),
    ],
)  # fmt: skip
def test_other_hands_between_the_plan_and_the_second_node_end_the_run_before_it(simulate, strike, names):
    run = at(coordinator(simulate), "resync", "HCI01", strike)
    run.run()
    (stop,) = [decision for name, node, decision in run.said if (name, node) == ("turn", "HCI02")]
    assert isinstance(stop, Stop)
    assert names in stop.problem.title
    assert "start a new run" in stop.problem.next_action
    assert stop.problem.retry_is_safe is False
    assert outcomes(run)["HCI01"] == "updated"
    assert {outcomes(run)[name] for name in NAMES[1:]} == {"not-started"}
    assert names in report(run).problems[0].title
    assert names in sections(run)[COMPARED].rows[-1][1]
    assert str(run.context.guid) not in {
        lock.guid for node in run.simulation.cluster.world.nodes for lock in node.locks.values()
    }
    assert violations(run) == []


def test_the_runs_own_lock_builds_and_pauses_are_no_interference(simulate):
    run = coordinator(simulate)
    assert isinstance(run.run(), Done)
    assert sections(run)[COMPARED].rows == tuple((name, "nothing", "nothing") for name in NAMES)
    assert OTHERS not in sections(run)


def test_a_state_of_cau_that_cannot_be_read_is_said_and_stops_nothing(simulate):
    run = at(coordinator(simulate), "resync", "HCI01", lambda world: world.inject("cau-status-unreadable"))
    assert isinstance(run.run(), Done)
    assert "it could not be compared with the plan: the state of Cluster-Aware Updating" in said(run, "turn HCI02")[0]
    assert [bool(row[2] != "nothing") for row in sections(run)[COMPARED].rows] == [False, True, True, True]


def test_a_schedule_that_appears_while_a_turn_waits_ends_the_wait(simulate):
    run = coordinator(simulate)

    def strike(name, node, decision):
        world = run.simulation.cluster.world
        if (name, node) == ("resync", "HCI01") and isinstance(decision, Done):
            world.inject("node-isolated-on-node-4")
        elif (name, node) == ("turn", "HCI02") and not isinstance(decision, Stop) and world.cau.role is None:
            world.inject("cau-role-schedule")

    run.watch = strike
    run.patience = None
    run.run()
    began = run.record.last(ev.Resynced).at  # type: ignore[union-attr]
    assert "self-updating role has appeared" in said(run, "turn HCI02 Stop")[0]
    assert run.record.last(ev.ClusterCompared).at - began < timedelta(minutes=7)  # type: ignore[union-attr]


# --- the plan that became void -------------------------------------------------------------------------------------------


def between_plan_and_lock(run: Coordinator, strike: Callable[[World], object]) -> Coordinator:
    """Let ``strike`` happen after the plan was made and before the lock is taken."""
    planned = Coordinator._plan

    def plan(scans):
        made = planned(run, scans)
        strike(run.simulation.cluster.world)
        return made

    run._plan = plan  # type: ignore[method-assign]
    return run


@pytest.mark.parametrize(
    ("strike", "said_so"),
    [
        (lambda world: world.inject("node-evicted-on-node-4"), ["HCI04 is no longer in the cluster"]),
        (lambda world: world.inject("node-added"), ["HCI05 was added to the cluster"]),
        (lambda world: world.inject("hand-patched-node-on-node-3"), ["HCI03 has build 20348.2393, the plan found 20348.2113"]),
        (
            lambda world: [world.inject(fault) for fault in ("node-evicted-on-node-4", "hand-patched-node-on-node-3")],
            ["HCI04 is no longer in the cluster", "HCI03 has build"],
        ),
    ],
)  # fmt: skip
def test_a_plan_that_no_longer_fits_is_void_with_every_difference_and_nothing_is_touched(simulate, strike, said_so):
    run = between_plan_and_lock(coordinator(simulate), strike)
    end = run.run()
    assert isinstance(end, Stop)
    assert end.problem.title.startswith("The plan is void: ")
    assert all(text in end.problem.title for text in said_so)
    assert end.problem.retry_is_safe is False
    assert locks(run) == []
    assert [
        pipe.describe() for _, pipe in run.simulation.commands if pipe.is_change and "CAURun" in pipe.describe()
    ] == []
    assert run.record.last(ev.Pausing) is None
    assert violations(run) == []


def publish(world: World) -> None:
    """Offer every node an update that nobody knew before."""
    first = next(iter(world.updates.catalogue.values()))
    new = replace(first, update_id=NEW, kb="KB5099999", title="An update out of turn (KB5099999)", supersedes=())
    world.updates.catalogue[NEW] = new


def install_by_hand(world: World) -> None:
    framework = next(each.update_id for each in world.updates.catalogue.values() if each.kb == "KB5099204")
    world.updates.record(world.nodes[2]).installed[framework] = True


@pytest.mark.parametrize(
    ("strike", "waited", "options", "said_so"),
    [
        (publish, 2, {}, "HCI01 is offered what the plan does not know: KB5099999; HCI02 is offered"),
        (install_by_hand, 2, {}, "HCI03 is no longer offered KB5099204."),
        (
            lambda world: None,
            50,
            {"updates": UpdateSelection.model_validate({"minimum_age_days": 1})},
            "HCI01 would get now what the plan leaves out (",
        ),
    ],
)  # fmt: skip
def test_a_plan_that_waited_for_its_approval_is_held_against_what_the_nodes_are_offered_now(
    simulate, strike, waited, options, said_so
):
    run = coordinator(simulate, **options)

    def approve_late(world: World) -> None:
        identity = run.record.last(ev.Planned).event.plan_id  # type: ignore[union-attr]
        run.simulation.sleep(timedelta(hours=waited))
        run.record.add(ev.Approved(by="j.doe", plan_id=identity), run.simulation.now())
        strike(world)

    between_plan_and_lock(run, approve_late)
    end = run.run()
    assert isinstance(end, Stop)
    assert said_so in end.problem.title
    assert "What j.doe approved was that plan and nothing else." in end.problem.meaning
    assert [line for line in locks(run) if "CAUNode" in line] == []


def test_newer_definitions_of_defender_do_not_make_a_plan_void_that_waited_for_its_approval(simulate):
    def publish_definitions(world: World) -> None:
        run.simulation.sleep(timedelta(hours=8))
        old = next(each for each in world.updates.catalogue.values() if each.kb == "KB2267602")
        world.updates.catalogue[NEW] = replace(old, update_id=NEW, supersedes=(old.update_id,))
        del world.updates.catalogue[old.update_id]

    run = between_plan_and_lock(coordinator(simulate), publish_definitions)
    assert run.prepare() is None
    assert said(run, "again what is offered: the plan is 480 minutes old")


def test_a_fresh_look_at_the_offers_finds_nothing_new_and_leaves_nothing_on_the_nodes(simulate):
    run = between_plan_and_lock(coordinator(simulate), lambda world: run.simulation.sleep(timedelta(hours=2)))
    refused = run.prepare()
    assert refused is None
    assert said(run, "again what is offered: the plan is 120 minutes old")
    assert [line for line in locks(run) if "CAUNode" in line] == []


@pytest.mark.parametrize(("approved", "judged"), [("this", []), ("another", ["I6"])])
def test_the_referee_holds_the_run_against_the_plan_that_was_approved(simulate, approved, judged):
    run = coordinator(simulate)

    def approve(world: World) -> None:
        identity = run.record.last(ev.Planned).event.plan_id  # type: ignore[union-attr]
        run.simulation.cluster.rule("approval", plan_hash=identity if approved == "this" else "0" * 64)

    between_plan_and_lock(run, approve)
    assert isinstance(run.run(), Done)
    assert report(run).plan.plan_hash == run.record.last(ev.Planned).event.plan_id  # type: ignore[union-attr]
    assert [line.split(":")[0] for line in violations(run)] == judged


# --- hygiene -------------------------------------------------------------------------------------------------------------


@dataclass
class Liar:
    """An undoer that takes everything for done."""

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        return Standing(change, *self.describe(change))

    def describe(self, change: Change) -> tuple[str, str]:
        return f"CredSSP on {change.node}", "Disable-WSManCredSSP -Role Server"


def conclude(run: Coordinator) -> Done:
    """End the run with an undoer that is wrong about what it has put back."""
    step = Conclude(run.context, run.simulation.now, {"credssp-server": Liar()})
    runner = StepRunner(step, run.cluster, run.record, run.simulation.now, run.simulation.now() + timedelta(minutes=30))
    end = run_step(runner, run.simulation.sleep)
    run.record.add(ev.Concluded(), run.simulation.now())
    assert isinstance(end, Done)
    return end


def test_what_this_run_has_left_is_found_by_the_proof_and_comes_first(simulate):
    run = coordinator(simulate)
    assert run.prepare() is None
    world = run.simulation.cluster.world
    run.record.add(
        ev.Changing(step="prepare", node="HCI02", change="credssp-server", subject="CredSSP"), run.simulation.now()
    )
    world.credssp.set_server(world.nodes[1], True)
    end = conclude(run)
    made = report(run)
    assert end.outcome == "left-work"
    assert [(left.node, left.what, left.command) for left in made.left] == [
        ("HCI02", "CredSSP is on for the server role of HCI02", "Disable-WSManCredSSP -Role Server")
    ]
    assert made.outcome == "failed"
    (row,) = [row for row in sections(run)[LEFT].rows if row[0] == "HCI02"]
    assert row[2] == "CredSSP: server role on, it was off"
    assert locks(run) == []


def test_what_somebody_else_has_changed_is_told_apart_and_fails_nothing(simulate):
    def meddle(world: World) -> None:
        world.credssp.set_server(world.nodes[1], True)
        world.services.set_start_type(world.nodes[2], "wuauserv", "Disabled")
        world.firewall.enable_group(world.nodes[3], "Remote Shutdown")

    run = at(coordinator(simulate), "resync", "HCI04", meddle)
    assert isinstance(run.run(), Done)
    made = report(run)
    assert (made.outcome, made.left) == ("succeeded", ())
    assert [(row[0], row[2]) for row in sections(run)[OTHERS].rows] == [
        ("HCI02", "Disable-WSManCredSSP -Role Server"),
        ("HCI03", "Set-Service -Name 'wuauserv' -StartupType Manual"),
        ("HCI04", "Disable-NetFirewallRule -DisplayGroup 'Remote Shutdown'"),
    ]
    assert violations(run) == []


def test_a_node_that_does_not_answer_at_the_end_is_unproven_and_the_run_ends_all_the_same(simulate):
    run = at(coordinator(simulate), "verify", None, lambda world: world.inject("node-down-at-start-on-node-3"))
    run.run()
    rows = {row[0]: row for row in sections(run)[LEFT].rows}
    assert rows["HCI03"][3] == "everything else (the node is Down)"
    assert rows["HCI01"][2:] == ("", "")
    assert run.record.last(ev.HygieneProved) is not None


def test_a_run_that_died_is_proved_by_whoever_makes_it_safe(simulate):
    run = coordinator(simulate)
    assert run.prepare() is None
    for step in ("turn", "drain"):
        run.step(step, "HCI01")
    assert conclude(run).outcome == "clean"
    assert {row[2:] for row in sections(run)[LEFT].rows} == {("", "")}
    assert set(world_nodes(run).values()) == {"Up"}


def test_a_run_of_which_nothing_was_noted_at_first_is_not_proven(simulate):
    run = coordinator(simulate)
    run.record.add(ev.LockTaking(guid=str(run.context.guid), nodes=NAMES), run.simulation.now())
    assert conclude(run).outcome == "clean"
    assert sections(run)[LEFT].sentences == ("Not proven: it was not noted how the nodes were found.",)


def lose_the_order(run: Coordinator) -> str:
    """Let the run die between putting its order to pause a node on record and giving it; return the node."""
    run.cancellable = True

    def die(node: str, pipeline: Pipeline) -> None:
        if pipeline.commands[0].name == "Suspend-ClusterNode":
            raise Killed

    run.simulation.before_command = die
    with pytest.raises(Killed):
        run.run()
    run.simulation.before_command = lambda node, pipeline: None
    (name,) = run.record.facts.paused
    return name


def pause(run: Coordinator, name: str, *, drained: bool) -> None:
    """Do what a person does who pauses ``name``, and let ten minutes pass."""
    person = run.simulation.shell(next(other for other in NAMES if other != name))
    person.run(Command("Suspend-ClusterNode", {"Name": name, **({"Drain": SWITCH} if drained else {})})).require()
    run.simulation.sleep(timedelta(minutes=10))


def given(run: Coordinator, name: str) -> list[str]:
    """Return how the node was paused and resumed since the last time that this was asked."""
    commands = [pipeline.commands[0] for _, pipeline in run.simulation.commands]
    run.simulation.commands.clear()
    wanted = ("Suspend-ClusterNode", "Resume-ClusterNode")
    return [command.name for command in commands if command.name in wanted and command.parameters.get("Name") == name]


@pytest.mark.parametrize(("drained", "state"), [(False, "Paused"), (True, "Up")])
def test_a_node_that_a_person_pauses_after_our_order_was_lost_is_left_alone_where_it_can_be_told(
    simulate, drained, state
):
    run = coordinator(simulate)
    name = lose_the_order(run)
    pause(run, name, drained=drained)
    end = run.conclude()
    assert isinstance(end, Done)
    assert world_nodes(run)[name] == state
    assert locks(run) == []
    found = report(run)
    if drained:
        assert "if a person has paused it, pause it again" in end.why
    else:
        assert end.outcome == "left-work"
        assert [(left.what, left.command) for left in found.left] == [
            (f"{name} is paused", f"Resume-ClusterNode -Name {name} -Failback Immediate")
        ]


def test_a_node_that_a_person_pauses_after_our_order_was_lost_is_neither_drained_nor_resumed(simulate):
    run = coordinator(simulate)
    name = lose_the_order(run)
    pause(run, name, drained=False)
    given(run, name)
    end = run.step("drain", name)
    assert isinstance(end, Stop)
    assert "paused by somebody else" in end.problem.title
    back = run.step("resume", name)
    assert isinstance(back, Done)
    assert back.outcome == "left-paused"
    run.conclude()
    assert (world_nodes(run)[name], given(run, name)) == ("Paused", [])
    assert run.record.last(ev.FoundPaused, name) is not None


def test_an_order_that_has_not_arrived_for_long_makes_no_later_pause_ours(simulate):
    run = coordinator(simulate)
    name = lose_the_order(run)
    run.simulation.sleep(timedelta(minutes=10))
    world = run.simulation.cluster.world
    for member in world.nodes:
        world.locks.expire(member, "MSFT_CAURun")
    world.locks.create(world.nodes[0], "MSFT_CAURun", "22222222-2222-2222-2222-222222222222")
    assert isinstance(run.step("drain", name), Stop)  # another coordinator holds the cluster
    assert dict(run.record.facts.paused) == {}
    pause(run, name, drained=True)
    given(run, name)
    back = run.step("resume", name)
    assert isinstance(back, Done)
    assert back.outcome == "left-paused"
    run.conclude()
    assert (world_nodes(run)[name], given(run, name)) == ("Paused", [])


def test_a_person_whose_drain_came_right_before_ours_keeps_the_node(simulate):
    run = coordinator(simulate)
    first: list[str] = []

    def be_faster(node: str, pipeline: Pipeline) -> None:
        if pipeline.commands[0].name == "Suspend-ClusterNode" and not first:
            first.append(str(pipeline.commands[0].parameters["Name"]))
            run.simulation.shell(node).run(pipeline).require()

    run.simulation.before_command = be_faster
    run.run()
    (name,) = first
    assert world_nodes(run)[name] == "Paused"
    assert given(run, name) == ["Suspend-ClusterNode"] * 2
    assert run.record.last(ev.PauseRefused, name) is not None


def test_a_person_who_resumes_a_node_that_is_being_drained_is_not_fought(simulate):
    run = coordinator(simulate)
    undone: list[str] = []

    def resume(name: str, node: str | None, decision: object) -> None:
        if name == "drain" and isinstance(decision, Wait) and "being drained" in str(decision) and not undone:
            undone.append(str(node))
            run.simulation.shell(next(other for other in NAMES if other != node)).run(
                Command("Resume-ClusterNode", {"Name": str(node), "Failback": "Immediate"})
            ).require()

    run.watch = resume
    run.run()
    (name,) = undone
    assert given(run, name) == ["Suspend-ClusterNode", "Resume-ClusterNode"]
    (stop,) = said(run, f"drain {name} Stop")
    assert "resumed by somebody else" in stop
    assert world_nodes(run)[name] == "Up"


def test_a_step_that_goes_on_after_the_end_of_its_run_takes_nothing_into_its_hands_again(simulate):
    # A database that was restored lets Airflow go on with a run that has ended since.
    run = coordinator(simulate)
    assert run.prepare() is None
    first, second = (node.name for node in run.plan.nodes[:2])  # type: ignore[union-attr]
    assert run.update(first) is True
    run.conclude()
    assert locks(run) == []
    end = run.step("turn", second)
    assert isinstance(end, Stop)
    assert "This run has ended" in end.problem.title
    assert (locks(run), world_nodes(run)[second]) == ([], "Up")
    assert isinstance(run.step("take_lock"), Done)
    assert run.update(second) is True
