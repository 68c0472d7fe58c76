"""The wire of the simulated cluster: WinRM over HTTP and HTTPS, PowerShell remoting and the plain remote shell.

It knows the simulated machines only as ``PowerShellHost`` and is spoken to by unmodified clients.
"""

from include.simulator.wire.accounts import Account
from include.simulator.wire.endpoint import Endpoint, PortBusyError
from include.simulator.wire.options import EndpointOptions, Quotas
from include.simulator.wire.server import WsmanServer
from include.simulator.wire.wire_faults import FaultKind, WireFault

__all__ = [
    "Account",
    "Endpoint",
    "EndpointOptions",
    "FaultKind",
    "PortBusyError",
    "Quotas",
    "WireFault",
    "WsmanServer",
]
