"""What the wire of the simulated cluster costs: memory of open sessions, sessions opened per second of one core.

Server and clients are processes of their own. The clients speak HTTP by hand, so that they cost less than the server; the rates
are per CPU second of the server, which is what one core can do. Run: ``python -m tests.benchmarks.bench_wire``.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import resource
import struct
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from pathlib import Path

import psrpcore
import psutil
import spnego
from rich.console import Console
from rich.table import Table

from include.simulator.wire import Account, Endpoint, EndpointOptions, Quotas, WsmanServer, names
from include.simulator.wire.soap import new_id
from tests.simulator.wire.lab import PASSWORD, USER, LabHost

POOLS, OPENS, AT_ONCE = 2000, 400, 16
RESOURCE = f"{names.POWERSHELL}/Microsoft.PowerShell"
SEALED = "application/HTTP-SPNEGO-session-encrypted"


def creation() -> tuple[uuid.UUID, bytes]:
    """Return the id and the opening messages of a runspace pool."""
    pool = psrpcore.ClientRunspacePool()
    pool.open()
    payload = pool.data_to_send()
    assert payload is not None
    return pool.runspace_pool_id, payload.data


POOL_ID, CREATION = creation()


def envelope(action: str, body: str, shell_id: str = "", options: str = "") -> bytes:
    """Return a request."""
    selector = f'<w:SelectorSet><w:Selector Name="ShellId">{shell_id}</w:Selector></w:SelectorSet>' if shell_id else ""
    return (
        f'<s:Envelope xmlns:s="{names.SOAP}" xmlns:a="{names.ADDRESSING}" xmlns:w="{names.WSMAN}" xmlns:rsp="{names.SHELL}">'
        f"<s:Header><a:Action>{action}</a:Action><a:MessageID>uuid:{new_id()}</a:MessageID><a:To>http://localhost/wsman</a:To>"
        f"<w:ResourceURI>{RESOURCE}</w:ResourceURI><w:OperationTimeout>PT60S</w:OperationTimeout>{selector}{options}</s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


class Client:
    """One connection and the session opened over it."""

    def __init__(self, port: int, scheme: str) -> None:
        self.port = port
        self.scheme = scheme
        self.shell_id = new_id()
        self._context: spnego.ContextProxy | None = None

    async def open(self) -> None:
        """Log in and open a session: Create and two Receives, as against Windows."""
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        if self.scheme == "ntlm":
            await self._log_in()
        data = CREATION.replace(POOL_ID.bytes_le, uuid.UUID(self.shell_id).bytes_le)
        options = '<w:OptionSet><w:Option Name="protocolversion">2.3</w:Option></w:OptionSet>'
        shell = (
            f'<rsp:Shell ShellId="{self.shell_id}"><rsp:InputStreams>stdin pr</rsp:InputStreams>'
            f'<rsp:OutputStreams>stdout</rsp:OutputStreams><creationXml xmlns="{names.POWERSHELL}">'
            f"{base64.b64encode(data).decode()}</creationXml></rsp:Shell>"
        )
        await self._post(envelope(f"{names.TRANSFER}/Create", shell, options=options))
        await self.receive()
        answer = await self.receive()
        assert self._context or b"ReceiveResponse" in answer, answer

    async def receive(self) -> bytes:
        """Ask the session for what it has to say."""
        body = "<rsp:Receive><rsp:DesiredStream>stdout</rsp:DesiredStream></rsp:Receive>"
        return await self._post(envelope(f"{names.SHELL}/Receive", body, self.shell_id))

    async def close(self) -> None:
        """Close the session and the connection."""
        await self._post(envelope(f"{names.TRANSFER}/Delete", "", self.shell_id))
        self.writer.close()

    async def _log_in(self) -> None:
        self._context = spnego.client(USER, PASSWORD, hostname="localhost", protocol="ntlm")
        token: bytes | None = None
        while not self._context.complete:
            sent = self._context.step(token)
            assert sent is not None
            headers, _ = await self._exchange(b"", f"Authorization: Negotiate {base64.b64encode(sent).decode()}\r\n")
            challenge = headers.get("www-authenticate", "").partition(" ")[2]
            token = base64.b64decode(challenge) if challenge else None

    async def _post(self, text: bytes) -> bytes:
        if self._context is None:
            login = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
            kind = "Content-Type: application/soap+xml;charset=UTF-8\r\n"
            return (await self._exchange(text, f"Authorization: Basic {login}\r\n{kind}"))[1]
        header, data, _ = self._context.wrap_winrm(text)
        body = (
            f"--Encrypted Boundary\r\n\tContent-Type: {SEALED}\r\n\tOriginalContent: type=application/soap+xml;charset=UTF-8;"
            f"Length={len(text)}\r\n--Encrypted Boundary\r\n\tContent-Type: application/octet-stream\r\n"
        ).encode()
        body += struct.pack("<i", len(header)) + header + data + b"--Encrypted Boundary--\r\n"
        kind = f'multipart/encrypted;protocol="{SEALED}";boundary="Encrypted Boundary"'
        return (await self._exchange(body, f"Content-Type: {kind}\r\n"))[1]

    async def _exchange(self, body: bytes, more: str) -> tuple[dict[str, str], bytes]:
        head = f"POST /wsman HTTP/1.1\r\nHost: localhost\r\n{more}Content-Length: {len(body)}\r\n\r\n"
        self.writer.write(head.encode() + body)
        lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        answer = await self.reader.readexactly(int(headers["content-length"]))
        assert " 200 " in lines[0] or " 401 " in lines[0], (lines[0], answer[-600:])
        return headers, answer


async def opens(port: int, scheme: str, count: int) -> float:
    """Open and close ``count`` sessions, ``AT_ONCE`` at a time; return the wall seconds."""
    left = iter(range(count))

    async def work() -> None:
        for _ in left:
            client = Client(port, scheme)
            await client.open()
            await client.close()

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    return time.perf_counter() - started


async def hold(port: int, server: psutil.Process) -> tuple[int, float]:
    """Open every session and let all of them wait in a Receive; return the server's resident bytes and CPU seconds."""
    before = sum(server.cpu_times()[:2])
    clients = [Client(port, "basic") for _ in range(POOLS)]
    for start in range(0, POOLS, AT_ONCE):
        await asyncio.gather(*(client.open() for client in clients[start : start + AT_ONCE]))
    used = sum(server.cpu_times()[:2]) - before
    waiting = [asyncio.create_task(client.receive()) for client in clients]
    await asyncio.sleep(2)
    resident = int(server.memory_info().rss)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for client in clients:
        client.writer.close()
    return resident, used


async def serve() -> None:
    """Be the server: print the port and run until the parent goes away."""
    quotas = Quotas(shells_per_user=2 * POOLS, operations_per_user=4 * POOLS)
    options = EndpointOptions(("Negotiate", "CredSSP", "Basic"), allow_unencrypted=True, quotas=quotas)
    endpoint = Endpoint(LabHost(), http_port=0, options=options)
    async with WsmanServer([endpoint], [Account(USER, PASSWORD)]):
        sys.stdout.write(json.dumps({"port": endpoint.http_port}) + "\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


@dataclass(frozen=True, slots=True)
class Rate:
    """Sessions opened and closed: per CPU second of the server, and per second of this run."""

    scheme: str
    per_server_second: float
    per_second: float
    aim: float


def measure() -> None:
    """Run everything once and print the table."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_wire", "--serve"]
    root = Path(__file__).resolve().parents[2]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(json.loads(process.stdout.readline())["port"])
        server = psutil.Process(process.pid)
        empty = int(server.memory_info().rss)
        rates = []
        for scheme, aim in (("basic", 250.0), ("ntlm", 100.0)):
            asyncio.run(opens(port, scheme, AT_ONCE))
            before = sum(server.cpu_times()[:2])
            wall = asyncio.run(opens(port, scheme, OPENS))
            used = sum(server.cpu_times()[:2]) - before
            rates.append(Rate(scheme, OPENS / used, OPENS / wall, aim))
        resident, used = asyncio.run(hold(port, server))
        assert process.stdin is not None
        process.stdin.close()
    table = Table("measured", "result", "aim")
    for rate in rates:
        table.add_row(
            f"sessions opened, {rate.scheme}, per second of one server core",
            f"{rate.per_server_second:.0f}",
            f"{rate.aim:.0f}",
        )
        table.add_row(f"sessions opened, {rate.scheme}, per second of this run", f"{rate.per_second:.0f}", "")
    table.add_row(f"the same, basic, on the way to {POOLS} open ones", f"{POOLS / used:.0f}", "")
    table.add_row(f"memory with {POOLS} sessions waiting, MB", f"{resident / 1e6:.0f}", "250")
    table.add_row("memory of the idle server, MB", f"{empty / 1e6:.0f}", "")
    Console().print(table)


def main() -> None:
    """Measure, or serve for a measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help="be the server of a measurement")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if parser.parse_args().serve:
        asyncio.run(serve())
    else:
        measure()


if __name__ == "__main__":
    main()
