"""windows-powershell-docs, Update-ClusterFunctionalLevel, Stop-Cluster, Start-Cluster, Set-ClusterParameter."""

from dataclasses import replace

import pytest

from include.simulator.world.spec import demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.test_levels import mixed

UPDATE = "Update-ClusterFunctionalLevel"


def upgraded() -> Console:
    lab = Console(demo_world(2, "20H2"))
    for node in lab.nodes:
        node.build = 20348
    return lab


async def test_the_functional_level_rises_once_and_for_good() -> None:
    lab = upgraded()
    cluster = await lab.one("HCI01", cmd(UPDATE, Force=None))
    assert (cluster.properties["ClusterFunctionalLevel"], cluster.properties["ClusterUpgradeVersion"]) == (12, 1)
    await lab.run("HCI01", cmd(UPDATE, Force=None))
    assert [event.detail["after"] for event in lab.events("cluster.functional_level")] == [12]


async def test_what_if_really_tests_and_changes_nothing() -> None:
    lab = upgraded()
    output = await lab.run("HCI01", cmd(UPDATE, WhatIf=None))
    assert (output.values, lab.world.functional_level) == ([], 10)
    lab.world.membership.pause(lab.nodes[1])
    record = await lab.refusal("HCI01", cmd(UPDATE, WhatIf=None))
    assert "HCI02" in record.message


async def test_mixed_versions_are_refused() -> None:
    lab = Console(mixed("21H2", "22H2"))
    for parameters in ({"WhatIf": None}, {"Force": None}):
        record = await lab.refusal("HCI01", cmd(UPDATE, **parameters))
        assert record.native_error_code == 5973
    assert lab.events("cluster.functional_level") == []


async def test_it_asks_without_force_and_nobody_can_answer() -> None:
    lab = upgraded()
    assert (await lab.refusal("HCI01", cmd(UPDATE))).category == "InvalidOperation"
    assert (await lab.refusal("HCI01", cmd("Stop-Cluster"))).category == "InvalidOperation"
    assert (lab.world.functional_level, lab.nodes[0].member) == (10, True)


async def test_the_whole_cluster_is_stopped_and_started_by_the_name_of_a_node() -> None:
    lab = Console()
    lab.session.delegated = True
    assert (await lab.run("HCI01", cmd("Stop-Cluster", Force=None))).values == []
    assert (await lab.refusal("HCI01", cmd("Get-ClusterNode"))).category == "ConnectionError"
    by_name = await lab.refusal("HCI01", cmd("Start-Cluster", Name="HCI-CL01"))
    assert by_name.native_error_code == 1722
    cluster = await lab.one("HCI01", cmd("Start-Cluster", Name="HCI02"))
    assert cluster.properties["Name"] == "HCI-CL01"
    await lab.wait_for(lambda: all(node.state.name == "Up" for node in lab.nodes))
    assert [event.op for event in lab.recorder.events if event.op.startswith("cluster.")] == [
        "cluster.stopped",
        "cluster.started",
    ]


async def test_a_cluster_with_disabled_services_does_not_start() -> None:
    lab = Console()
    lab.session.delegated = True
    await lab.run("HCI01", cmd("Stop-Cluster", Confirm=False))
    for node in lab.nodes:
        node.services["ClusSvc"].start_type = "Disabled"
    assert (await lab.refusal("HCI01", cmd("Start-Cluster", Name="HCI01"))).native_error_code == 1058


async def test_the_parameter_that_cau_reads_is_created_changed_and_deleted() -> None:
    # azure-stack-docs, kernel-soft-reboot
    lab = Console()
    pipe = cmd("Get-Cluster")
    missing = await lab.refusal("HCI01", pipe, cmd("Set-ClusterParameter", Name="CauEnableSoftReboot", Value=1))
    assert "-Create" in missing.message
    await lab.run("HCI01", pipe, cmd("Set-ClusterParameter", Name="CauEnableSoftReboot", Value=1, Create=None))
    read = cmd("Get-ClusterParameter", Name="CauEnableSoftReboot")
    found = await lab.one("HCI02", pipe, read)
    assert (found.properties["Value"], found.properties["ClusterObject"]) == (1, "HCI-CL01")
    await lab.run("HCI01", pipe, cmd("Set-ClusterParameter", Multiple={"CauEnableSoftReboot": 0}))
    assert (await lab.one("HCI02", pipe, read)).properties["Value"] == 0
    await lab.run("HCI01", pipe, cmd("Set-ClusterParameter", Name="CauEnableSoftReboot", Delete=None))
    assert (await lab.run("HCI02", pipe, read)).values == []


async def test_a_virtual_machine_s_resource_knows_its_vm() -> None:
    lab = Console()
    resource = cmd("Get-ClusterResource", Name="Virtual Machine VM-1-1")
    found = await lab.one("HCI01", resource, cmd("Get-ClusterParameter", Name="VmID"))
    assert found.properties["Value"] == str(lab.world.groups.find("VM-1-1").vm.id)


async def test_logs_of_every_node() -> None:
    lab = Console()
    lab.session.delegated = True
    found = (await lab.run("HCI01", cmd("Get-ClusterLog", Destination="C:\\Temp"))).values
    assert [each.properties["Name"] for each in found] == [f"HCI{number:02d}_cluster.log" for number in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("os", "parallel", "rdma"),
    [
        ("WS2019", False, False),
        ("20H2", False, False),
        ("21H2", True, False),
        ("WS2022", True, False),
        ("22H2", True, False),
        ("23H2", True, True),
        ("WS2025", True, True),
    ],
)
async def test_the_cluster_s_properties_by_version(os: str, parallel: bool, rdma: bool) -> None:
    cluster = await Console(nodes=2, os=os).one("HCI01", cmd("Get-Cluster"))
    assert ("MaximumParallelMigrations" in cluster.properties) is parallel
    assert ("UseRdmaForStorage" in cluster.properties) is rdma


async def test_the_cluster_s_settings_are_those_of_the_world() -> None:
    spec = replace(demo_world(4), resiliency_level=1, quarantine_threshold=5, drain_on_shutdown=False)
    cluster = await Console(spec).one("HCI01", cmd("Get-Cluster"))
    read = {
        name: str(cluster.properties[name]) for name in ("ResiliencyLevel", "QuarantineThreshold", "DrainOnShutdown")
    }
    assert read == {
        "ResiliencyLevel": "IsolateOnSpecialHeartbeat",
        "QuarantineThreshold": "5",
        "DrainOnShutdown": "0",
    }
    assert cluster.properties["ResiliencyDefaultPeriod"] == 240


@pytest.mark.parametrize(
    ("witness", "variants", "kind"),
    [
        ("Cloud Witness", (), "Majority"),
        ("", (), "Majority"),
        ("Cloud Witness", ("quorum-type-by-witness",), "NodeAndCloudWitness"),
        ("File Share Witness", ("quorum-type-by-witness",), "NodeAndFileShareMajority"),
        ("", ("quorum-type-by-witness",), "NodeMajority"),
    ],
)
async def test_quorum_type(witness: str, variants: tuple[str, ...], kind: str) -> None:
    lab = Console(replace(demo_world(2), witness=witness, variants=frozenset(variants)))
    quorum = await lab.one("HCI01", cmd("Get-ClusterQuorum"))
    assert str(quorum.properties["QuorumType"]) == kind


async def test_every_node_is_a_fault_domain() -> None:
    lab = Console()
    found = (await lab.run("HCI01", cmd("Get-ClusterFaultDomain", Type="Node"))).values
    assert [each.properties["Name"] for each in found] == [node.name for node in lab.nodes]
    assert (await lab.run("HCI01", cmd("Get-ClusterFaultDomain", Type="Rack"))).values == []
