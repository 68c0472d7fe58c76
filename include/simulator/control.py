"""A small JSON interface on loopback through which tests and demonstrations look at a simulated cluster and trouble it.

``GET /state``, ``GET /journal?since=N``, ``GET /faults`` (those that were put in), ``POST /fault`` {"id": ..., arguments},
``POST /heal`` {"id", "node", "number"; nothing means everything}, ``POST /scenario`` {"name": a scenario or swizzle:SEED},
``POST /rules`` {"kind": "window" | "blackout" | "budget" | "approval" | "permission", ...}, ``POST /snapshot``, ``POST /stop``.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import json
import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit

from include.simulator.cluster import SimulatedCluster
from include.simulator.faults import scenarios

logger = logging.getLogger(__name__)

_LONGEST_BODY = 64 * 1024
_PATIENCE = 10.0


class ControlPortBusyError(OSError):
    """The control interface's port is in use by another program."""


class BadRequest(Exception):
    """A request that cannot be carried out; the text tells its sender why."""

    def __init__(self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        super().__init__(message)
        self.status = status


class ControlServer:
    """Serves one cluster on ``port`` of the loopback address; ``on_stop`` is called when somebody asks for the end."""

    def __init__(self, cluster: SimulatedCluster, port: int, on_stop: Callable[[], None]) -> None:
        self._cluster = cluster
        self._on_stop = on_stop
        self.port = port
        self._server: asyncio.Server | None = None
        self._routes: Mapping[tuple[str, str], Callable[[Mapping[str, str], Mapping[str, object]], object]] = {
            ("GET", "/state"): self._state,
            ("GET", "/journal"): self._journal,
            ("GET", "/faults"): self._faults,
            ("POST", "/fault"): self._fault,
            ("POST", "/heal"): self._heal,
            ("POST", "/scenario"): self._scenario,
            ("POST", "/rules"): self._rule,
            ("POST", "/snapshot"): self._snapshot,
            ("POST", "/stop"): self._stop,
        }

    async def start(self) -> None:
        """Listen; raises ControlPortBusyError when the port is taken."""
        try:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise ControlPortBusyError(
                errno.EADDRINUSE,
                f"The control interface cannot listen on 127.0.0.1 port {self.port}: the port is in use. Stop the program that "
                "uses it (another simulated cluster?) or choose another base port.",
            ) from error
        self.port = int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                status, answer = await self._answer(reader)
            body = json.dumps(answer, default=str).encode()
            head = f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        except (TimeoutError, ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            logger.debug("A control request ended early")
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[HTTPStatus, object]:
        try:
            method, target, body = await _read_request(reader)
            parts = urlsplit(target)
            route = self._routes.get((method, parts.path))
            if route is None:
                known = ", ".join(f"{verb} {path}" for verb, path in self._routes)
                raise BadRequest(f"There is no {method} {parts.path}; there are {known}.", HTTPStatus.NOT_FOUND)
            query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
            return HTTPStatus.OK, route(query, body)
        except BadRequest as refusal:
            return refusal.status, {"error": str(refusal)}
        except Exception as defect:
            logger.exception("A control request failed")
            return HTTPStatus.INTERNAL_SERVER_ERROR, {"error": f"The simulator failed: {defect!r}"}

    def _state(self, query: Mapping[str, str], body: Mapping[str, object]) -> object:
        self._cluster.world.advance()
        return {"time": self._cluster.clock.now().isoformat(), **self._cluster.world.snapshot()}

    def _journal(self, query: Mapping[str, str], body: Mapping[str, object]) -> object:
        since = query.get("since", "0")
        if not since.isdigit():
            raise BadRequest(f"since must be the number of a journal entry, not {since!r}.")
        entries = self._cluster.journal.since(int(since))
        return {
            "last": len(self._cluster.journal.entries),
            "entries": [json.loads(entry.to_json()) for entry in entries],
        }

    def _fault(self, query: Mapping[str, str], body: Mapping[str, object]) -> object:
        arguments = dict(body)
        fault = arguments.pop("id", None)
        if not isinstance(fault, str):
            raise BadRequest('A fault needs its id: {"id": "...", further arguments}.')
        self._cluster.world.advance()
        try:
            self._cluster.world.inject(fault, **arguments)
        except (KeyError, TypeError, ValueError) as reason:
            raise BadRequest(f"Fault {fault!r} cannot be injected: {reason}") from reason
        self._cluster.world.advance()
        return {"injected": fault, **arguments}

    def _faults(self, query: Mapping[str, str], body: Mapping[str, object]) -> object:
        self._cluster.world.advance()
        return {"faults": [each.describe() for each in self._cluster.world.faults.injections]}

    def _heal(self, query: Mapping[str, str], body: Mapping[str, object]) -> object:
        arguments = {"fault" if key == "id" else key: value for key, value in body.items()}
        self._cluster.world.advance()
        try:
            healed = self._cluster.world.faults.heal(**arguments)  # type: ignore[arg-type]
        except (TypeError, ValueError) as reason:
            raise BadRequest(f"Nothing can be healed: {reason}") from reason
        self._cluster.world.advance()
        return {"healed": [each.describe() for each in healed]}

    def _scenario(self, query: Mapping[str, str], body: Mapping[str, object]) -> object:
        name = body.get("name")
        if not isinstance(name, str) or set(body) != {"name"}:
            raise BadRequest('A scenario needs its name and nothing else: {"name": "..." or "swizzle:SEED"}.')
        world = self._cluster.world
        world.advance()
        try:
            scenario = scenarios.find(name, len(world.nodes))
            scenarios.play(world, scenario)
        except ValueError as reason:
            raise BadRequest(str(reason)) from reason
        world.advance()
        steps = [
            {"fault": step.fault, "node": step.node, "after": step.after, "heal": step.heal} for step in scenario.steps
        ]
        return {"scenario": scenario.id, "what": scenario.what, "steps": steps}

    def _rule(self, query: Mapping[str, str], body: Mapping[str, object]) -> object:
        try:
            self._cluster.rule(**body)  # type: ignore[arg-type]
        except (TypeError, ValueError) as reason:
            raise BadRequest(f"That is no rule: {reason}") from reason
        return {"rule": dict(body)}

    def _snapshot(self, query: Mapping[str, str], body: Mapping[str, object]) -> object:
        return self._cluster.snapshot()

    def _stop(self, query: Mapping[str, str], body: Mapping[str, object]) -> object:
        self._on_stop()
        return {"stopping": True}


async def _read_request(reader: asyncio.StreamReader) -> tuple[str, str, Mapping[str, object]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    try:
        method, target, _ = head[0].split(" ")
    except ValueError:
        raise BadRequest("That is no HTTP request.") from None
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    length = headers.get("content-length", "0")
    if not length.isdigit() or int(length) > _LONGEST_BODY:
        raise BadRequest(f"A body may have up to {_LONGEST_BODY} bytes.", HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    raw = await reader.readexactly(int(length))
    if not raw:
        return method, target, {}
    try:
        body = json.loads(raw)
    except ValueError:
        raise BadRequest("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise BadRequest("The body must be a JSON object.")
    return method, target, body
