"""What a pipeline says beside its output, read into records."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, cast

from pypsrp.powershell import PowerShell

from include.hci.powershell.decoder import Received
from include.hci.powershell.psobject import Answer, EnumValue, PSObject
from include.hci.powershell.records import ErrorRecord, Message, ProgressRecord, Stream

#: Names of System.Management.Automation.ErrorCategory by number.
CATEGORIES: Final = (
    "NotSpecified",
    "OpenError",
    "CloseError",
    "DeviceError",
    "DeadlockDetected",
    "InvalidArgument",
    "InvalidData",
    "InvalidOperation",
    "InvalidResult",
    "InvalidType",
    "MetadataError",
    "NotImplemented",
    "NotInstalled",
    "ObjectNotFound",
    "OperationStopped",
    "OperationTimeout",
    "SyntaxError",
    "ParserError",
    "PermissionDenied",
    "ResourceBusy",
    "ResourceExists",
    "ResourceUnavailable",
    "ReadError",
    "WriteError",
    "FromStdErr",
    "SecurityError",
    "ProtocolError",
    "ConnectionError",
    "AuthenticationError",
    "LimitsExceeded",
    "QuotaExceeded",
    "NotEnabled",
)

_LEVELS: Final = {
    Stream.WARNING: logging.WARNING,
    Stream.INFORMATION: logging.INFO,
    Stream.VERBOSE: logging.DEBUG,
    Stream.DEBUG: logging.DEBUG,
}


def error_record(read: PSObject) -> ErrorRecord:
    """Return an error record as the node sent it (MS-PSRP 2.2.3.15)."""
    exception = read.get("Exception")
    nested = tuple(_exceptions(exception))
    outer = nested[0] if nested else None
    category = read.integer("ErrorCategory_Category", 0)
    details = read.string("ErrorDetails_Message", "")
    said = outer.string("Message", "") if outer else (exception if isinstance(exception, str) else "")
    message = said or details or read.text or read.string("ErrorCategory_Message", "") or "no message"
    return ErrorRecord(
        message=message,
        fully_qualified_error_id=read.string("FullyQualifiedErrorId", ""),
        category=CATEGORIES[category] if 0 <= category < len(CATEGORIES) else str(category),
        reason=read.string("ErrorCategory_Reason", ""),
        target=read.string("ErrorCategory_TargetName", ""),
        target_type=read.string("ErrorCategory_TargetType", ""),
        exception_types=outer.types if outer else (),
        hresult=_hresult(nested),
        native_code=_native_code(nested),
        command=read.string("ErrorCategory_Activity", "") or read.string("CommandInfo_Name", ""),
        details=details if details != message else "",
        recommended_action=read.string("ErrorDetails_RecommendedAction", ""),
    )


def _exceptions(value: Answer) -> Iterator[PSObject]:
    while isinstance(value, PSObject):
        yield value
        value = value.get("InnerException")


def _hresult(nested: tuple[PSObject, ...]) -> int | None:
    # A CimException carries WMI's code as StatusCode; of HResults the 0x8013xxxx of .NET's own base classes say nothing.
    found = [
        number & 0xFFFFFFFF
        for exception in nested
        for name in ("StatusCode", "HResult", "ErrorCode")
        if isinstance(number := exception.get(name), int) and not isinstance(number, bool) and number
    ]
    return next((number for number in found if number >> 16 != 0x8013), found[0] if found else None)


def _native_code(nested: tuple[PSObject, ...]) -> int | None:
    for exception in nested:
        # CimException has a NativeErrorCode too, but that is an enumeration of its own and no Win32 code.
        number = exception.get("NativeErrorCode")
        if isinstance(number, int) and not isinstance(number, bool | EnumValue) and number:
            return number & 0xFFFFFFFF
    return None


def progress_record(read: PSObject) -> ProgressRecord:
    """Return a progress record as the node sent it (MS-PSRP 2.2.2.25); -1 is Windows's way to say that it does not know."""
    percent = read.integer("PercentComplete", -1)
    seconds = read.integer("SecondsRemaining", -1)
    kind = read.enum("Type", None)
    return ProgressRecord(
        activity=read.string("Activity", ""),
        status=read.string("StatusDescription", ""),
        percent=percent if percent >= 0 else None,
        operation=read.string("CurrentOperation", ""),
        seconds_remaining=seconds if seconds >= 0 else None,
        activity_id=read.integer("ActivityId", 0),
        completed=kind is not None and kind.matches("Completed", 1),
    )


def message_of(read: PSObject, stream: Stream) -> Message:
    """Return a warning, verbose, debug or information record as the node sent it (MS-PSRP 2.2.2.22 to 2.2.2.26)."""
    if stream is Stream.INFORMATION:
        return Message(stream, str(read.get("MessageData") or ""), read.string("Source", ""), read.strings("Tags", ()))
    text = read.string("InformationalRecord_Message", "") or read.text or ""
    return Message(stream, text.rstrip(), read.string("CommandInfo_Name", ""))


@dataclass(slots=True)
class StreamReader:
    """Takes from a running pipeline what is new on its streams, and logs it."""

    node: str
    command: str
    logger: logging.Logger
    errors: list[ErrorRecord] = field(default_factory=list)
    progress: list[ProgressRecord] = field(default_factory=list)
    said: str = ""
    messages: dict[Stream, list[Message]] = field(default_factory=lambda: {stream: [] for stream in Stream})

    def take(self, shell: PowerShell) -> list[ProgressRecord]:
        """Read everything that arrived since the last time and return what is new of the progress."""
        for record in _received(shell, "error")[len(self.errors) :]:
            self.errors.append(error_record(record.value))
        for stream in Stream:
            known = self.messages[stream]
            for record in _received(shell, stream.value)[len(known) :]:
                message = message_of(record.value, stream)
                known.append(message)
                self.logger.log(_LEVELS[stream], "%s: %s: %s", self.node, message.command or self.command, message.text)
        fresh = [progress_record(record.value) for record in _received(shell, "progress")[len(self.progress) :]]
        self.progress += fresh
        for progress in fresh:
            self._log_progress(progress)
        return fresh

    def _log_progress(self, progress: ProgressRecord) -> None:
        # The end of an activity says nothing new, and a command may repeat itself many times a second.
        text = progress.describe()
        level = logging.DEBUG if progress.completed or text == self.said else logging.INFO
        self.said = text
        self.logger.log(level, "%s: %s", self.node, text)


def _received(shell: PowerShell, name: str) -> list[Received]:
    return cast("list[Received]", getattr(shell.streams, name))
