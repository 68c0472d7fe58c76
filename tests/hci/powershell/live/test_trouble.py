"""What happens to running commands when the network or the node does something else."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from pypsrp.exceptions import WSManFaultError

from include.hci.powershell import psrp, transport
from include.hci.powershell.command import Command
from include.hci.powershell.errors import (
    AnswerNotUnderstood,
    ChangeDeadlineExceeded,
    ConnectionLost,
    DeadlineExceeded,
    EndpointRefused,
    NodeUnreachable,
    OutcomeUnknown,
    RemotingError,
)
from include.hci.powershell.policy import RetryPolicy
from include.hci.powershell.psrp import PsrpShell
from include.simulator.host import CommandCall, Sink
from include.simulator.wire.options import Quotas
from include.simulator.wire.wire_faults import FaultKind
from tests.hci.powershell.live.conftest import Machine

READ = Command("Get-ClusterNode")
CHANGE = Command("Suspend-ClusterNode", {"Name": "HCI01"})
ENCRYPTED: dict[str, Any] = {"auth": "ntlm"}
CREDSSP: dict[str, Any] = {"auth": "credssp"}
TLS: dict[str, Any] = {"auth": "basic", "ssl": True}
links = pytest.mark.parametrize("link", [ENCRYPTED, CREDSSP, TLS], ids=["ntlm", "credssp", "https"])
#: Every way to log in; over HTTPS the last step of a login carries the request itself.
all_links = pytest.mark.parametrize(
    "link",
    [ENCRYPTED, CREDSSP, TLS, CREDSSP | {"ssl": True}, {"auth": "negotiate", "ssl": True}],
    ids=["ntlm", "credssp", "https", "credssp-https", "negotiate-https"],
)


async def slow(call: CommandCall, sink: Sink) -> None:
    sink.output("first")
    await asyncio.sleep(0.1)
    sink.output("second")


async def quick(call: CommandCall, sink: Sink) -> None:
    sink.output("done")


async def endless(call: CommandCall, sink: Sink) -> None:
    await asyncio.sleep(3600)


@links
@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.RESET_BEFORE])
@pytest.mark.parametrize("command", [READ, CHANGE], ids=["read", "change"])
def test_a_reset_while_receiving_is_mended_and_the_same_pipeline_goes_on(
    machine: Machine, link: dict[str, Any], kind: FaultKind, command: Command
) -> None:
    machine.host.cmdlets[command.name] = slow
    with machine.shell(**link) as shell:
        shell.run(command)
        fault = machine.fault(kind, "Receive", skip=1)
        result = shell.run(command)
        assert fault.struck == 1
        assert result.output == ("first", "second")
        assert result.attempts == 1
        assert machine.host.count(command.name) == 2
        assert shell.run(command).output == ("first", "second")


@links
def test_a_read_whose_order_was_cut_off_is_given_again(machine: Machine, link: dict[str, Any]) -> None:
    machine.host.cmdlets[READ.name] = quick
    with machine.shell(**link) as shell:
        shell.run(READ)
        machine.fault(FaultKind.RESET, "Command")
        result = shell.run(READ)
    assert result.output == ("done",)
    assert result.attempts == 2
    assert machine.host.count(READ.name) == 3


@links
@pytest.mark.parametrize(("kind", "ran"), [(FaultKind.RESET, 1), (FaultKind.RESET_BEFORE, 0)])
def test_a_change_whose_order_was_cut_off_is_never_given_again(
    machine: Machine, link: dict[str, Any], kind: FaultKind, ran: int
) -> None:
    machine.host.cmdlets[READ.name] = quick
    machine.host.cmdlets[CHANGE.name] = quick
    with machine.shell(**link) as shell:
        shell.run(READ)
        machine.fault(kind, "Command")
        with pytest.raises(OutcomeUnknown) as caught:
            shell.run(CHANGE)
        assert machine.host.count(CHANGE.name) == ran
        assert not caught.value.retry_safe
        assert "Suspend-ClusterNode -Name 'HCI01'" in str(caught.value)
        assert shell.run(READ).output == ("done",)


def test_a_change_in_the_wake_of_another_trouble_is_judged_by_its_own(machine: Machine) -> None:
    """What was being handled when the order was cut off never reached its node; the order may have."""
    machine.host.cmdlets |= {READ.name: quick, CHANGE.name: quick}
    with machine.shell() as shell:
        shell.run(READ)
        machine.fault(FaultKind.RESET, "Command")
        try:
            machine.shell(port=1).run(READ)
        except NodeUnreachable:
            with pytest.raises(OutcomeUnknown):
                shell.run(CHANGE)
    assert machine.host.count(CHANGE.name) == 1


@pytest.mark.parametrize(("command", "kind"), [(READ, AnswerNotUnderstood), (CHANGE, OutcomeUnknown)])
@pytest.mark.parametrize("text", [b"<half an env", b"", b"<Envelope/>"])
def test_an_answer_to_an_order_that_makes_no_sense_says_nothing_about_it(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, command: Command, kind: type[RemotingError], text: bytes
) -> None:
    machine.host.cmdlets[command.name] = quick
    send = transport.BoundedTransport.send

    def garbled(self: transport.BoundedTransport, message: bytes, **more: Any) -> bytes:
        answer = send(self, message, **more)
        return text if b"shell/Command<" in message else answer

    monkeypatch.setattr(transport.BoundedTransport, "send", garbled)
    with machine.shell() as shell, pytest.raises(kind):
        shell.run(command)
    assert machine.host.count(command.name) <= 1


@links
def test_a_session_whose_beginning_was_not_told_is_ended(machine: Machine, link: dict[str, Any]) -> None:
    machine.host.cmdlets[READ.name] = quick
    machine.fault(FaultKind.RESET, "Create")
    with machine.shell(**link) as shell:
        assert shell.run(READ).output == ("done",)
        assert len(machine.endpoint.service.shells) == 1


def test_a_session_that_a_busy_node_begins_too_late_is_ended(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.host.cmdlets[READ.name] = quick
    create = transport.BoundedWSMan.create

    def late(self: transport.BoundedWSMan, *arguments: Any, **more: Any) -> Any:
        create(self, *arguments, **more)
        raise WSManFaultError(transport.OPERATION_TIMED_OUT, "HCI01", "not in time", None, None, None)

    with monkeypatch.context() as patch, machine.shell() as shell:
        patch.setattr(transport.BoundedWSMan, "create", late)
        with pytest.raises(EndpointRefused) as caught:
            shell.run(READ)
    assert caught.value.retry_safe
    assert list(machine.endpoint.service.shells) == []


def test_connections_that_die_for_good_end_reads_as_lost(machine: Machine) -> None:
    machine.host.cmdlets[READ.name] = quick
    with machine.shell() as shell:
        shell.run(READ)
        machine.fault(FaultKind.RESET_BEFORE, "Receive", count=None)
        with pytest.raises((ConnectionLost, NodeUnreachable)) as caught:
            shell.run(READ)
    assert caught.value.retry_safe


def _restart_soon(machine: Machine, name: str) -> threading.Thread:
    def wait_and_restart() -> None:
        while not machine.host.count(name):
            time.sleep(0.01)
        time.sleep(0.1)
        machine.restart()

    thread = threading.Thread(target=wait_and_restart)
    thread.start()
    return thread


@links
def test_a_restart_under_a_change_leaves_its_outcome_unknown(machine: Machine, link: dict[str, Any]) -> None:
    machine.host.cmdlets[CHANGE.name] = endless
    with machine.shell(**link) as shell:
        thread = _restart_soon(machine, CHANGE.name)
        with pytest.raises(OutcomeUnknown):
            shell.run(CHANGE, timeout=timedelta(seconds=10))
        thread.join()
        assert machine.host.count(CHANGE.name) == 1
        machine.host.cmdlets[READ.name] = quick
        assert shell.run(READ).output == ("done",)


@links
def test_a_restart_under_a_read_gives_it_again(machine: Machine, link: dict[str, Any]) -> None:
    async def endless_once(call: CommandCall, sink: Sink) -> None:
        if machine.host.count(READ.name) == 1:
            await asyncio.sleep(3600)
        sink.output("done")

    machine.host.cmdlets[READ.name] = endless_once
    with machine.shell(**link) as shell:
        thread = _restart_soon(machine, READ.name)
        result = shell.run(READ, timeout=timedelta(seconds=10))
        thread.join()
    assert result.output == ("done",)
    assert result.attempts == 2


@all_links
@pytest.mark.parametrize("command", [READ, CHANGE], ids=["read", "change"])
@pytest.mark.parametrize("loss", ["shells", "restart", "connections"])
@pytest.mark.parametrize("stale", [True, False])
def test_what_was_lost_while_idle_does_not_matter(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, link: dict[str, Any], command: Command, loss: str, stale: bool
) -> None:
    if stale:
        monkeypatch.setattr(psrp, "STALE_AFTER", 0.0)
    machine.host.cmdlets[command.name] = quick
    with machine.shell(**link) as shell:
        shell.run(command)
        match loss:
            case "shells":
                machine.kill_shells()
            case "restart":
                machine.restart()
            case "connections":
                machine.do(machine.endpoint.drop_connections())
        assert shell.run(command).output == ("done",)
    assert machine.host.count(command.name) == 2


def test_a_change_after_a_pause_gets_a_fresh_connection(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.host.cmdlets |= {READ.name: quick, CHANGE.name: quick}
    with machine.shell() as shell:
        shell.run(READ)
        logins = shell._pool.connection.transport.logins  # type: ignore[union-attr]
        shell.run(CHANGE)
        assert shell._pool.connection.transport.logins == logins  # type: ignore[union-attr]
        monkeypatch.setattr(psrp, "STALE_AFTER", 0.0)
        shell.run(CHANGE)
        assert shell._pool.connection.transport.logins == logins + 1  # type: ignore[union-attr]


@pytest.mark.parametrize(("command", "kind"), [(READ, DeadlineExceeded), (CHANGE, ChangeDeadlineExceeded)])
def test_a_deadline_stops_the_pipeline_and_keeps_the_session(
    machine: Machine, command: Command, kind: type[DeadlineExceeded]
) -> None:
    machine.host.cmdlets |= {command.name: endless, "Get-Cluster": quick}
    with machine.shell() as shell:
        shell.run(Command("Get-Cluster"))
        opened = shell._pool
        began = time.monotonic()
        with pytest.raises(kind) as caught:
            shell.run(command, timeout=timedelta(seconds=1))
        assert 0.9 < time.monotonic() - began < 4
        assert caught.value.retry_safe == (command is READ)
        assert machine.host.cancelled == [command.name]
        assert shell.run(Command("Get-Cluster")).output == ("done",)
        assert shell._pool is opened


@pytest.mark.parametrize("kind", [FaultKind.SILENCE, FaultKind.HALF_ANSWER])
@pytest.mark.parametrize("action", ["Receive", "Command", None])
def test_silence_ends_with_the_deadline(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, kind: FaultKind, action: str | None
) -> None:
    monkeypatch.setattr(transport, "GRACE", 0.3)
    machine.host.cmdlets[READ.name] = quick
    with machine.shell() as shell:
        shell.run(READ)
        machine.fault(kind, action, count=None)
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="did not answer"):
            shell.run(READ, timeout=timedelta(seconds=0.5))
        assert time.monotonic() - began < 0.5 + 0.3 + 2


def test_no_time_at_all_sends_nothing(machine: Machine) -> None:
    with machine.shell() as shell, pytest.raises(DeadlineExceeded):
        shell.run(CHANGE, timeout=timedelta(0))
    assert machine.host.calls == []


def test_silence_under_a_change_is_an_unknown_outcome(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "GRACE", 0.3)
    machine.host.cmdlets[CHANGE.name] = quick
    with machine.shell() as shell:
        shell.run(CHANGE)
        machine.fault(FaultKind.SILENCE, "Receive", count=None)
        with pytest.raises(OutcomeUnknown):
            shell.run(CHANGE, timeout=timedelta(seconds=0.5))


@pytest.mark.parametrize("command", [READ, CHANGE], ids=["read", "change"])
def test_a_silent_node_holds_the_thread_no_longer_than_one_operation_timeout(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, command: Command
) -> None:
    monkeypatch.setattr(transport, "SILENCE_GRACE", 1.0)
    machine.host.cmdlets[command.name] = quick
    with machine.shell(operation_timeout=2, read_timeout=3) as shell:
        shell.run(command)
        machine.fault(FaultKind.SILENCE, "Receive", count=None)
        began = time.monotonic()
        with pytest.raises((ConnectionLost, OutcomeUnknown), match="no answer"):
            shell.run(command, timeout=timedelta(minutes=10))
        assert 2 < time.monotonic() - began < 2 + 1 + 2


def test_a_short_silence_is_survived(machine: Machine) -> None:
    machine.host.cmdlets[CHANGE.name] = quick
    with machine.shell(operation_timeout=2, read_timeout=3) as shell:
        shell.run(CHANGE)
        fault = machine.fault(FaultKind.SILENCE, "Receive", count=1)
        assert shell.run(CHANGE).output == ("done",)
        assert fault.struck == 1
    assert machine.host.count(CHANGE.name) == 2


def test_a_long_command_is_followed_through_many_quiet_receives(machine: Machine) -> None:
    async def long(call: CommandCall, sink: Sink) -> None:
        await asyncio.sleep(2.2)
        sink.output("done")

    machine.host.cmdlets[CHANGE.name] = long
    with machine.shell(operation_timeout=1, read_timeout=3) as shell:
        assert shell.run(CHANGE).output == ("done",)
    assert machine.host.count(CHANGE.name) == 1


def test_a_node_slow_to_open_a_session_is_waited_for(machine: Machine) -> None:
    machine.host.cmdlets[READ.name] = quick
    machine.fault(FaultKind.SLOW, "Create", seconds=0.5)
    with machine.shell() as shell:
        assert shell.run(READ).output == ("done",)
        assert shell.is_alive()
        machine.restart()
        assert not shell.is_alive()
        assert not shell.is_open


@pytest.mark.parametrize("machine", [{"quotas": Quotas(commands_per_shell=3)}], indirect=True)
def test_every_pipeline_is_closed_so_the_quota_of_commands_lasts(machine: Machine) -> None:
    machine.host.cmdlets |= {READ.name: quick, CHANGE.name: endless}
    with machine.shell() as shell:
        for _ in range(5):
            shell.run(READ)
        opened = shell._pool
        for _ in range(2):
            with pytest.raises(ChangeDeadlineExceeded):
                shell.run(CHANGE, timeout=timedelta(seconds=0.3))
        shell.run(READ)
        assert shell._pool is opened


def test_a_shell_runs_one_pipeline_at_a_time(machine: Machine) -> None:
    machine.host.cmdlets[READ.name] = slow
    with machine.shell() as shell:
        thread = threading.Thread(target=lambda: shell.run(READ))
        thread.start()
        while not machine.host.count(READ.name):
            time.sleep(0.01)
        with pytest.raises(RuntimeError, match="one pipeline at a time"):
            shell.run(READ)
        thread.join()


def test_a_callback_that_fails_stops_the_pipeline(machine: Machine) -> None:
    async def chatty(call: CommandCall, sink: Sink) -> None:
        sink.progress("Working", "", 10)
        await asyncio.sleep(3600)

    def refuse(_: object) -> None:
        raise LookupError("the listener broke")

    machine.host.cmdlets |= {CHANGE.name: chatty, READ.name: quick}
    with machine.shell() as shell:
        with pytest.raises(LookupError, match="the listener broke"):
            shell.run(CHANGE, on_progress=refuse)
        assert shell.run(READ).output == ("done",)
    assert machine.host.cancelled == [CHANGE.name]


@links
@pytest.mark.parametrize("seed", range(2))
def test_whatever_breaks_a_change_happens_once_or_is_said_to_be_unknown(
    machine: Machine, link: dict[str, Any], seed: int
) -> None:
    """Random trouble: an error other than OutcomeUnknown promises that the change did not happen."""
    chance = random.Random(seed)
    pause = random.Random(seed)
    done: list[object] = []

    async def change(call: CommandCall, sink: Sink) -> None:
        await asyncio.sleep(pause.choice((0, 0.02)))
        done.append(call.arguments[0].value)
        sink.output("changed")

    async def read(call: CommandCall, sink: Sink) -> None:
        sink.output("first")
        await asyncio.sleep(pause.choice((0, 0.02)))
        sink.output("second")

    machine.host.cmdlets |= {CHANGE.name: change, READ.name: read}
    kinds = (FaultKind.RESET, FaultKind.RESET_BEFORE, FaultKind.LOSE, FaultKind.KILL_SESSIONS)
    seen: Counter[str] = Counter()
    with PsrpShell(machine.settings(**link), policy=RetryPolicy(delay=0.01)) as shell:
        for number in range(30):
            for _ in range(chance.randrange(3)):
                action = chance.choice(("Create", "Command", "Command", "Receive", "Receive", "Signal", "Delete"))
                machine.fault(chance.choice(kinds), action, skip=chance.randrange(2))
            happened = _outcome(shell, Command("Suspend-ClusterNode", {"Name": number}), ("changed",))
            times = done.count(number)
            assert times <= 1
            assert times == 1 or happened != "worked"
            assert times == 0 or happened in ("worked", "unknown")
            assert _outcome(shell, READ, ("first", "second")) in ("worked", "may be repeated")
            seen[happened] += 1
            machine.do(machine.endpoint.clear_faults())
    assert seen["worked"] > 10
    assert seen["unknown"] > 0


def _outcome(shell: PsrpShell, command: Command, expected: tuple[object, ...]) -> str:
    try:
        output = shell.run(command).output
    except OutcomeUnknown:
        return "unknown"
    except RemotingError as error:
        return "may be repeated" if error.retry_safe else "failed"
    return "worked" if output == expected else f"answered {output}"
