from datetime import timedelta

import pytest

from include.simulator.cmdlets.runtime import MachineWentDownError
from include.simulator.objects import SimEnum
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd

KEY = "HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"


async def test_build_and_revision_from_the_registry() -> None:
    lab = Console()
    key = await lab.one("HCI01", cmd("Get-ItemProperty", LiteralPath=KEY))
    wanted = ("CurrentBuild", "UBR", "DisplayVersion", "EditionID", "ProductName")
    assert [key.get(name) for name in wanted] == ["20348", 2113, "21H2", "ServerAzureStackHCICor", "Azure Stack HCI"]
    one = await lab.one("HCI01", cmd("Get-ItemProperty", Path=KEY, Name="UBR"))
    assert one.get("UBR") == 2113
    assert one.get("CurrentBuild") is None


@pytest.mark.parametrize(
    ("path", "error"), [("HKLM:\\SOFTWARE\\Nowhere", "PathNotFound"), (KEY, "PSArgumentException")]
)
async def test_keys_and_values_that_are_not_there(path: str, error: str) -> None:
    names = {} if error == "PathNotFound" else {"Name": "Colour"}
    output = await Console().run("HCI01", cmd("Get-ItemProperty", LiteralPath=path, **names))
    assert error in output.errors[0].fully_qualified_error_id


async def test_services() -> None:
    lab = Console()
    found = (await lab.run("HCI01", cmd("Get-Service", Name=["ClusSvc", "TrustedInstaller"]))).values
    assert [(each.get("Name"), str(each.get("Status")), str(each.get("StartType"))) for each in found] == [
        ("ClusSvc", "Running", "Automatic"),
        ("TrustedInstaller", "Stopped", "Manual"),
    ]
    assert found[0].properties["Status"] == SimEnum("System.ServiceProcess.ServiceControllerStatus", 4, "Running")
    output = await lab.run("HCI01", cmd("Get-Service", Name="Nope"))
    assert output.errors[0].fully_qualified_error_id == (
        "NoServiceFoundForGivenName,Microsoft.PowerShell.Commands.GetServiceCommand"
    )
    assert (await lab.run("MGMT01", cmd("Get-Service", Name="ClusSvc"))).errors


async def test_restart_returns_at_once_and_the_session_lives_some_seconds_longer() -> None:
    lab = Console()
    node = lab.nodes[0]
    await lab.drain(node)
    began = lab.clock.now()
    assert (await lab.run(node, cmd("Restart-Computer", Force=None))).errors == []
    assert lab.clock.now() == began
    assert node.up
    ordered = lab.events("node.restart")[0]
    assert (ordered.node, ordered.detail["by"]) == ("HCI01", "CORP\\operator")
    again = await lab.refusal(node, cmd("Restart-Computer", Force=None))
    assert "already in progress" in again.message


@pytest.mark.parametrize(
    ("host", "arguments", "says"),
    [
        ("HCI01", {}, "other users logged on"),
        ("HCI01", {"Force": None, "ComputerName": "HCI02"}, "Access is denied"),
        ("HCI01", {"Force": None, "Wait": None}, "cannot wait for itself"),
        ("MGMT01", {"Force": None}, "Access is denied"),
    ],
)
async def test_restarts_that_windows_refuses(host: str, arguments: dict[str, object], says: str) -> None:
    lab = Console()
    assert says in (await lab.refusal(host, ("Restart-Computer", arguments))).message
    assert lab.events("node.restart") == []


async def test_what_runs_when_the_power_goes_is_never_answered() -> None:
    lab = Console()
    node = lab.nodes[0]
    await lab.take(node, "MSFT_CAUNode", "x")
    task = lab.start(
        node,
        cmd(
            "Get-CimInstance",
            Namespace="root/Microsoft/Windows/ClusterUpdate",
            ClassName="MSFT_CAUNode",
            Filter="OrchestratorGuid='x'",
        ),
        cmd("Invoke-CimMethod", MethodName="ScanUpdates", Arguments={"QueryString": "IsInstalled=0"}),
    )
    await lab.breathe()
    lab.world.power.crash(node)
    await lab.breathe()
    with pytest.raises(MachineWentDownError):
        await task
    assert node.locks["MSFT_CAUNode"].busy == 0


async def test_virtual_machines_of_the_host() -> None:
    lab = Console()
    found = (await lab.run("HCI03", cmd("Get-VM"))).values
    assert [(each.get("Name"), str(each.get("State"))) for each in found] == [
        ("VM-3-1", "Running"),
        ("VM-3-2", "Running"),
        ("VM-3-3", "Running"),
    ]
    assert (await lab.run("HCI03", cmd("Get-VM", Name="VM-1-1"))).errors[0].category == "InvalidArgument"


async def test_time_on_the_machine_is_simulated_time() -> None:
    lab = Console()
    await lab.wait(timedelta(hours=1))
    assert (await lab.run("HCI01", cmd("Get-Date"))).values == [lab.clock.now()]
