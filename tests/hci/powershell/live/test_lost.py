"""What a broken connection took along for good, and what it did not."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from include.hci.powershell.command import Command
from include.hci.powershell.decoder import Sequence
from include.hci.powershell.errors import ChangeDeadlineExceeded, CommandFailed, DeadlineExceeded, OutcomeUnknown
from include.simulator.host import CommandCall, Sink
from include.simulator.wire.wire_faults import FaultKind
from tests.hci.powershell.live.conftest import Machine
from tests.hci.powershell.live.test_trouble import CHANGE, READ, endless, links, quick


async def in_three_parts(call: CommandCall, sink: Sink) -> None:
    for part in ("first", "second", "third"):
        sink.output(part)
        await asyncio.sleep(0.3)


@links
@pytest.mark.parametrize("lost", [0, 1, 2, 3])
def test_a_part_of_an_answer_that_was_lost_is_not_missed_in_silence(
    machine: Machine, link: dict[str, Any], lost: int
) -> None:
    """Windows gives what a broken connection took along to nobody again (MS-WSMV 3.1.4.1.39)."""
    machine.host.cmdlets |= {READ.name: in_three_parts, CHANGE.name: in_three_parts}
    whole = ("first", "second", "third")
    with machine.shell(**link) as shell:
        assert shell.run(READ).output == whole
        fault = machine.fault(FaultKind.LOSE, "Receive", skip=lost)
        result = shell.run(READ)
        assert (result.output, result.attempts, fault.struck) == (whole, 2, 1)
        machine.fault(FaultKind.LOSE, "Receive", skip=lost)
        with pytest.raises(OutcomeUnknown):
            shell.run(CHANGE)
    # What it does is done, all the same.
    assert machine.host.count(CHANGE.name) == 1
    assert CHANGE.name not in machine.host.cancelled


@pytest.mark.parametrize("command", [READ, CHANGE], ids=["read", "change"])
@pytest.mark.parametrize("lost", [0, 1])
def test_a_session_of_whose_beginning_a_part_was_lost_is_not_used(
    machine: Machine, command: Command, lost: int
) -> None:
    machine.host.cmdlets[command.name] = quick
    machine.fault(FaultKind.LOSE, "Receive", skip=lost)
    with machine.shell(operation_timeout=1, read_timeout=2) as shell:
        result = shell.run(command)
        assert (result.output, result.attempts) == (("done",), 2)
    assert machine.host.count(command.name) == 1
    assert list(machine.endpoint.service.shells) == []


def test_a_session_that_had_no_time_to_open_is_ended_before_the_next_one(machine: Machine) -> None:
    machine.host.cmdlets[READ.name] = quick
    machine.fault(FaultKind.SLOW, "Receive", seconds=0.8)
    with machine.shell() as shell:
        with pytest.raises(DeadlineExceeded):
            shell.run(READ, timeout=timedelta(seconds=0.5))
        assert shell.run(READ).output == ("done",)
        assert len(machine.endpoint.service.shells) == 1


def test_a_break_in_which_nothing_was_lost_costs_nothing_even_after_a_pipeline_that_was_stopped(
    machine: Machine,
) -> None:
    machine.host.cmdlets |= {READ.name: in_three_parts, CHANGE.name: endless}
    with machine.shell() as shell:
        with pytest.raises(ChangeDeadlineExceeded):
            shell.run(CHANGE, timeout=timedelta(seconds=0.3))
        machine.fault(FaultKind.RESET_BEFORE, "Receive", skip=1)
        assert shell.run(READ).attempts == 1


def test_what_a_session_sends_is_numbered_without_gaps(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    follows = Sequence.follows

    def note(self: Sequence, data: bytes) -> bool:
        seen.append(follows(self, data))
        return seen[-1]

    monkeypatch.setattr(Sequence, "follows", note)
    machine.host.cmdlets |= {READ.name: in_three_parts, CHANGE.name: quick}
    with machine.shell() as shell:
        for command in (READ, CHANGE, READ):
            shell.run(command)
        with pytest.raises(CommandFailed):
            shell.run(Command("Get-Nothing"))
        shell.run(CHANGE)
    assert len(seen) > 8
    assert all(seen)
