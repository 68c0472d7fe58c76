"""Get-BitLockerVolume, Suspend- and Resume-BitLocker (windows-powershell-docs, BitLocker)."""

from __future__ import annotations

from include.simulator.cmdlets.registry import Call, cmdlet, fail
from include.simulator.objects import SimEnum, SimError, SimObject
from include.simulator.world.bitlocker import Volume

_SPACE = "Microsoft.BitLocker.Structures.BitLocker"
_STATUS = {False: (0, "FullyDecrypted"), True: (1, "FullyEncrypted")}
_PROTECTION = {"Off": 0, "On": 1}
NOT_ENCRYPTED = 0x80310001


@cmdlet("Get-BitLockerVolume")
async def get_bitlocker_volume(call: Call) -> None:
    """Write the volumes that were named, or all."""
    for volume in _found(call):
        call.sink.output(_object(call, volume))


@cmdlet("Suspend-BitLocker")
async def suspend_bitlocker(call: Call) -> None:
    """Keep the key in the clear for a number of restarts: one unless told otherwise, 0 until it is resumed."""
    given = call.parameters.get("RebootCount")
    restarts = given if isinstance(given, int) else 1
    if not 0 <= restarts <= 15:
        raise fail(
            f"Cannot validate argument on parameter 'RebootCount'. The {restarts} argument is not within the range of 0 to 15. "
            "Supply an argument that is within the range and then try the command again.",
            f"ParameterArgumentValidationError,{call.name}",
            "InvalidData",
        )
    for volume in _found(call):
        if not volume.encrypted:
            call.sink.error(_failed(call, "This drive is not encrypted.", NOT_ENCRYPTED, volume.mount_point))
            continue
        call.world.bitlocker.suspend(call.host, volume, restarts)
        call.sink.output(_object(call, volume))


@cmdlet("Resume-BitLocker")
async def resume_bitlocker(call: Call) -> None:
    """Protect volumes again."""
    for volume in _found(call):
        if not volume.encrypted:
            call.sink.error(_failed(call, "This drive is not encrypted.", NOT_ENCRYPTED, volume.mount_point))
            continue
        call.world.bitlocker.resume(call.host, volume)
        call.sink.output(_object(call, volume))


def _found(call: Call) -> list[Volume]:
    volumes = call.world.bitlocker.volumes(call.host)
    piped = [item.source for item in call.input if isinstance(item, SimObject) and isinstance(item.source, Volume)]
    if piped:
        return piped
    asked = call.texts("MountPoint")
    found: list[Volume] = []
    for name in asked:
        hits = [each for each in volumes if each.mount_point.lower() == name.rstrip("\\").lower()]
        if not hits:
            text = f"{name} does not have an associated BitLocker volume."
            call.sink.error(_failed(call, text, 0x80310000, name))
        found += hits
    return found if asked else volumes


def _object(call: Call, volume: Volume) -> SimObject:
    number, status = _STATUS[volume.encrypted]
    protectors: list[object] = [
        SimObject(
            (_SPACE + "VolumeKeyProtector", "System.Object"),
            {
                "KeyProtectorType": SimEnum(_SPACE + "VolumeKeyProtectorType", kind, name),
                "KeyProtectorId": f"{{{str(call.world.guid(f'{call.host.name}/{name}')).upper()}}}",
            },
            to_string=name,
        )
        for kind, name in ((1, "Tpm"), (3, "RecoveryPassword"))
        if volume.encrypted
    ]
    properties: dict[str, object] = {
        "ComputerName": call.host.name,
        "MountPoint": volume.mount_point,
        "EncryptionMethod": SimEnum(
            _SPACE + "VolumeEncryptionMethodOnGet",
            7 if volume.encrypted else 0,
            "XtsAes256" if volume.encrypted else "None",
        ),
        "AutoUnlockEnabled": None,
        "AutoUnlockKeyStored": False,
        "MetadataVersion": 2 if volume.encrypted else 0,
        "VolumeStatus": SimEnum(_SPACE + "VolumeStatus", number, status),
        "ProtectionStatus": SimEnum(_SPACE + "VolumeProtectionStatus", _PROTECTION[volume.status], volume.status),
        "LockStatus": SimEnum(_SPACE + "VolumeLockStatus", 0, "Unlocked"),
        "EncryptionPercentage": 100.0 if volume.encrypted else 0.0,
        "WipePercentage": 0.0,
        "VolumeType": SimEnum(_SPACE + "VolumeType", 0, "OperatingSystem"),
        "CapacityGB": volume.capacity_gib,
        "KeyProtector": protectors,
    }
    return SimObject((_SPACE + "Volume", "System.Object"), properties, to_string=volume.mount_point, source=volume)


def _failed(call: Call, text: str, code: int, target: str) -> SimError:
    return SimError(
        f"{text} (Exception from HRESULT: 0x{code:08X})",
        f"System.Runtime.InteropServices.COMException,{call.name}",
        "NotSpecified",
        (
            "System.Runtime.InteropServices.COMException",
            "System.Runtime.InteropServices.ExternalException",
            "System.SystemException",
            "System.Exception",
        ),
        reason="COMException",
        target=target,
        target_type="String",
        activity=call.name,
        hresult=code - (1 << 32),
    )
