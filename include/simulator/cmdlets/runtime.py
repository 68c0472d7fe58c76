"""Runs what remote clients send to a simulated machine: finds each command, binds it, pipes it, and writes the journal."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from include.simulator.clock import Clock
from include.simulator.cmdlets import (
    availability,
    binder_errors,
    own_commands,
    registry,
    runtime_faults,
    runtime_journal,
    runtime_shell,
)
from include.simulator.cmdlets.binder import Binding, bind
from include.simulator.cmdlets.binder_pipeline import bind_object
from include.simulator.cmdlets.registry import Call, Handler
from include.simulator.cmdlets.runtime_session import (
    DEFAULT_CONFIGURATION,
    SessionConfiguration,
    describe_commands,
    full_language,
)
from include.simulator.cmdlets.runtime_sink import CommandSink, completed
from include.simulator.cmdlets.syntax import CmdletSyntax, SyntaxTable, load_table
from include.simulator.host import ByteSink, CommandCall, Session, Sink, Statement
from include.simulator.host_interaction import CommandDescription
from include.simulator.journal import Journal
from include.simulator.objects import SimError, TerminatingError
from include.simulator.stepping import Interruptible, SteppedClock
from include.simulator.world.machines import Machine
from include.simulator.world.world import World

logger = logging.getLogger(__name__)

#: Parameters whose objects from the pipeline a command works on together when the last one is there.
_TOGETHER = frozenset({"InputObject", "InputReport"})
#: Commands that have something to say even when nothing came down the pipeline.
_END_WITHOUT_INPUT = frozenset({"measure-object", "out-default", "out-null", "out-string"})


class MachineWentDownError(Exception):
    """The machine lost power while a command ran on it; whoever waited for the command will never hear of it."""


@dataclass(slots=True)
class SimulatedHost:
    """One machine of the world as remote clients see it; implements PowerShellHost.

    ``configurations`` are its session configurations by lower-case name; without any it has the full-language default one.
    """

    machine: Machine
    world: World
    clock: Clock
    journal: Journal
    configurations: Mapping[str, SessionConfiguration] = field(
        default_factory=lambda: {DEFAULT_CONFIGURATION: full_language()}
    )
    name: str = field(init=False)
    _running: set[Interruptible] = field(default_factory=set, init=False, repr=False)

    def __post_init__(self) -> None:
        """End whatever runs on the machine when it loses power."""
        self.name = self.machine.name
        self.world.on_power(self._power_changed)

    @property
    def table(self) -> SyntaxTable:
        """The vendor's syntax for the Windows that the machine runs now."""
        return load_table(self.machine.os.docset)

    async def invoke(self, session: Session, statements: tuple[Statement, ...], sink: Sink) -> None:
        """Run ``statements`` one after another; raises TerminatingError where Windows ends the pipeline as failed."""
        configuration = self._configuration(session)
        session.visible = configuration.visible
        for statement in statements:
            await self._run_statement(session, configuration, statement, sink)

    def describe_commands(self, session: Session) -> Iterable[CommandDescription]:
        """Return the commands that ``session`` shows and this machine plays."""
        return describe_commands(self._configuration(session), self.table)

    async def run_line(self, session: Session, line: str, stdout: ByteSink, stderr: ByteSink) -> int:
        """Run one command line of a plain shell and return its exit code."""
        self._require_up()
        activity = self._begin("cmd.exe", {"line": line}, session)
        code = runtime_shell.run_line(self.machine, session, line, stdout, stderr)
        self._end("ok" if code == 0 else "fail", "cmd.exe", activity, session, {"exit_code": code})
        return code

    async def _run_statement(
        self, session: Session, configuration: SessionConfiguration, statement: Statement, sink: Sink
    ) -> None:
        for command in statement:
            self._refuse_invisible(session, configuration, command)
        flow: list[object] = []
        for position, command in enumerate(statement):
            last = position == len(statement) - 1
            flow = await self._run_command(session, command, flow, sink, first=position == 0, last=last)

    def _refuse_invisible(self, session: Session, configuration: SessionConfiguration, command: CommandCall) -> None:
        """Fail the whole statement before any of it runs, as PowerShell does when it looks its commands up."""
        refusal: TerminatingError | None = None
        if command.is_script:
            refusal = configuration.refuse_script(command.name)
        elif own_commands.find(self.world, self.machine, configuration, command.name) is not None:
            return
        elif own_commands.is_script(command.name) or not configuration.shows(command.name):
            refusal = binder_errors.command_not_found(command.name)
        elif self.table.find(command.name) is None or registry.find(command.name) is None:
            refusal = self._unknown(command.name)
        elif availability.missing(self.world, self.machine, command.name):
            refusal = binder_errors.command_not_found(command.name)
        if refusal is None:
            return
        name = "(script)" if command.is_script else command.name
        activity = self._begin(name, runtime_journal.as_sent(command.arguments), session)
        self._end("fail", name, activity, session, _failure([refusal.record], terminating=True))
        raise refusal

    def _unknown(self, name: str) -> TerminatingError:
        if not self.table.is_known_elsewhere(name):
            return binder_errors.command_not_found(name)
        return TerminatingError(
            SimError(
                message=f"Windows has the command '{name}', but this simulated machine does not play it.",
                fully_qualified_error_id="CommandNotSimulated",
                category="NotImplemented",
                exception_types=("System.NotImplementedException", "System.SystemException", "System.Exception"),
                reason="NotImplementedException",
                target=name,
                target_type="String",
            )
        )

    async def _run_command(
        self, session: Session, command: CommandCall, flow: list[object], sink: Sink, *, first: bool, last: bool
    ) -> list[object]:
        self._require_up()
        self.world.advance()
        own = own_commands.find(self.world, self.machine, self._configuration(session), command.name)
        syntax = own[0] if own is not None else self.table.find(command.name)
        assert syntax is not None  # noqa: S101 - _refuse_invisible has looked it up
        handler = own[1] if own is not None else registry.find(command.name)
        assert handler is not None  # noqa: S101 - _refuse_invisible has looked it up
        try:
            binding = bind(syntax, command.arguments, expects_input=not first)
        except TerminatingError as refusal:
            activity = self._begin(syntax.name, runtime_journal.as_sent(command.arguments), session)
            record = replace(
                refusal.record, message=runtime_journal.without_secrets(refusal.record.message, command.arguments)
            )
            self._end("fail", syntax.name, activity, session, _failure([record], terminating=True))
            raise
        streams = CommandSink(
            sink,
            syntax.name,
            binder_errors.command_class(syntax),
            binding.common,
            last=last,
            merges=command.merges,
        )
        activity = self._begin(syntax.name, runtime_journal.readable(binding.parameters), session, binding, flow)
        detail: dict[str, object] = {}
        status = "unknown"
        try:
            await self._run_bound(session, syntax, handler, binding, flow, streams, first=first)
            status = "fail" if streams.errors else "ok"
            detail = _failure(streams.errors, terminating=False) if streams.errors else {}
        except TerminatingError as error:
            status, record = "fail", completed(error.record, syntax.name, binder_errors.command_class(syntax))
            detail = _failure([record], terminating=True)
            raise TerminatingError(record) from None
        except (MachineWentDownError, asyncio.CancelledError):
            detail = {"reason": "stopped by the client" if self.machine.up else "the machine went down"}
            raise
        except Exception as defect:
            logger.exception("The simulator failed in %s on %s", syntax.name, self.name)
            record = completed(
                SimError(f"The simulator failed in {syntax.name}: {defect!r}", "SimulatorDefect"),
                syntax.name,
                "Simulator",
            )
            status, detail = "fail", _failure([record], terminating=True)
            raise TerminatingError(record) from defect
        finally:
            self._end(status, syntax.name, activity, session, detail)
            self.world.advance()
        return streams.collected

    async def _run_bound(
        self,
        session: Session,
        syntax: CmdletSyntax,
        handler: Handler,
        binding: Binding,
        flow: list[object],
        streams: CommandSink,
        *,
        first: bool,
    ) -> None:
        if binding.common.confirm:
            raise registry.cannot_ask()
        batches = _batches(binding, flow, streams) if not first else [({}, [])]
        if not first and not batches and syntax.name.lower() in _END_WITHOUT_INPUT:
            batches = [({}, [])]
        for extra, objects in batches:
            parameters = {**binding.parameters, **extra}
            if binding.common.confirm is False:
                parameters["Confirm"] = False
            if binding.common.what_if and registry.answers_what_if(syntax.name):
                parameters["WhatIf"] = True
            elif binding.common.what_if:
                target = ", ".join(runtime_journal.names_of(objects)) or str(parameters.get("Name") or self.name)
                registry.say_what_if(f'Performing the operation "{syntax.name}" on target "{target}".')
                continue
            call = Call(syntax.name, self.machine, session, parameters, objects, streams, self.world, self.clock)
            await self._until_power_goes(runtime_faults.run(handler, call))

    async def _until_power_goes(self, work: Coroutine[Any, Any, None]) -> None:
        running = Interruptible(work)
        self._running.add(running)
        try:
            if running.begin():
                pass  # most commands never wait
            elif isinstance(self.clock, SteppedClock):
                await running
            else:
                await running.in_event_loop()
        finally:
            self._running.discard(running)
        if running.cancelled:
            raise MachineWentDownError(f"{self.name} went down while a command ran on it.")

    def _power_changed(self, name: str, up: bool) -> None:
        if name == self.name and not up:
            for running in list(self._running):
                running.cancel()

    def _configuration(self, session: Session) -> SessionConfiguration:
        name = (session.configuration_name or DEFAULT_CONFIGURATION).lower()
        name = name.rpartition("/")[2]
        configuration = self.configurations.get(name)
        if configuration is None:
            raise TerminatingError(
                SimError(
                    message=f"Cannot find the '{session.configuration_name}' session configuration in the WSMan: drive on the "
                    f"{self.name} computer.",
                    fully_qualified_error_id="SessionConfigurationNotFound",
                    category="ObjectNotFound",
                )
            )
        return configuration

    def _require_up(self) -> None:
        if not self.machine.up:
            raise TerminatingError(
                SimError(
                    message=f"The computer {self.name} is not running; nothing can be invoked on it.",
                    fully_qualified_error_id="MachineDown",
                    category="ResourceUnavailable",
                    exception_types=(
                        "System.Management.Automation.Remoting.PSRemotingTransportException",
                        "System.Exception",
                    ),
                )
            )

    def _begin(
        self,
        command: str,
        parameters: dict[str, object],
        session: Session,
        binding: Binding | None = None,
        flow: list[object] | None = None,
    ) -> str:
        activity = f"a{len(self.journal.entries) + 1}"
        detail: dict[str, object] = {"command": command, "parameters": parameters, "activity": activity}
        if flow:
            detail["input"] = runtime_journal.names_of(flow)
        if binding is not None and binding.common.what_if:
            detail["what_if"] = True
        self.journal.write("command", "invoke", actor=session.user, node=self.name, detail=detail)
        return activity

    def _end(self, status: str, command: str, activity: str, session: Session, detail: Mapping[str, object]) -> None:
        everything = {"command": command, "activity": activity, **detail}
        self.journal.write("command", status, actor=session.user, node=self.name, detail=everything)


def _batches(
    binding: Binding, flow: list[object], streams: CommandSink
) -> list[tuple[dict[str, object], list[object]]]:
    """Split the input: objects bound to InputObject stay together, each other one gets a call of its own."""
    batches: list[tuple[dict[str, object], list[object]]] = []
    for value in flow:
        bound = bind_object(binding, value)
        if isinstance(bound, SimError):
            streams.error(bound)
            continue
        extra = {name: member for name, member in bound.items() if name not in _TOGETHER}
        if not extra and batches and not batches[-1][0]:
            batches[-1][1].append(value)
        else:
            batches.append((extra, [value]))
    return batches


def _failure(records: list[SimError], *, terminating: bool) -> dict[str, object]:
    errors = [
        {"id": record.fully_qualified_error_id, "category": record.category, "message": record.message}
        for record in records
    ]
    return {"errors": errors, "terminating": terminating}
