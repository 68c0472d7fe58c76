"""Records of one stream that a client merged into the output, as Windows writes them there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from include.simulator.objects import SimObject

_AUTOMATION: Final = "System.Management.Automation"


def informational(stream: str, message: str) -> SimObject:
    """Return a warning, verbose or debug record inside the output; it never carries invocation info there."""
    kind = stream.capitalize()
    return SimObject(
        (f"{_AUTOMATION}.{kind}Record", f"{_AUTOMATION}.InformationalRecord", "System.Object"),
        {},
        {
            f"Write{kind}Stream": True,
            "InformationalRecord_Message": message,
            "InformationalRecord_SerializeInvocationInfo": False,
        },
        to_string=message,
    )


def information(record: SimObject) -> SimObject:
    """Return an information record inside the output: its notes become properties there."""
    members: Mapping[str, object] = record.notes
    return SimObject(
        (f"{_AUTOMATION}.InformationRecord", "System.Object"),
        dict(members),
        {"WriteInformationStream": True},
        to_string=str(members["MessageData"]),
    )
