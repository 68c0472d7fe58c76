"""The objects of the software cmdlets have a form on the wire, and the client reads it back."""

import pytest
from pypsrp.serializer import Serializer

from include.simulator.wire.clixml import Writer
from include.simulator.world.software import SoftwareSpec
from include.simulator.world.spec import demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import QUERY, Command, cmd
from tests.simulator.world.software import with_software
from tests.simulator.world.tasks import task_xml

WU = "root/Microsoft/Windows/WindowsUpdate"
REGISTER = cmd("Register-ScheduledTask", TaskName="Update", Xml=task_xml())
PIPELINES: list[tuple[Command, ...]] = [
    (cmd("Get-NetFirewallRule"),),
    (cmd("Get-WSManCredSSP"),),
    (cmd("Enable-WSManCredSSP", Role="Server", Force=None),),
    (cmd("Test-WSMan"),),
    (cmd("Get-Item", Path="HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"),),
    (cmd("Get-Item", Path="WSMan:\\localhost\\Service\\Auth\\CredSSP"),),
    (cmd("Get-BitLockerVolume"),),
    (cmd("Suspend-BitLocker", MountPoint="C:"),),
    (cmd("Get-WindowsFeature", Name="*Clustering*"),),
    (cmd("Uninstall-WindowsFeature", Name="BitLocker"),),
    (cmd("Get-PreviewChannel"),),
    (cmd("Set-PreviewChannel"),),
    (REGISTER,),
    (REGISTER, cmd("Get-ScheduledTaskInfo")),
    (REGISTER, cmd("Export-ScheduledTask")),
    (cmd("Get-HotFix"),),
    (cmd("Get-CimInstance", ClassName="Win32_ComputerSystem"),),
    (cmd("Get-CimInstance", ClassName="Win32_Service"),),
    (cmd("Get-CimClass", Namespace=WU, ClassName="MSFT_WUOperations"),),
    (
        cmd(
            "Invoke-CimMethod",
            Namespace=WU,
            ClassName="MSFT_WUOperations",
            MethodName="ScanForUpdates",
            Arguments={"SearchCriteria": QUERY},
        ),
    ),
    (cmd("Get-Command", Name="Get-ClusterNode"),),
]


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda pipeline: " | ".join(name for name, _ in pipeline))
async def test_output_survives_serialisation(pipeline: tuple[Command, ...]) -> None:
    lab = Console(with_software(demo_world(2), SoftwareSpec(bitlocker=True)))
    node = lab.nodes[0]
    record = lab.world.updates.record(node)
    record.installed[next(each.update_id for each in lab.world.spec.updates if each.kb == "KB5099101")] = True
    output = await lab.run(node, *pipeline)
    assert output.errors == []
    assert output.values
    for value in output.values:
        text = Writer(lambda secret: secret).write(value).text().decode()
        assert Serializer().deserialize(text) is not None
