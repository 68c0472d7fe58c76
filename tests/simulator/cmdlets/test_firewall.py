"""The NetFirewallRule cmdlets over the groups that updating a cluster needs."""

import pytest

from include.simulator.world.firewall import REMOTE_SHUTDOWN
from include.simulator.world.software import SoftwareSpec
from include.simulator.world.spec import demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.software import with_software

SHUTDOWN = "@firewallapi.dll,-36751"


async def enabled(lab: Console, host: str = "HCI01", **where: object) -> dict[object, str]:
    found = (await lab.run(host, cmd("Get-NetFirewallRule", **where))).values
    return {each.get("Name"): str(each.get("Enabled")) for each in found}


async def test_remote_shutdown_is_off_and_remote_management_on_unless_somebody_changes_it() -> None:
    # windowsserverdocs, cluster-aware-updating-requirements: defaults of the firewall rules.
    lab = Console()
    assert set((await enabled(lab, DisplayGroup="Remote Shutdown")).values()) == {"False"}
    assert set((await enabled(lab, DisplayGroup="Windows Remote Management")).values()) == {"True"}
    assert set((await enabled(lab, DisplayGroup="Failover Clusters")).values()) == {"True"}


async def test_the_documented_call_opens_remote_shutdown_on_the_domain_profile() -> None:
    # azure-stack-docs, update-cluster: Set-NetFirewallRule -Group "@firewallapi.dll,-36751" -Profile Domain -Enabled true
    lab = Console()
    await lab.run("HCI01", cmd("Set-NetFirewallRule", Group=SHUTDOWN, Profile="Domain", Enabled="true"))
    rules = (await lab.run("HCI01", cmd("Get-NetFirewallRule", Group=SHUTDOWN))).values
    assert [(str(each.get("Enabled")), str(each.get("Profile"))) for each in rules] == [("True", "Domain")] * 2
    assert lab.world.firewall.in_effect(lab.nodes[0], REMOTE_SHUTDOWN)
    assert not lab.world.firewall.in_effect(lab.nodes[1], REMOTE_SHUTDOWN)
    assert [event.detail for event in lab.events("firewall")] == [
        {"node": "HCI01", "group": REMOTE_SHUTDOWN, "enabled": True}
    ]


async def test_rules_for_another_profile_do_not_help_in_the_domain() -> None:
    lab = Console()
    await lab.run("HCI01", cmd("Set-NetFirewallRule", Group=SHUTDOWN, Profile="Public", Enabled="true"))
    assert not lab.world.firewall.in_effect(lab.nodes[0], REMOTE_SHUTDOWN)


async def test_enable_and_disable_by_display_group() -> None:
    lab = Console()
    await lab.run("HCI01", cmd("Enable-NetFirewallRule", DisplayGroup=["Remote Shutdown"]))
    assert set((await enabled(lab, DisplayGroup="Remote Shutdown")).values()) == {"True"}
    await lab.run("HCI01", cmd("Get-NetFirewallRule", DisplayGroup="Remote*"), cmd("Disable-NetFirewallRule"))
    assert set((await enabled(lab, DisplayGroup="Remote Shutdown")).values()) == {"False"}
    assert [event.detail["enabled"] for event in lab.events("firewall")] == [True, False]


async def test_a_group_policy_wins_over_the_machine_s_own_rules() -> None:
    # windows-powershell-docs, Invoke-CauRun: -EnableFirewallRules cannot win against a group policy.
    lab = Console()
    node = lab.nodes[0]
    lab.world.firewall.force(node, REMOTE_SHUTDOWN, False)
    await lab.run(node, cmd("Enable-NetFirewallRule", DisplayGroup="Remote Shutdown"))
    assert set((await enabled(lab, DisplayGroup="Remote Shutdown")).values()) == {"True"}, "its own store says so"
    assert not lab.world.firewall.in_effect(node, REMOTE_SHUTDOWN)
    lab.world.firewall.force(node, REMOTE_SHUTDOWN, None)
    assert lab.world.firewall.in_effect(node, REMOTE_SHUTDOWN)


@pytest.mark.parametrize(
    ("where", "error_id"),
    [
        ({"Name": "Nope"}, "CmdletizationQuery_NotFound_InstanceID"),
        ({"DisplayGroup": "Nope"}, "CmdletizationQuery_NotFound_DisplayGroup"),
        ({"Group": "@nope.dll,-1"}, "CmdletizationQuery_NotFound_RuleGroup"),
    ],
)
async def test_rules_that_are_not_there(where: dict[str, object], error_id: str) -> None:
    output = await Console().run("HCI01", cmd("Get-NetFirewallRule", **where))
    assert [each.fully_qualified_error_id for each in output.errors] == [f"{error_id},Get-NetFirewallRule"]
    assert output.values == []


async def test_a_management_host_has_no_cluster_rules() -> None:
    lab = Console()
    assert not [name for name in await enabled(lab, "MGMT01", All=None) if str(name).startswith("FailoverCluster")]


def test_a_group_can_be_open_from_the_start() -> None:
    lab = Console(with_software(demo_world(2), SoftwareSpec(firewall=(REMOTE_SHUTDOWN,))))
    assert [lab.world.firewall.in_effect(node, REMOTE_SHUTDOWN) for node in lab.nodes] == [True, False]
