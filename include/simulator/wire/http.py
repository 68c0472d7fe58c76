"""A small HTTP/1.1 parser on asyncio streams.

WinRM log-ins belong to the TCP connection and the faults a simulator has to make (reset in mid-answer, silence, half an
answer) are made on the socket, so the socket stays in our hands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

MAX_HEADER_BYTES = 65536

_REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Request Entity Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class BadRequestError(Exception):
    """The bytes on the connection are not a request that this server reads; ``status`` is the answer."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def keep_alive(self) -> bool:
        """Whether the client wants to go on using the connection."""
        return "close" not in self.headers.get("connection", "").lower()


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self) -> bytes:
        """Return the answer as it goes on the wire."""
        lines = [f"HTTP/1.1 {self.status} {_REASONS.get(self.status, '')}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines += ["Server: Microsoft-HTTPAPI/2.0", f"Content-Length: {len(self.body)}"]
        return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + self.body


async def read_request(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, max_body_bytes: int
) -> Request | None:
    """Return the next request of the connection, or None when the client has closed it.

    Raises BadRequestError for what is not HTTP and for bodies above ``max_body_bytes``.
    """
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise BadRequestError(400, "The connection ended inside a request.") from error
        return None
    except asyncio.LimitOverrunError as error:
        raise BadRequestError(400, "The request header is too long.") from error
    lines = head[:-4].decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequestError(400, "The request line is not HTTP.")
    headers = _headers(lines[1:])
    if headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = await _read_body(reader, headers, max_body_bytes)
    return Request(words[0], words[1], headers, body)


def _headers(lines: Iterable[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            raise BadRequestError(400, "A header line has no colon.")
        headers[name.strip().lower()] = value.strip()
    return headers


async def _read_body(reader: asyncio.StreamReader, headers: dict[str, str], limit: int) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return await _read_chunks(reader, limit)
    text = headers.get("content-length", "0") or "0"
    if not text.isdigit():
        raise BadRequestError(400, "Content-Length is not a number.")
    if int(text) > limit:
        raise BadRequestError(413, f"The body is above {limit} bytes.")
    return await reader.readexactly(int(text))


async def _read_chunks(reader: asyncio.StreamReader, limit: int) -> bytes:
    body = bytearray()
    while True:
        size = int((await reader.readuntil(b"\r\n")).split(b";")[0].strip() or b"0", 16)
        chunk = await reader.readexactly(size + 2)
        if size == 0:
            return bytes(body)
        body += chunk[:-2]
        if len(body) > limit:
            raise BadRequestError(413, f"The body is above {limit} bytes.")
