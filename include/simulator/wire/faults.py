"""Faults of WS-Management as the WinRM service writes them.

Numbers and texts: Windows SDK, wsmerror.h, and recorded answers. SOAP subcodes of faults that no recording shows follow the
table of DSP0226 (WS-Management), "Fault Handling".
"""

from __future__ import annotations

from typing import Final
from xml.sax.saxutils import escape

from include.simulator.wire import names, soap

ABORTED: Final = 995
TIMED_OUT: Final = 2150858793
INVALID_SELECTORS: Final = 2150858843
INVALID_HEADER: Final = 2150858767
RESOURCE_NOT_FOUND: Final = 2150858752
ACTION_NOT_SUPPORTED: Final = 2150858771
ACCESS_DENIED: Final = 5
INVALID_PARAMETER: Final = 87
FILE_NOT_FOUND: Final = 2147942402

_CMD_PLUGIN: Final = ("Shell cmd plugin", "%systemroot%\\system32\\winrscmd.dll")


class WsmanFault(Exception):
    """A fault answer: ``code`` is the number in WSManFault, ``message`` the text there when it differs from the reason."""

    def __init__(
        self,
        code: int,
        subcode: str,
        reason: str,
        *,
        message: str | None = None,
        receiver: bool = False,
        detail: str = "",
        provider: tuple[str, str] | None = None,
        action: str = names.FAULT_ACTION,
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.subcode = subcode
        self.reason = reason
        self.message = message or reason
        self.receiver = receiver
        self.detail = detail
        self.provider = provider
        self.action = action

    def encode(self, relates_to: str, machine: str, *, activity_id: bool = True) -> bytes:
        """Return the SOAP envelope of the fault."""
        text = escape(self.message)
        if self.provider:
            name, path = self.provider
            text = f'<f:ProviderFault provider="{name}" path="{path}">{text}</f:ProviderFault>'
        detail = f"<w:FaultDetail>{self.detail}</w:FaultDetail>" if self.detail else ""
        body = (
            f"<s:Fault><s:Code><s:Value>s:{'Receiver' if self.receiver else 'Sender'}</s:Value>"
            f"<s:Subcode><s:Value>{self.subcode}</s:Value></s:Subcode></s:Code>"
            f'<s:Reason><s:Text xml:lang="en-US">{escape(self.reason)}</s:Text></s:Reason>'
            f'<s:Detail>{detail}<f:WSManFault xmlns:f="{names.WSMAN_FAULT}" Code="{self.code}" '
            f'Machine="{escape(machine)}"><f:Message>{text}</f:Message></f:WSManFault></s:Detail></s:Fault>'
        )
        return soap.envelope(self.action, relates_to, body, activity_id=activity_id)


def timed_out() -> WsmanFault:
    """Nothing to report within OperationTimeout; clients ask again."""
    reason = "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  "
    return WsmanFault(TIMED_OUT, "w:TimedOut", reason, receiver=True)


def aborted() -> WsmanFault:
    """The operation was waiting when its shell or command went away."""
    reason = "The I/O operation has been aborted because of either a thread exit or an application request. "
    return WsmanFault(ABORTED, "w:InternalError", reason, receiver=True)


def _invalid_selectors(message: str) -> WsmanFault:
    reason = (
        "The WS-Management service cannot process the request because the request contained invalid selectors for the "
        "resource. "
    )
    return WsmanFault(
        INVALID_SELECTORS,
        "w:InvalidSelectors",
        reason,
        message=message,
        detail=f"{names.FAULT_DETAIL}/UnexpectedSelectors",
    )


def unknown_shell(shell_id: str) -> WsmanFault:
    """No shell has this id (any more)."""
    return _invalid_selectors(
        f"The request for the Windows Remote Shell with ShellId {shell_id} failed because the shell was not found on the "
        "server. Possible causes are: the specified ShellId is incorrect or the shell no longer exists on the server. "
        "Provide the correct ShellId or create a new shell and retry the operation. "
    )


def unknown_command() -> WsmanFault:
    """No command of the shell has this id (any more)."""
    return _invalid_selectors(
        "The Windows Remote Shell received a request to perform an operation on a command identifier that does not "
        "exist. Either the command has completed execution or the client specified an invalid command identifier. "
    )


def invalid_header(operation_timeout: str) -> WsmanFault:
    """The OperationTimeout of the request is not a positive duration."""
    return WsmanFault(
        INVALID_HEADER,
        "a:InvalidMessageInformationHeader",
        "The WS-Management service cannot process the request. The request contains one or more invalid SOAP headers. ",
        message="The WS-Management service cannot process the request. The XML contains an invalid timeout field in the "
        f"SOAP header: {operation_timeout}. ",
        action=names.ADDRESSING_FAULT_ACTION,
    )


def resource_not_found(resource_uri: str) -> WsmanFault:
    """The machine has no such resource, for example no session configuration of this name."""
    reason = (
        "The WS-Management service cannot process the request. The service cannot find the resource identified by the "
        "resource URI and selectors. "
    )
    message = (
        f"The WS-Management service cannot process the request. The resource URI ({resource_uri}) was not found in the "
        "WS-Management catalog. The catalog contains the metadata that describes resources, or logical endpoints. "
    )
    return WsmanFault(RESOURCE_NOT_FOUND, "a:DestinationUnreachable", reason, message=message)


def unsupported(action: str) -> WsmanFault:
    """The service has no such action."""
    reason = f"The action {action} is not supported by the service. "
    return WsmanFault(ACTION_NOT_SUPPORTED, "a:ActionNotSupported", reason, action=names.ADDRESSING_FAULT_ACTION)


def access_denied() -> WsmanFault:
    """The shell belongs to another user."""
    return WsmanFault(ACCESS_DENIED, "w:AccessDenied", "Access is denied. ")


def cmd_needs_command_id() -> WsmanFault:
    """A Receive on a cmd shell names no command."""
    return WsmanFault(
        INVALID_PARAMETER,
        "w:InvalidParameter",
        "The parameter is incorrect. ",
        detail=f"{names.FAULT_DETAIL}/InvalidValue",
        provider=_CMD_PLUGIN,
    )


def program_not_found() -> WsmanFault:
    """A cmd shell is to start a program without cmd.exe, and nothing is at that path."""
    return WsmanFault(
        FILE_NOT_FOUND,
        "w:InternalError",
        "The system cannot find the file specified. ",
        receiver=True,
        provider=_CMD_PLUGIN,
    )


def internal(message: str) -> WsmanFault:
    """The request is well-formed but the provider cannot carry it out."""
    return WsmanFault(2147942487, "w:InternalError", message, receiver=True)
