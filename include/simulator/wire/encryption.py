"""Message encryption of WinRM over plain HTTP (MS-WSMV, "Encrypted Message Types")."""

from __future__ import annotations

import re
import struct
from typing import Final

import spnego

CREDSSP_CHUNK_BYTES: Final = 16384
CREDSSP_PROTOCOL: Final = "application/HTTP-CredSSP-session-encrypted"

_BOUNDARY = re.compile(rb"--\s*Encrypted Boundary(?:--)?\r\n")
_PAYLOAD_MARK: Final = b"Content-Type: application/octet-stream\r\n"


class EncryptionError(Exception):
    """A body could not be decrypted; WinRM answers HTTP 400 without a body."""


class MessageEncryption:
    """Unwraps the requests of one connection and wraps the answers the way the client does."""

    def __init__(self, context: spnego.ContextProxy) -> None:
        self._context = context
        self._protocol = ""

    def unwrap(self, content_type: str, body: bytes) -> bytes:
        """Return the SOAP text inside ``body``; raises EncryptionError when the key or the form is wrong."""
        protocol = re.search(r'protocol="([^"]+)"', content_type)
        if protocol is None:
            raise EncryptionError("The Content-Type names no encryption protocol.")
        self._protocol = protocol.group(1)
        parts = _BOUNDARY.split(body)
        plain = bytearray()
        try:
            for head, payload in zip(parts[1:-1:2], parts[2::2], strict=True):
                plain += self._unwrap_part(head, payload)
        except Exception as error:  # the security context raises many kinds for bytes that a client chose
            raise EncryptionError("The body cannot be decrypted.") from error
        return bytes(plain)

    def _unwrap_part(self, head: bytes, payload: bytes) -> bytes:
        sealed = payload[payload.index(_PAYLOAD_MARK) + len(_PAYLOAD_MARK) :]
        length = struct.unpack("<i", sealed[:4])[0]
        plain = self._context.unwrap_winrm(sealed[4 : 4 + length], sealed[4 + length :])
        if f"Length={len(plain)}".encode() not in head:
            raise EncryptionError("The plain text has not the length that the part states.")
        return plain

    def wrap(self, body: bytes) -> tuple[str, bytes]:
        """Return the Content-Type and the encrypted form of ``body``."""
        size = CREDSSP_CHUNK_BYTES if self._protocol == CREDSSP_PROTOCOL else max(len(body), 1)
        chunks = [body[start : start + size] for start in range(0, len(body), size)]
        kind = "multipart/encrypted" if len(chunks) == 1 else "multipart/x-multi-encrypted"
        sealed = b"".join(self._wrap_part(chunk) for chunk in chunks)
        content_type = f'{kind};protocol="{self._protocol}";boundary="Encrypted Boundary"'
        return content_type, sealed + b"--Encrypted Boundary--\r\n"

    def _wrap_part(self, chunk: bytes) -> bytes:
        header, data, padding = self._context.wrap_winrm(chunk)
        head = (
            f"--Encrypted Boundary\r\n\tContent-Type: {self._protocol}\r\n"
            f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={len(chunk) + padding}\r\n"
            "--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
        )
        return head.encode() + struct.pack("<i", len(header)) + header + data
