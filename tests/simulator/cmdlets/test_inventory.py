"""What a machine tells of itself: hotfixes, services and system by CIM, and from another machine."""

import pytest

from include.simulator.world.policies import ASR_RULES, ASR_WMI
from include.simulator.world.software import SoftwareSpec
from include.simulator.world.spec import demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import CAU, cmd
from tests.simulator.world.software import with_software, with_variant


async def installed(lab: Console, *articles: str, effective: bool = True) -> None:
    record = lab.world.updates.record(lab.nodes[0])
    for update in lab.world.spec.updates:
        if update.kb in articles:
            record.installed[update.update_id] = effective
            record.installed_at[update.update_id] = lab.clock.now()


async def test_hotfixes_are_servicing_packages_in_effect_and_not_the_whole_patch_state() -> None:
    # Get-HotFix is no proof of the patch state: definitions and tools are not packages.
    lab = Console()
    await installed(lab, "KB5099101", "KB2267602", "KB890830")
    await installed(lab, "KB5099204", effective=False)
    found = (await lab.run("HCI01", cmd("Get-HotFix"))).values
    assert [(each.get("HotFixID"), each.get("Description")) for each in found] == [("KB5099101", "Security Update")]
    by_cim = (await lab.run("HCI01", cmd("Get-CimInstance", ClassName="Win32_QuickFixEngineering"))).values
    assert [each.get("HotFixID") for each in by_cim] == ["KB5099101"]


async def test_a_hotfix_that_is_not_there() -> None:
    output = await Console().run("HCI01", cmd("Get-HotFix", Id="KB1"))
    assert output.errors[0].fully_qualified_error_id == (
        "GetHotFixNoEntriesFound,Microsoft.PowerShell.Commands.GetHotFixCommand"
    )


async def test_services_by_cim_and_by_query() -> None:
    lab = Console()
    one = await lab.one("HCI01", cmd("Get-CimInstance", ClassName="Win32_Service", Filter="Name='ClusSvc'"))
    assert (one.get("State"), one.get("StartMode")) == ("Running", "Auto")
    query = cmd("Get-CimInstance", Query="SELECT * FROM Win32_Service WHERE StartMode='Manual'")
    assert {each.get("Name") for each in (await lab.run("HCI01", query)).values} == {
        "TrustedInstaller",
        "wuauserv",
        "BITS",
    }


async def test_the_system() -> None:
    found = await Console().one("HCI01", cmd("Get-CimInstance", ClassName="Win32_ComputerSystem"))
    assert (found.get("Name"), found.get("Domain")) == ("HCI01", "corp.contoso.com")


@pytest.mark.parametrize("delegated", [False, True])
@pytest.mark.parametrize(
    "command",
    [
        cmd("Get-CimInstance", ClassName="Win32_OperatingSystem", ComputerName="HCI02"),
        cmd("Get-HotFix", ComputerName="HCI02"),
        cmd("Restart-Computer", ComputerName="HCI02", Force=None, Protocol="WSMan"),
    ],
)
async def test_another_machine_is_a_second_hop(command, delegated: bool) -> None:
    # PowerShell-Docs, ps-remoting-second-hop: refused unless the session delegates credentials (CredSSP).
    lab = Console()
    lab.session.delegated = delegated
    if delegated:
        assert (await lab.run("HCI01", command)).errors == []
        return
    if command[0] == "Get-HotFix":
        assert "Access is denied" in (await lab.run("HCI01", command)).errors[0].message
    else:
        assert "Access is denied" in (await lab.refusal("HCI01", command)).message
    assert lab.events("node.restart") == []


@pytest.mark.parametrize("open_group", [False, True])
async def test_a_remote_restart_needs_the_rules_for_remote_shutdown(open_group: bool) -> None:
    lab = Console()
    lab.session.delegated = True
    lab.world.firewall.enable_group(lab.nodes[1], "Remote Shutdown", open_group)
    command = cmd("Restart-Computer", ComputerName="HCI02", Force=None)
    if open_group:
        await lab.run("HCI01", command)
    else:
        assert "The RPC server is unavailable" in (await lab.refusal("HCI01", command)).message
    assert [event.node for event in lab.events("node.restart")] == (["HCI02"] if open_group else [])


@pytest.mark.parametrize(("seconds", "comes_back"), [(60, False), (3600, True)])
async def test_waiting_for_another_machine_has_its_limit(seconds: int, comes_back: bool) -> None:
    lab = Console()
    lab.session.delegated = True
    command = cmd("Restart-Computer", ComputerName="HCI02", Force=None, Protocol="WSMan", Wait=None, Timeout=seconds)
    if comes_back:
        boot = lab.nodes[1].boot_time
        await lab.run("HCI01", command)
        assert lab.nodes[1].boot_time > boot
    else:
        record = await lab.refusal("HCI01", command)
        assert record.fully_qualified_error_id.startswith("RestartComputerTimeout,")


@pytest.mark.parametrize("variant", ["", "cau-node-takes-feature-updates-only", "cau-node-has-the-newer-methods"])
async def test_what_the_cau_provider_of_21h2_has_is_open(variant: str) -> None:
    spec = demo_world(2, "21H2")
    lab = Console(with_variant(spec, variant) if variant else spec)
    found = await lab.one("HCI01", cmd("Get-CimClass", Namespace=CAU, ClassName="MSFT_CAUNode"))
    methods = {
        each.get("Name"): [one.get("Name") for one in each.get("Parameters")] for each in found.get("CimClassMethods")
    }
    assert ("FeatureUpdatesOnly" in methods["ScanUpdates"]) is (variant == "cau-node-takes-feature-updates-only")
    assert ("CommitFUpdatesWua" in methods) is (variant == "cau-node-has-the-newer-methods")


async def test_where_the_provider_takes_the_flag_a_scan_finds_feature_updates_only() -> None:
    lab = Console(with_variant(demo_world(2, "21H2"), "cau-node-takes-feature-updates-only"))
    node = lab.nodes[0]
    await lab.take(node, "MSFT_CAUNode", "x")
    found = (await lab.method(node, "x", "ScanUpdates", FeatureUpdatesOnly=True)).get("Info")
    assert [each.get("UpdateTitle") for each in found] == ["Feature update to the version after 21H2"]


@pytest.mark.parametrize(("mode", "result"), [(1, 0x80070005), (2, 0), (6, 0)])
async def test_a_defender_rule_in_block_mode_stops_the_provider(mode: int, result: int) -> None:
    # AzureLocal-Supportability: the rule against processes from WMI makes CAU fail with 0x80070005; audit does not.
    lab = Console(with_software(demo_world(2), SoftwareSpec(registry=((ASR_RULES, ASR_WMI.lower(), mode),))))
    for node, expected in zip(lab.nodes, (result, 0), strict=True):
        await lab.take(node, "MSFT_CAUNode", "x")
        assert (await lab.method(node, "x", "ScanUpdates")).get("ReturnValue") == expected


async def test_the_standalone_installer_refuses_remote_sessions_with_code_five() -> None:
    # win32, using-wua-from-a-remote-computer: wusa.exe ends with 5 by design.
    lab = Console()
    printed: list[bytes] = []
    code = await lab.hosts["HCI01"].run_line(
        lab.session, "wusa.exe C:\\x.msu /quiet /norestart", printed.append, printed.append
    )
    assert (code, printed) == (5, [])


async def test_commands_tell_their_parameters_as_this_windows_has_them() -> None:
    older, newer = Console(os="WS2019"), Console(os="21H2")
    names = [
        set((await lab.one("HCI01", cmd("Get-Command", Name="Invoke-CauScan"))).get("Parameters"))
        for lab in (older, newer)
    ]
    assert names[1] - names[0] >= {"OsRollingUpgrade"}
    found = await newer.run("HCI01", cmd("Get-Command", Name="*-Cau*", ParameterName="OsRollingUpgrade"))
    assert "Invoke-CauScan" in {each.get("Name") for each in found.values}


async def test_an_upgrade_is_a_new_installation_of_the_system() -> None:
    lab = Console(os="20H2")
    node = lab.nodes[0]
    query = cmd("Get-CimInstance", ClassName="Win32_OperatingSystem")
    before = (await lab.one(node, query)).get("InstallDate")
    upgrade = next(update for update in lab.world.spec.updates if update.build)
    lab.world.updates.record(node).installed[upgrade.update_id] = False
    began = lab.clock.now()
    await lab.restart(node)
    after = (await lab.one(node, query)).get("InstallDate")
    assert node.build == upgrade.build
    assert before < began < after  # type: ignore[operator]
    assert (await lab.one("HCI02", query)).get("InstallDate") < began  # type: ignore[operator]
