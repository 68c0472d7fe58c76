"""The records of PowerShell's streams as objects ready for the wire (MS-PSRP 2.2.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psrpcore.types import ErrorCategory

from include.simulator.host import CommandCall
from include.simulator.objects import Int64, SimEnum, SimError, SimObject, UInt32
from include.simulator.wire.clixml import Typed

_MSCORLIB: Final = "mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089"
_AUTOMATION: Final = "System.Management.Automation"
_OBJECT_LIST: Final = (f"System.Collections.Generic.List`1[[System.Object, {_MSCORLIB}]]", "System.Object")
_STRING_LIST: Final = (f"System.Collections.Generic.List`1[[System.String, {_MSCORLIB}]]", "System.Object")
_INTEGER_ARRAY: Final = ("System.Int32[]", "System.Array", "System.Object")
_DICTIONARY: Final = (
    f"System.Collections.Generic.Dictionary`2[[System.String, {_MSCORLIB}],[System.Object, {_MSCORLIB}]]"
)
_READ_ONLY: Final = (
    f"System.Collections.ObjectModel.ReadOnlyCollection`1[[System.Int32, {_MSCORLIB}]]",
    "System.Object",
)
_PROGRESS_TYPE: Final = f"{_AUTOMATION}.ProgressRecordType"
#: What an InvalidOperationException has of its own, whatever is inside it (COR_E_INVALIDOPERATION).
_INVALID_OPERATION: Final = -2146233079
_LONG_NAME: Final = 40
_KEPT_ENDS: Final = 15
#: The flags of RemoteStreamOptions that ask for the invocation info of each kind of record.
_DETAIL_FLAGS: Final = {"ErrorRecord": 1, "WarningRecord": 2, "DebugRecord": 4, "VerboseRecord": 8}


@dataclass(frozen=True, slots=True)
class Invocation:
    """The command that a record speaks of; ``stream_options`` are the RemoteStreamOptions of the client."""

    call: CommandCall | None
    pipeline_length: int = 1
    stream_options: int = 15

    def details(self, kind: str) -> bool:
        """Whether the client wants to know the command behind records of this class."""
        return bool(self.stream_options & _DETAIL_FLAGS[kind])

    @property
    def name(self) -> str:
        """The command's name; scripts have none."""
        return self.call.name if self.call and not self.call.is_script else ""

    @property
    def definition(self) -> str:
        """What Windows prints as the definition of the command."""
        return self.call.name if self.call else ""

    @property
    def command_type(self) -> SimEnum:
        """Cmdlet or Script."""
        script = self.call is not None and self.call.is_script
        return SimEnum(f"{_AUTOMATION}.CommandTypes", 64 if script else 8, "Script" if script else "Cmdlet")


def _origin(internal: bool) -> SimEnum:
    return SimEnum(f"{_AUTOMATION}.CommandOrigin", int(internal), "Internal" if internal else "Runspace")


def _details(invocation: Invocation, bound: Typed, unbound: Typed, *, internal: bool) -> dict[str, object]:
    """Return the flattened invocation info and command info that follow a detailed record."""
    position = 0 if internal else 1
    return {
        "InvocationInfo_BoundParameters": bound,
        "InvocationInfo_CommandOrigin": _origin(internal),
        "InvocationInfo_ExpectingInput": False,
        "InvocationInfo_InvocationName": invocation.name,
        "InvocationInfo_Line": "",
        "InvocationInfo_OffsetInLine": 0,
        "InvocationInfo_HistoryId": Int64(1),
        "InvocationInfo_PipelineIterationInfo": Typed(_INTEGER_ARRAY, () if internal else (0, 0)),
        "InvocationInfo_PipelineLength": position * invocation.pipeline_length,
        "InvocationInfo_PipelinePosition": position,
        "InvocationInfo_PSScriptRoot": "",
        "InvocationInfo_PSCommandPath": None,
        "InvocationInfo_PositionMessage": "",
        "InvocationInfo_ScriptLineNumber": 0,
        "InvocationInfo_ScriptName": "",
        "InvocationInfo_UnboundArguments": unbound,
        "SerializeExtent": False,
        "CommandInfo_CommandType": invocation.command_type,
        "CommandInfo_Definition": invocation.definition,
        "CommandInfo_Name": invocation.name,
        "CommandInfo_Visibility": SimEnum(f"{_AUTOMATION}.SessionStateEntryVisibility", 0, "Public"),
    }


def informational(kind: str, message: str, invocation: Invocation) -> SimObject:
    """Return a WarningRecord, VerboseRecord or DebugRecord; ``kind`` is the class name."""
    notes: dict[str, object] = {
        "InformationalRecord_Message": message,
        "InformationalRecord_SerializeInvocationInfo": invocation.details(kind),
    }
    if invocation.details(kind):
        bound = Typed((f"{_AUTOMATION}.PSBoundParametersDictionary", _DICTIONARY, "System.Object"), {})
        notes |= _details(invocation, bound, Typed(_OBJECT_LIST, ()), internal=False)
        notes["InformationalRecord_PipelineIterationInfo"] = Typed(_READ_ONLY, (0, 0))
    names = (f"{_AUTOMATION}.{kind}", f"{_AUTOMATION}.InformationalRecord", "System.Object")
    return SimObject(names, {}, notes, to_string=message)


def exception(error: SimError) -> SimObject:
    """Return the exception inside an error record."""
    names = list(error.exception_types)
    names += [name for name in ("System.Exception", "System.Object") if name not in names]
    base: dict[str, object] = {
        "Message": error.message,
        "Data": Typed(("System.Collections.ListDictionaryInternal", "System.Object"), {}),
        "InnerException": None,
        "TargetSite": None,
        "StackTrace": None,
        "HelpLink": None,
        "Source": None,
        "HResult": _INVALID_OPERATION if error.code_inside else error.hresult,
    }
    own = {name: value for name, value in error.properties.items() if name not in base}
    if error.native_error_code is not None and not error.code_inside:
        own["NativeErrorCode"] = error.native_error_code
    properties = own | base | {name: value for name, value in error.properties.items() if name in base}
    return SimObject(tuple(names), properties, to_string=f"{names[0]}: {error.message}")


def _shorten(text: str) -> str:
    """Cut long names in the middle as the category message of Windows does."""
    return text if len(text) < _LONG_NAME else f"{text[:_KEPT_ENDS]}...{text[-_KEPT_ENDS:]}"


def error_record(error: SimError, invocation: Invocation, *, terminating: bool) -> SimObject:
    """Return an ErrorRecord, either written to the error stream or as the reason of a failed pipeline.

    An error without an activity arose before a command ran, so it has no invocation info.
    """
    category = ErrorCategory[error.category]
    reason = error.reason or error.exception_types[0].rsplit(".", 1)[-1]
    target, target_type = error.target or "", error.target_type or ("String" if error.target else "")
    bound, unbound = Typed((_DICTIONARY, "System.Object"), {}), Typed(_OBJECT_LIST, ())
    detailed = invocation.details("ErrorRecord") and not terminating
    notes: dict[str, object] = {} if terminating else {"writeErrorStream": True}
    notes |= {
        "Exception": exception(error),
        "TargetObject": error.target,
        "FullyQualifiedErrorId": error.fully_qualified_error_id,
        "InvocationInfo": _invocation_info(invocation, bound, unbound) if invocation.call and error.activity else None,
        "ErrorCategory_Category": int(category),
        "ErrorCategory_Activity": error.activity,
        "ErrorCategory_Reason": reason,
        "ErrorCategory_TargetName": target,
        "ErrorCategory_TargetType": target_type,
        "ErrorCategory_Message": (
            f"{error.category}: ({_shorten(target)}:{_shorten(target_type)}) [{_shorten(error.activity)}], {reason}"
        ),
        "SerializeExtendedInfo": detailed,
    }
    if detailed:
        notes |= _details(invocation, bound, unbound, internal=True)
        notes["PipelineIterationInfo"] = Typed(_READ_ONLY, (0, 0))
    if invocation.call and invocation.call.is_script and error.activity:
        notes["ErrorDetails_ScriptStackTrace"] = "at <ScriptBlock>, <No file>: line 1"
    if detailed:
        notes["PSMessageDetails"] = None
    return SimObject((f"{_AUTOMATION}.ErrorRecord", "System.Object"), {}, notes, to_string=error.message)


def _invocation_info(invocation: Invocation, bound: Typed, unbound: Typed) -> SimObject:
    properties: dict[str, object] = {
        "MyCommand": invocation.definition,
        "BoundParameters": bound,
        "UnboundArguments": unbound,
        "ScriptLineNumber": 0,
        "OffsetInLine": 0,
        "HistoryId": Int64(1),
        "ScriptName": "",
        "Line": "",
        "PositionMessage": "",
        "PSScriptRoot": "",
        "PSCommandPath": None,
        "InvocationName": invocation.name,
        "PipelineLength": 0,
        "PipelinePosition": 0,
        "ExpectingInput": False,
        "CommandOrigin": "Internal",
        "DisplayScriptPosition": None,
    }
    name = f"{_AUTOMATION}.InvocationInfo"
    return SimObject((name, "System.Object"), properties, to_string=name)


def stopped() -> SimError:
    """The reason of a pipeline that the client stopped."""
    return SimError(
        "The pipeline has been stopped.",
        "PipelineStopped",
        category="OperationStopped",
        exception_types=(
            f"{_AUTOMATION}.PipelineStoppedException",
            f"{_AUTOMATION}.RuntimeException",
            "System.SystemException",
        ),
    )


def progress(
    activity: str,
    status: str,
    percent: int = -1,
    *,
    activity_id: int = 0,
    current_operation: str | None = None,
    seconds_remaining: int = -1,
    completed: bool = False,
) -> SimObject:
    """Return a progress record."""
    return SimObject(
        (),
        {},
        {
            "Activity": activity,
            "ActivityId": activity_id,
            "StatusDescription": status,
            "CurrentOperation": current_operation,
            "ParentActivityId": -1,
            "PercentComplete": percent,
            "Type": SimEnum(_PROGRESS_TYPE, int(completed), "Completed" if completed else "Processing"),
            "SecondsRemaining": seconds_remaining,
        },
    )


def information(message: str, source: str, *, when: datetime, user: str, computer: str, process_id: int) -> SimObject:
    """Return an information record."""
    return SimObject(
        (),
        {},
        {
            "MessageData": message,
            "Source": source,
            "TimeGenerated": when,
            "Tags": Typed(_STRING_LIST, ()),
            "User": user,
            "Computer": computer,
            "ProcessId": UInt32(process_id),
            "NativeThreadId": UInt32(368),
            "ManagedThreadId": UInt32(10),
        },
    )


def pipeline_state(state: int, reason: SimObject | None = None) -> SimObject:
    """Return the message that tells a client how its pipeline stands."""
    notes: dict[str, object] = {"PipelineState": state}
    if reason is not None:
        notes["ExceptionAsErrorRecord"] = reason
    return SimObject((), {}, notes)
