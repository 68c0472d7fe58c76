"""Runs in CAU's remote-updating mode over a simulated cluster on a virtual clock: CAU works, the steps watch and tell."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from include.hci.cluster.catalogue import outside
from include.hci.report import events as ev
from include.hci.settings.cau_remote import CauRemoteRequest
from include.hci.steps.decisions import Done, Stop, Wait
from include.simulator.world.cau_run import SummaryStatus
from include.simulator.world.firewall import REMOTE_SHUTDOWN
from include.simulator.world.spec import NodeSpec, WorldSpec, demo_world
from tests.hci.steps.cau_coordinator import CauCoordinator, host_of, options
from tests.hci.steps.coordinator import Coordinator, Killed
from tests.hci.steps.judging import locks, outcomes, report, said, violations, world_nodes
from tests.hci.steps.simulated import Simulation

INVOKE = "Invoke-CauRun"


def ask(run: Coordinator, action: str) -> None:
    run.record.add(ev.OperatorAsked(action=action, by="ada"), run.simulation.now())


def cancel_when(run: CauCoordinator, words: str) -> None:
    """Press Cancel once the watching step says ``words``."""

    def watch(name, node, decision):
        if run.record.facts.cancel is None and name == "run_cau" and words in str(decision):
            ask(run, "cancel")

    run.watch = watch


def given(simulation: Simulation, command: str) -> int:
    return sum(pipeline.commands[0].name == command for _, pipeline in simulation.commands)


def installed(run: CauCoordinator) -> dict[str, set[str]]:
    """Return what CAU's own world has installed in its last run, by node."""
    last = run.simulation.cluster.world.cau.last_report()
    assert last is not None
    return {name: {each.result.update.update_id for each in result.succeeded} for name, result in last.results.items()}


def claimed(run: CauCoordinator) -> dict[str, set[str]]:
    return {
        node.name: {each.update_id for each in node.updates if each.result.startswith("succeeded")}
        for node in report(run).nodes
    }


def is_as_found(run: CauCoordinator, *, credssp: bool = False) -> None:
    """Hold the world against how a run must leave it: no lock, no session, CredSSP and the firewall as they were."""
    assert locks(run) == []
    assert run.simulation.left == {}
    assert host_of(run.simulation).credssp is credssp
    world = run.simulation.cluster.world
    assert not any(world.firewall.in_effect(node, "Remote Shutdown") for node in world.nodes)


# --- a run as it should be -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("nodes", "os"), [(2, "22H2"), (4, "22H2"), (2, "WS2019"), (2, "WS2025")])
def test_a_whole_run_succeeds_and_its_report_is_what_the_world_saw(simulate, nodes, os):
    run = CauCoordinator(simulate(demo_world(nodes, os)), options(nodes))
    assert isinstance(run.run(), Done)
    found = report(run)
    assert (found.outcome, set(outcomes(run).values())) == ("succeeded", {"updated"})
    assert claimed(run) == installed(run)
    assert violations(run) == []
    assert set(world_nodes(run).values()) == {"Up"}
    is_as_found(run)
    last = run.simulation.cluster.world.cau.last_report()
    assert last is not None
    assert {node.name: node.restarts for node in found.nodes} == {
        name: result.restarts for name, result in last.results.items()
    }
    assert all(node.build_after != node.build_before and node.taken_out and node.resumed for node in found.nodes)


def test_everything_that_is_sent_is_in_the_catalogue(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2))
    run.run()
    assert [outside(pipeline) for _, pipeline in run.simulation.commands if outside(pipeline)] == []


def test_a_firewall_rule_that_was_open_before_the_run_stays_open(simulate):
    simulation = simulate(demo_world(2))
    world = simulation.cluster.world
    first, *others = [rule for rule in world.firewall.rules(world.nodes[0]) if rule.display_group == REMOTE_SHUTDOWN]
    world.firewall.change(world.nodes[0], [first], enabled=True)
    run = CauCoordinator(simulation, options(2))
    assert isinstance(run.run(), Done)
    assert (first.enabled, [rule.enabled for rule in others]) == (True, [False])
    assert report(run).outcome == "succeeded"
    is_as_found(run)


def test_what_cau_does_on_each_node_is_told_while_it_does_it(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2))
    run.run()
    states = [(each.event.node, each.event.status) for each in run.record.all_of(ev.CauNodeStatus)]
    assert ("HCI01", "Installing") in states
    assert ("HCI02", "Restarting") in states
    assert len(said(run, "HCI01 Installing, HCI02 Waiting")) >= 1
    assert any("What CAU did" in section.title and len(section.rows) == len(states) for section in report(run).sections)


def test_states_that_nobody_has_documented_pass_through_in_caus_own_words(simulate):
    spec = dataclasses.replace(demo_world(2), variants=("cau-node-statuses-have-other-names",))
    run = CauCoordinator(simulate(spec), options(2))
    assert isinstance(run.run(), Done)
    states = {each.event.status for each in run.record.all_of(ev.CauNodeStatus)}
    assert {"EnteringMaintenanceMode", "Rebooting"} <= states
    assert report(run).outcome == "succeeded"
    assert violations(run) == []


def test_every_option_reaches_cau_under_its_own_name(simulate):
    more = {
        "max_retries_per_node": 2,
        "node_order": ("HCI02", "HCI01"),
        "require_all_nodes_online": True,
        "failback_mode": "Policy",
        "warn_after": "05:00:00",
        "stop_after": "09:00:00",
        "suspend_cluster_node_timeout_minutes": 90,
        "include_recommended_updates": True,
    }
    run = CauCoordinator(simulate(demo_world(2)), options(2, **more))
    run.run()
    last = run.simulation.cluster.world.cau.last_report()
    assert last is not None
    assert last.options.node_order == ("HCI02", "HCI01")
    assert (last.options.max_retries_per_node, last.options.failback_mode) == (2, "Policy")
    assert (last.options.warn_after, last.options.stop_after) == (timedelta(hours=5), timedelta(hours=9))
    assert last.options.plugins[0].flag("IncludeRecommendedUpdates")
    assert last.options.suspend_timeout == timedelta(minutes=90)
    assert (last.options.require_all_nodes_online, last.options.enable_firewall_rules) == (True, True)
    assert dict(report(run).sections[0].rows)["NodeOrder"] == "['HCI02', 'HCI01']"


def test_a_cluster_that_is_up_to_date_is_left_alone(simulate):
    first = CauCoordinator(simulate(demo_world(2)), options(2))
    first.run()
    first.simulation.sleep(timedelta(hours=2))  # until the storage is whole again
    before = given(first.simulation, INVOKE)
    second = CauCoordinator(first.simulation, options(2), run_id="run-2")
    second.run()
    assert given(first.simulation, INVOKE) == before
    assert report(second).outcome == "nothing-to-do"
    is_as_found(second)


def test_a_run_that_ends_with_its_preview_shows_what_would_be_installed(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2, plan_only=True))
    run.run()
    found = report(run)
    assert (found.outcome, given(run.simulation, INVOKE)) == ("planned", 0)
    assert found.plan is not None
    assert all(found.plan.updates.values())
    is_as_found(run)


# --- who watches may die, the run goes on ---------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", [(), ("cau-run-ends-with-its-console",)], ids=["goes-on", "ends-with-its-console"])
def test_a_watcher_that_dies_three_times_still_tells_the_truth(simulate, variant):
    run = CauCoordinator(simulate(dataclasses.replace(demo_world(2), variants=variant)), options(2))
    reads = 0

    def die(node, pipeline):
        nonlocal reads
        if pipeline.commands[0].name == "Get-CauRun" and run.record.last(ev.CauRunSeen) is not None:
            reads += 1
            if reads in (20, 60, 150):
                raise Killed

    run.simulation.before_command = die
    assert isinstance(run.run(), Done)
    assert run.deaths == 3
    assert given(run.simulation, INVOKE) == 1
    assert claimed(run) == installed(run)
    assert violations(run) == []
    assert report(run).outcome == "succeeded"
    is_as_found(run)


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_watcher_that_dies_around_the_start_begins_no_second_run(simulate, moment):
    run = CauCoordinator(simulate(demo_world(2)), options(2))

    def die(node, pipeline):
        if pipeline.commands[0].name == INVOKE and not run.deaths:
            raise Killed

    setattr(run.simulation, f"{moment}_command", die)
    assert isinstance(run.run(), Done)
    assert run.deaths == 1
    world = run.simulation.cluster.world
    assert len(world.cau.reports) == 1
    assert given(run.simulation, INVOKE) == (2 if moment == "before" else 1)
    assert report(run).outcome == "succeeded"
    assert violations(run) == []
    is_as_found(run)


@pytest.mark.parametrize("kind", ["reset-before", "reset-answer"])
def test_a_connection_that_breaks_as_the_run_begins_leaves_one_run(simulate, kind):
    run = CauCoordinator(simulate(demo_world(2)), options(2))

    def strike(node, pipeline):
        if pipeline.commands[0].name == INVOKE and given(run.simulation, INVOKE) == 1:
            run.simulation.wires[node].fault(kind, {})

    run.simulation.before_command = strike
    assert isinstance(run.run(), Done)
    assert len(run.simulation.cluster.world.cau.reports) == 1
    assert violations(run) == []
    assert report(run).outcome == "succeeded"
    is_as_found(run)


def test_a_management_host_that_does_not_answer_for_hours_costs_nothing_but_sight(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2))
    wire = run.simulation.wires["MGMT01"]

    def watch(name, node, decision):
        if name == "run_cau" and "HCI01 Installing" in str(decision):
            wire.fault("refuse", {})
        if name == "run_cau" and "HCI02 Installing" in str(decision):
            wire.fault("heal", {})

    run.watch = watch
    assert isinstance(run.run(), Done)
    # Somebody else was asked meanwhile: every node knows the state of CAU's run.
    assert said(run, "HCI01 Restarting")
    assert claimed(run) == installed(run)
    assert violations(run) == []
    is_as_found(run)


def test_nobody_who_answers_is_unknown_and_not_failed(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2))
    wires = run.simulation.wires
    since: list[object] = []

    def watch(name, node, decision):
        if name == "run_cau" and "HCI01 Installing" in str(decision) and not since:
            since.append(run.simulation.now())
            for wire in wires.values():
                wire.fault("refuse", {})
        if since and isinstance(decision, Wait) and "does not answer" in str(decision):
            run.simulation.sleep(timedelta(minutes=20))
            for wire in wires.values():
                wire.fault("heal", {})

    run.watch = watch
    assert isinstance(run.run(), Done)
    assert said(run, "The cluster does not answer")
    assert report(run).outcome == "succeeded"
    assert violations(run) == []


# --- stopping it ----------------------------------------------------------------------------------------------------------


def test_cancelling_stops_caus_run_after_its_present_node(simulate):
    run = CauCoordinator(simulate(demo_world(3)), options(3))
    cancel_when(run, "HCI01 Installing")
    run.run()
    assert given(run.simulation, "Stop-CauRun") == 1
    found = report(run)
    assert found.outcome == "cancelled"
    # It was the second one's turn: the first one is through, the third one is not begun.
    assert outcomes(run)["HCI03"] == "skipped"
    assert outcomes(run)["HCI01"] in ("updated", "failed")
    assert any("ada" in sentence for sentence in found.sections[0].sentences)
    assert claimed(run) == installed(run)
    assert violations(run) == []
    assert set(world_nodes(run).values()) == {"Up"}
    is_as_found(run)


def test_cancelling_before_caus_run_began_begins_none(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2))

    def watch(name, node, decision):
        if name == "preview" and run.record.facts.cancel is None:
            ask(run, "cancel")

    run.watch = watch
    run.run()
    assert given(run.simulation, INVOKE) == 0
    assert report(run).outcome == "cancelled"
    is_as_found(run)


def test_caus_own_stop_after_ends_the_run_and_the_report_says_so(simulate):
    run = CauCoordinator(simulate(demo_world(3)), options(3, stop_after="00:30:00"))
    run.run()
    found = report(run)
    assert found.outcome == "failed"
    assert "StopAfter" in found.headline
    assert "skipped" in outcomes(run).values()
    assert violations(run) == []
    is_as_found(run)


def test_a_run_whose_watcher_is_gone_for_good_is_stopped_by_its_end(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2), cancellable=True)

    def die(name, node, decision):
        if name == "run_cau" and "HCI01 Suspending" in str(decision):
            raise Killed

    run.watch = die
    with pytest.raises(Killed):
        run.run()
    run.watch = lambda name, node, decision: None
    run.conclude()
    assert given(run.simulation, "Stop-CauRun") == 1
    # CAU brings its node to an end first, and that is waited for.
    assert report(run).left == ()
    assert violations(run) == []
    assert set(world_nodes(run).values()) == {"Up"}
    is_as_found(run)


# --- credentials ----------------------------------------------------------------------------------------------------------

FAILING = "install-fails-on-node-1"


@pytest.mark.parametrize("found_on", [False, True], ids=["found-off", "found-on"])
@pytest.mark.parametrize("way", ["success", "failure", "cancel", "refused"])
def test_credssp_is_left_as_it_was_found_on_every_way_out(simulate, found_on, way):
    simulation = simulate(demo_world(2), 0, *([FAILING] if way == "failure" else []))
    simulation.cluster.world.credssp.set_server(host_of(simulation), found_on)
    run = CauCoordinator(simulation, options(2, max_retries_per_node=0))
    if way == "cancel":
        cancel_when(run, "HCI01 Installing")
    if way == "refused":
        run.options = options(2, cau_plugin_name=("Microsoft.HotfixPlugin",))
    run.run()
    assert host_of(simulation).credssp is found_on
    switched = [each.event for each in run.record.all_of(ev.Changing) if each.event.change == "credssp-server"]
    assert bool(switched) is not found_on
    assert violations(run) == []
    is_as_found(run, credssp=found_on)


def test_a_connection_that_passes_credentials_on_needs_no_credssp_of_the_runs_own(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2), passes_credentials=True)
    assert isinstance(run.run(), Done)
    assert given(run.simulation, "Enable-WSManCredSSP") == 0
    assert report(run).outcome == "succeeded"


# --- what goes wrong ------------------------------------------------------------------------------------------------------


def test_a_run_with_one_failing_node_names_the_update_and_its_code(simulate):
    run = CauCoordinator(simulate(demo_world(3), 0, FAILING), options(3, max_retries_per_node=0))
    run.run()
    found = report(run)
    assert found.outcome == "failed"
    bad = next(node for node in found.nodes if node.outcome == "failed")
    assert bad.name == "HCI01"
    assert bad.problem is not None
    failed = [each for each in bad.updates if each.result == "failed"]
    assert failed
    assert all(each.hresult and each.hresult.startswith("0x8") for each in failed)
    assert claimed(run) == installed(run)
    assert violations(run) == []
    is_as_found(run)


def _paused(spec: WorldSpec) -> WorldSpec:
    return dataclasses.replace(spec, nodes=tuple(NodeSpec(node.name) for node in spec.nodes))


def test_a_coordinator_that_is_lost_is_said_so_and_is_recovered_only_where_that_is_allowed(simulate):
    run = CauCoordinator(simulate(_paused(demo_world(2))), options(2))
    world = run.simulation.cluster.world

    def lose(name, node, decision):
        if name == "run_cau" and "HCI01 Installing" in str(decision) and world.cau.run is not None:
            world.cau.lose_coordinator()

    run.watch = lose
    end = run.run()
    assert isinstance(end, Stop)
    assert "lost its coordinator" in end.problem.title
    found = report(run)
    assert found.outcome == "failed"
    assert "force_recovery" in end.problem.next_action
    assert host_of(run.simulation).credssp is False
    assert run.simulation.left == {}

    never = CauCoordinator(run.simulation, options(2), run_id="never")
    assert isinstance(never.run(), Stop)
    assert given(run.simulation, INVOKE) == 1

    run.simulation.sleep(timedelta(minutes=10))
    allowed = CauCoordinator(
        run.simulation, options(2), run_id="allowed", request=CauRemoteRequest(force_recovery="allow")
    )
    assert isinstance(allowed.run(), Done)
    recovering = allowed.record.last(ev.CauRecovering)
    assert recovering is not None
    assert recovering.event.allowed_by == "ada"
    last = world.cau.last_report()
    assert last is not None
    assert last.status is SummaryStatus.Succeeded
    assert report(allowed).outcome == "succeeded"
    assert set(world_nodes(allowed).values()) == {"Up"}
    is_as_found(allowed)


def test_a_lock_of_another_coordinator_is_never_overridden(simulate):
    other = Coordinator(simulate(demo_world(2)), run_id="rolling")
    assert other.prepare() is None
    run = CauCoordinator(other.simulation, options(2), request=CauRemoteRequest(force_recovery="allow"))
    assert isinstance(run.run(), Stop)
    assert given(other.simulation, INVOKE) == 0
