"""The pool of sessions and the threads, against a live endpoint."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta

import pytest

from include.hci.powershell.command import Command
from include.hci.powershell.errors import CommandFailed, NodeUnreachable
from include.hci.powershell.pool import ShellPool
from include.hci.powershell.threads import RemotingThreads
from include.simulator.host import CommandCall, Sink
from include.simulator.wire.wire_faults import FaultKind
from tests.hci.powershell.live.conftest import Machine

READ = Command("Get-ClusterNode")


async def quick(call: CommandCall, sink: Sink) -> None:
    sink.output("done")


def test_a_lease_finds_the_session_of_the_one_before(machine: Machine) -> None:
    machine.host.cmdlets[READ.name] = quick
    pool = ShellPool()
    settings = machine.settings()
    for _ in range(3):
        with pool.lease(settings) as shell:
            assert shell.run(READ).output == ("done",)
    with pytest.raises(CommandFailed), pool.lease(settings) as shell:
        shell.run(Command("Get-Nothing"))
    assert pool.counts(settings) == (0, 1)
    assert len(machine.endpoint.service.shells) == 1
    pool.close_all()
    assert len(machine.endpoint.service.shells) == 0


def test_a_session_that_broke_is_not_lent_again(machine: Machine) -> None:
    machine.host.cmdlets[READ.name] = quick
    pool = ShellPool()
    settings = machine.settings()
    with pool.lease(settings) as shell:
        shell.run(READ)
    machine.fault(FaultKind.REFUSE)
    machine.do(machine.endpoint.drop_connections())
    with pytest.raises(NodeUnreachable), pool.lease(settings) as shell:
        shell.run(READ)
    assert pool.counts(settings) == (0, 0)


def test_idle_sessions_are_closed_on_the_node(machine: Machine) -> None:
    machine.host.cmdlets[READ.name] = quick
    pool = ShellPool(idle=timedelta(seconds=0.2))
    settings = machine.settings()
    with pool.lease(settings) as shell:
        shell.run(READ)
    assert len(machine.endpoint.service.shells) == 1
    limit = time.monotonic() + 3
    while len(machine.endpoint.service.shells) and time.monotonic() < limit:
        time.sleep(0.02)
    assert len(machine.endpoint.service.shells) == 0
    assert pool.counts(settings) == (0, 0)


async def test_many_nodes_are_read_side_by_side(machine: Machine) -> None:
    async def slow(call: CommandCall, sink: Sink) -> None:
        await asyncio.sleep(0.3)
        sink.output("done")

    machine.host.cmdlets[READ.name] = slow
    pool = ShellPool(max_per_key=8)
    threads = RemotingThreads(8)
    settings = machine.settings()

    def poll() -> object:
        with pool.lease(settings) as shell:
            return shell.run(READ).output

    began = time.monotonic()
    answers = await asyncio.gather(*(threads.run(poll) for _ in range(8)))
    assert answers == [("done",)] * 8
    assert time.monotonic() - began < 8 * 0.3 * 0.75
    pool.close_all()
    threads.close()
