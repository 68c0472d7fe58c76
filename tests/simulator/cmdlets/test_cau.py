"""windows-powershell-docs, Get-CauRun and Get-CauClusterRole; azure-stack-docs, update-cluster for the text without a role."""

from dataclasses import replace

from include.simulator.objects import SimEnum
from include.simulator.world.spec import CauRoleSpec, demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd


async def test_no_run() -> None:
    for host in ("MGMT01", "HCI02"):
        values = (await Console().run(host, cmd("Get-CauRun", ClusterName="HCI-CL01"))).values
        assert values == [SimEnum("Microsoft.ClusterAwareUpdating.RunState", 0, "RunNotInProgress")]


async def test_a_foreign_coordinator_s_lock_is_no_cau_run() -> None:
    lab = Console()
    lab.world.inject("foreign-lock")
    assert [str(value) for value in (await lab.run("MGMT01", cmd("Get-CauRun"))).values] == ["RunNotInProgress"]


async def test_state_first_then_the_run() -> None:
    lab = Console()
    lab.world.inject("cau-run-in-progress")
    state, run = (await lab.run("MGMT01", cmd("Get-CauRun", ClusterName="hci-cl01.corp.contoso.com"))).values
    assert str(state) == "RunInProgress"
    assert run.type_names[0] == "Microsoft.ClusterAwareUpdating.CauRun"
    assert run.get("RunStartTime") == lab.clock.now()
    assert len(run.get("NodeStatusNotifications")) == 4


async def test_wait_for_completion() -> None:
    lab = Console()
    lab.world.inject("cau-run-in-progress", minutes=30)
    values = (await lab.run("MGMT01", cmd("Get-CauRun", WaitForCompletion=None))).values
    assert [str(value) for value in values] == ["RunNotInProgress"]


async def test_a_failed_run_is_told() -> None:
    lab = Console()
    lab.world.cau.failed = True
    assert [str(value) for value in (await lab.run("MGMT01", cmd("Get-CauRun"))).values] == ["RunFailed"]


async def test_no_role() -> None:
    record = await Console().refusal("MGMT01", cmd("Get-CauClusterRole", ClusterName="HCI-CL01"))
    assert record.message == "The current cluster is not configured with a Cluster-Aware Updating clustered role."


async def test_role_as_name_and_value_pairs() -> None:
    lab = Console(replace(demo_world(2), cau_role=CauRoleSpec(enabled=False)))
    pairs = {each.get("Name"): each.get("Value") for each in (await lab.run("HCI01", cmd("Get-CauClusterRole"))).values}
    assert str(pairs["Status"]) == "Offline"
    assert str(pairs["DaysOfWeek"]) == "Tuesday"
    assert lab.world.groups.find(pairs["ResourceGroupName"])


async def test_a_node_that_shuts_down_and_a_wrong_cluster() -> None:
    # Azure/AzureLocal-Supportability: "The cluster node is shutting down" while the node restarts.
    lab = Console()
    lab.world.power.restart(lab.nodes[0], "test")
    assert "The cluster node is shutting down" in (await lab.refusal("HCI01", cmd("Get-CauRun"))).message
    assert "OTHER" in (await lab.refusal("MGMT01", cmd("Get-CauRun", ClusterName="OTHER"))).message
