"""Restart-Computer (PowerShell-Docs, Microsoft.PowerShell.Management)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from include.simulator.cmdlets import second_hop
from include.simulator.cmdlets.registry import Call, cmdlet, fail
from include.simulator.objects import TerminatingError
from include.simulator.world.firewall import REMOTE_SHUTDOWN
from include.simulator.world.machines import Machine, Node
from include.simulator.world.power import ShutdownInProgressError

_CLASS = "Microsoft.PowerShell.Commands.RestartComputerCommand"


@cmdlet("Restart-Computer")
async def restart_computer(call: Call) -> None:
    """Order a restart; of the own machine it returns at once, and the session dies some seconds later.

    -Wait is not valid for the local computer, and without -Force other users' sessions stand against a restart. Another machine
    needs credentials to go there with, and its rules for remote shutdown unless -Protocol WSMan was given.
    """
    for name in call.texts("ComputerName") or ["localhost"]:
        await _restart(call, _target(call, name))


async def _restart(call: Call, host: Machine) -> None:
    local = host is call.host
    if local and call.has("Wait"):
        raise fail(
            "Failed to restart the local computer: a computer cannot wait for itself.",
            f"RestartComputerInvalidParameter,{_CLASS}",
            "InvalidOperation",
        )
    if not isinstance(host, Node):
        raise _failed(call, host.name, f"Failed to restart the computer {host.name}: Access is denied.")
    if not call.has("Force"):
        why = "The system shutdown cannot be initiated because there are other users logged on to the computer."
        raise _failed(call, host.name, _with_message(host, why))
    over_wsman = (call.text("Protocol") or "").lower() == "wsman"
    if not local and not over_wsman and not call.world.firewall.in_effect(host, REMOTE_SHUTDOWN):
        raise _failed(call, host.name, _with_message(host, "The RPC server is unavailable."))
    boot = host.boot_time
    try:
        call.world.power.restart(host, call.session.user)
    except ShutdownInProgressError as why:
        raise _failed(call, host.name, _with_message(host, str(why))) from None
    if call.has("Wait"):
        await _wait(call, host, lambda: host.boot_time > boot and call.world.services.reachable(host))


async def _wait(call: Call, host: Node, back: Callable[[], bool]) -> None:
    seconds = call.parameters.get("Timeout")
    limit = call.world.now + timedelta(seconds=seconds) if isinstance(seconds, int) and seconds > 0 else None
    await call.world.until(lambda: back() or (limit is not None and call.world.now >= limit), call.clock)
    if not back():
        raise fail(
            f"Failed to restart the computer {host.name}: it did not come back within {seconds} seconds.",
            f"RestartComputerTimeout,{_CLASS}",
            "OperationTimeout",
            target=host.name,
            target_type="String",
            activity=call.name,
        )


def _target(call: Call, name: str) -> Machine:
    try:
        return second_hop.machine(call, name)
    except second_hop.HopRefusedError as why:
        text = f"Failed to restart the computer {name} with the following error message: {why}"
        raise _failed(call, name, text) from None


def _with_message(host: Machine, why: str) -> str:
    return f"Failed to restart the computer {host.name} with the following error message: {why}"


def _failed(call: Call, target: str, message: str) -> TerminatingError:
    return fail(
        message,
        f"RestartcomputerFailed,{_CLASS}",
        "OperationStopped",
        exception_types=("System.InvalidOperationException", "System.SystemException", "System.Exception"),
        reason="InvalidOperationException",
        target=target,
        target_type="String",
        activity=call.name,
    )
