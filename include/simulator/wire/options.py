"""Settings of the WinRM service of one simulated machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

NEGOTIATE: Final = "Negotiate"
CREDSSP: Final = "CredSSP"
BASIC: Final = "Basic"


@dataclass(frozen=True, slots=True)
class Quotas:
    """Limits of the WinRM service and its shell plug-ins; the defaults are those of Windows Server 2016 and later.

    Source: learn.microsoft.com, "Quotas for Remote Shells" and "Installation and Configuration for WinRM".
    """

    shells_per_user: int = 30
    commands_per_shell: int = 1000
    operations_per_user: int = 1500
    max_envelope_kb: int = 500
    idle_seconds: float = 7200.0


@dataclass(frozen=True, slots=True)
class EndpointOptions:
    """Settings of the WinRM service of one machine.

    ``authentication`` lists what it offers, of Negotiate, CredSSP and Basic. ``allow_unencrypted`` is the service setting of
    that name: whether plain HTTP may carry messages that are not encrypted, which Basic over HTTP needs.
    ``configurations`` are the PowerShell session configurations it has; None leaves that to the host.
    ``check_channel_binding`` refuses log-ins over HTTPS that are not bound to the TLS connection (CbtHardeningLevel Strict).
    ``windows_build`` tells build and revision at the moment a session opens; the session's PSVersionTable shows them.
    """

    authentication: tuple[str, ...] = (NEGOTIATE, CREDSSP)
    allow_unencrypted: bool = False
    quotas: Quotas = field(default_factory=Quotas)
    configurations: frozenset[str] | None = None
    check_channel_binding: bool = True
    windows_build: Callable[[], str] = lambda: "20348.2400"

    @classmethod
    def lenient(cls) -> EndpointOptions:
        """Return settings that take every log-in, Basic over plain HTTP too."""
        return cls(authentication=(NEGOTIATE, CREDSSP, BASIC), allow_unencrypted=True)
