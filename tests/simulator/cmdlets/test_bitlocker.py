"""BitLocker around restarts (windows-powershell-docs, Suspend-BitLocker)."""

from datetime import timedelta

import pytest

from include.simulator.world.software import SoftwareSpec
from include.simulator.world.spec import demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.software import with_software


def protected() -> Console:
    return Console(with_software(demo_world(2), SoftwareSpec(bitlocker=True)))


async def protection(lab: Console) -> str:
    return str((await lab.one("HCI01", cmd("Get-BitLockerVolume", MountPoint="C:"))).get("ProtectionStatus"))


async def restart(lab: Console) -> None:
    node = lab.nodes[0]
    before = node.restarts
    lab.world.power.restart(node, "console")
    await lab.wait_for(lambda: node.restarts > before and node.member)


async def test_a_volume_is_protected_only_where_it_is_encrypted() -> None:
    plain = await Console().one("HCI01", cmd("Get-BitLockerVolume"))
    assert (str(plain.get("VolumeStatus")), str(plain.get("ProtectionStatus"))) == ("FullyDecrypted", "Off")
    assert await protection(protected()) == "On"


@pytest.mark.parametrize(
    ("arguments", "after"),
    [({}, ["On", "On"]), ({"RebootCount": 2}, ["Off", "On"]), ({"RebootCount": 0}, ["Off", "Off"])],
)
async def test_protection_comes_back_after_as_many_restarts_as_were_asked_for(
    arguments: dict[str, object], after: list[str]
) -> None:
    lab = protected()
    await lab.run("HCI01", ("Suspend-BitLocker", {"MountPoint": "C:", **arguments}))
    assert await protection(lab) == "Off"
    seen = []
    for _ in after:
        await restart(lab)
        seen.append(await protection(lab))
    assert seen == after


async def test_a_firmware_change_under_protection_stops_the_server_at_recovery() -> None:
    lab = protected()
    node = lab.nodes[0]
    lab.world.bitlocker.firmware_changed(node)
    lab.world.power.restart(node, "console")
    await lab.wait_for(lambda: bool(lab.events("bitlocker", status="RecoveryRequired")))
    lab.world.after(timedelta(hours=2), lambda: None)
    await lab.wait(timedelta(hours=2))
    assert not node.up
    lab.world.bitlocker.enter_recovery_key(node)
    await lab.wait_for(lambda: node.up and node.member)


async def test_suspended_protection_lets_the_new_firmware_in() -> None:
    lab = protected()
    await lab.run("HCI01", cmd("Suspend-BitLocker", MountPoint="C:"))
    lab.world.bitlocker.firmware_changed(lab.nodes[0])
    await restart(lab)
    assert await protection(lab) == "On"
    await restart(lab)


async def test_resume_protects_at_once_and_the_changes_are_journalled() -> None:
    lab = protected()
    await lab.run("HCI01", cmd("Suspend-BitLocker", MountPoint="C:", RebootCount=0))
    await lab.run("HCI01", cmd("Get-BitLockerVolume"), cmd("Resume-BitLocker"))
    assert [event.detail for event in lab.events("bitlocker")] == [
        {"node": "HCI01", "volume": "C:", "status": "Off"},
        {"node": "HCI01", "volume": "C:", "status": "On"},
    ]


async def test_what_cannot_be_suspended() -> None:
    lab = protected()
    record = await lab.refusal("HCI01", cmd("Suspend-BitLocker", MountPoint="C:", RebootCount=16))
    assert record.category == "InvalidData"
    assert (await lab.run("HCI01", cmd("Suspend-BitLocker", MountPoint="X:"))).errors
    assert "not encrypted" in (await lab.run("HCI02", cmd("Suspend-BitLocker", MountPoint="C:"))).errors[0].message


async def test_a_machine_without_the_feature_lacks_the_cmdlets() -> None:
    record = await Console().refusal("MGMT01", cmd("Get-BitLockerVolume"))
    assert record.fully_qualified_error_id == "CommandNotFoundException"
