"""One TCP connection: log-in, encryption, ordered faults, and the requests on it one after another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.etree.ElementTree import ParseError

from include.simulator.wire import http, resources, soap
from include.simulator.wire.auth import Authenticator, Challenges, Identity
from include.simulator.wire.encryption import EncryptionError, MessageEncryption
from include.simulator.wire.service import Caller, WsmanService
from include.simulator.wire.wire_faults import FaultKind, FaultList, WireFault, reset

log = logging.getLogger(__name__)

SOAP_TYPE = "application/soap+xml;charset=UTF-8"
_PATHS = frozenset({"/wsman", "/wsman-anon/identify"})
#: Encryption, Base64 and the envelope come on top of what MaxEnvelopeSize counts.
_BODY_ALLOWANCE = 65536
#: How often a connection held in silence looks whether its client is still there.
_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Policy:
    """What a connection may do; ``allow_unencrypted`` is the service setting of that name and concerns plain HTTP."""

    allow_unencrypted: bool
    is_tls: bool
    max_envelope_kb: int


@dataclass(frozen=True, slots=True)
class _Message:
    """A SOAP text that came in on a finished log-in; ``headers`` go back with the answer."""

    identity: Identity
    text: bytes
    encrypted: bool
    headers: Challenges


@dataclass(frozen=True, slots=True)
class _Reply:
    """An answer, what to do when it cannot be delivered or is lost, and the fault that strikes it."""

    response: http.Response
    undelivered: Callable[[], None] = field(default=lambda: None)
    fault: WireFault | None = None
    lost: Callable[[], None] = field(default=lambda: None)


class Connection:
    """Reads requests until the client or a fault ends the connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        authenticator: Authenticator,
        service: WsmanService,
        ordered: FaultList,
        policy: Policy,
    ) -> None:
        self.writer = writer
        self._reader = reader
        self._auth = authenticator
        self._service = service
        self._ordered = ordered
        self._policy = policy
        self._encryption: MessageEncryption | None = None
        peer = writer.get_extra_info("peername")
        self._address = peer[0] if peer else ""

    async def serve(self) -> None:
        """Answer requests until the connection ends."""
        try:
            while await self._serve_one():
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            log.debug("the client at %s closed its connection", self._address)
        finally:
            self.writer.close()

    async def _serve_one(self) -> bool:
        """Answer one request; return whether the connection goes on."""
        limit = self._policy.max_envelope_kb * 1024 + _BODY_ALLOWANCE
        try:
            request = await http.read_request(self._reader, self.writer, max_body_bytes=limit)
        except http.BadRequestError as error:
            await self._write(http.Response(error.status, headers=(("Connection", "close"),)))
            return False
        if request is None:
            return False
        reply = await self._reply(request)
        if reply is None or (reply.fault and not await self._spoil(reply, reply.fault)):
            return False
        try:
            await self._write(reply.response)
        except ConnectionError:
            reply.undelivered()
            raise
        return request.keep_alive

    async def _write(self, response: http.Response) -> None:
        self.writer.write(response.encode())
        await self.writer.drain()

    async def _reply(self, request: http.Request) -> _Reply | None:
        """Carry out a request; None when a fault ended the connection before."""
        fault = self._ordered.strike(None)
        if fault and not await self._strike_before(fault):
            return None
        message = self._open(request)
        if isinstance(message, http.Response):
            return _Reply(message, fault=fault)
        if len(message.text) > self._policy.max_envelope_kb * 1024:
            # Clients report this status as "the request size exceeded the configured MaxEnvelopeSize quota" (wsmerror.h).
            return _Reply(http.Response(413, headers=message.headers), fault=fault)
        try:
            soap_request = soap.parse(message.text)
        except (ParseError, ValueError):
            return _Reply(http.Response(400), fault=fault)
        if fault is None:
            fault = self._ordered.strike(soap_request.verb)
            if fault and not await self._strike_before(fault):
                return None
        caller = Caller(message.identity, self._address, self._reader.at_eof)
        if fault and fault.kind is FaultKind.QUOTA:
            answer = self._service.refuse_for_quota(soap_request, fault.quota)
        else:
            answer = await self._service.handle(soap_request, caller)
        content_type, body = SOAP_TYPE, answer.body
        if message.encrypted and self._encryption:
            content_type, body = self._encryption.wrap(body)
        response = http.Response(answer.status, body, (*message.headers, ("Content-Type", content_type)))
        return _Reply(response, answer.undelivered, fault, answer.lost)

    def _open(self, request: http.Request) -> http.Response | _Message:
        """Return the message of a request, or the answer to what holds none: wrong addresses, log-in legs, identify."""
        if request.path.split("?")[0].rstrip("/") not in _PATHS:
            return http.Response(404)
        if request.method != "POST":
            return http.Response(405)
        if request.headers.get("wsmanidentify", "").lower() == "unauthenticated":
            return http.Response(200, resources.identify(), (("Content-Type", SOAP_TYPE),))
        headers: Challenges = ()
        if "authorization" in request.headers:
            finished, headers = self._auth.step(request.headers["authorization"])
            if not finished:
                return http.Response(401, headers=headers)
            self._encryption = MessageEncryption(self._auth.context) if self._auth.context else None
        if self._auth.identity is None:
            return http.Response(401, headers=self._auth.challenges)
        if not request.body:
            return http.Response(200, headers=headers)
        content_type = request.headers.get("content-type", "")
        if not content_type.startswith("multipart/"):
            if not self._policy.is_tls and not self._policy.allow_unencrypted:
                return http.Response(500, headers=headers)
            return _Message(self._auth.identity, request.body, False, headers)
        try:
            if self._encryption is None:
                raise EncryptionError("The log-in made no key.")
            text = self._encryption.unwrap(content_type, request.body)
        except EncryptionError as error:
            log.debug("a request of %s cannot be decrypted: %s", self._address, error)
            return http.Response(400, headers=headers)
        return _Message(self._auth.identity, text, True, headers)

    async def _strike_before(self, fault: WireFault) -> bool:
        """Let a fault strike before the request is carried out; return whether to go on."""
        if fault.kind is FaultKind.KILL_SESSIONS:
            self._service.shells.end_older_than(fault.seconds)
        elif fault.kind is FaultKind.RESET_BEFORE:
            reset(self.writer)
            return False
        elif fault.kind is FaultKind.SILENCE:
            await self._hold(fault)
            return False
        return True

    async def _spoil(self, reply: _Reply, fault: WireFault) -> bool:
        """Let a fault strike the answer; return whether to send it."""
        if fault.kind is FaultKind.SLOW:
            await asyncio.sleep(fault.seconds)
        elif fault.kind is FaultKind.LOSE:
            reply.lost()
            reset(self.writer)
            return False
        elif fault.kind in (FaultKind.RESET, FaultKind.HALF_ANSWER):
            data = reply.response.encode()
            self.writer.write(data[: len(data) // 2])
            await self.writer.drain()
            reply.undelivered()
            if fault.kind is FaultKind.RESET:
                reset(self.writer)
            else:
                await self._hold(fault)
            return False
        return True

    async def _hold(self, fault: WireFault) -> None:
        """Say nothing until the fault is cleared or the client gives up."""
        while not fault.ended.is_set() and not self._reader.at_eof():
            try:
                await asyncio.wait_for(fault.ended.wait(), _LOOK_SECONDS)
            except TimeoutError:
                continue
