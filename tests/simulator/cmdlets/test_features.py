"""The WindowsFeature cmdlets (windows-powershell-docs, ServerManager)."""

import pytest

from include.simulator.world.spec import demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd


@pytest.mark.parametrize(
    ("host", "name", "installed"),
    [
        ("HCI01", "Failover-Clustering", True),
        ("HCI01", "RSAT-Clustering-AutomationServer", False),
        ("MGMT01", "Failover-Clustering", False),
        ("MGMT01", "RSAT-Clustering-PowerShell", True),
    ],
)
@pytest.mark.parametrize("os", ["WS2019", "21H2", "WS2025"])
async def test_nodes_have_the_cluster_and_the_management_host_its_tools(
    os: str, host: str, name: str, installed: bool
) -> None:
    lab = Console(demo_world(2, os))
    found = await lab.one(host, cmd("Get-WindowsFeature", Name=name))
    assert found.get("Installed") is installed
    assert str(found.get("InstallState")) == ("Installed" if installed else "Available")


async def test_installing_tools_needs_no_restart_and_the_second_time_changes_nothing() -> None:
    lab = Console()
    install = cmd("Install-WindowsFeature", Name="RSAT-Clustering-CmdInterface")
    first, second = await lab.one("HCI01", install), await lab.one("HCI01", install)
    assert [(str(each.get("ExitCode")), str(each.get("RestartNeeded"))) for each in (first, second)] == [
        ("Success", "No"),
        ("NoChangeNeeded", "No"),
    ]
    assert [event.detail for event in lab.events("feature")] == [
        {"node": "HCI01", "name": "RSAT-Clustering-CmdInterface", "installed": True}
    ]


async def test_failover_clustering_asks_for_a_restart_and_brings_its_tools_when_asked_to() -> None:
    lab = Console()
    await lab.run("MGMT01", cmd("Uninstall-WindowsFeature", Name="RSAT-Clustering-PowerShell"))
    result = await lab.one(
        "MGMT01", cmd("Install-WindowsFeature", Name="Failover-Clustering", IncludeManagementTools=None)
    )
    assert (str(result.get("ExitCode")), str(result.get("RestartNeeded"))) == ("SuccessRestartRequired", "Yes")
    assert lab.world.features.installed(lab.world.management_host, "RSAT-Clustering-PowerShell")
    assert lab.world.features.restart_pending(lab.world.management_host)


async def test_a_restart_is_pending_on_the_node_until_it_is_done() -> None:
    lab = Console()
    node = lab.nodes[0]
    await lab.run(node, cmd("Uninstall-WindowsFeature", Name="BitLocker"))
    assert node.pending_restart
    await lab.drain(node)
    await lab.restart(node)
    assert not node.pending_restart
    assert not lab.world.features.restart_pending(node)


async def test_removing_a_parent_removes_what_is_below_it() -> None:
    lab = Console()
    await lab.run("MGMT01", cmd("Get-WindowsFeature", Name="RSAT-Clustering"), cmd("Uninstall-WindowsFeature"))
    found = (await lab.run("MGMT01", cmd("Get-WindowsFeature", Name="RSAT-Clustering*"))).values
    assert not any(each.get("Installed") for each in found)
    await lab.run("MGMT01", cmd("Install-WindowsFeature", Name="RSAT-Clustering-PowerShell"))
    assert lab.world.features.installed(lab.world.management_host, "RSAT-Clustering"), "a parent comes with its child"


@pytest.mark.parametrize("verb", ["Install", "Uninstall"])
async def test_a_name_that_is_none_changes_nothing(verb: str) -> None:
    lab = Console()
    record = await lab.refusal("HCI01", cmd(f"{verb}-WindowsFeature", Name=["RSAT-Clustering", "Nope"]))
    assert record.fully_qualified_error_id.startswith("NameDoesNotExist,")
    assert lab.events("feature") == []


@pytest.mark.parametrize("delegated", [False, True])
async def test_another_machine_needs_delegated_credentials(delegated: bool) -> None:
    lab = Console()
    lab.session.delegated = delegated
    command = cmd("Install-WindowsFeature", Name="RSAT-Clustering-CmdInterface", ComputerName="HCI02")
    if delegated:
        assert str((await lab.one("HCI01", command)).get("ExitCode")) == "Success"
    else:
        assert "Access is denied" in (await lab.refusal("HCI01", command)).message
    assert lab.world.features.installed(lab.nodes[1], "RSAT-Clustering-CmdInterface") is delegated
