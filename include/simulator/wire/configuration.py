"""The ``winrm/config`` resource."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from include.simulator.wire import names
from include.simulator.wire.options import BASIC, CREDSSP, NEGOTIATE, EndpointOptions

_PORTS = {"HTTP": 5985, "HTTPS": 5986}
_SDDL = "O:NSG:BAD:P(A;;GA;;;BA)(A;;GR;;;IU)S:P(AU;FA;GA;;;WD)(AU;SA;GXGW;;;WD)"


def _settings(options: EndpointOptions) -> dict[str, object]:
    quotas = options.quotas
    return {
        "MaxEnvelopeSizekb": quotas.max_envelope_kb,
        "MaxTimeoutms": 60000,
        "MaxBatchItems": 32000,
        "MaxProviderRequests": 4294967295,
        "Client": {
            "NetworkDelayms": 5000,
            "URLPrefix": "wsman",
            "AllowUnencrypted": False,
            "Auth": dict.fromkeys(("Basic", "Digest", "Kerberos", "Negotiate", "Certificate"), True)
            | {"CredSSP": False},
            "DefaultPorts": _PORTS,
            "TrustedHosts": "",
        },
        "Service": {
            "RootSDDL": _SDDL,
            "MaxConcurrentOperations": 4294967295,
            "MaxConcurrentOperationsPerUser": quotas.operations_per_user,
            "EnumerationTimeoutms": 240000,
            "MaxConnections": 300,
            "MaxPacketRetrievalTimeSeconds": 120,
            "AllowUnencrypted": options.allow_unencrypted,
            "Auth": {
                "Basic": BASIC in options.authentication,
                "Kerberos": False,
                "Negotiate": NEGOTIATE in options.authentication,
                "Certificate": options.client_authority is not None,
                "CredSSP": CREDSSP in options.authentication,
                "CbtHardeningLevel": "Strict" if options.check_channel_binding else "None",
            },
            "DefaultPorts": _PORTS,
            "IPv4Filter": "*",
            "IPv6Filter": "*",
            "EnableCompatibilityHttpListener": False,
            "EnableCompatibilityHttpsListener": False,
            "CertificateThumbprint": "",
            "AllowRemoteAccess": True,
        },
        "Winrs": {
            "AllowRemoteShellAccess": True,
            "IdleTimeout": int(quotas.idle_seconds * 1000),
            "MaxConcurrentUsers": quotas.shell_users,
            "MaxShellRunTime": 2147483647,
            "MaxProcessesPerShell": 2147483647,
            "MaxMemoryPerShellMB": 2147483647,
            "MaxShellsPerUser": quotas.shells_per_user,
        },
    }


def _elements(settings: Mapping[str, object]) -> str:
    out = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            text = _elements(value)
        else:
            text = str(value).lower() if isinstance(value, bool) else escape(str(value))
        out.append(f"<cfg:{name}>{text}</cfg:{name}>")
    return "".join(out)


def describe(options: EndpointOptions) -> str:
    """Return the cfg:Config element."""
    return f'<cfg:Config xmlns:cfg="{names.WSMAN_CONFIG}">{_elements(_settings(options))}</cfg:Config>'
