"""Commands that leave the machine they run on: whom they reach depends on whether the session carries credentials along."""

from __future__ import annotations

from include.simulator.cmdlets.registry import Call
from include.simulator.world.machines import Machine

#: Win32 error codes (win32, system error codes).
ACCESS_DENIED, RPC_UNAVAILABLE = 5, 1722


class HopRefusedError(Exception):
    """The other machine cannot be reached; ``code`` is the Win32 error."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


def is_local(call: Call, name: str) -> bool:
    """Tell whether ``name`` means the machine that the command runs on."""
    return name.strip().split(".")[0].lower() in ("", "localhost", "127", call.host.name.lower())


def machine(call: Call, name: str) -> Machine:
    """Return the machine called ``name``; raises HopRefusedError where this session cannot act on it.

    A network logon has nothing to log on with anywhere else unless the credentials were delegated (PowerShell-Docs,
    ps-remoting-second-hop).
    """
    if is_local(call, name):
        return call.host
    short = name.split(".")[0].lower()
    found = next((each for key, each in call.world.machines.items() if key.lower() == short), None)
    if found is None or not found.up:
        raise HopRefusedError(RPC_UNAVAILABLE, "The RPC server is unavailable.")
    if not call.session.delegated:
        raise HopRefusedError(ACCESS_DENIED, "Access is denied.")
    return found
