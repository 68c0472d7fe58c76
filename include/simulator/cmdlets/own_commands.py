"""Plays what administrators run on their machines by name: scripts that lie there, and functions of constrained endpoints."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.cmdlets.registry import Call, Handler, fail
from include.simulator.cmdlets.runtime_session import DEFAULT_CONFIGURATION, SessionConfiguration
from include.simulator.cmdlets.syntax import ALL_SETS, CmdletSyntax, ParameterSyntax
from include.simulator.host import Session
from include.simulator.objects import TerminatingError

if TYPE_CHECKING:
    from include.simulator.world.machines import Machine
    from include.simulator.world.own_commands import OwnCommand
    from include.simulator.world.world import World

_LOOK_AGAIN = timedelta(seconds=30)
_RUNTIME = ("System.Management.Automation.RuntimeException", "System.SystemException", "System.Exception")


def find(
    world: World, machine: Machine, configuration: SessionConfiguration, name: str
) -> tuple[CmdletSyntax, Handler] | None:
    """Return the command called ``name`` and what it does, or None where a session of ``configuration`` has none of its own."""
    if is_script(name):
        # A restricted session shows scripts by their whole path (PowerShell-Docs, role-capabilities: VisibleExternalCommands).
        shown = configuration.visible is None or name.lower() in configuration.visible
        there = world.cau.scripts.find(machine.name, name) is not None
        return (CmdletSyntax(name, "", (ALL_SETS,), ALL_SETS, {}), _run_script) if shown and there else None
    own = world.own_commands.find(machine.name, configuration.name, name)
    return (syntax_of(own), _run_function) if own is not None else None


def is_script(name: str) -> bool:
    """Tell whether ``name`` is a path of a script."""
    return "\\" in name and name.lower().endswith(".ps1")


def endpoint_of(session: Session) -> str:
    """Return the name of the session's configuration, whether the client named it or its whole address."""
    return session.configuration_name.rpartition("/")[2] or DEFAULT_CONFIGURATION


def syntax_of(own: OwnCommand) -> CmdletSyntax:
    """Return the syntax of a function; it is of no module."""
    parameters = {
        name: ParameterSyntax(name, kind, frozenset({ALL_SETS}), position=None if kind == "SwitchParameter" else number)
        for number, (name, kind) in enumerate(own.parameters.items())
    }
    return CmdletSyntax(own.name, "", (ALL_SETS,), ALL_SETS, parameters)


async def _run_script(call: Call) -> None:
    """Run what lies at the path; what it throws ends the pipeline."""
    world, node = call.world, call.host.name
    script = world.cau.scripts.find(node, call.name)
    if script is None or script.unreadable:
        raise fail(
            f"File {call.name} cannot be loaded because Access to the path '{call.name}' is denied.",
            "UnauthorizedAccess",
            "SecurityError",
            exception_types=("System.Management.Automation.PSSecurityException", *_RUNTIME),
            reason="PSSecurityException",
        )
    while world.cau.scripts.hangs(node, call.name):
        await call.clock.sleep(_LOOK_AGAIN)
    await call.clock.sleep(script.takes)
    for line in script.output:
        call.sink.output(line)
    if thrown := world.cau.scripts.failure(node, call.name):
        raise _thrown(thrown)


async def _run_function(call: Call) -> None:
    """Do what the function is set to do."""
    world, endpoint = call.world, endpoint_of(call.session)

    def own() -> OwnCommand | None:
        return world.own_commands.find(call.host.name, endpoint, call.name)

    while (command := own()) is not None and command.hangs:
        await call.clock.sleep(_LOOK_AGAIN)
    if command is None:
        return
    await call.clock.sleep(command.takes)
    for line in command.output:
        call.sink.output(line)
    refusal = world.rig.take("function-fails", call.host.name)
    if thrown := (refusal.text("message", "Access is denied.") if refusal else command.fails):
        raise _thrown(thrown)


def _thrown(message: str) -> TerminatingError:
    """Return what ``throw`` ends a pipeline with: the message is the name of the error as well."""
    return fail(
        message, message, "OperationStopped", exception_types=_RUNTIME, reason="RuntimeException", target=message
    )
