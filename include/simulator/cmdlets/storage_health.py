"""The Storage cmdlets about the Health Service and drive firmware (windowsserverdocs, health-service-faults, update-firmware)."""

from __future__ import annotations

from datetime import timedelta

from include.simulator.cmdlets import storage_objects as shape
from include.simulator.cmdlets.binder_errors import command_not_found
from include.simulator.cmdlets.cim_objects import instance, query_not_found, storage_error
from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.cmdlets.storage import objects, viewer
from include.simulator.objects import SimObject, UInt16
from include.simulator.world.health import faults
from include.simulator.world.storage import PhysicalDisk

#: How long a drive does no I/O while new firmware becomes active: 5 to 30 s.
_ACTIVATION = timedelta(seconds=15)
_NO_IMAGE = 46004


@cmdlet("Debug-Volume")
async def debug_volume(call: Call) -> None:
    """Write the faults of volumes; nothing means that there is none."""
    host = viewer(call)
    labels = call.texts("FileSystemLabel") + [str(item.get("FileSystemLabel")) for item in objects(call)]
    if host:
        for fault in faults(call.world):
            if fault.object_type.rsplit(".", 1)[-1] in ("Volume", "VirtualDisk") and any(
                matching(label, [fault.object_name]) for label in labels
            ):
                call.sink.output(shape.diagnose_result(call.world, host, fault))


@cmdlet("Get-HealthFault")
async def get_health_fault(call: Call) -> None:
    """Write the faults as field scripts expect; no document has the cmdlet, so it is there with the variant only."""
    if not call.world.variant("get-health-fault-exists"):
        raise command_not_found(call.name)
    host = viewer(call)
    if host:
        for fault in faults(call.world):
            call.sink.output(shape.diagnose_result(call.world, host, fault))


@cmdlet("Get-StorageHealthSetting")
async def get_storage_health_setting(call: Call) -> None:
    """Write the settings of the Health Service, or those that were named."""
    name = call.text("Name")
    for key, value in sorted(call.world.storage.settings.items()):
        if name is None or matching(name, [key]):
            raw: dict[str, object] = {"Name": key, "Value": value}
            call.sink.output(
                instance(shape.NAMESPACE, ("MSFT_StorageHealthSetting",), raw, host=call.host.name, to_string=key)
            )


@cmdlet("Set-StorageHealthSetting")
async def set_storage_health_setting(call: Call) -> None:
    """Change a setting of the Health Service, such as the supported components document or the firmware roll-out."""
    call.world.storage.settings[call.text("Name") or ""] = call.text("Value") or ""


@cmdlet("Remove-StorageHealthSetting")
async def remove_storage_health_setting(call: Call) -> None:
    """Take a setting of the Health Service away."""
    for name in call.texts("Name"):
        if call.world.storage.settings.pop(name, None) is None:
            call.sink.error(query_not_found(call, "MSFT_StorageHealthSetting", "Name", name))


@cmdlet("Get-StorageFirmwareInformation")
async def get_storage_firmware_information(call: Call) -> None:
    """Write which firmware the drives have and whether it can be updated."""
    for drive in _drives(call):
        raw: dict[str, object] = {
            "ActiveSlotNumber": UInt16(0),
            "FirmwareVersionInSlot": [drive.firmware],
            "IsSlotWritable": [True],
            "NumberOfSlots": UInt16(1),
            "SlotNumber": [UInt16(0)],
            "SupportsUpdate": True,
        }
        call.sink.output(
            instance(
                shape.NAMESPACE,
                ("MSFT_StorageFirmwareInformation",),
                raw,
                host=call.host.name,
                to_string=drive.serial_number,
            )
        )


@cmdlet("Update-StorageFirmware")
async def update_storage_firmware(call: Call) -> None:
    """Load an image onto drives and make it active; the version is the image's name without its ending."""
    image = (call.text("ImagePath") or "").replace("/", "\\").rpartition("\\")[2]
    if "." not in image:
        raise storage_error(call, f"The firmware image '{call.text('ImagePath')}' could not be read.", _NO_IMAGE)
    for drive in _drives(call):
        await call.clock.sleep(_ACTIVATION)
        call.world.advance()
        before, drive.firmware = drive.firmware, image.rpartition(".")[0]
        detail = {"serial_number": drive.serial_number, "before": before, "after": drive.firmware}
        call.world.emit("firmware", drive.node, {"node": drive.node.name, **detail})


@cmdlet("Update-StorageProviderCache")
async def update_storage_provider_cache(call: Call) -> None:
    """Look for drives anew; the world keeps no cache that could be behind."""
    if call.has("PassThru"):
        for item in objects(call):
            call.sink.output(item)


def _drives(call: Call) -> list[PhysicalDisk]:
    drives = [item.source for item in objects(call) if isinstance(item.source, PhysicalDisk)]
    host = viewer(call)
    every = (
        [(drive, shape.physical_disk(call.world, host, drive)) for drive in call.world.storage.physical_disks]
        if host
        else []
    )
    for parameter in ("FriendlyName", "UniqueId"):
        for name in call.texts(parameter):
            found = [drive for drive, item in every if matching(name, [str(_text(item, parameter))])]
            if not found:
                call.sink.error(query_not_found(call, "MSFT_PhysicalDisk", parameter, name))
            drives += found
    return drives


def _text(item: SimObject, name: str) -> object:
    return item.properties[name]
