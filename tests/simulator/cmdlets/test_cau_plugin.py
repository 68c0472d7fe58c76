"""windows-powershell-docs, ClusterAwareUpdating: the cmdlets for plug-ins, Test-CauSetup, and device information."""

import pytest

from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.updating import console, delegated, updated

DLL = "C:\\Contoso\\Contoso.Firmware.dll"


async def names(lab: Console, host: str = "MGMT01", **parameters: object) -> list[str]:
    return [str(each.to_string) for each in (await lab.run(host, cmd("Get-CauPlugin", **parameters))).values]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("os", "rolling"), [("WS2019", False), ("20H2", True), ("21H2", True), ("WS2025", True)])
async def test_what_comes_with_windows(os: str, rolling: bool) -> None:
    found = await names(console(os=os))
    assert {"Microsoft.HotfixPlugin", "Microsoft.WindowsUpdatePlugin"} <= set(found)
    assert ("Microsoft.RollingUpgradePlugin" in found) is rolling


async def test_20h2_has_the_rolling_upgrade_from_kb5003237_on() -> None:
    lab = console(os="20H2")
    lab.world.management_host.ubr = 1700
    assert "Microsoft.RollingUpgradePlugin" not in await names(lab)


async def test_by_name() -> None:
    lab = console()
    assert await names(lab, Name="*hotfix*") == ["Microsoft.HotfixPlugin"]
    output = await lab.run("MGMT01", cmd("Get-CauPlugin", Name="Contoso.Firmware"))
    assert [record.category for record in output.errors] == ["ObjectNotFound"]


async def test_register_use_and_unregister() -> None:
    lab = console(nodes=2)
    lab.world.cau.plugins.put_file(
        lab.world.management_host,
        DLL,
        "Contoso.Firmware",
        "IsInstalled=0 and CategoryIDs contains 'E0789628-CE08-4437-BE74-2495B842F43B'",
    )
    await lab.run("MGMT01", cmd("Register-CauPlugin", Path=DLL))
    assert "Contoso.Firmware" in await names(lab)
    assert "Contoso.Firmware" not in await names(lab, "HCI01"), "every machine has its own"
    run = await updated(lab, CauPluginName=["Contoso.Firmware"])
    assert {each.result.update.kb for each in run.results["HCI01"].succeeded} == {"KB2267602"}
    await lab.run("MGMT01", cmd("Unregister-CauPlugin", Name="Contoso.Firmware"))
    assert "Contoso.Firmware" not in await names(lab)


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (cmd("Register-CauPlugin", Path="C:\\nothing.dll"), "PluginNotRegistered"),
        (cmd("Unregister-CauPlugin", Name="Contoso.Firmware"), "PluginNotUnregistered"),
        (cmd("Unregister-CauPlugin", Name="Microsoft.WindowsUpdatePlugin"), "PluginNotUnregistered"),
    ],
    ids=str,
)
async def test_what_is_refused(command: tuple[str, dict[str, object]], error: str) -> None:
    assert (await console().refusal("MGMT01", command)).fully_qualified_error_id.startswith(error)


@pytest.mark.parametrize(("role", "count"), [(False, 11), (True, 19)])
async def test_test_cau_setup_begins_and_ends_every_rule(role: bool, count: int) -> None:
    lab = delegated(console())
    if role:
        lab.world.cau.roles.add({}, {}, owner=lab.nodes[0])
    started = lab.clock.now()
    *rules, end = (await lab.run("MGMT01", cmd("Test-CauSetup", ClusterName="HCI-CL01"))).values
    assert str(end).startswith("Test-CauSetup completed successfully.")
    told = [(each.get("RuleId"), str(each.get("State")) == "Started") for each in rules]  # type: ignore[attr-defined]
    assert told == [(number, begun) for number in range(1, count + 1) for begun in (True, False)]
    assert rules[-1].get("PercentComplete") == 100  # type: ignore[attr-defined]
    shutdown = rules[17]
    assert "remote shutdown" in shutdown.get("Title")  # type: ignore[attr-defined]
    assert (str(shutdown.get("State")), str(shutdown.get("Severity"))) == ("Failed", "Error")  # type: ignore[attr-defined]
    assert len(shutdown.get("FailedMachines")) == 4  # type: ignore[attr-defined]
    assert {str(each.get("Severity")) for each in rules[:2]} == {"Info"}  # type: ignore[attr-defined]
    assert (lab.clock.now() - started).total_seconds() > 80, "it takes minutes"


@pytest.mark.parametrize(("os", "files"), [("22H2", 0), ("23H2", 2)])
async def test_device_information_needs_the_newer_provider(os: str, files: int) -> None:
    lab = delegated(console(nodes=2, os=os))
    call = cmd("Get-CauDeviceInfoForFeatureUpdates", ClusterName="HCI-CL01", PathToDirectory="C:\\Info")
    output = await lab.run("MGMT01", call)
    assert len(lab.world.cau.files) == files
    assert len(output.errors) == 2 - files
    assert [each for each in output.values if isinstance(each, str)] == [
        f"C:\\Info\\HCI0{n + 1}.xml" for n in range(files)
    ]
