"""windows-powershell-docs, FailoverClusters; type and property names as the module has them."""

from dataclasses import replace

import pytest

from include.simulator.objects import SimEnum, SimObject, UInt32
from include.simulator.world.spec import CauRoleSpec, DiskSpec, demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd

SPACE = "Microsoft.FailoverClusters.PowerShell."


async def names(lab: Console, host: str, *commands: tuple[str, dict[str, object]]) -> list[str]:
    return [str(item.to_string) for item in (await lab.run(host, *commands)).values if isinstance(item, SimObject)]


async def test_cluster_node_is_the_module_s_object() -> None:
    lab = Console()
    node = await lab.one("HCI01", cmd("Get-ClusterNode", Name="HCI02"))
    assert node.type_names[0] == SPACE + "ClusterNode"
    assert node.properties["State"] == SimEnum(SPACE + "ClusterNodeState", 0, "Up")
    assert node.properties["DrainStatus"] == SimEnum(SPACE + "ClusterNodeDrainStatus", 0, "NotInitiated")
    assert node.properties["StatusInformation"] == SimEnum(SPACE + "ClusterNodeStatusInformation", 0, "Normal")
    assert node.properties["NodeWeight"] == 1
    assert isinstance(node.properties["NodeWeight"], UInt32)
    assert node.properties["BuildNumber"] == 20348
    assert node.to_string == "HCI02"


async def test_status_information_joins_its_flags() -> None:
    lab = Console()
    node = lab.nodes[1]
    await lab.drain(node)
    node.isolated = True
    information = (await lab.one("HCI01", cmd("Get-ClusterNode", Name="HCI02"))).properties["StatusInformation"]
    assert information == SimEnum(SPACE + "ClusterNodeStatusInformation", 9, "Isolated, DrainCompleted")


@pytest.mark.parametrize(("name", "found"), [("HCI0*", 4), ("hci03", 1), ("*", 4)])
async def test_names_take_wildcards_in_any_case(name: str, found: int) -> None:
    assert len(await names(Console(), "HCI01", cmd("Get-ClusterNode", Name=name))) == found


async def test_unknown_names_are_errors_beside_what_was_found() -> None:
    lab = Console()
    output = await lab.run("HCI01", cmd("Get-ClusterGroup", Name="Nothing"))
    assert output.values == []
    assert output.errors[0].fully_qualified_error_id == f"ClusterObjectNotFound,{SPACE}GetGroupCommand"
    assert output.errors[0].category == "ObjectNotFound"


async def test_without_cluster_service_every_cmdlet_says_so() -> None:
    # "The cluster service is not running ... no more endpoints available from the endpoint mapper"
    lab = Console()
    node = lab.nodes[0]
    await lab.drain(node)
    lab.world.power.restart(node, "test")
    await lab.wait_for(lambda: node.up and node.joining)
    record = await lab.refusal(node, cmd("Get-ClusterNode"))
    assert record.fully_qualified_error_id == f"ClusterEndpointNotRegistered,{SPACE}GetNodeCommand"
    assert record.category == "ConnectionError"
    assert record.exception_types[0] == SPACE + "ClusterCmdletException"
    assert len(await names(lab, "HCI02", cmd("Get-ClusterNode"))) == 4


async def test_cluster_tells_what_a_coordinator_asks() -> None:
    cluster = await Console(nodes=2, os="WS2019").one("HCI01", cmd("Get-Cluster"))
    assert cluster.properties["ClusterFunctionalLevel"] == 10
    assert cluster.properties["QuarantineThreshold"] == 3
    assert cluster.properties["QuarantineDuration"] == 7200
    assert cluster.properties["S2DEnabled"] == 1
    assert cluster.properties["DrainOnShutdown"] == 1
    assert cluster.properties["Name"] == "HCI-CL01"


async def test_groups_reach_the_client_with_their_owner_s_name() -> None:
    lab = Console()
    group = await lab.one("HCI02", cmd("Get-ClusterGroup", Name="VM-1-1"))
    assert group.properties["OwnerNode"] == "HCI01"
    assert group.properties["GroupType"] == SimEnum(SPACE + "GroupType", 111, "VirtualMachine")
    assert group.properties["State"] == SimEnum(SPACE + "ClusterGroupState", 0, "Online")
    assert await names(lab, "HCI02", cmd("Get-ClusterNode", Name="HCI03"), cmd("Get-ClusterGroup")) == [
        "VM-3-1",
        "VM-3-2",
        "VM-3-3",
    ]
    available = await lab.one("HCI02", cmd("Get-ClusterGroup", Name="Available Storage"))
    assert str(available.properties["State"]) == "Offline"


async def test_resources_of_all_kinds() -> None:
    spec = demo_world(2)
    history = DiskSpec("ClusterPerformanceHistory", 21, 2, shared=False)
    lab = Console(replace(spec, cau_role=CauRoleSpec(), disks=(*spec.disks, history)))
    found = (await lab.run("HCI01", cmd("Get-ClusterResource"))).values
    kinds = {item.get("ResourceType") for item in found if isinstance(item, SimObject)}
    assert kinds == {
        "Network Name",
        "IP Address",
        "Health Service",
        "Cloud Witness",
        "Virtual Machine",
        "Virtual Machine Configuration",
        "SDDC Management",
        "ClusterAwareUpdatingResource",
        "Physical Disk",
        "Storage Pool",
    }
    disks = [str(item.to_string) for item in found if item.get("ResourceType") == "Physical Disk"]
    assert disks == ["Cluster Virtual Disk (ClusterPerformanceHistory)"]


async def test_a_shared_volume_is_no_resource_to_be_got() -> None:
    lab = Console()
    name = "Cluster Virtual Disk (Volume01)"
    assert (await lab.run("HCI01", cmd("Get-ClusterResource", Name=name))).errors
    volume = await lab.one("HCI01", cmd("Get-ClusterSharedVolume", Name=name))
    assert str(volume.properties["State"]) == "Online"
    await lab.run("HCI01", cmd("Get-ClusterSharedVolume", Name=name), cmd("Stop-ClusterResource"))
    volume = await lab.one("HCI01", cmd("Get-ClusterSharedVolume", Name=name))
    assert str(volume.properties["State"]) == "Offline"


async def test_quorum_and_shared_volumes() -> None:
    lab = Console()
    quorum = await lab.one("HCI01", cmd("Get-ClusterQuorum"))
    assert (quorum.properties["QuorumResource"], str(quorum.properties["QuorumType"])) == ("Cloud Witness", "Majority")
    volumes = await names(lab, "HCI01", cmd("Get-ClusterSharedVolume"))
    assert volumes[0] == "Cluster Virtual Disk (Volume01)"
    assert len(volumes) == 4


async def test_suspend_returns_at_once_with_a_paused_node() -> None:
    lab = Console()
    began = lab.clock.now()
    node = await lab.one("HCI02", cmd("Suspend-ClusterNode", Name="HCI01", Drain=None))
    assert lab.clock.now() == began
    assert (str(node.properties["State"]), str(node.properties["DrainStatus"])) == ("Paused", "InProgress")


async def test_suspend_with_wait_returns_when_the_drain_is_over() -> None:
    lab = Console()
    node = await lab.one("HCI02", cmd("Suspend-ClusterNode", Name="HCI01", Drain=None, Wait=None))
    assert str(node.properties["DrainStatus"]) == "Completed"


async def test_suspend_with_wait_fails_with_the_drain() -> None:
    lab = Console()
    lab.world.inject("drain-blocked-by-vm-on-node-1")
    record = await lab.refusal("HCI02", cmd("Suspend-ClusterNode", Name="HCI01", Drain=None, Wait=None))
    assert record.native_error_code == 5005
    assert lab.nodes[0].paused


async def test_suspend_without_drain_only_pauses() -> None:
    lab = Console()
    await lab.run("HCI01", cmd("Suspend-ClusterNode"))
    assert lab.nodes[0].state.name == "Paused"
    assert lab.world.groups.on(lab.nodes[0])
    assert lab.nodes[0].maintenance.name == "NONE"


async def test_drain_is_refused_while_storage_is_degraded() -> None:
    # ERROR_CLUSTER_SPACE_DEGRADED 5987, HRESULT 0x80071763
    lab = Console()
    await lab.drain(lab.nodes[0])
    record = await lab.refusal("HCI03", cmd("Suspend-ClusterNode", Name="HCI02", Drain=None))
    assert record.native_error_code == 5987
    assert record.hresult & 0xFFFFFFFF == 0x80071763
    assert record.exception_types[0] == SPACE + "ClusterCmdletException"
    assert "A clustered space is in a degraded condition" in str(record.properties["InnerException"])
    assert record.fully_qualified_error_id == f"Suspend-ClusterNode,{SPACE}SuspendNodeCommand"
    assert lab.nodes[1].state.name == "Up"


@pytest.mark.parametrize(
    ("command", "code"),
    [("Suspend-ClusterNode", 5050), ("Resume-ClusterNode", 5050)],
)
async def test_a_node_that_is_down_is_not_available(command: str, code: int) -> None:
    lab = Console()
    lab.world.inject("node-down-at-start-on-node-2")
    record = await lab.refusal("HCI01", cmd(command, Name="HCI02"))
    assert record.native_error_code == code


async def test_second_suspend_and_needless_resume_are_refused() -> None:
    lab = Console()
    lab.world.drains.start(lab.nodes[1])
    again = await lab.refusal("HCI01", cmd("Suspend-ClusterNode", Name="HCI02", Drain=None))
    needless = await lab.refusal("HCI01", cmd("Resume-ClusterNode", Name="HCI03"))
    nobody = await lab.refusal("HCI01", cmd("Resume-ClusterNode", Name="HCI77"))
    codes = [record.native_error_code for record in (again, needless, nobody)]
    assert codes == [5962, 5058, 5042]


async def test_resume_reports_the_node_and_fails_back() -> None:
    lab = Console()
    await lab.drain(lab.nodes[0])
    node = await lab.one("HCI02", cmd("Resume-ClusterNode", Name="HCI01", Failback="Immediate"))
    assert (str(node.properties["State"]), str(node.properties["DrainStatus"])) == ("Up", "NotInitiated")
    await lab.settled()
    assert "VM-1-1" in {group.name for group in lab.world.groups.on(lab.nodes[0])}


async def test_unknown_parameter_fails_as_the_binder_does() -> None:
    record = await Console().refusal("HCI01", cmd("Suspend-ClusterNode", Name="HCI01", Drainn=True, Quickly=True))
    assert record.fully_qualified_error_id.startswith("NamedParameterNotFound")
