"""The log-in of one TCP connection: Basic, Negotiate (SPNEGO or raw NTLM) and CredSSP."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import spnego
from spnego.channel_bindings import GssChannelBindings
from spnego.tls import CredSSPTLSContext

from include.simulator.wire.accounts import Account, Accounts
from include.simulator.wire.options import BASIC, CERTIFICATE, CREDSSP

log = logging.getLogger(__name__)

Challenges = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is on a connection: the account, how it logged in and whether it left its password for use on the machine."""

    account: Account
    authentication: str
    delegated: bool = False


class Authenticator:
    """Follows the log-in of one connection; a new Authorization header on a finished log-in starts over."""

    def __init__(
        self,
        accounts: Accounts,
        schemes: Sequence[str],
        credssp_context: CredSSPTLSContext,
        channel_binding: bytes | None = None,
        certificate_name: str = "",
    ) -> None:
        self.identity: Identity | None = None
        self.context: spnego.ContextProxy | None = None
        self._accounts = accounts
        self._schemes = {scheme.lower(): scheme for scheme in schemes}
        self._credssp_context = credssp_context
        self._channel_binding = channel_binding
        self._certificate_name = certificate_name
        self._running = ""

    @property
    def challenges(self) -> Challenges:
        """The answer headers that tell a client which log-ins it may try."""
        texts = ('Basic realm="WSMAN"' if scheme == BASIC else scheme for scheme in self._schemes.values())
        return tuple(("WWW-Authenticate", text) for text in texts)

    def step(self, authorization: str) -> tuple[bool, Challenges]:
        """Take one Authorization header; return whether the log-in is complete and the headers of the answer."""
        scheme, _, value = authorization.partition(" ")
        if scheme.lower() == CERTIFICATE:
            return self._certificate()
        offered = self._schemes.get("negotiate" if scheme.lower() == "kerberos" else scheme.lower())
        try:
            token = base64.b64decode(value, validate=True)
        except binascii.Error:
            offered = None
        if offered is None:
            return self._refuse()
        if offered == BASIC:
            return self._basic(token)
        return self._negotiate(offered, scheme, token)

    def _refuse(self) -> tuple[bool, Challenges]:
        self.identity = self.context = None
        return False, self.challenges

    def _basic(self, token: bytes) -> tuple[bool, Challenges]:
        try:
            text = token.decode()
        except UnicodeDecodeError:
            # HTTP leaves the encoding open and clients differ.
            text = token.decode("latin-1")
        name, _, password = text.partition(":")
        account = self._accounts.check(name, password)
        if account is None:
            return self._refuse()
        self.identity = Identity(account, BASIC)
        return True, ()

    def _certificate(self) -> tuple[bool, Challenges]:
        """Log in whom the TLS handshake has proved to be there already."""
        account = self._accounts.find(self._certificate_name)
        if account is None:
            return self._refuse()
        self.identity = Identity(account, "Certificate")
        return True, ()

    def _negotiate(self, offered: str, scheme: str, token: bytes) -> tuple[bool, Challenges]:
        self._accounts.select()
        if self.context is None or self.context.complete or self._running != offered:
            self.identity = None
            self.context = self._new_context(offered)
            self._running = offered
        try:
            answer = self.context.step(token)
        except Exception as error:  # the acceptor raises many kinds for bytes that a client chose
            log.debug("%s log-in failed: %s", offered, error)
            return self._refuse()
        headers: Challenges = ()
        if answer:
            headers = (("WWW-Authenticate", f"{scheme} {base64.b64encode(answer).decode()}"),)
        if not self.context.complete:
            return False, headers or (("WWW-Authenticate", scheme),)
        account = self._accounts.find(self.context.client_principal or "")
        if account is None:
            return self._refuse()
        self.identity = Identity(account, offered, delegated=offered == CREDSSP)
        return True, headers

    def _new_context(self, offered: str) -> spnego.ContextProxy:
        if offered == CREDSSP:
            return spnego.server(protocol="credssp", credssp_tls_context=self._credssp_context)
        bindings = None
        if self._channel_binding:
            bindings = GssChannelBindings(application_data=self._channel_binding)
        return spnego.server(
            protocol="negotiate", options=spnego.NegotiateOptions.use_negotiate, channel_bindings=bindings
        )
