"""Get-, Set-, Start-, Stop- and Restart-Service, and what becomes of the cluster."""

from datetime import timedelta

import pytest

from include.simulator.world.software import SoftwareSpec
from include.simulator.world.spec import demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.software import with_software


async def test_stopping_the_cluster_service_takes_the_node_out_and_its_roles_fail_over() -> None:
    lab = Console()
    node = lab.nodes[0]
    began = lab.clock.now()
    assert (await lab.run(node, cmd("Stop-Service", Name="ClusSvc"))).errors == []
    assert lab.clock.now() > began, "it waits until the service is stopped"
    assert (node.services["ClusSvc"].status, node.state.name) == ("Stopped", "Down")
    await lab.wait(timedelta(minutes=2))
    assert lab.world.groups.on(node) == []
    await lab.run(node, cmd("Start-Service", Name="ClusSvc"))
    await lab.wait_for(lambda: node.state.name == "Up", within=timedelta(minutes=5))


async def test_no_wait_returns_while_the_service_still_stops() -> None:
    lab = Console()
    began = lab.clock.now()
    passed = await lab.one("HCI01", cmd("Stop-Service", Name="ClusSvc", NoWait=None, PassThru=None))
    assert lab.clock.now() == began
    assert str(passed.get("Status")) == "StopPending"


async def test_a_disabled_cluster_service_keeps_the_node_out_after_a_restart() -> None:
    lab = Console()
    node = lab.nodes[0]
    await lab.drain(node)
    await lab.run(node, cmd("Set-Service", Name="ClusSvc", StartupType="Disabled"))
    boot = node.boot_time
    await lab.run(node, cmd("Restart-Computer", Force=None))
    await lab.wait_for(lambda: node.up and node.boot_time > boot)
    await lab.wait(timedelta(minutes=10))
    assert (node.services["ClusSvc"].status, node.state.name) == ("Stopped", "Down")
    refused = (await lab.run(node, cmd("Start-Service", Name="ClusSvc"))).errors[0]
    assert refused.fully_qualified_error_id == "CouldNotStartService,Microsoft.PowerShell.Commands.StartServiceCommand"
    assert refused.category == "OpenError"
    await lab.run(
        node,
        cmd("Set-Service", Name="ClusSvc", StartupType="Automatic"),
    )
    await lab.run(node, cmd("Start-Service", Name="ClusSvc"))
    await lab.wait_for(lambda: node.member, within=timedelta(minutes=5))


async def test_start_type_changes_are_journalled_with_status_and_start_type() -> None:
    lab = Console()
    await lab.run("HCI01", cmd("Set-Service", Name="ClusSvc", StartupType="Manual"))
    assert [event.detail for event in lab.events("service")] == [
        {"node": "HCI01", "name": "ClusSvc", "status": "Running", "start_type": "Manual"}
    ]


@pytest.mark.parametrize(
    ("command", "error_id", "category"),
    [
        (cmd("Start-Service", Name="Nope"), "NoServiceFoundForGivenName", "ObjectNotFound"),
        (cmd("Stop-Service", Name="Nope"), "NoServiceFoundForGivenName", "ObjectNotFound"),
        (cmd("Stop-Service", Name="Schedule"), "CouldNotStopService", "CloseError"),
        (cmd("Set-Service", Name="Nope", StartupType="Manual"), "InvalidOperationException", "ObjectNotFound"),
        (cmd("Set-Service", Name="ClusSvc", StartupType="Boot"), "CouldNotSetService", "PermissionDenied"),
        (cmd("Get-Service", DisplayName="Nope"), "NoServiceFoundForGivenDisplayName", "ObjectNotFound"),
    ],
)
async def test_what_the_service_control_manager_refuses_is_an_error_that_lets_the_pipeline_go_on(
    command, error_id: str, category: str
) -> None:
    lab = Console()
    errors = (await lab.run("HCI01", command)).errors
    assert [(each.fully_qualified_error_id.partition(",")[0], each.category) for each in errors] == [
        (error_id, category)
    ]
    assert lab.events("service") == []


async def test_a_service_from_the_pipeline_is_restarted() -> None:
    lab = Console()
    await lab.run("HCI01", cmd("Get-Service", Name="vmms"), cmd("Restart-Service"))
    assert [event.detail["status"] for event in lab.events("service", name="vmms")] == [
        "StopPending",
        "Stopped",
        "StartPending",
        "Running",
    ]


@pytest.mark.parametrize("delegated", [False, True])
async def test_services_of_another_machine_need_delegated_credentials(delegated: bool) -> None:
    # PowerShell-Docs, ps-remoting-second-hop: a network logon has nothing to log on with elsewhere.
    lab = Console()
    lab.session.delegated = delegated
    command = cmd("Get-Service", Name="ClusSvc", ComputerName="HCI02")
    if delegated:
        assert (await lab.one("HCI01", command)).get("MachineName") == "HCI02"
    else:
        assert "Cannot open Service Control Manager" in (await lab.refusal("HCI01", command)).message


async def test_a_machine_whose_remote_management_stops_is_not_reachable_until_it_restarts() -> None:
    lab = Console()
    node, heard = lab.nodes[0], []
    lab.world.on_power(lambda name, up: heard.append((name, up)))
    lab.world.services.stop(node, "WinRM")
    await lab.wait(timedelta(seconds=10))
    assert heard == [("HCI01", False)]
    assert node.up
    lab.world.power.restart(node, "console")
    await lab.wait_for(lambda: node.restarts == 1 and node.up)
    assert heard[-1] == ("HCI01", True)


async def test_a_service_that_is_disabled_from_the_start_does_not_come_with_windows() -> None:
    lab = Console(with_software(demo_world(2), SoftwareSpec(start_types=(("WinRM", "Disabled"),))))
    node = lab.nodes[0]
    lab.world.power.restart(node, "console")
    await lab.wait_for(lambda: node.restarts == 1 and node.up)
    assert not lab.world.services.reachable(node)
