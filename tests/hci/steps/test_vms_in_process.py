"""What the report says of the virtual machines and of the time, held against what the simulated world saw."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from include.hci.report import events as ev
from include.hci.report.html import render_html
from include.hci.report.model import RunReport
from include.simulator.world.groups import GroupState
from tests.hci.steps.coordinator import Coordinator
from tests.hci.steps.judging import report, violations


def world_outages(run: Coordinator) -> dict[str, list[tuple[datetime, str]]]:
    """Return every change of a virtual machine's role that the world wrote down, by name."""
    found: dict[str, list[tuple[datetime, str]]] = {}
    for entry in run.simulation.cluster.journal.entries:
        if entry.op == "group.state" and entry.detail["type"] == "VirtualMachine":
            found.setdefault(str(entry.detail["group"]), []).append((entry.at, str(entry.detail["state"])))
    return found


def world_vms(run: Coordinator) -> dict[str, str]:
    """Return where each virtual machine of the world is."""
    return {group.name: group.owner.name for group in run.simulation.cluster.world.groups.all if group.vm}


def adds_up(done: RunReport) -> bool:
    time = done.time
    assert time is not None
    parts = (time.cluster_seconds, time.people_seconds, time.coordinator_seconds)
    assert min(parts) >= 0
    return abs(sum(parts) - time.wall_seconds) < 0.001


@pytest.mark.parametrize("seed", range(3))
def test_the_report_says_of_each_virtual_machine_where_it_went_and_that_it_stayed_online(simulate, seed):
    run = Coordinator(simulate(seed=seed))
    before = world_vms(run)
    run.run()
    done = report(run)
    assert world_outages(run) == {}
    assert done.outages == ()
    assert done.vms_watched == len(before)
    for node in done.nodes:
        assert {vm.name for vm in node.vms} >= {name for name, owner in before.items() if owner == node.name}
        assert all(vm.moved_to not in (None, node.name) and vm.is_back for vm in node.vms)
        assert {vm.not_online_seconds for vm in node.vms} == {0.0}
        assert node.drain_seconds is not None
        assert 0 < node.drain_seconds < 3600
    moved = {vm.name for node in done.nodes for vm in node.vms}
    assert f"{len(moved)} VMs moved, all Online at every reading." in done.headline
    assert "Cluster Group" not in {role.name for node in done.nodes for role in node.roles}


def test_a_virtual_machine_that_is_down_after_it_came_home_is_named_with_the_time(simulate):
    run = Coordinator(simulate(seed=1))
    run.simulation.cluster.world.inject("vm-fails-after-failback-on-node-2")
    run.run()
    done = report(run)
    [(name, changes)] = world_outages(run).items()
    [outage] = done.outages
    assert (outage.vm, outage.state, outage.ended_at) == (name, changes[0][1], None)
    # It was seen at the first reading after it had happened.
    assert timedelta(0) <= outage.began_at - changes[0][0] <= timedelta(minutes=1)
    assert f"{name} is not Online." in done.headline
    page = render_html(done)
    assert page.index(name) < page.index("<h2>Nodes</h2>")
    assert adds_up(done)


def test_a_virtual_machine_that_is_down_for_a_while_counts_from_reading_to_reading(simulate):
    run = Coordinator(simulate(seed=1), patience=None)
    world = run.simulation.cluster.world
    happened: list[datetime] = []

    def watch(name, node, decision):
        vm = next(group for group in world.groups.all if group.vm)
        if not happened and name == "drain" and run.record.facts.vms_online:
            happened.append(run.simulation.now())
            vm.wanted = False
            world.groups.stop(vm, "it crashed")
            world.after(timedelta(minutes=2), lambda: world.groups.start(vm, "started by a person"))

    run.watch = watch
    run.run()
    done = report(run)
    assert done.outages
    outage = done.outages[0]
    changes = world_outages(run)[outage.vm]
    down = next(at for at, state in changes if state != GroupState.Online.name)
    up = next(at for at, state in changes if state == GroupState.Online.name)
    assert outage.ended_at is not None
    # Nothing is read while the node installs, so that its end is seen only after that.
    assert timedelta(0) <= outage.began_at - down <= timedelta(minutes=1)
    assert outage.ended_at >= up
    assert outage.seconds == (outage.ended_at - outage.began_at).total_seconds()
    assert {vm.name for node in done.nodes for vm in node.vms if vm.not_online_seconds} == {outage.vm}
    assert f"{outage.vm} was not Online for a while." in done.headline


def test_a_virtual_machine_that_was_off_before_is_not_missed(simulate):
    run = Coordinator(simulate(seed=2))
    world = run.simulation.cluster.world
    off = next(group for group in world.groups.all if group.vm)
    off.wanted = False
    world.groups.save(off, "switched off by its owner")
    run.run()
    done = report(run)
    assert done.outages == ()
    assert off.name not in {vm.name for node in done.nodes for vm in node.vms}


def test_the_time_of_a_run_is_the_clusters_the_peoples_and_the_coordinators(simulate):
    run = Coordinator(simulate(seed=0))
    run.run()
    done = report(run)
    assert adds_up(done)
    assert done.time is not None
    # The demonstration's cluster works for hours; reading it and deciding takes minutes.
    assert done.time.coordinator_percent < 10
    assert done.time.people_seconds == 0


def test_the_time_in_which_a_person_held_the_run_is_the_persons(simulate):
    run = Coordinator(simulate(seed=0))
    asked: list[datetime] = []

    def watch(name, node, decision):
        now = run.simulation.now()
        if name == "drain" and not asked:
            asked.append(now)
            run.record.add(ev.OperatorAsked(action="pause", by="ada"), now)
        held = list(run.record.facts.held.values())
        if held and now - held[0] >= timedelta(hours=3):
            run.record.add(ev.OperatorAsked(action="continue", by="ada"), now)

    run.watch = watch
    run.run()
    done = report(run)
    assert adds_up(done)
    assert done.time is not None
    assert 3 * 3600 <= done.time.people_seconds < 3 * 3600 + 60


@pytest.mark.parametrize("lasts", [timedelta(minutes=25), timedelta(hours=5)])
def test_a_node_is_not_paused_while_a_machine_on_it_is_backed_up(simulate, lasts):
    """The backup begins after the readiness checks, when the node gets its turn."""
    run = Coordinator(simulate(seed=1))
    world = run.simulation.cluster.world
    begun: list[datetime] = []

    def watch(name, node, decision):
        if begun or name != "turn" or node != "HCI03":
            return
        vm = next(group.vm for group in world.groups.on(world.node("HCI03")) if group.vm)
        begun.append(run.simulation.now())
        vm.backed_up = True
        world.after(lasts, lambda: setattr(vm, "backed_up", False))

    run.watch = watch
    run.run()
    done = {node.name: node for node in report(run).nodes}
    paused = [entry.at for entry in run.record.events("HCI03") if isinstance(entry.event, ev.Pausing)]
    assert violations(run) == []
    if lasts < timedelta(hours=1):
        assert done["HCI03"].outcome == "updated"
        assert paused[0] >= begun[0] + lasts
    else:
        assert done["HCI03"].outcome == "failed"
        assert paused == []
        assert "was being backed up all the time" in str(done["HCI03"].problem)
