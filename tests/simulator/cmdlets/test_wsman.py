"""CredSSP on both ends, and the set-up of remote management."""

from datetime import timedelta

import pytest

from include.simulator.cmdlets.runtime import MachineWentDownError
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd

CANNOT_DELEGATE = "The machine is not configured to allow delegating fresh credentials."
CANNOT_RECEIVE = "This computer is not configured to receive credentials from a remote client computer."
POLICY = "HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WinRM\\Service"


async def test_credssp_is_off_on_both_roles_and_the_cmdlet_writes_two_sentences() -> None:
    assert (await Console().run("HCI01", cmd("Get-WSManCredSSP"))).values == [CANNOT_DELEGATE, CANNOT_RECEIVE]


async def test_the_client_role_names_whom_it_may_delegate_to() -> None:
    lab = Console()
    await lab.run(
        "MGMT01", cmd("Enable-WSManCredSSP", Role="Client", DelegateComputer=["HCI01", "*.contoso.com"], Force=None)
    )
    assert (await lab.run("MGMT01", cmd("Get-WSManCredSSP"))).values[0] == (
        "The machine is configured to allow delegating fresh credentials to the following target(s): "
        "wsman/HCI01,wsman/*.contoso.com"
    )
    await lab.run("MGMT01", cmd("Disable-WSManCredSSP", Role="Client"))
    assert (await lab.run("MGMT01", cmd("Get-WSManCredSSP"))).values[0] == CANNOT_DELEGATE
    assert [(event.node, dict(event.detail)) for event in lab.events("credssp")] == [
        (None, {"machine": "MGMT01", "role": "client", "enabled": True}),
        (None, {"machine": "MGMT01", "role": "client", "enabled": False}),
    ]


async def test_the_server_role_accepts_credentials_until_it_is_disabled() -> None:
    lab = Console()
    await lab.run("HCI01", cmd("Enable-WSManCredSSP", Role="Server", Force=None))
    assert (await lab.run("HCI01", cmd("Get-WSManCredSSP"))).values[1] == CANNOT_RECEIVE.replace("not ", "")
    assert lab.world.snapshot()["nodes"][0]["credssp"] == {"client": False, "server": True}
    await lab.run("HCI01", cmd("Disable-WSManCredSSP", Role="Server"))
    assert not lab.nodes[0].credssp


async def test_enabling_twice_is_one_change() -> None:
    lab = Console()
    for _ in range(2):
        await lab.run("HCI01", cmd("Enable-WSManCredSSP", Role="Server", Force=None))
    assert len(lab.events("credssp")) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"Role": "Server"}, "NonInteractive"),
        ({"Role": "Client", "Force": None}, "DelegateComputer parameter must be specified"),
        ({"Role": "Server", "DelegateComputer": ["HCI02"], "Force": None}, "DelegateComputer parameter cannot be used"),
        ({"Role": "Both", "Force": None}, "does not belong to the set"),
    ],
)
async def test_what_enabling_is_refused_for(arguments: dict[str, object], says: str) -> None:
    lab = Console()
    assert says in (await lab.refusal("HCI01", ("Enable-WSManCredSSP", arguments))).message
    assert lab.events("credssp") == []


async def test_a_group_policy_can_forbid_credssp() -> None:
    lab = Console()
    node = lab.nodes[0]
    lab.world.registry.create(node, POLICY)
    lab.world.registry.set(node, POLICY, "AllowCredSSP", 0)
    record = await lab.refusal(node, cmd("Enable-WSManCredSSP", Role="Server", Force=None))
    assert record.fully_qualified_error_id == "WsManError,Microsoft.WSMan.Management.EnableWSManCredSSPCommand"
    assert not node.credssp


@pytest.mark.parametrize("role", ["Client", "Server"])
async def test_the_wsman_drive_shows_both_roles(role: str) -> None:
    lab = Console()
    path = f"WSMan:\\localhost\\{'Service' if role == 'Server' else 'Client'}\\Auth\\CredSSP"
    assert (await lab.one("HCI01", cmd("Get-Item", Path=path))).get("Value") == "false"
    more = {"DelegateComputer": ["*"]} if role == "Client" else {}
    await lab.run("HCI01", cmd("Enable-WSManCredSSP", Role=role, Force=None, **more))
    assert (await lab.one("HCI01", cmd("Get-Item", Path=path))).get("Value") == "true"


async def test_quick_config_says_so_when_nothing_is_left_to_do() -> None:
    lab = Console()
    output = await lab.run("HCI01", cmd("Set-WSManQuickConfig", Force=None))
    assert output.values == [
        "WinRM is already set up to receive requests on this computer.",
        "WinRM is already set up for remote management on this computer.",
    ]


async def test_quick_config_starts_the_service_and_opens_the_firewall() -> None:
    lab = Console()
    node = lab.nodes[0]
    lab.world.services.set_start_type(node, "WinRM", "Manual")
    await lab.run(node, cmd("Disable-NetFirewallRule", DisplayGroup="Windows Remote Management"))
    assert not lab.world.remoting.configured(node)
    await lab.run(node, cmd("Set-WSManQuickConfig", Force=None))
    assert lab.world.remoting.configured(node)
    assert node.services["WinRM"].start_type == "Automatic"


async def test_powershell_remoting_goes_off_and_on() -> None:
    lab = Console()
    node = lab.nodes[0]
    await lab.run(node, cmd("Disable-PSRemoting", Force=None))
    assert not lab.world.remoting.state(node).powershell
    # It restarts the service, which ends the session that it was given in.
    with pytest.raises(MachineWentDownError):
        await lab.run(node, cmd("Enable-PSRemoting", Force=None))
    assert lab.world.remoting.state(node).powershell
    assert not lab.world.services.reachable(node)
    await lab.wait(timedelta(minutes=1))
    assert lab.world.services.reachable(node)
    assert "NonInteractive" in (await lab.refusal(node, cmd("Enable-PSRemoting"))).message


async def test_the_service_tells_its_windows_only_after_a_log_on() -> None:
    lab = Console()
    anyone = await lab.one("HCI01", cmd("Test-WSMan"))
    known = await lab.one("HCI01", cmd("Test-WSMan", Authentication="Default"))
    assert anyone.get("ProductVersion") == "OS: 0.0.0 SP: 0.0 Stack: 3.0"
    assert known.get("ProductVersion") == "OS: 10.0.20348 SP: 0.0 Stack: 3.0"


async def test_a_machine_without_remote_management_does_not_answer() -> None:
    lab = Console()
    lab.world.services.stop(lab.nodes[1], "WinRM")
    await lab.wait(timedelta(seconds=10))
    record = await lab.refusal("HCI01", cmd("Test-WSMan", ComputerName="HCI02"))
    assert record.fully_qualified_error_id == "WsManError,Microsoft.WSMan.Management.TestWSManCommand"
    assert (await lab.run("HCI01", cmd("Test-WSMan", ComputerName="HCI03"))).errors == []


async def test_session_configurations_are_listed_and_a_name_that_none_has_is_an_error() -> None:
    lab = Console()
    listed = (await lab.run("HCI01", cmd("Get-PSSessionConfiguration"))).values
    assert [each.get("Name") for each in listed] == [
        "microsoft.powershell",
        "microsoft.powershell.workflow",
        "microsoft.powershell32",
        "microsoft.windows.servermanagerworkflows",
    ]
    few = await lab.run("HCI01", cmd("Get-PSSessionConfiguration", Name=["microsoft.powershell3*", "hci"]))
    assert [each.get("Name") for each in few.values] == ["microsoft.powershell32"]
    assert [error.message for error in few.errors] == ['No session configuration matches criteria "hci".']


async def test_remote_users_are_kept_out_of_every_session_configuration() -> None:
    lab = Console()
    await lab.run("HCI01", cmd("Disable-PSRemoting", Force=None))
    listed = (await lab.run("HCI01", cmd("Get-PSSessionConfiguration"))).values
    assert all("NETWORK AccessDenied" in each.get("Permission") for each in listed)
