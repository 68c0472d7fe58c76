"""Who may not begin a run that CAU coordinates, over a simulated cluster on a virtual clock."""

from __future__ import annotations

import pytest

from include.hci.report import events as ev
from include.hci.settings.cau_remote import CauRemoteRequest
from include.hci.steps.decisions import Done, Stop
from include.simulator.world.spec import demo_world
from tests.hci.steps.cau_coordinator import CauCoordinator, host_of, options
from tests.hci.steps.coordinator import Coordinator
from tests.hci.steps.judging import outcomes, report, violations
from tests.hci.steps.simulated import Simulation

INVOKE = "Invoke-CauRun"


def given(simulation: Simulation, command: str) -> int:
    return sum(pipeline.commands[0].name == command for _, pipeline in simulation.commands)


def test_no_rolling_update_begins_while_caus_run_is_on_and_the_other_way_round(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2))
    refused: list[Stop] = []

    def rolling(name, node, decision):
        if name == "run_cau" and "HCI01 Installing" in str(decision) and not refused:
            other = Coordinator(run.simulation, run_id="rolling")
            end = other.prepare()
            assert isinstance(end, Stop)
            refused.append(end)

    run.watch = rolling
    assert isinstance(run.run(), Done)
    assert "RunInProgress" in refused[0].problem.title
    assert violations(run) == []

    other = Coordinator(simulate(demo_world(2)), run_id="rolling")
    assert other.prepare() is None
    late = CauCoordinator(other.simulation, options(2))
    end = late.run()
    assert isinstance(end, Stop)
    assert "holds MSFT_CAURun" in end.problem.title
    assert given(other.simulation, INVOKE) == 0
    assert (report(late).outcome, outcomes(late)) == ("failed", {"HCI01": "not-started", "HCI02": "not-started"})


def test_a_lock_that_is_taken_after_the_checks_makes_cau_refuse_and_nothing_is_left(simulate):
    run = CauCoordinator(simulate(demo_world(2)), options(2))
    other = Coordinator(run.simulation, run_id="rolling")

    def take(name, node, decision):
        if name == "preview" and isinstance(decision, Done):
            other.record.add(
                ev.RunStarted(run_id="rolling", cluster=other.cluster.name, nodes=other.cluster.nodes),
                run.simulation.now(),
            )
            assert isinstance(other.step("take_lock"), Done)

    run.watch = take
    end = run.run()
    assert isinstance(end, Stop)
    assert "locked by another update coordinator" in end.problem.meaning
    assert run.simulation.left == {}
    assert host_of(run.simulation).credssp is False
    assert report(run).left == ()
    assert outcomes(run) == {"HCI01": "not-started", "HCI02": "not-started"}


@pytest.mark.parametrize(
    ("more", "check"),
    [
        ({"managed": False}, "management-host"),
        ({"host": "HCI01"}, "coordinator-outside"),
        ({"request": CauRemoteRequest(credssp="never")}, "coordinator-credentials"),
    ],
)
def test_a_machine_that_cannot_coordinate_is_refused_before_anything_is_touched(simulate, more, check):
    run = CauCoordinator(simulate(demo_world(2)), options(2), **more)
    assert isinstance(run.run(), Stop)
    checked = run.record.last(ev.ReadinessChecked)
    assert checked is not None
    assert [each.id for each in checked.event.checks if each.refused] == [check]
    assert not any(pipeline.is_change for _, pipeline in run.simulation.commands)


def test_options_that_this_windows_does_not_know_are_refused_by_name(simulate):
    run = CauCoordinator(simulate(demo_world(2, "WS2019")), options(2, reboot_mode="FullReboot"))
    end = run.run()
    assert isinstance(end, Stop)
    assert "no -RebootMode" in end.problem.title
    assert given(run.simulation, INVOKE) == 0
