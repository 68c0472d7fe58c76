"""Every fault of the catalogue, seen happening."""

from datetime import timedelta

import pytest

from include.simulator.faults.catalogue import catalogue
from include.simulator.faults.triggers import Trigger
from include.simulator.world.locks import NODE, RUN
from include.simulator.world.machines import DrainStatus, Information, Node, NodeState, Power
from include.simulator.world.spec import demo_world
from tests.simulator.world.careful import GUID, update_node, without_feature_updates
from tests.simulator.world.driver import Lab, cmd


def lab_with(fault: str, **arguments: object) -> tuple[Lab, Node]:
    """A cluster with a fault on its second node."""
    lab = Lab()
    row = catalogue()[fault]
    lab.world.inject(fault if row.node == "none" else f"{fault}-on-node-2", **arguments)
    return lab, lab.nodes[1]


async def installed(lab: Lab, node: Node) -> dict[str, tuple[int, int]]:
    """Download and install everything on a node; return result code and error by KB."""
    if NODE not in node.locks:
        await lab.take(node, NODE, GUID)
    query = await without_feature_updates(lab, node)
    await lab.method(node, GUID, "DownloadUpdates", query)
    result = await lab.method(node, GUID, "InstallUpdates", query)
    assert result.notes["ReturnValue"] == 0
    infos = [info.properties for info in result.notes["Info"]]
    return {str(info["UpdateTitle"]): (info["UpdateResultCode"], info["UpdateErrorCode"]) for info in infos}


def failure(results: dict[str, tuple[int, int]]) -> list[str]:
    return [f"0x{code & 0xFFFFFFFF:08X}" for result, code in results.values() if result != 2]


async def test_install_fails() -> None:
    lab, node = lab_with("install-fails")
    for _ in range(3):
        assert failure(await installed(lab, node)) == ["0x800F0922"]
    assert failure(await installed(lab, lab.nodes[0])) == []
    assert lab.events("update.installed", hresult="0x800F0922", result_code=4)


async def test_install_fails_once() -> None:
    lab, node = lab_with("install-fails-once")
    assert failure(await installed(lab, node)) == ["0x800F0922"]
    assert failure(await installed(lab, node)) == []


async def test_download_fails() -> None:
    lab, node = lab_with("download-fails")
    # What was not downloaded cannot be installed: WU_E_DM_NOTDOWNLOADED.
    assert failure(await installed(lab, node)) == ["0x80246007"]
    assert lab.events("update.downloaded", node=node.name, hresult="0x80240022")


async def test_scan_fails() -> None:
    lab, node = lab_with("scan-fails")
    await lab.take(node, NODE, GUID)
    result = await lab.method(node, GUID, "ScanUpdates")
    assert (result.notes["ReturnValue"], result.notes["Info"]) == (0x8024402C, [])


async def test_another_install_in_progress() -> None:
    lab, node = lab_with("another-install-in-progress")
    await lab.take(node, NODE, GUID)
    assert (await lab.method(node, GUID, "InstallUpdates")).notes["ReturnValue"] == 0x80240016
    await lab.wait(timedelta(minutes=20))
    assert (await lab.method(node, GUID, "InstallUpdates")).notes["ReturnValue"] == 0


async def test_update_rolls_back() -> None:
    lab, node = lab_with("update-rolls-back")
    await installed(lab, node)
    await lab.drain(node)
    await lab.restart(node)
    assert node.ubr == lab.world.spec.os.ubr
    assert not node.pending_restart
    assert [event.detail["kb"] for event in lab.events("update.rolled-back")] == ["KB5099101"]
    offered = (await lab.method(node, GUID, "ScanUpdates")).notes["Info"]
    assert any("Cumulative Update for Microsoft" in str(info.get("UpdateTitle")) for info in offered)


async def test_role_locked() -> None:
    lab, node = lab_with("role-locked")
    group = await lab.one("HCI01", cmd("Get-ClusterGroup", Name=["VM-2-1"]))
    assert group.get("LockedFromMoving") == 1
    await lab.drain(node)
    assert node.drain_status is DrainStatus.Failed
    assert lab.events("group.state", reason="could not move: the role is locked (5960)")


async def test_node_paused_at_start() -> None:
    lab, node = lab_with("node-paused-at-start")
    assert (node.state, node.drain_status) == (NodeState.Paused, DrainStatus.NotInitiated)
    assert lab.world.groups.on(node)


async def test_maintenance_left_on() -> None:
    lab, node = lab_with("maintenance-left-on")
    await lab.wait(timedelta(hours=1))
    assert not lab.world.storage.healthy()
    assert [event.detail["by"] for event in lab.events("maintenance", node=node.name)] == ["an operator"]


async def test_drain_blocked_by_vm() -> None:
    lab, node = lab_with("drain-blocked-by-vm")
    await lab.drain(node)
    assert (node.state, node.drain_status) == (NodeState.Paused, DrainStatus.Failed)
    left = [group for group in lab.world.groups.on(node) if group.state.name == "Online"]
    assert len(left) == 1
    assert "0x80070534" in str(lab.events("group.state", group=left[0].name)[0].detail["reason"])
    assert lab.events("vm.state") == []


async def test_drain_leaves_one_role() -> None:
    lab, node = lab_with("drain-leaves-one-role")
    await lab.drain(node)
    assert node.drain_status is DrainStatus.Completed
    assert len([group for group in lab.world.groups.on(node) if group.state.name == "Online"]) == 1


async def test_drain_never_ends() -> None:
    lab, node = lab_with("drain-never-ends")
    lab.world.drains.start(node)
    await lab.wait(timedelta(hours=6))
    assert node.drain_status is DrainStatus.InProgress


async def test_restart_never_comes_back() -> None:
    lab, node = lab_with("restart-never-comes-back")
    await lab.drain(node)
    await lab.run(node, cmd("Restart-Computer", Force=True))
    await lab.wait(timedelta(hours=6))
    assert (node.power, node.state) == (Power.OFF, NodeState.Down)


async def test_restart_takes_40_minutes() -> None:
    lab, node = lab_with("restart-takes-40-minutes")
    await lab.drain(node)
    began = lab.clock.now()
    await lab.restart(node)
    assert timedelta(minutes=39) < lab.clock.now() - began < timedelta(minutes=44)


async def test_no_restart_though_ordered() -> None:
    lab, node = lab_with("no-restart-though-ordered")
    await lab.drain(node)
    boot = node.boot_time
    output = await lab.run(node, cmd("Restart-Computer", Force=True))
    assert output.errors == []
    await lab.wait(timedelta(hours=2))
    assert node.boot_time == boot
    assert lab.events("node.restart", node=node.name)
    assert lab.events("node.power") == []


async def test_node_quarantined_after_restart() -> None:
    lab, node = lab_with("node-quarantined-after-restart")
    await lab.drain(node)
    await lab.run(node, cmd("Restart-Computer", Force=True))
    await lab.wait_for(lambda: node.quarantined)
    assert node.up
    assert node.state is NodeState.Down
    assert Information.Quarantined in node.information
    await lab.wait(timedelta(hours=2, minutes=2))
    assert node.state is NodeState.Paused


async def test_node_crashes() -> None:
    lab, node = lab_with("node-crashes")
    mine = {str(event.detail["vm"]) for event in lab.events("vm.state", state="Off")}
    assert mine == {"VM-2-1", "VM-2-2", "VM-2-3"}
    await lab.wait_for(lambda: node.state is NodeState.Up)
    assert all(group.vm.state == "Running" for group in lab.world.groups.all if group.vm)


async def test_node_down_at_start() -> None:
    lab, node = lab_with("node-down-at-start")
    await lab.wait(timedelta(hours=3))
    assert (node.up, node.state) == (False, NodeState.Down)
    assert all(group.vm.state == "Running" for group in lab.world.groups.all if group.vm)
    assert not lab.world.storage.healthy()


async def test_repair_suspended() -> None:
    lab, node = lab_with("repair-suspended")
    await lab.drain(node)
    await lab.restart(node)
    await lab.resume(node)
    await lab.wait(timedelta(hours=3))
    assert {job.state for job in lab.world.repairs.jobs} == {"Suspended"}
    for disk in lab.world.storage.virtual_disks:
        await lab.run(lab.nodes[0], cmd("Repair-VirtualDisk", FriendlyName=[disk.name], AsJob=True))
    await lab.settled()


async def test_repair_never_moves() -> None:
    lab, node = lab_with("repair-never-moves")
    await lab.drain(node)
    await lab.restart(node)
    await lab.resume(node)
    await lab.wait(timedelta(hours=3))
    lab.world.repairs.settle()
    assert {(job.state, job.processed) for job in lab.world.repairs.jobs} == {("Running", 0.0)}
    assert {disk.operational_status for disk in lab.world.storage.virtual_disks} == {("InService",)}


async def test_storage_degraded() -> None:
    lab, _ = lab_with("storage-degraded")
    await lab.wait(timedelta(hours=1))
    assert [disk.operational_status for disk in lab.world.storage.virtual_disks].count(("Degraded",)) == 1
    refusal = await lab.refusal(lab.nodes[0], cmd("Suspend-ClusterNode", Name=["HCI01"], Drain=True))
    assert refusal.native_error_code == 5987
    await lab.run(lab.nodes[0], cmd("Repair-VirtualDisk", FriendlyName=["Volume01"], AsJob=True))
    await lab.settled()


async def test_witness_lost() -> None:
    lab, _ = lab_with("witness-lost")
    assert lab.world.quorum.votes == 4
    assert lab.events("quorum", votes=4)


@pytest.mark.parametrize(("fault", "holders"), [("foreign-lock", 4), ("foreign-lock-on-node-3", 1)])
async def test_foreign_lock(fault: str, holders: int) -> None:
    lab = Lab()
    lab.world.inject(fault)
    guids = {node.locks[RUN].guid for node in lab.nodes if RUN in node.locks}
    assert len(guids) == 1
    assert sum(RUN in node.locks for node in lab.nodes) == holders
    refusal = await lab.refusal(
        lab.nodes[2],
        cmd(
            "New-CimInstance",
            Namespace="root/Microsoft/Windows/ClusterUpdate",
            ClassName=RUN,
            Property={"OrchestratorGuid": GUID},
        ),
    )
    assert refusal.category == "ResourceExists"


async def test_cau_run_in_progress() -> None:
    lab, _ = lab_with("cau-run-in-progress")
    values = (await lab.run("MGMT01", cmd("Get-CauRun", ClusterName="HCI-CL01"))).values
    assert str(values[0]) == "RunInProgress"
    assert values[1].get("CurrentOrchestrator") == "HCI01"
    await lab.wait(timedelta(minutes=110))
    assert all(RUN in node.locks for node in lab.nodes), "a run that goes on keeps its lock"
    await lab.wait(timedelta(minutes=60))  # the node that it is at is brought to an end first
    assert not any(node.locks for node in lab.nodes)
    assert [str(value) for value in (await lab.run("MGMT01", cmd("Get-CauRun"))).values] == ["RunNotInProgress"]


async def test_cau_role_schedule() -> None:
    lab, _ = lab_with("cau-role-schedule")
    pairs = {
        each.get("Name"): each.get("Value") for each in (await lab.run("MGMT01", cmd("Get-CauClusterRole"))).values
    }
    assert (str(pairs["DaysOfWeek"]), pairs["DaysOfWeek"].value, pairs["WeeksOfMonth"]) == ("Tuesday", 4, [3])


async def test_lock_expires() -> None:
    lab, node = lab_with("lock-expires")
    await lab.take(node, RUN, GUID)
    assert failure(await installed(lab, node)) == []
    assert not node.locks
    assert {event.detail["class"] for event in lab.events("lock.expired")} == {RUN, NODE}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("connection-reset-during-install", [("reset", {"count": 1})]),
        ("silent-node", [("silence", {"count": None}), ("heal", {})]),
    ],
)
async def test_faults_of_the_wire_during_an_install(fault: str, expected: list[tuple[str, dict[str, object]]]) -> None:
    lab, node = lab_with(fault)
    heard: list[tuple[str, str, dict[str, object]]] = []
    lab.world.on_wire_fault(lambda name, kind, arguments: heard.append((name, kind, arguments)))
    await installed(lab, lab.nodes[0])
    assert heard == []
    assert failure(await installed(lab, node)) == [], "the installation itself goes on"
    await lab.wait(timedelta(minutes=15))
    assert heard == [(node.name, kind, arguments) for kind, arguments in expected]


async def test_refusing_node() -> None:
    lab, node = lab_with("refusing-node")
    heard: list[tuple[str, str]] = []
    lab.world.on_wire_fault(lambda name, kind, _: heard.append((name, kind)))
    await lab.drain(node)
    await lab.wait(timedelta(minutes=11))
    assert heard == [(node.name, "refuse"), (node.name, "heal")]


def test_slow_node() -> None:
    lab = Lab()
    heard: list[tuple[str, str, dict[str, object]]] = []
    lab.world.on_wire_fault(lambda name, kind, arguments: heard.append((name, kind, arguments)))
    lab.world.inject("slow-node-on-node-2", seconds=5)
    assert heard == [("HCI02", "slow", {"seconds": 5})]


# How faults are put into a world.


async def test_at_a_time_and_after_a_while() -> None:
    lab = Lab()
    lab.world.inject("node-crashes", node="HCI03", at=lab.clock.now() + timedelta(minutes=5))
    lab.world.inject("node-crashes", node=4, after=10)
    await lab.wait(timedelta(minutes=6))
    assert [node.up for node in lab.nodes] == [True, True, False, True]
    await lab.wait(timedelta(minutes=4, seconds=1))
    assert lab.nodes[3].power is Power.OFF


async def test_on_an_event_of_ones_own_choice() -> None:
    lab = Lab()
    trigger = Trigger("node.state", {"drain_status": "InProgress"}, delay_seconds=20)
    lab.world.inject("node-crashes-on-node-1", on=trigger)
    lab.world.drains.start(lab.nodes[0])
    await lab.wait(timedelta(seconds=19))
    assert lab.nodes[0].up
    await lab.wait(timedelta(seconds=2))
    assert not lab.nodes[0].up


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("no-such-fault", "There is no fault 'no-such-fault'; there are .*install-fails"),
        ("drain-never-ends", "needs a node: drain-never-ends-on-node-<n>"),
        ("drain-never-ends-on-node-9", "There is no node 9; the cluster has 4"),
        ("cau-run-in-progress-on-node-1", "concerns the whole cluster"),
    ],
)
def test_what_cannot_be_injected_is_refused_by_name(fault: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        Lab().world.inject(fault)


def test_injection_is_journalled() -> None:
    lab, node = lab_with("node-down-at-start")
    event = lab.events("fault.injected")[0]
    assert (event.node, event.detail["fault"]) == (node.name, "node-down-at-start")


async def test_other_nodes_are_updated_while_one_fails() -> None:
    lab = Lab(demo_world(3, "22H2"))
    lab.world.inject("install-fails-on-node-2")
    assert await update_node(lab, lab.nodes[0]) == 2
    assert failure(await installed(lab, lab.nodes[1])) == ["0x800F0922"]
    assert await update_node(lab, lab.nodes[2]) == 2


@pytest.mark.parametrize(
    "fault", ["cluster-service-disabled", "node-paused-at-start", "node-crashes", "hand-patched-node"]
)
async def test_the_journal_names_the_fault_with_everything_that_it_does_at_once_and_nothing_else(fault: str) -> None:
    lab, node = lab_with(fault, after=1, lasts=30) if fault != "hand-patched-node" else lab_with(fault, after=1)
    await lab.wait(timedelta(hours=1))
    done = [entry for entry in lab.recorder.events if entry.detail.get("fault") == fault]
    assert done[0].op == "fault.injected"
    assert any(not entry.op.startswith("fault.") and entry.node == node.name for entry in done)
    strikes = {entry.at for entry in done if entry.op.startswith("fault.")}
    assert {entry.at for entry in done} == strikes


async def test_the_journal_says_that_an_update_was_only_reported_installed() -> None:
    lab, node = lab_with("installed-but-was-not")
    await installed(lab, node)
    said = {
        entry.detail["kb"]: entry.detail.get("applied", True)
        for entry in lab.events("update.installed", node=node.name)
    }
    assert sorted(said.values()) == [False] + [True] * (len(said) - 1)
