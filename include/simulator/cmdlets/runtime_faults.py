"""What faults do to commands: a bound command that fails, answers late, or is not what this build has."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, Handler
from include.simulator.faults.triggers import COMMAND
from include.simulator.objects import SimError, TerminatingError

if TYPE_CHECKING:
    from include.simulator.world.rig import Condition

_LOOK_AGAIN = timedelta(seconds=30)


async def run(handler: Handler, call: Call) -> None:
    """Run a command, unless a fault has something else in mind."""
    faults, rig = call.world.faults, call.world.rig
    if faults.listens(COMMAND):
        given = {name: _plain(value) for name, value in call.parameters.items()}
        faults.notice(COMMAND, call.host.name, {**given, "node": call.host.name, "command": call.name})
        call.world.advance()
    if rig.conditions:
        await _late(call)
        for kind in ("parameter-unknown", "command-fails"):
            for condition in rig.every(kind, call.host.name):
                if _concerns(condition, call):
                    rig.use(condition)
                    raise _unknown(call, condition) if kind == "parameter-unknown" else _failure(call, condition)
    await handler(call)


async def _late(call: Call) -> None:
    """Wait as long as a fault says, or until it is healed where it names no time."""
    rig = call.world.rig
    for condition in rig.every("command-late", call.host.name):
        if not _concerns(condition, call):
            continue
        rig.use(condition)
        minutes = condition.number("minutes")
        if minutes:
            await call.clock.sleep(timedelta(minutes=minutes))
        while not minutes and condition in rig.conditions:
            await call.clock.sleep(_LOOK_AGAIN)
        call.world.advance()


def _concerns(condition: Condition, call: Call) -> bool:
    command = condition.details.get("command", "*")
    names = [str(each) for each in command] if isinstance(command, list | tuple) else [str(command)]
    if not any(matching(name, [call.name]) for name in names):
        return False
    parameter = condition.text("parameter")
    if parameter and not any(parameter.lower() == name.lower() for name in call.parameters):
        return False
    where = condition.details.get("where")
    wanted = where if isinstance(where, Mapping) else {}
    given = {name.lower(): str(_plain(value)).lower() for name, value in call.parameters.items()}
    return all(matching(str(value), [given.get(str(name).lower(), "")]) for name, value in wanted.items())


def _plain(value: object) -> object:
    if isinstance(value, list | tuple) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str | int | float | bool) else str(value)


def _unknown(call: Call, condition: Condition) -> TerminatingError:
    return TerminatingError(
        SimError(
            f"A parameter cannot be found that matches parameter name '{condition.text('parameter')}'.",
            f"NamedParameterNotFound,{call.name}",
            "InvalidArgument",
            (
                "System.Management.Automation.ParameterBindingException",
                "System.Management.Automation.RuntimeException",
                "System.SystemException",
                "System.Exception",
            ),
            reason="ParameterBindingException",
            activity=call.name,
        )
    )


def _failure(call: Call, condition: Condition) -> TerminatingError:
    code = int(condition.text("hresult", "0x80004005"), 0)
    exception = condition.text("exception", "System.Runtime.InteropServices.COMException")
    return TerminatingError(
        SimError(
            condition.text("message", "Unspecified error"),
            condition.text("error_id", f"HRESULT 0x{code:08x}") + f",{call.name}",
            condition.text("category", "NotSpecified"),
            (exception, "System.SystemException", "System.Exception"),
            reason=exception.rpartition(".")[2],
            activity=call.name,
            hresult=code - (1 << 32) if code >= 1 << 31 else code,
        )
    )
