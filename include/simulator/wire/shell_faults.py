"""Faults about the life of a shell: its id, its idle time-out, the client that it is connected to, its signals.

Numbers and texts: Windows SDK, wsmerror.h.
"""

from __future__ import annotations

from typing import Final

from include.simulator.wire import names
from include.simulator.wire.faults import INVALID_PARAMETER, WsmanFault

IDLE_OUT_OF_BOUNDS: Final = 2150859250
SHELL_DISCONNECTED: Final = 2150859204
STREAM_DISCONNECTED: Final = 2150859230
DIFFERENT_CLIENT: Final = 2150859206
CONNECTED_ELSEWHERE: Final = 2150859213
NOT_DISCONNECTABLE: Final = 2150859205
ALREADY_DISCONNECTED: Final = 2150859215
NOT_DISCONNECTED: Final = 2150859216
COMMAND_ID_TAKEN: Final = 2150859222
SHELL_ID_TAKEN: Final = 2150859223


def idle_out_of_bounds(seconds: float, least: float, most: float) -> WsmanFault:
    """IdleTimeOut is outside of what the service allows; the wording is ours, wsmerror.h publishes only the number."""
    return WsmanFault(
        IDLE_OUT_OF_BOUNDS,
        "w:InvalidOptions",
        f"The WS-Management service cannot process the request. The idle time-out of {seconds * 1000:.0f} milliseconds is "
        f"outside the allowed range of {least * 1000:.0f} to {most * 1000:.0f} milliseconds. ",
        detail=f"{names.FAULT_DETAIL}/InvalidValue",
    )


def shell_disconnected() -> WsmanFault:
    """The shell is disconnected, so it takes no requests until somebody connects to it."""
    return WsmanFault(
        SHELL_DISCONNECTED,
        "w:InternalError",
        "The WinRM service cannot process the request because the WinRS shell instance is currently disconnected. ",
        receiver=True,
    )


def stream_disconnected() -> WsmanFault:
    """A Receive was waiting when the shell was disconnected."""
    return WsmanFault(
        STREAM_DISCONNECTED,
        "w:InternalError",
        "The WS-Management service cannot process the request because the stream is currently disconnected. ",
        receiver=True,
    )


def different_client() -> WsmanFault:
    """The request carries another SessionId than the client that the shell is connected to."""
    return WsmanFault(
        DIFFERENT_CLIENT,
        "w:InternalError",
        "The WinRM service cannot process the request because the WinRS shell instance is connected to a different "
        "client. ",
        receiver=True,
    )


def connected_elsewhere() -> WsmanFault:
    """A Connect asks for a shell whose client has not disconnected from it."""
    return WsmanFault(
        CONNECTED_ELSEWHERE,
        "w:InternalError",
        "The WinRM service cannot process the request. The WinRS shell instance is currently connected to a different "
        "client. ",
        receiver=True,
    )


def not_disconnectable() -> WsmanFault:
    """Only PowerShell sessions can be disconnected."""
    return WsmanFault(
        NOT_DISCONNECTABLE,
        "w:InternalError",
        "The WinRM service cannot process the request. This WinRS shell instance does not support disconnect and reconnect "
        "operations because it was created by an older WinRS client or its provider does not support the disconnect "
        "operation. ",
        receiver=True,
    )


def already_disconnected() -> WsmanFault:
    """A Disconnect of a shell that is disconnected."""
    return WsmanFault(
        ALREADY_DISCONNECTED,
        "w:InternalError",
        "The WinRM client cannot process the request. A disconnect operation cannot be performed on a WinRS shell instance "
        "that is already disconnected. ",
        receiver=True,
    )


def not_disconnected() -> WsmanFault:
    """A Reconnect of a shell that is connected."""
    return WsmanFault(
        NOT_DISCONNECTED,
        "w:InternalError",
        "The WinRM client cannot process the request. A reconnect operation cannot be performed on a WinRS shell instance "
        "that is currently connected. ",
        receiver=True,
    )


def shell_id_taken() -> WsmanFault:
    """The ShellId that the client chose belongs to an open shell."""
    return WsmanFault(
        SHELL_ID_TAKEN,
        "w:AlreadyExists",
        "The WinRM service cannot process the request. A resource already exists with the shell ID specified by the client. ",
    )


def command_id_taken() -> WsmanFault:
    """The CommandId that the client chose belongs to a command that was not terminated."""
    return WsmanFault(
        COMMAND_ID_TAKEN,
        "w:AlreadyExists",
        "The WinRM service cannot process the request. A command already exists with the command ID specified by the "
        "client. ",
    )


def unknown_signal() -> WsmanFault:
    """The code of a Signal is none of those that MS-WSMV 2.2.4.38 lists."""
    return WsmanFault(INVALID_PARAMETER, "w:InvalidParameter", "The parameter is incorrect. ")
