"""Settings of the WinRM service of one simulated machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

NEGOTIATE: Final = "Negotiate"
CREDSSP: Final = "CredSSP"
BASIC: Final = "Basic"
#: What a client writes into its Authorization header when its TLS certificate is to log it in (MS-WSMV 2.2.1.1).
CERTIFICATE: Final = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"


@dataclass(frozen=True, slots=True)
class Quotas:
    """Limits of the WinRM service and its shell plug-ins; the defaults are those of Windows Server 2016 and later.

    ``idle_seconds`` holds for shells whose client asks for no IdleTimeOut; what a client asks for has to lie between
    ``least_idle_seconds`` and ``most_idle_seconds``.
    Source: learn.microsoft.com, "Quotas for Remote Shells" and "Installation and Configuration for WinRM"; PowerShell-Docs,
    about_Remote_Disconnected_Sessions (one minute is the least idle time-out).
    """

    shells_per_user: int = 30
    commands_per_shell: int = 1000
    operations_per_user: int = 1500
    shell_users: int = 2147483647
    max_envelope_kb: int = 500
    idle_seconds: float = 7200.0
    least_idle_seconds: float = 60.0
    most_idle_seconds: float = 2147483.647


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """Settings of the WinRM service of one machine.

    ``authentication`` lists what it offers, of Negotiate, CredSSP and Basic. ``allow_unencrypted`` is the service setting of
    that name: whether plain HTTP may carry messages that are not encrypted, which Basic over HTTP needs.
    ``client_authority`` is the PEM file of the authority whose client certificates log in over HTTPS, each as the account that
    is its common name; None leaves log-in by certificate off, as Windows does until it is mapped.
    ``configurations`` are the PowerShell session configurations it has; None leaves that to the host.
    ``check_channel_binding`` refuses log-ins over HTTPS that are not bound to the TLS connection (CbtHardeningLevel Strict).
    ``takes_credssp`` tells whether the server role of CredSSP is on at the moment; off, it is neither offered nor taken.
    ``windows_build`` tells the build and revision that the machine runs at the moment; sessions and answers show them.
    """

    authentication: tuple[str, ...] = (NEGOTIATE, CREDSSP)
    allow_unencrypted: bool = False
    quotas: Quotas = field(default_factory=Quotas)
    configurations: frozenset[str] | None = None
    client_authority: Path | None = None
    check_channel_binding: bool = True
    takes_credssp: Callable[[], bool] = lambda: True
    windows_build: Callable[[], str] = lambda: "20348.2400"

    @property
    def offered(self) -> tuple[str, ...]:
        """The log-ins that a connection may try now."""
        return tuple(scheme for scheme in self.authentication if scheme != CREDSSP or self.takes_credssp())

    @classmethod
    def lenient(cls) -> EndpointOptions:
        """Return settings that take every log-in, Basic over plain HTTP too."""
        return cls(authentication=(NEGOTIATE, CREDSSP, BASIC), allow_unencrypted=True)
