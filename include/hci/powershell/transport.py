"""pypsrp's WSMan with every wait bounded and broken connections mended.

pypsrp repeats a Receive five times on a node that does not answer, which holds the thread for minutes; it does not repeat it at
all after a reset; and once an encrypted connection was dropped it keeps using the dead security context (pypsrp issue 21). Here
one clock bounds everything, and a broken connection is replaced by a fresh one with its own login. Importing and using pypsrp
has effects on the whole process: WSMan registers namespace prefixes with ElementTree, and each new HTTP session adds filters
for urllib3's warnings.
"""

from __future__ import annotations

import logging
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from xml.etree.ElementTree import Element

import requests
from pypsrp.exceptions import WinRMTransportError, WSManFaultError
from pypsrp.negotiate import HTTPNegotiateAuth
from pypsrp.wsman import NAMESPACES, WSMan, _TransportHTTP
from requests.adapters import HTTPAdapter
from requests_credssp import HttpCredSSPAuth

from include.hci.powershell.certificates import FileUnusable, check_authority, check_certificate
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.login_steps import Answered, is_refusal, token_unless_answered
from include.hci.powershell.logins import PATIENCE, RefusedLogins, login_of, shared_logins
from include.hci.powershell.policy import RetryPolicy
from include.hci.powershell.refusals import Login
from include.hci.powershell.roots import describe_break, is_silence, is_untrusted, never_sent

logger = logging.getLogger(__name__)

#: WSMan's "nothing to say within the operation timeout" (wsmerror.h, ERROR_WSMAN_OPERATION_TIMEDOUT).
OPERATION_TIMED_OUT: Final = 2150858793

#: How much longer than asked an answer may take that is only on its way.
GRACE: Final = 1.5

#: How long beyond the operation timeout a node may stay silent before it counts as gone.
SILENCE_GRACE: Final = 5.0


class LinkBroken(Exception):
    """The connection broke, or none came about.

    ``reached`` says whether the request may have reached the node, ``silent`` whether the node simply did not answer, and
    ``untrusted`` whether its certificate was the reason.
    """

    def __init__(self, text: str, *, reached: bool, silent: bool = False, untrusted: bool = False) -> None:
        super().__init__(text)
        self.reached = reached
        self.silent = silent
        self.untrusted = untrusted


class TimeIsUp(Exception):
    """The time given for the whole run is over; ``silent`` says whether the node left the last request unanswered."""

    def __init__(self, *, silent: bool) -> None:
        super().__init__("the time given is over")
        self.silent = silent


class BoundedTransport(_TransportHTTP):
    """pypsrp's HTTP transport with a deadline for all its requests together, and fresh connections for broken ones."""

    def __init__(
        self,
        *arguments: Any,
        silence_limit: float,
        policy: RetryPolicy,
        refused: RefusedLogins | None = None,
        **keywords: Any,
    ) -> None:
        super().__init__(*arguments, **keywords)
        self.deadline: float | None = None
        self.silence_limit = silence_limit
        self.policy = policy
        self.refused = refused or shared_logins()
        self.login = login_of(self.username, self.password)
        # A machine may take a password in one way and not in another.
        self.place = f"{self.server}:{self.port} by {self.auth}"
        self.last_exchange = time.monotonic()
        self.logins = 0
        self.mends = 0
        self._silent_until = math.inf

    def reset(self) -> None:
        """Forget the connection and its login; the next request starts afresh.

        This is the cure for a dropped encrypted connection, whose message keys died with it.
        """
        if self.session is not None:
            self.session.close()
        self.session = None
        self.encryption = None

    def remaining(self) -> float:
        """Return the seconds left until the deadline."""
        return math.inf if self.deadline is None else self.deadline - time.monotonic()

    def send(
        self,
        message: bytes,
        *,
        retries_on_read_timeout: int = 0,
        timeout: float | tuple[float, float] | None = None,
    ) -> bytes:
        """Send one request and return the answer.

        pypsrp asks for retries only where the very same request may be repeated, as for a Receive: it gets what has not been sent
        yet, and maybe what was lost on its way; ``mends`` counts how often that happened. Raises LinkBroken or TimeIsUp.
        """
        self._silent_until = time.monotonic() + self.silence_limit if retries_on_read_timeout else math.inf
        failures = 0
        while True:
            if self.remaining() <= 0:
                raise TimeIsUp(silent=False)
            try:
                answer = self._send_authenticated(message, timeout)
            except LinkBroken as broken:
                self.reset()
                failures += 1
                if not retries_on_read_timeout or broken.untrusted:
                    raise
                if broken.silent:
                    if time.monotonic() >= self._silent_until:
                        raise
                elif failures >= self.policy.attempts:
                    raise
                self.mends += 1
                pause = min(self.policy.pause(failures), max(0.0, self.remaining()))
                logger.debug("Connection to %s broke (%s); reconnecting in %.1f s.", self.server, broken, pause)
                time.sleep(pause)
                continue
            self.last_exchange = time.monotonic()
            return answer

    def _send_authenticated(self, message: bytes, timeout: float | tuple[float, float] | None) -> bytes:
        """Send once; log in again where the login of before died with its connection.

        A password that is refused is not given again: each time counts towards a lockout.
        """
        used_before = self.session is not None
        try:
            return self._send_once(message, timeout)
        except WinRMTransportError as error:
            # A node answers 400 to what it cannot decrypt: the message was encrypted for a connection that is no more.
            if not (used_before and self.wrap_required and error.code == 400):
                raise
        logger.debug("%s does not know the login of before any more; logging in again.", self.server)
        self.reset()
        return self._send_once(message, timeout)

    def _send_once(self, message: bytes, timeout: float | tuple[float, float] | None) -> bytes:
        """Send once; with basic authentication every request is a login."""
        if self.auth != "basic" or self.login is None:
            return bytes(super().send(message, timeout=timeout))
        with self._logging_in(self.login) as took:
            answer = bytes(super().send(message, timeout=timeout))
            took()
            return answer

    @contextmanager
    def _logging_in(self, login: Login) -> Iterator[Callable[[], None]]:
        """Bracket what gives the node the password; the block calls what it gets when the node took it. Raises LoginHeld."""
        self.refused.begin(login, self.place, max(0.0, min(PATIENCE, self.remaining())))
        try:
            yield lambda: self.refused.accepted(login, self.place)
        except Exception as error:
            if is_refusal(error):
                self.refused.refused(login, self.place, str(error) or type(error).__name__)
            raise
        finally:
            self.refused.end(login)

    def _watched(self, login: Login, handle: Callable[..., requests.Response]) -> Callable[..., requests.Response]:
        """Return ``handle``, which logs in where a node asks for it, with its outcome noted."""

        def log_in(response: requests.Response, **more: Any) -> requests.Response:
            with self._logging_in(login) as took:
                try:
                    answer = handle(response, **more)
                except Answered as answered:
                    answer = answered.response
                if answer.status_code != requests.codes.unauthorized:
                    took()
                    return answer
            # pypsrp makes an error of this answer.
            self.refused.refused(login, self.place, f"HTTP {answer.status_code}")
            return answer

        return log_in

    def _build_session(self) -> requests.Session:
        self.logins += 1
        if self.ssl:
            own = self.auth == "certificate"
            try:
                check_authority(self.cert_validation)
                check_certificate(
                    self.certificate_pem if own else None, self.certificate_key_pem, self.certificate_key_password
                )
            except FileUnusable as error:
                raise LinkBroken(str(error), reached=False, untrusted=True) from error
        session = super()._build_session()
        for adapter in session.adapters.values():
            if isinstance(adapter, HTTPAdapter):
                # urllib3 repeats a request whose answer was cut off inside TLS as it does one that was never sent.
                adapter.max_retries = adapter.max_retries.new(other=0)
        if self.login is not None and isinstance(session.auth, HTTPNegotiateAuth | HttpCredSSPAuth):
            auth: Any = session.auth
            auth.handle_401 = self._watched(self.login, auth.handle_401)
            if isinstance(auth, HttpCredSSPAuth):
                auth._get_credssp_token = token_unless_answered
        return session

    def _send_request(
        self, request: requests.PreparedRequest, timeout: float | tuple[float, float] | None = None
    ) -> bytes:
        connect, read = (
            timeout if isinstance(timeout, tuple) else (self.connection_timeout, timeout or self.read_timeout)
        )
        now = time.monotonic()
        outside = sys.exception()
        left = max(0.1, min(self.remaining() + GRACE, self._silent_until - now))
        connect, read = min(connect, left), min(read, left)
        # The request that only opens the encrypted conversation carries nothing yet.
        carries_something = bool(request.body)
        try:
            return bytes(super()._send_request(request, timeout=(connect, read)))
        except requests.exceptions.RequestException as error:
            silent = is_silence(error, outside)
            if silent and self.remaining() <= 0:
                raise TimeIsUp(silent=True) from error
            text = describe_break(error, outside)
            if silent:
                text = f"no answer within {time.monotonic() - now:.0f} s"
            reached = carries_something and not never_sent(error, outside)
            untrusted = is_untrusted(error, outside)
            raise LinkBroken(text, reached=reached, silent=silent, untrusted=untrusted) from error
        except OSError as error:
            # requests says so where the file of an authority or of our own certificate cannot be used.
            raise LinkBroken(str(error), reached=False, untrusted=True) from error


class BoundedWSMan(WSMan):
    """pypsrp's WSMan over a ``BoundedTransport``, whose waits for a session to open survive a busy node."""

    transport: BoundedTransport

    def __init__(self, settings: ConnectionSettings, policy: RetryPolicy) -> None:
        arguments = wsman_arguments(settings)
        super().__init__(
            settings.host, operation_timeout=settings.operation_timeout, locale=settings.locale, **arguments
        )
        self.transport = BoundedTransport(
            settings.host,
            silence_limit=settings.operation_timeout + SILENCE_GRACE,
            policy=policy,
            **arguments,
        )

    def receive(
        self,
        resource_uri: str,
        resource: Element,
        option_set: Any = None,
        selector_set: Any = None,
        timeout: int | None = None,
    ) -> Element:
        """Ask for output; for the session itself ask again as long as there is none and time is left.

        pypsrp lets the "nothing yet" of a session that is slow to open surface as an error.
        """
        stream = resource.find("rsp:DesiredStream", NAMESPACES)
        of_a_pipeline = stream is not None and "CommandId" in stream.attrib
        while True:
            try:
                return super().receive(resource_uri, resource, option_set, selector_set, timeout)
            except WSManFaultError as fault:
                if of_a_pipeline or fault.code != OPERATION_TIMED_OUT:
                    raise
                if self.transport.mends:
                    # What is waited for may have been lost with the connection that broke.
                    raise LinkBroken("the connection broke and what the session said is gone", reached=True) from fault


def wsman_arguments(settings: ConnectionSettings) -> dict[str, Any]:
    """Return the arguments that pypsrp's WSMan and its transport share, the password in the clear among them."""
    return {
        "port": settings.port,
        "username": settings.user,
        "password": settings.password.reveal() if settings.password else None,
        "ssl": settings.ssl,
        "path": settings.path,
        "auth": settings.auth,
        "cert_validation": settings.ca or settings.cert_validation,
        "connection_timeout": settings.connection_timeout,
        "encryption": settings.encryption,
        "proxy": settings.proxy.reveal() if settings.proxy else None,
        "no_proxy": settings.no_proxy,
        "read_timeout": settings.read_timeout,
        "reconnection_retries": settings.reconnection_retries,
        "reconnection_backoff": settings.reconnection_backoff,
        "certificate_pem": settings.certificate_pem,
        "certificate_key_pem": settings.certificate_key_pem,
        "certificate_key_password": (
            settings.certificate_key_password.reveal() if settings.certificate_key_password else None
        ),
        "credssp_auth_mechanism": settings.credssp_auth_mechanism,
        "credssp_disable_tlsv1_2": settings.credssp_disable_tlsv1_2,
        "credssp_minimum_version": settings.credssp_minimum_version,
        "negotiate_delegate": settings.negotiate_delegate,
        "negotiate_hostname_override": settings.negotiate_hostname_override,
        "negotiate_send_cbt": settings.negotiate_send_cbt,
        "negotiate_service": settings.negotiate_service,
    }
