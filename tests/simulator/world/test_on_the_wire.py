"""Every kind of object that the simulated machines hand out has a form on the wire, and the client reads it back."""

from dataclasses import replace
from datetime import timedelta

import pytest
from pypsrp.serializer import Serializer

from include.simulator.wire.clixml import Writer
from include.simulator.world.spec import CauRoleSpec, demo_world
from tests.simulator.world.careful import GUID
from tests.simulator.world.console import Console
from tests.simulator.world.driver import CAU, QUERY, Command, cmd

NODE = cmd("Get-CimInstance", Namespace=CAU, ClassName="MSFT_CAUNode", Filter=f"OrchestratorGuid='{GUID}'")
ARGUMENTS = {"QueryString": QUERY, "IncludeRecommendedUpdates": False}


def method(name: str) -> Command:
    return cmd("Invoke-CimMethod", MethodName=name, **({} if name == "RebootRequired" else {"Arguments": ARGUMENTS}))


PIPELINES: list[tuple[Command, ...]] = [
    *(
        (cmd(name),)
        for name in ("Get-Cluster", "Get-ClusterNode", "Get-ClusterGroup", "Get-ClusterResource", "Get-ClusterQuorum")
    ),
    *(
        (cmd(name),)
        for name in (
            "Get-ClusterSharedVolume",
            "Get-VirtualDisk",
            "Get-StoragePool",
            "Get-StorageJob",
            "Get-PhysicalDisk",
        )
    ),
    *(
        (cmd(name),)
        for name in (
            "Get-StorageFaultDomain",
            "Get-StorageSubSystem",
            "Get-Service",
            "Get-VM",
            "Get-CauRun",
            "Get-Date",
        )
    ),
    (cmd("Get-CauClusterRole"),),
    (cmd("Get-StorageSubSystem", FriendlyName="Clustered*"), cmd("Debug-StorageSubSystem")),
    (cmd("Get-CimInstance", ClassName="Win32_OperatingSystem"),),
    (cmd("Get-CimClass", Namespace=CAU, ClassName="MSFT_CAUNode"),),
    (
        cmd("Get-CimClass", Namespace=CAU, ClassName="MSFT_CAUNode"),
        cmd("Select-Object", ExpandProperty="CimClassMethods"),
    ),
    (cmd("Get-ItemProperty", LiteralPath="HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"),),
    *((NODE, method(name)) for name in ("ScanUpdates", "DownloadUpdates", "InstallUpdates", "RebootRequired")),
    (cmd("Repair-VirtualDisk", FriendlyName="Volume01", AsJob=None),),
    (cmd("Get-ClusterNode"), cmd("Measure-Object")),
    (cmd("Get-ClusterNode"), cmd("Select-Object", Property=["Name", "State"])),
    (cmd("Get-Command", Name="Get-ClusterNode"),),
    *(
        (cmd(name),)
        for name in (
            "Get-ClusterSharedVolumeState",
            "Get-ClusterNodeSupportedVersion",
            "Get-ClusterFaultDomain",
            "Get-Volume",
            "Get-StorageNode",
            "Get-StorageEnclosure",
            "Get-StorageScaleUnit",
            "Get-VMHost",
            "Get-VMHostSupportedVersion",
        )
    ),
    (cmd("Get-PhysicalDisk"), cmd("Get-StorageFirmwareInformation")),
    (cmd("Get-StorageSubSystem", FriendlyName="Clustered*"), cmd("Get-StorageHealthSetting")),
    (cmd("Get-ClusterResource", Name="Virtual Machine VM-1-1"), cmd("Get-ClusterParameter")),
    (cmd("Get-ClusterSharedVolume"), cmd("Select-Object", ExpandProperty="SharedVolumeInfo")),
    (cmd("Test-Cluster", List=None),),
    (cmd("Test-Cluster", Force=None),),
    (cmd("Move-ClusterGroup", Name="VM-1-1", Node="HCI01"),),
    (cmd("Stop-ClusterResource", Name="Cluster Virtual Disk (Volume01)"),),
    (cmd("Get-CimInstance", Namespace="root/MSCluster", ClassName="MSCluster_Node"),),
]


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda pipeline: " | ".join(name for name, _ in pipeline))
async def test_output_survives_serialisation(pipeline: tuple[Command, ...]) -> None:
    lab = Console(replace(demo_world(2, "23H2"), cau_role=CauRoleSpec()))
    node, other = lab.nodes
    lab.world.inject("cau-run-in-progress")
    await lab.drain(other)
    await lab.wait(timedelta(minutes=5))
    await lab.resume(other)
    await lab.wait_for(lambda: bool(lab.world.repairs.jobs))
    lab.world.locks.expire(node, "MSFT_CAUNode")  # that of CAU's own run, which stages there
    await lab.take(node, "MSFT_CAUNode", GUID)
    output = await lab.run(node, *pipeline)
    assert output.errors == []
    assert output.values
    for value in output.values:
        text = Writer(lambda secret: secret).write(value).text().decode()
        assert Serializer().deserialize(text) is not None


async def test_updates_reach_the_client_as_objects() -> None:
    lab = Console()
    node = lab.nodes[0]
    await lab.take(node, "MSFT_CAUNode", GUID)
    result = await lab.one(node, NODE, method("ScanUpdates"))
    read = Serializer().deserialize(Writer(lambda secret: secret).write(result).text().decode())
    titles = [info.adapted_properties["UpdateTitle"] for info in read.extended_properties["Info"]]
    assert any("Cumulative Update" in title for title in titles)
    assert read.extended_properties["ReturnValue"] == 0
