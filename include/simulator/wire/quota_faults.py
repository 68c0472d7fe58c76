"""Faults for limits that are used up: shells, commands, operations, users, the size of an envelope.

Numbers and texts: Windows SDK, wsmerror.h.
"""

from __future__ import annotations

from typing import Final

from include.simulator.wire import names
from include.simulator.wire.faults import WsmanFault

QUOTA_SHELLS: Final = 2150859173
QUOTA_OPERATIONS: Final = 2150859174
QUOTA_COMMANDS: Final = 2150859241
QUOTA_USERS: Final = 2150859179
ENVELOPE_TOO_SMALL: Final = 2150858878
ENVELOPE_EXCEEDED: Final = 2150858824


def too_many_users() -> WsmanFault:
    """MaxConcurrentUsers is used up."""
    return WsmanFault(
        QUOTA_USERS,
        "w:QuotaLimit",
        "The WS-Management service cannot process the request. The maximum number of users executing shell operations has "
        "been exceeded. Retry after some time or raise the quota for concurrent shell users. ",
    )


def envelope_too_small() -> WsmanFault:
    """The MaxEnvelopeSize that the client allows is below the smallest of the service, 8192 bytes (DSP0226, R13.1-2)."""
    return WsmanFault(
        ENVELOPE_TOO_SMALL,
        "w:EncodingLimit",
        "The WS-Management service cannot process the request because the envelope size in the request is too small. ",
        detail=f"{names.FAULT_DETAIL}/MinimumEnvelopeLimit",
    )


def envelope_exceeded() -> WsmanFault:
    """The answer has one piece that is larger than the MaxEnvelopeSize of the client."""
    return WsmanFault(
        ENVELOPE_EXCEEDED,
        "w:EncodingLimit",
        "The response that the WS-Management service computed exceeds the maximum envelope size in the request. ",
        detail=f"{names.FAULT_DETAIL}/ServiceEnvelopeLimit",
    )


def too_many_shells(limit: int) -> WsmanFault:
    """MaxShellsPerUser is used up."""
    return WsmanFault(
        QUOTA_SHELLS,
        "w:QuotaLimit",
        "The WS-Management service cannot process the request. This user is allowed a maximum number of "
        f"{limit} concurrent shells, which has been exceeded. Close existing shells or raise the quota for this user. ",
    )


def too_many_operations(limit: int) -> WsmanFault:
    """MaxConcurrentOperationsPerUser is used up."""
    return WsmanFault(
        QUOTA_OPERATIONS,
        "w:QuotaLimit",
        "The WS-Management service cannot process the request. This user is allowed a maximum number of "
        f"{limit} concurrent operations, which has been exceeded. Close existing operations for this user, or raise the "
        "quota for this user. ",
    )


def too_many_commands() -> WsmanFault:
    """MaxConcurrentCommandsPerShell is used up; commands count until the client terminates them."""
    return WsmanFault(
        QUOTA_COMMANDS,
        "w:InternalError",
        "The WS-Management service cannot process the request. The maximum number of concurrent commands per shell has "
        "been exceeded. Retry the request later or raise the Maximum Commands per Shell quota. ",
        receiver=True,
    )
