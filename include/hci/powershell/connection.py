"""How to reach one node: read from an Airflow connection of the psrp provider's kind, checked before anything is sent."""

from __future__ import annotations

import base64
import hmac
import secrets as random
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal
from urllib.parse import SplitResult, unquote, urlsplit

from include.hci.powershell.extras import InvalidConnection, read_extras
from include.hci.powershell.values import Secret

Authentication = Literal["basic", "certificate", "credssp", "kerberos", "negotiate", "ntlm"]
Encryption = Literal["auto", "always", "never"]

HTTP_PORT: Final = 5985
HTTPS_PORT: Final = 5986
DEFAULT_CONFIGURATION: Final = "Microsoft.PowerShell"

#: Kinds of authentication that can encrypt messages themselves (pypsrp, WSMan).
ENCRYPTING: Final = frozenset({"credssp", "kerberos", "negotiate", "ntlm"})

#: Makes keys of one process comparable with each other and worthless elsewhere.
_SALT: Final = random.token_bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionSettings:
    """Everything needed to open a remote PowerShell session on one node.

    ``name`` is what messages call the node; ``host`` stands in for it. Times are in seconds. ``ssl`` with a validated
    certificate is the default. Over plain HTTP messages are encrypted by the authentication; ``encryption="never"`` sends
    them in the clear. ``ca`` is a file with the authority that signed the node's certificate; without it the system's
    authorities count. ``idle_timeout`` is how long the node keeps a session that nobody uses, at least 60 s on Windows.
    Raises InvalidConnection for settings that contradict each other.
    """

    host: str
    name: str = ""
    user: str | None = None
    password: Secret | None = None
    port: int = HTTPS_PORT
    ssl: bool = True
    auth: Authentication = "negotiate"
    encryption: Encryption = "auto"
    cert_validation: bool = True
    ca: str | None = None
    path: str = "wsman"
    configuration_name: str = DEFAULT_CONFIGURATION
    connection_timeout: int = 10
    operation_timeout: int = 20
    read_timeout: int = 30
    idle_timeout: int = 900
    reconnection_retries: int = 0
    reconnection_backoff: float = 2.0
    locale: str = "en-US"
    proxy: Secret | None = None
    no_proxy: bool = False
    negotiate_delegate: bool | None = None
    negotiate_hostname_override: str | None = None
    negotiate_send_cbt: bool | None = None
    negotiate_service: str | None = None
    credssp_auth_mechanism: str | None = None
    credssp_disable_tlsv1_2: bool | None = None
    credssp_minimum_version: int | None = None
    certificate_pem: str | None = None
    certificate_key_pem: str | None = None
    certificate_key_password: Secret | None = field(default=None)

    def __post_init__(self) -> None:
        for problem in self._problems():
            raise InvalidConnection(self.node or "?", problem)

    def _problems(self) -> list[str]:
        found = []
        if not self.host or "/" in self.host or any(letter.isspace() for letter in self.host):
            found.append(f"the host {self.host!r} is not a name or an address; leave out https:// and the path")
        if not 0 < self.port < 65536:
            found.append(f"the port {self.port} is not between 1 and 65535")
        if self.auth == "certificate":
            if not self.ssl:
                found.append("auth 'certificate' needs HTTPS; remove ssl=false")
            if not (self.certificate_pem and self.certificate_key_pem):
                found.append("auth 'certificate' needs certificate_pem and certificate_key_pem")
        elif self.auth in ("basic", "credssp") and not (self.user and self.password):
            found.append(f"auth {self.auth!r} needs a login and a password")
        elif self.auth == "basic" and self.user and self.password and not _is_latin(self.user + self.password.reveal()):
            found.append("auth 'basic' cannot carry every character of its login and password; use another auth")
        if not self.ssl and self.encryption != "never" and self.auth not in ENCRYPTING:
            found.append(
                f"auth {self.auth!r} over plain HTTP would send everything in the clear; use HTTPS, another auth, or spell"
                " out encryption='never'"
            )
        if self.encryption == "always" and self.auth not in ENCRYPTING:
            found.append(f"auth {self.auth!r} cannot encrypt messages; remove encryption='always'")
        if self.ca and not self.ssl:
            found.append("ca is given but ssl is false, so no certificate would be looked at")
        if self.ca and not self.cert_validation:
            found.append("ca is given but cert_validation is false, so it would not be used")
        if self.proxy and self.no_proxy:
            found.append("proxy and no_proxy contradict each other")
        if self.proxy and _split_proxy(self.proxy) is None:
            found.append(
                "its extra 'proxy' is not a URL such as http://user:password@proxy:3128 (it is not shown, there may be a"
                " password in it); write special characters of the user and the password percent-encoded"
            )
        for name in ("connection_timeout", "operation_timeout", "read_timeout"):
            if getattr(self, name) < 1:
                found.append(f"{name} must be at least 1 second")
        if self.idle_timeout < 60:
            found.append("idle_timeout must be at least 60 seconds, Windows takes no less")
        if self.read_timeout <= self.operation_timeout:
            found.append(
                f"read_timeout ({self.read_timeout} s) must be above operation_timeout ({self.operation_timeout} s), or every"
                " quiet moment looks like a dead node"
            )
        if self.reconnection_retries < 0 or self.reconnection_backoff < 0:
            found.append("reconnection_retries and reconnection_backoff cannot be below 0")
        return found

    @classmethod
    def from_connection(
        cls,
        host: str | None,
        login: str | None,
        password: str | None,
        port: int | None,
        extra: Mapping[str, Any],
        *,
        name: str = "",
    ) -> ConnectionSettings:
        """Return the settings an Airflow connection of type ``psrp`` stands for.

        ``extra`` takes the psrp provider's keys under its names and the rest of this class's fields; values may be texts, as
        they are in connections written as a URI. Raises InvalidConnection, naming the key and the nearest known one.
        """
        address = (host or "").strip().removeprefix("[").removesuffix("]")
        if "@" in address:
            raise InvalidConnection(
                name or "?",
                "its host is not a name or an address (it is not shown, there may be a password in it); the user and the password"
                " have fields of their own",
            )
        found = read_extras(name or address or "?", extra)
        extra_port = found.pop("port", None)
        if extra_port is not None and port and port != extra_port:
            raise InvalidConnection(
                name, f"the port is {port} in the connection and {extra_port} in its extra; keep one"
            )
        ssl = found.get("ssl", True)
        found["port"] = extra_port or port or (HTTPS_PORT if ssl else HTTP_PORT)
        operation_timeout = found.get("operation_timeout", 20)
        found.setdefault("read_timeout", operation_timeout + 10)
        return cls(
            host=address, name=name, user=login or None, password=Secret(password) if password else None, **found
        )

    @property
    def node(self) -> str:
        """What messages call the node."""
        return self.name or self.host

    @property
    def passes_credentials(self) -> bool:
        """Whether what runs in the session can log on to another machine (PowerShell-Docs, ps-remoting-second-hop).

        A logon with Basic authentication has the password on the machine, as one with delegated credentials has.
        """
        return self.auth in ("basic", "credssp") or self.negotiate_delegate is True

    @property
    def endpoint(self) -> str:
        """The address as a URL, for messages."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.ssl else 'http'}://{host}:{self.port}/{self.path}"

    @property
    def cautions(self) -> tuple[str, ...]:
        """What about these settings is dangerous, one sentence each; to be logged whenever a session is opened."""
        found = []
        if not self.ssl and self.encryption == "never":
            found.append(
                f"Everything sent to {self.node}, the login included, goes over the network in the clear"
                " (ssl is false and encryption is 'never')."
            )
        if self.ssl and not self.cert_validation:
            found.append(
                f"The certificate of {self.node} is not checked (cert_validation is false): anyone in between could pose as it."
            )
        return tuple(found)

    def key(self) -> str:
        """Return an identity that is equal for equal settings within this process and tells nothing about the secrets."""
        digest = hmac.new(_SALT, digestmod="sha256")
        for item in fields(self):
            value = getattr(self, item.name)
            shown = value.reveal() if isinstance(value, Secret) else repr(value)
            digest.update(f"{item.name}={len(shown)}:{shown};".encode())
        return f"{self.user or ''}@{self.host}:{self.port}/{self.configuration_name}#{digest.hexdigest()[:16]}"


def secrets_of(settings: ConnectionSettings) -> tuple[str, ...]:
    """Return every text that must be masked wherever these settings are used."""
    found = [item.reveal() for item in (settings.password, settings.certificate_key_password) if item]
    if settings.user and settings.password:
        found.append(base64.b64encode(f"{settings.user}:{settings.password.reveal()}".encode()).decode())
    proxy = _split_proxy(settings.proxy) if settings.proxy else None
    if proxy and proxy.password:
        found += [proxy.password, unquote(proxy.password)]
    return tuple(dict.fromkeys(text for text in found if text))


def _is_latin(text: str) -> bool:
    # What requests encodes a login in.
    return all(ord(letter) < 256 for letter in text)


def _split_proxy(proxy: Secret) -> SplitResult | None:
    """Return the parts of the proxy's URL, None where it is none: what ``urlsplit`` raises can quote its password."""
    text = proxy.reveal()
    try:
        # The scheme may be left out, as requests lets it be.
        parts = urlsplit(text if "://" in text else f"//{text}")
        is_whole = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    # A password with # ? or / in it that is not encoded ends the address early and would be asked for as a host's name.
    return parts if is_whole and parts.path in ("", "/") and not parts.query and not parts.fragment else None
