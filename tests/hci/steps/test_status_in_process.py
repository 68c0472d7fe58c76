"""Who updates a simulated cluster, as the status reads it: from a whole run of ours, of CAU's, and around other hands."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from include.hci.cluster.catalogue import outside
from include.hci.policy.updating_status import UpdatingStatus, updating_status
from include.hci.report.events import StepName
from include.hci.steps.decisions import Decision, Done
from include.hci.steps.status_reading import own_run, read_status
from include.simulator.world.spec import CauRoleSpec
from tests.hci.steps.coordinator import Coordinator
from tests.hci.steps.simulated import Simulation


def status_of(run: Coordinator, *, known: bool = True) -> UpdatingStatus:
    """Return the status that is read now; ``known``: this run is one that Airflow knows of."""
    now = run.simulation.now()
    own = own_run(run.cluster.name, run.run_id, "rolling_update__demo", run.record, alive=True, left=False)
    facts = read_status(run.cluster, run.simulation.now, (own,) if known and own.began_at else ())
    return updating_status(facts, now)


class Enough(Exception):
    pass


def run_until(run: Coordinator, stop: Callable[[StepName, str | None, Decision], bool]) -> None:
    def watch(name: StepName, node: str | None, decision: Decision) -> None:
        if stop(name, node, decision):
            raise Enough

    run.watch = watch
    with pytest.raises(Enough):
        run.run()


def test_a_cluster_that_nobody_updates_is_read_with_commands_that_change_nothing(simulate):
    run = Coordinator(simulate())
    status = status_of(run)
    assert (status.state, status.headline) == ("idle", f"Nobody is updating {run.cluster.name}.")
    assert (status.updaters, status.out, status.unread) == ((), (), ())
    commands = [pipeline for _, pipeline in run.simulation.commands]
    assert not any(pipeline.is_change for pipeline in commands)
    assert [outside(pipeline) for pipeline in commands if outside(pipeline)] == []
    assert len(commands) < 30


def test_our_run_is_named_with_its_node_and_the_node_is_out_by_it(simulate):
    run = Coordinator(simulate())
    run_until(run, lambda name, node, decision: name == "install" and isinstance(decision, Done))
    node = next(iter(run.record.facts.paused))
    status = status_of(run)
    assert status.state == "updating"
    assert [(one.active, one.nodes) for one in status.updaters] == [(True, (node,))]
    assert status.updaters[0].said.startswith("install: ")
    assert [(one.node, one.by) for one in status.out if one.node == node] == [
        (node, "the rolling update run-1 of this Airflow took it out")
    ]


def test_after_the_last_node_no_node_is_named(simulate):
    run = Coordinator(simulate())
    run_until(run, lambda name, node, decision: name == "verify")
    status = status_of(run)
    assert [one.nodes for one in status.updaters] == [()]
    assert status.out == ()


def test_a_run_that_this_airflow_does_not_know_is_another_coordinator(simulate):
    run = Coordinator(simulate())
    run_until(run, lambda name, node, decision: name == "stage")
    status = status_of(run, known=False)
    assert status.state == "updating"
    [other] = status.updaters
    assert other.who == "another coordinator"
    assert str(run.context.guid) in other.said


def begin_cau(simulation: Simulation) -> None:
    simulation.cluster.world.cau.start_run(timedelta(hours=6), "HCI03")
    for _ in range(600):
        simulation.sleep(timedelta(seconds=10))
        if any("MSFT_CAUNode" in node.locks and node.paused for node in simulation.cluster.world.nodes):
            return
    raise AssertionError("CAU paused no node")


def test_a_cau_run_is_named_with_the_node_it_works_on(simulate):
    simulation = simulate()
    begin_cau(simulation)
    status = status_of(Coordinator(simulation))
    assert status.state == "updating"
    [cau] = status.updaters
    assert cau.who == "Cluster-Aware Updating"
    assert cau.since is not None
    paused = [node.name for node in simulation.cluster.world.nodes if node.paused]
    assert [(one.node, one.by) for one in status.out if one.node in paused] == [
        (name, "Cluster-Aware Updating works on it") for name in paused
    ]


@pytest.mark.parametrize(("enabled", "planned"), [(True, True), (False, False)])
def test_the_role_tells_when_cau_begins_by_itself(simulate, enabled, planned):
    run = Coordinator(simulate())
    run.simulation.cluster.world.cau.add_role(CauRoleSpec(enabled=enabled))
    own, role = sorted(status_of(run).coming, key=lambda one: one.who == "this Airflow", reverse=True)
    assert (own.at, own.remark) == (None, "it has no schedule")
    assert (role.at is not None) is planned
    assert role.remark == ("if the servers' clocks are in UTC" if planned else "the role is disabled")


def test_a_failed_cau_run_is_in_the_way(simulate):
    run = Coordinator(simulate())
    run.simulation.cluster.world.cau.failed = True
    assert status_of(run).state == "blocked"


CONDITIONS = {
    "foreign-lock": ("updating", "another coordinator"),
    "cau-status-unreadable": ("idle", "as far as could be read"),
    "connection-refused-on-node-2": ("idle", "as far as could be read"),
    "provider-class-missing-on-node-2": ("idle", "as far as could be read"),
}


@pytest.mark.parametrize("fault", CONDITIONS)
def test_what_cannot_be_read_is_said_and_stops_nothing(simulate, fault):
    run = Coordinator(simulate(None, 1, fault))
    run.simulation.sleep(timedelta(minutes=1))
    status = status_of(run)
    state, words = CONDITIONS[fault]
    assert status.state == state
    assert words in status.headline
    assert bool(status.unread) is ("as far as" in words)


def test_a_cluster_of_which_no_node_answers_is_unknown(simulate):
    run = Coordinator(simulate())
    for wire in run.simulation.wires.values():
        wire.refused = True
    status = status_of(run)
    assert status.state == "unknown"
    assert "connection refused" in status.unread[0]
