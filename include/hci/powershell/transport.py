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
import time
from typing import Any, Final
from xml.etree.ElementTree import Element

import requests
from pypsrp.exceptions import AuthenticationError, WinRMTransportError, WSManFaultError
from pypsrp.wsman import NAMESPACES, WSMan, _TransportHTTP
from requests_credssp.exceptions import AuthenticationException

from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.policy import RetryPolicy
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

    def __init__(self, *arguments: Any, silence_limit: float, policy: RetryPolicy, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.deadline: float | None = None
        self.silence_limit = silence_limit
        self.policy = policy
        self.last_exchange = time.monotonic()
        self.logins = 0
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

        pypsrp asks for retries only where the very same request may be repeated, as for a Receive, which then gets the same
        data again. Raises LinkBroken or TimeIsUp.
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
                pause = min(self.policy.pause(failures), max(0.0, self.remaining()))
                logger.debug("Connection to %s broke (%s); reconnecting in %.1f s.", self.server, broken, pause)
                time.sleep(pause)
                continue
            self.last_exchange = time.monotonic()
            return answer

    def _send_authenticated(self, message: bytes, timeout: float | tuple[float, float] | None) -> bytes:
        """Send once; log in again where the node does not accept a login of before any more."""
        used_before = self.session is not None
        try:
            return bytes(super().send(message, timeout=timeout))
        except (AuthenticationError, AuthenticationException):
            if not used_before:
                raise
        except WinRMTransportError as error:
            # A node answers 400 to what it cannot decrypt: the message was encrypted for a connection that is no more.
            if not (used_before and self.wrap_required and error.code == 400):
                raise
        logger.debug("%s does not know the login of before any more; logging in again.", self.server)
        self.reset()
        return bytes(super().send(message, timeout=timeout))

    def _build_session(self) -> requests.Session:
        self.logins += 1
        return super()._build_session()

    def _send_request(
        self, request: requests.PreparedRequest, timeout: float | tuple[float, float] | None = None
    ) -> bytes:
        connect, read = (
            timeout if isinstance(timeout, tuple) else (self.connection_timeout, timeout or self.read_timeout)
        )
        now = time.monotonic()
        left = max(0.1, min(self.remaining() + GRACE, self._silent_until - now))
        connect, read = min(connect, left), min(read, left)
        # The request that only opens the encrypted conversation carries nothing yet.
        carries_something = bool(request.body)
        try:
            return bytes(super()._send_request(request, timeout=(connect, read)))
        except requests.exceptions.RequestException as error:
            silent = is_silence(error)
            if silent and self.remaining() <= 0:
                raise TimeIsUp(silent=True) from error
            text = describe_break(error)
            if silent:
                text = f"no answer within {time.monotonic() - now:.0f} s"
            reached = carries_something and not never_sent(error)
            raise LinkBroken(text, reached=reached, silent=silent, untrusted=is_untrusted(error)) from error
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
