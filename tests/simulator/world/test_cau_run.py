"""Whole Updating Runs (windowsserverdocs, cluster-aware-updating; windows-powershell-docs, Invoke-CauRun)."""

from datetime import timedelta

import pytest

from include.simulator.referee import judge
from include.simulator.world.cau_coordinator import RunRefusedError
from include.simulator.world.cau_plugins import ROLLING_UPGRADE
from include.simulator.world.cau_run import CauRun, SummaryStatus
from include.simulator.world.firewall import REMOTE_SHUTDOWN
from include.simulator.world.locks import NODE, RUN
from include.simulator.world.updates import SUCCEEDED
from tests.simulator.world.console import Console
from tests.simulator.world.updating import (
    begin,
    console,
    delegated,
    drained,
    end,
    open_firewall,
    stages,
    statuses,
    until,
    updated,
)


@pytest.mark.parametrize(("nodes", "os"), [(2, "21H2"), (4, "20H2"), (4, "22H2"), (16, "21H2"), (2, "WS2025")], ids=str)
async def test_a_run_updates_every_node_and_the_referee_is_silent(nodes: int, os: str) -> None:
    lab = console(nodes=nodes, os=os)
    run = await updated(lab)
    assert set(statuses(run).values()) == {"Succeeded"}
    assert run.summary().name == "Succeeded"
    for node in lab.nodes:
        assert (node.state.name, node.locks, node.pending_restart) == ("Up", {}, False)
        # The second wave shows that it went on until a scan found nothing more.
        assert {"KB5099101", "KB5099377"} <= set(lab.world.updates.installed_kbs(node))
        assert node.build == lab.world.spec.os.build, "the feature update is another plug-in's"
    assert judge(lab.journal.entries) == []


async def test_one_node_after_another_and_each_with_whole_storage() -> None:
    lab = console()
    out: list[int] = []
    lab.world.on_event(lambda *_: out.append(sum(node.state.name != "Up" for node in lab.nodes)))
    await updated(lab)
    assert max(out) == 1
    assert sorted(drained(lab)) == [node.name for node in lab.nodes]


async def test_everything_is_scanned_and_staged_before_a_node_is_suspended() -> None:
    lab = console()
    run = await updated(lab)
    first = next(each.at for each in run.history if each.name == "Suspending")
    staged = [event for event in lab.events("update.downloaded") if event.at < first]
    assert {event.node for event in staged} == {node.name for node in lab.nodes}
    began = {each.at for each in run.history if each.name == "Scanning" and each.at < first}
    assert len(began) == 1, "the nodes are scanned at the same time"


async def test_what_a_node_goes_through() -> None:
    run = await updated(console(nodes=2))
    assert stages(run, "HCI01") == [
        *("Waiting", "Scanning", "Staging", "Waiting", "Suspending"),
        *("Installing", "Restarting", "Scanning", "Staging"),
        *("Installing", "Restarting", "Scanning", "Resuming", "Succeeded"),
    ]


async def test_stages_by_their_other_names() -> None:
    run = await updated(console("cau-node-statuses-have-other-names", nodes=2))
    found = stages(run, "HCI01")
    assert {"Waiting", "Scanning", "Downloading", "EnteringMaintenanceMode", "Rebooting"} < set(found)
    assert "Suspending" not in found


async def test_fewest_roles_first() -> None:
    lab = console()
    for name, owner in (("VM-2-1", "HCI03"), ("VM-2-2", "HCI03"), ("VM-4-1", "HCI03")):
        group = lab.world.groups.find(name)
        assert group
        group.owner = lab.world.node(owner)
    counts = {node.name: len(lab.world.groups.on(node)) for node in lab.nodes}
    await updated(lab)
    assert drained(lab) == sorted(counts, key=lambda name: (counts[name], name))


async def test_node_order_goes_before_it() -> None:
    lab = console()
    await updated(lab, NodeOrder=["HCI03", "HCI04", "HCI01", "HCI02"])
    assert drained(lab) == ["HCI03", "HCI04", "HCI01", "HCI02"]


async def test_nothing_to_install_leaves_every_node_in_service() -> None:
    lab = console()
    lab.world.updates.catalogue.clear()
    run = await updated(lab)
    assert set(statuses(run).values()) == {"Succeeded"}
    assert drained(lab) == []
    assert all(not result.installs for result in run.results.values())


async def test_a_self_updating_run_goes_on_from_another_node_when_its_own_is_drained() -> None:
    lab = console(nodes=4)
    lab.world.cau.start_run(timedelta(hours=30), "HCI01")
    run = lab.world.cau.run
    assert run
    await end(lab, run)
    assert set(statuses(run).values()) == {"Succeeded"}
    assert drained(lab)[-1] == "HCI01", "the coordinator's own node is the last one"
    moves = lab.events("cau.role", action="moved")
    assert moves[0].detail["source"] == "HCI01"
    during = [event.detail["coordinator"] for event in lab.events("cau.run", state="CoordinatorMoved")]
    assert during[0] == moves[0].detail["destination"]
    assert judge(lab.journal.entries) == []


async def test_a_coordinator_that_crashes_is_replaced_by_the_role_s_next_owner() -> None:
    lab = console(nodes=4)
    lab.world.cau.start_run(timedelta(hours=30), "HCI01")
    run = lab.world.cau.run
    assert run
    await until(lab, lambda: lab.nodes[1].drain_status.name == "Completed")
    lab.world.power.crash(lab.nodes[0])
    await until(lab, lambda: run.coordinator != "HCI01")
    await end(lab, run)
    assert lab.events("cau.run", state="CoordinatorMoved")
    assert statuses(run)["HCI02"] == "Succeeded"


@pytest.mark.parametrize(("allowed", "canceled"), [(0, 3), (1, 2), (3, 0)])
async def test_one_more_failed_node_than_allowed_ends_the_run(allowed: int, canceled: int) -> None:
    lab = console()
    lab.world.inject("install-fails")
    run = await updated(lab, MaxFailedNodes=allowed, MaxRetriesPerNode=0)
    assert list(statuses(run).values()).count("Canceled") == canceled
    assert run.error
    assert run.error.id == "MaxFailedNodesExceeded"
    assert not any(node.locks for node in lab.nodes)
    assert {node.state.name for node in lab.nodes} == {"Up"}


async def test_stop_after_cancels_what_is_left() -> None:
    lab = console()
    run = await updated(lab, StopAfter=timedelta(minutes=30))
    assert run.error
    assert run.error.id == "StopAfterExceeded"
    assert list(statuses(run).values()).count("Canceled") == 3
    assert {node.state.name for node in lab.nodes} == {"Up"}


async def test_stop_after_beyond_the_end_changes_nothing() -> None:
    run = await updated(console(nodes=2), StopAfter=timedelta(hours=20))
    assert (run.error, run.summary().name) == (None, "Succeeded")


@pytest.mark.parametrize(("warn_after", "warned"), [(timedelta(minutes=30), True), (timedelta(hours=20), False)])
async def test_warn_after_is_told_and_stops_nothing(warn_after: timedelta, warned: bool) -> None:
    lab = console(nodes=2)
    run = await updated(lab, WarnAfter=warn_after)
    assert run.warned is warned
    assert bool(lab.events("cau.run", state="WarnAfterExceeded")) is warned
    assert run.summary().name == "Succeeded"


async def test_canceling_before_any_node_began() -> None:
    lab = console()
    run = begin(lab)
    await lab.wait(timedelta(minutes=1))
    lab.world.cau.cancel()
    await end(lab, run)
    assert set(statuses(run).values()) == {"Canceled"}
    assert run.status is SummaryStatus.Canceled
    assert drained(lab) == []


async def test_canceling_while_a_node_is_drained_gives_it_back() -> None:
    lab = console()
    run = begin(lab)
    await until(lab, lambda: any(node.drain_status.name == "InProgress" for node in lab.nodes))
    lab.world.cau.cancel()
    await end(lab, run)
    assert {node.state.name for node in lab.nodes} == {"Up"}
    assert not lab.events("node.restart")
    assert not lab.events("install.started")


@pytest.mark.parametrize("require", [True, False])
async def test_a_node_that_is_down(require: bool) -> None:
    lab = console()
    lab.world.power.crash(lab.nodes[1], stay_down=True)
    await lab.wait(timedelta(minutes=2))
    if require:
        with pytest.raises(RunRefusedError, match="HCI02"):
            begin(lab, RequireAllNodesOnline=True)
        assert not any(node.locks for node in lab.nodes)
        return
    lab.world.storage.virtual_disks.clear()  # so that the missing copies do not hold up the others
    run = await updated(lab)
    assert statuses(run) == {"HCI01": "Succeeded", "HCI02": "Failed", "HCI03": "Succeeded", "HCI04": "Succeeded"}
    assert run.results["HCI02"].attempts == 1


@pytest.mark.parametrize("enable", [True, False])
async def test_the_firewall_is_opened_only_when_asked_to(enable: bool) -> None:
    lab = console(nodes=2)
    run = await updated(lab, EnableFirewallRules=enable, MaxRetriesPerNode=0, MaxFailedNodes=1)
    assert all(lab.world.firewall.in_effect(node, REMOTE_SHUTDOWN) is enable for node in lab.nodes)
    assert set(statuses(run).values()) == ({"Succeeded"} if enable else {"PartiallyFailed"})
    assert bool(lab.events("node.restart")) is enable


async def test_a_group_policy_beats_the_run() -> None:
    lab = console(nodes=2)
    lab.world.firewall.force(lab.nodes[0], REMOTE_SHUTDOWN, False)
    run = await updated(lab, MaxRetriesPerNode=0, MaxFailedNodes=1)
    assert statuses(run) == {"HCI01": "PartiallyFailed", "HCI02": "Succeeded"}


@pytest.mark.parametrize(("mode", "back"), [("Immediate", True), ("NoFailback", False), ("Policy", False)])
async def test_failback(mode: str, back: bool) -> None:
    lab = console(nodes=2)
    homes = {group.name: group.owner.name for group in lab.world.groups.all if group.vm}
    await updated(lab, FailbackMode=mode)
    now = {group.name: group.owner.name for group in lab.world.groups.all if group.vm}
    assert (now == homes) is back


async def test_locks_are_held_on_every_node_for_the_whole_run() -> None:
    lab = console(nodes=2)
    run = begin(lab)
    await until(lab, lambda: lab.nodes[0].power.value == "booting")
    assert [node.locks[RUN].guid for node in lab.nodes] == [run.guid] * 2
    assert lab.nodes[0].locks[NODE].guid == run.guid
    assert NODE not in lab.nodes[1].locks
    await end(lab, run)
    assert not lab.events("lock.expired")


async def test_a_lock_that_was_dropped_is_taken_again() -> None:
    lab = console(nodes=2)
    run = begin(lab)
    lab.world.locks.expire(lab.nodes[1], RUN)
    await lab.wait(timedelta(minutes=6))
    assert lab.nodes[1].locks[RUN].guid == run.guid


async def test_a_lock_that_somebody_else_took_ends_the_run() -> None:
    lab = console()
    run = begin(lab)
    lab.world.locks.expire(lab.nodes[1], RUN)
    lab.world.locks.create(lab.nodes[1], RUN, "22222222-0000-0000-0000-000000000002")
    await end(lab, run)
    assert run.error
    assert run.error.id == "LockLost"
    assert lab.nodes[1].locks[RUN].guid.startswith("2222")


async def test_an_update_that_never_clears_goes_on_until_stop_after() -> None:
    # Azure/AzureLocal-Supportability: an update whose applicability never clears makes the run loop.
    lab = console(nodes=2)
    lab.world.inject("update-rolls-back-on-node-1")
    run = await updated(lab, StopAfter=timedelta(hours=6), MaxFailedNodes=1)
    assert run.results["HCI01"].restarts > 5
    assert run.error
    assert run.error.id == "StopAfterExceeded"


@pytest.mark.parametrize("raises", ["true", "false"])
async def test_a_rolling_upgrade_brings_the_feature_update(raises: str) -> None:
    lab = console(nodes=2, os="21H2")
    run = await updated(
        lab,
        CauPluginName=[ROLLING_UPGRADE],
        CauPluginArguments=[{"WuConnected": "true", "UpdateClusterFunctionalLevel": raises}],
        RebootTimeoutMinutes=60,
    )
    assert set(statuses(run).values()) == {"Succeeded"}
    assert {node.build for node in lab.nodes} == {20349}
    assert bool(lab.events("cluster.functional_level")) is (raises == "true")


@pytest.mark.parametrize(
    ("variants", "build"), [((), 20348), (("cau-windows-update-plugin-takes-feature-updates",), 20349)]
)
async def test_whether_the_windows_update_plug_in_takes_feature_updates(variants: tuple[str, ...], build: int) -> None:
    lab = console(*variants, nodes=2)
    await updated(lab, RebootTimeoutMinutes=60)
    assert {node.build for node in lab.nodes} == {build}


async def test_every_event_of_a_run_carries_its_id() -> None:
    lab = console(nodes=2)
    run = await updated(lab)
    events = [*lab.events("cau.run"), *lab.events("cau.node")]
    assert {event.detail["run_id"] for event in events} == {run.guid}
    assert [event.detail["state"] for event in lab.events("cau.run")] == ["Started", "Succeeded"]
    installs = lab.events("update.installed", result_code=SUCCEEDED)
    assert {event.detail["orchestrator"] for event in installs} == {run.guid}


async def test_the_snapshot_tells_role_and_run() -> None:
    lab = console(nodes=2)
    assert (lab.world.snapshot()["cau_role"], lab.world.snapshot()["cau_run"]) == (None, None)
    lab.world.cau.start_run(timedelta(hours=9), "HCI02")
    state = lab.world.snapshot()
    assert state["cau_run"]["coordinator"] == "HCI02"  # type: ignore[index]
    assert state["cau_role"]["enabled"] is True  # type: ignore[index]


async def test_a_run_does_not_need_the_firewall_of_a_node_that_asks_for_no_restart() -> None:
    lab = delegated(console(nodes=2))
    open_firewall(lab)
    catalogue = lab.world.updates.catalogue
    for each in [each for each in catalogue.values() if each.needs_restart]:
        del catalogue[each.update_id]
    run = await updated(lab, EnableFirewallRules=False)
    assert [result.restarts for result in run.results.values()] == [0, 0]
    assert _kbs(lab, run) == {"KB2267602"}


def _kbs(lab: Console, run: CauRun) -> set[str]:
    return {each.result.update.kb for result in run.results.values() for each in result.succeeded}
