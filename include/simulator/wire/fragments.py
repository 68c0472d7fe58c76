"""Messages and fragments of the PowerShell remoting protocol (MS-PSRP 2.2.1 and 2.2.4)."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Iterator
from typing import Final

#: Windows puts exactly one fragment of at most this size into one rsp:Stream.
MAX_FRAGMENT_BYTES: Final = 32768

_HEADER = struct.Struct(">QQBI")
_TO_CLIENT: Final = 1
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_NO_ID = uuid.UUID(int=0)


def message(message_type: int, text: bytes, pool_id: uuid.UUID, pipeline_id: uuid.UUID | None) -> bytes:
    """Return a message to the client; Windows writes a byte order mark in front of the XML."""
    head = struct.pack("<II", _TO_CLIENT, message_type)
    return head + pool_id.bytes_le + (pipeline_id or _NO_ID).bytes_le + _BYTE_ORDER_MARK + text


def fragments(object_id: int, data: bytes) -> Iterator[bytes]:
    """Cut a message into fragments."""
    size = MAX_FRAGMENT_BYTES - _HEADER.size
    for number, start in enumerate(range(0, len(data), size)):
        piece = data[start : start + size]
        flags = (number == 0) | (start + size >= len(data)) << 1
        yield _HEADER.pack(object_id, number, flags, len(piece)) + piece


def pipeline_id_of(fragment: bytes) -> uuid.UUID:
    """Return the pipeline id in the first fragment of a message; it need not equal the CommandId of WS-Management."""
    start = _HEADER.size + 24
    return uuid.UUID(bytes_le=fragment[start : start + 16])
