"""Registry keys and values: the pending restart, policies, and what is not there."""

import pytest

from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd

CBS = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Component Based Servicing\\RebootPending"
WU = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\WindowsUpdate\\Auto Update\\RebootRequired"
AU = "HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows\\WindowsUpdate\\AU"
SESSION_MANAGER = "HKLM:\\SYSTEM\\CurrentControlSet\\Control\\Session Manager"


async def exists(lab: Console, *paths: str) -> list[object]:
    return (await lab.run("HCI01", cmd("Test-Path", LiteralPath=list(paths)))).values


async def test_the_keys_of_a_pending_restart_come_with_an_update_and_go_with_the_restart() -> None:
    lab = Console()
    node = lab.nodes[0]
    assert await exists(lab, CBS, WU) == [False, False]
    cumulative = next(update for update in lab.world.spec.updates if update.kb == "KB5099101")
    lab.world.updates.record(node).downloaded.add(cumulative.update_id)
    operation = lab.world.updates.start(node, "install", [cumulative], "x")
    await lab.wait_for(lambda: operation.over)
    assert await exists(lab, CBS, WU) == [True, True]
    await lab.drain(node)
    await lab.restart(node)
    assert await exists(lab, CBS, WU) == [False, False]


async def test_a_feature_that_waits_for_a_restart_shows_in_servicing_and_not_in_windows_update() -> None:
    lab = Console()
    await lab.run("HCI01", cmd("Uninstall-WindowsFeature", Name="BitLocker"))
    assert await exists(lab, CBS, WU) == [True, False]


async def test_pending_file_renames_are_a_value_of_their_own() -> None:
    lab = Console()
    name = "PendingFileRenameOperations"
    missing = await lab.run("HCI01", cmd("Get-ItemPropertyValue", LiteralPath=SESSION_MANAGER, Name=name))
    assert missing.errors[0].category == "InvalidArgument"
    lab.world.registry.set(lab.nodes[0], SESSION_MANAGER, name, ["\\??\\C:\\Windows\\Temp\\x"])
    found = await lab.one("HCI01", cmd("Get-ItemProperty", LiteralPath=SESSION_MANAGER, Name=name))
    assert found.get(name) == ["\\??\\C:\\Windows\\Temp\\x"]
    assert await exists(lab, CBS) == [False], "a rename by itself is no pending restart"


async def test_values_are_written_into_keys_that_exist_and_journalled_with_what_was_there() -> None:
    lab = Console()
    absent = await lab.run("HCI01", cmd("Set-ItemProperty", LiteralPath=AU, Name="NoAutoUpdate", Value=1))
    assert absent.errors[0].fully_qualified_error_id.startswith("PathNotFound,")
    lab.world.registry.create(lab.nodes[0], AU)
    for value in (1, 0):
        await lab.run("HCI01", cmd("Set-ItemProperty", LiteralPath=AU, Name="NoAutoUpdate", Value=value))
    await lab.run("HCI01", cmd("Remove-ItemProperty", LiteralPath=AU, Name="NoAutoUpdate"))
    changes = [(event.detail["name"], event.detail["before"], event.detail["after"]) for event in lab.events("policy")]
    assert changes == [("NoAutoUpdate", None, 1), ("NoAutoUpdate", 1, 0), ("NoAutoUpdate", 0, None)]


async def test_a_value_is_new_only_once() -> None:
    lab = Console()
    lab.world.registry.create(lab.nodes[0], AU)
    new = cmd("New-ItemProperty", LiteralPath=AU, Name="AUOptions", Value=3, PropertyType="DWord")
    assert (await lab.one("HCI01", new)).get("AUOptions") == 3
    assert (await lab.run("HCI01", new)).errors[0].category == "ResourceExists"
    again = cmd("New-ItemProperty", LiteralPath=AU, Name="AUOptions", Value=4, PropertyType="DWord", Force=None)
    assert (await lab.one("HCI01", again)).get("AUOptions") == 4


@pytest.mark.parametrize(
    "path",
    [
        AU,
        AU.replace("HKLM:", "HKEY_LOCAL_MACHINE").lower(),
        AU.replace("HKLM:", "Registry::HKEY_LOCAL_MACHINE"),
        AU.replace("HKLM:", "Microsoft.PowerShell.Core\\Registry::HKEY_LOCAL_MACHINE"),
    ],
)
async def test_a_key_has_many_notations(path: str) -> None:
    lab = Console()
    lab.world.policies.set(lab.nodes[0], "AUOptions", 3)
    found = await lab.run("HCI01", cmd("Get-ItemPropertyValue", LiteralPath=path, Name="AUOptions"))
    assert found.values == [3]


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("HKLM:\\SOFTWARE", True),
        ("HKLM:\\SOFTWARE\\Nowhere", False),
        ("C:\\Windows", True),
        ("C:\\Nowhere", False),
        ("WSMan:\\localhost\\Service\\Auth\\CredSSP", True),
    ],
)
async def test_paths(path: str, there: bool) -> None:
    assert await exists(Console(), path) == [there]


async def test_the_registry_of_windows_server_2019_has_a_release_id_and_no_display_version() -> None:
    key = "HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
    found = await Console(os="WS2019").one("HCI01", cmd("Get-ItemProperty", LiteralPath=key))
    assert (found.get("ReleaseId"), found.get("DisplayVersion")) == ("1809", None)
