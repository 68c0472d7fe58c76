"""Joining the preview channel: decided by facts alone, and whole over a simulated cluster."""

from __future__ import annotations

import dataclasses

import pytest

from include.hci.cluster.machine import Build
from include.hci.cluster.preview_channel import PreviewChannel
from include.hci.powershell.command import Pipeline
from include.hci.report import events as ev
from include.hci.report.feature_channel import ALREADY, NO_WAY_BACK, channel_sections
from include.hci.steps.decisions import Done, Stop
from include.hci.steps.feature_channel import ChannelFacts, JoinPreviewChannel, NodeChannel
from include.simulator.world.preview import Outcome, PreviewChannels
from include.simulator.world.spec import demo_world
from tests.hci.steps.coordinator import Killed
from tests.hci.steps.facts import DOWN, JOINING, NOW, PAUSED, check, context, minutes, node
from tests.hci.steps.feature_channel_run import ChannelRun
from tests.hci.steps.judging import outcomes, report, violations

NODES = ("HCI01", "HCI02", "HCI03", "HCI04")
SET = PreviewChannel(True, "ReleasePreview", "External")
NOT_SET = PreviewChannel()
HERE = tuple(node(name=name) for name in ("HCI01", "HCI02"))


def channel(
    name: str = "HCI01", channel: PreviewChannel | None = NOT_SET, build: str = "20348.169", up: float = 600
) -> NodeChannel:
    return NodeChannel(name, Build.parse(build), NOW - minutes(up), channel)


def done(name: str = "HCI01", restart: bool | None = True, up: float = 600) -> dict[str, ev.PreviewChannelSet]:
    boot_time = NOW - minutes(up)
    return {name: ev.PreviewChannelSet(node=name, before="-", after="R", boot_time=boot_time, restart_needed=restart)}


def facts(*nodes: NodeChannel, **more: object) -> ChannelFacts:
    return ChannelFacts(**{"wanted": True, "members": HERE, "nodes": nodes, **more})  # type: ignore[arg-type]


DECISIONS = [
    (ChannelFacts(wanted=False), "done not-wanted"),
    (facts(channel(), channel("HCI02")), "act: Set-PreviewChannel on HCI01: HCI01 is on no preview channel. A server leaves"),
    (facts(channel(channel=SET), channel("HCI02")), "act: Set-PreviewChannel on HCI02"),
    (facts(channel(channel=SET), channel("HCI02", SET)), "done nothing-to-do: on a preview channel already"),
    (facts(channel(channel=SET), channel("HCI02", SET), done=done()), "done joined: HCI01 must restart for it"),
    (facts(channel(channel=SET, up=5), channel("HCI02", SET), done=done()), "done joined: No node has to restart"),
    (facts(channel(channel=SET), channel("HCI02", SET), done=done(restart=False)), "done joined: No node has to restart"),
    (facts(channel(channel=SET), channel("HCI02", SET), done=done(restart=None)), "done joined: HCI01 must restart"),
    # nobody heard how it ended: the node tells
    (facts(channel(channel=SET), channel("HCI02"), announced={"HCI01": "-"}), "act: note that HCI01 is on ReleasePreview"),
    (facts(channel(), channel("HCI02"), announced={"HCI01": "-"}), "act: Set-PreviewChannel on HCI01"),
    (facts(channel(), channel("HCI02"), refused={"HCI01": 87}), "stop: did not succeed on HCI01 (exit code 87)"),
    (facts(channel(), channel("HCI02"), refused={"HCI01": None}), "stop: did not succeed on HCI01 (no exit code)"),
    # every node has to be able to, before any is touched
    (facts(channel(), channel("HCI02", None)), "stop: HCI02 (build 20348.169) does not know Get-PreviewChannel"),
    (facts(channel(build="17784.1850"), channel("HCI02", None, "17784.1736")), "stop: HCI02 has build 17784.1736"),
    (facts(channel(build="17784.1736"), channel("HCI02", SET)), "stop: there the channel needs 17784.1737 (KB5003237)"),
    (facts(channel(build="17784.1737"), channel("HCI02", SET)), "act: Set-PreviewChannel on HCI01"),
    (facts(channel(channel=None, build="17763.1"), channel("HCI02")), "stop: a Windows without a preview channel"),
    (facts(members=(node(), node(DOWN, name="HCI01"))), "stop: The preview channel was not set: HCI01 is Down."),
    (facts(members=(node(), node(PAUSED, name="HCI01"))), "stop: HCI01 is Paused."),
    (facts(members=(node(), node(JOINING, name="HCI01"))), "wait: all servers have to be online: HCI01 is Joining"),
]  # fmt: skip


@pytest.mark.parametrize(("found", "expected"), DECISIONS, ids=[expected for _, expected in DECISIONS])
def test_the_channel_is_set_where_it_is_not_once_every_node_can(found, expected):
    check(JoinPreviewChannel(context()).decide(found, NOW), expected)


# --- over a simulated cluster ----------------------------------------------------------------------------------------------


def channels(run: ChannelRun) -> dict[str, bool]:
    world = run.simulation.cluster.world
    return {each.name: world.preview.of(each).enabled for each in world.nodes}


def test_every_node_joins_is_restarted_once_and_then_there_is_nothing_to_do(simulate):
    run = ChannelRun(simulate(seed=1))
    end = run.join()
    assert isinstance(end, Done)
    assert (end.outcome, end.details["restart"]) == ("joined", list(NODES))
    assert run.to_restart == NODES
    assert NO_WAY_BACK in end.why
    assert set(channels(run).values()) == {True}
    world = run.simulation.cluster.world
    assert not any(world.preview.receives(each) for each in world.nodes)
    update = run.restart(run.to_restart)
    assert violations(update) == []
    assert all(world.preview.receives(each) for each in world.nodes)
    # the same run again, and another one: both see the cluster, not the record
    again = run.join()
    assert isinstance(again, Done)
    assert run.to_restart == ()
    later = ChannelRun(run.simulation, run_id="run-2")
    end = later.join()
    assert isinstance(end, Done)
    assert (end.outcome, end.details["restart"]) == ("nothing-to-do", [])
    assert run.sent("Set-PreviewChannel") == list(NODES)


def test_the_restarts_for_the_channel_need_no_other_reason(simulate):
    simulation = simulate(dataclasses.replace(demo_world(4), updates=()), 2)
    run = ChannelRun(simulation)
    run.join()
    update = run.restart(run.to_restart)
    assert violations(update) == []
    assert outcomes(update) == dict.fromkeys(NODES, "restarted")
    assert all(node.restarts == 1 for node in report(update).nodes)


def test_a_run_that_was_not_told_to_asks_no_node(simulate):
    run = ChannelRun(simulate(), wanted=False)
    end = run.join()
    assert isinstance(end, Done)
    assert end.outcome == "not-wanted"
    assert run.simulation.commands == []


def test_only_the_nodes_that_are_not_on_it_are_set(simulate):
    run = ChannelRun(simulate(seed=3))
    world = run.simulation.cluster.world
    for each in world.nodes[:3]:
        world.preview.set(each, "Beta", "External")
    end = run.join()
    assert isinstance(end, Done)
    assert run.sent("Set-PreviewChannel") == ["HCI04"]
    assert end.details["restart"] == ["HCI04"]
    assert [world.preview.of(each).channel for each in world.nodes] == ["Beta", "Beta", "Beta", "ReleasePreview"]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_process_that_dies_beside_the_command_goes_on_with_what_it_finds(simulate, moment):
    run = ChannelRun(simulate(seed=4))
    killed: set[str] = set()

    def die(machine: str, pipeline: Pipeline) -> None:
        if pipeline.describe() == "Set-PreviewChannel" and machine not in killed:
            killed.add(machine)
            raise Killed

    setattr(run.simulation, f"{moment}_command", die)
    end = run.join()
    assert isinstance(end, Done)
    assert killed == set(NODES)
    assert end.details["restart"] == list(NODES)
    assert set(channels(run).values()) == {True}
    if moment == "after":
        assert run.sent("Set-PreviewChannel") == list(NODES)
        assert {each.event.restart_needed for each in run.record.all_of(ev.PreviewChannelSet)} == {None}


@pytest.mark.parametrize(
    ("how", "sent", "told"), [("reset-answer", 1, None), ("half-answer", 1, None), ("reset-before", 2, True)]
)
def test_what_became_of_a_command_whose_answer_is_lost_is_read(simulate, how, sent, told):
    run = ChannelRun(simulate(seed=5))
    left = [how]

    def lose(machine: str, pipeline: Pipeline) -> None:
        if pipeline.describe() == "Set-PreviewChannel" and machine == "HCI02" and left:
            run.simulation.wires["HCI02"].fault(left.pop(), {})

    run.simulation.before_command = lose
    end = run.join()
    assert isinstance(end, Done)
    assert end.details["restart"] == list(NODES)
    assert run.sent("Set-PreviewChannel").count("HCI02") == sent
    heard = {each.event.node: each.event.restart_needed for each in run.record.all_of(ev.PreviewChannelSet)}
    assert heard == {"HCI01": True, "HCI02": told, "HCI03": True, "HCI04": True}


def test_servers_without_the_cmdlet_are_named_before_any_is_touched(simulate):
    old = ChannelRun(simulate(demo_world(2, "WS2019"), 6))
    end = old.join()
    assert isinstance(end, Stop)
    assert "a Windows without a preview channel" in end.problem.title
    bare = demo_world(2, "20H2")
    early = ChannelRun(simulate(bare, 6))
    for each in early.simulation.cluster.world.nodes:
        each.ubr = 1736 if each.name == "HCI02" else 1900
    end = early.join()
    assert isinstance(end, Stop)
    assert "HCI02 has build 17784.1736; there the channel needs 17784.1737 (KB5003237)" in end.problem.title
    assert early.sent("Set-PreviewChannel") == []


def test_a_cluster_with_a_node_out_is_left_alone(simulate):
    run = ChannelRun(simulate(None, 7, "node-down-at-start-on-node-2"))
    end = run.join()
    assert isinstance(end, Stop)
    assert "HCI02 is Down" in end.problem.title
    assert run.sent("Set-PreviewChannel") == []


def test_what_the_result_object_refuses_stops_the_run_and_is_in_the_report(simulate, monkeypatch):
    run = ChannelRun(simulate(seed=8))
    real = PreviewChannels.set

    def refuse(self, machine, channel, ring):
        return Outcome(False, False) if machine.name == "HCI03" else real(self, machine, channel, ring)

    monkeypatch.setattr(PreviewChannels, "set", refuse)
    end = run.join()
    assert isinstance(end, Stop)
    assert "did not succeed on HCI03" in end.problem.title
    assert channels(run) == {"HCI01": True, "HCI02": True, "HCI03": False, "HCI04": False}
    (section,) = channel_sections(run.record.events())
    assert ("HCI03", "no preview channel", "refused (exit code 0)", "") in section.rows
    # once it can, the run goes on with that node, and the first two still owe their restart
    monkeypatch.undo()
    again = run.join()
    assert isinstance(again, Done)
    assert again.details["restart"] == list(NODES)
    assert run.sent("Set-PreviewChannel") == ["HCI01", "HCI02", "HCI03", "HCI03", "HCI04"]


# --- the report ------------------------------------------------------------------------------------------------------------


def test_the_section_says_what_was_set_and_that_there_is_no_way_back(simulate):
    run = ChannelRun(simulate(demo_world(2), 9))
    assert channel_sections(run.record.events()) == ()
    run.join()
    (section,) = channel_sections(run.record.events())
    assert section.sentences == (
        f"HCI01, HCI02 joined the preview channel in this run. {NO_WAY_BACK}",
        "HCI01, HCI02 had to restart for it.",
    )
    assert section.rows[0] == ("HCI01", "no preview channel", "ReleasePreview (ReleasePreview-External)", "yes")
    later = ChannelRun(run.simulation, run_id="run-2")
    later.join()
    (section,) = channel_sections(later.record.events())
    assert section.sentences == (ALREADY,)
