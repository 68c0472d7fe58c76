"""Machines that go away and faults on the wire, as clients live through them."""

from __future__ import annotations

import time

import pytest
import requests
from pypsrp.exceptions import WSManFaultError
from pypsrp.powershell import PowerShell, RunspacePool

from include.simulator.wire import Endpoint, FaultKind, WireFault
from tests.simulator.wire.conftest import Connect, OpenPool, invoke, wait_for
from tests.simulator.wire.lab import Lab, LabHost

ENCRYPTED = ["http ntlm", "http credssp"]
PLAIN = ["http basic", "https negotiate"]
Machine = tuple[Endpoint, LabHost]
#: requests tells a connection that ends inside an answer apart from one that ends between answers.
BROKEN = (requests.exceptions.ConnectionError, requests.exceptions.ChunkedEncodingError)


def renew_connection(pool: RunspacePool) -> None:
    """Bring a pypsrp client back to life whose encrypted connection broke (its issue 21)."""
    pool.connection.transport.session = None
    pool.connection.transport.encryption = None


@pytest.mark.parametrize("transport", [*ENCRYPTED, *PLAIN])
def test_a_machine_that_is_off_refuses_connections(
    machine: Machine, lab: Lab, connect: Connect, transport: str
) -> None:
    endpoint, _ = machine
    ports = (endpoint.http_port, endpoint.https_port)
    pool = RunspacePool(connect(endpoint, transport, reconnection_retries=0))
    pool.open()
    lab.run(endpoint.power(False))
    assert not pool.is_alive()
    with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
        RunspacePool(connect(endpoint, transport, reconnection_retries=0)).open()
    lab.run(endpoint.power(True))
    assert (endpoint.http_port, endpoint.https_port) == ports
    assert len(endpoint.service.shells) == 0
    with RunspacePool(connect(endpoint, transport)) as fresh:
        assert invoke(fresh, "Get-Note").output == [None]


def test_power_off_resets_a_waiting_client(machine: Machine, lab: Lab, open_pool: OpenPool) -> None:
    endpoint, host = machine
    with open_pool(endpoint) as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Wait-Here").add_parameter("Seconds", 60)
        shell.begin_invoke()
        shell.poll_invoke()
        lab.loop.call_soon_threadsafe(lab.loop.call_later, 0.2, lambda: lab.loop.create_task(endpoint.power(False)))
        with pytest.raises(requests.exceptions.ConnectionError):
            shell.end_invoke()
        assert not pool.is_alive()
    wait_for(lambda: host.stopped == ["Wait-Here"])
    assert not endpoint.is_up
    assert endpoint.connection_count == 0


@pytest.mark.parametrize("transport", ["http ntlm", "https negotiate"])
def test_a_command_may_switch_its_own_machine_off(
    machine: Machine, lab: Lab, open_pool: OpenPool, transport: str
) -> None:
    endpoint, host = machine
    host.restart = endpoint.power_off
    with open_pool(endpoint, transport) as pool:
        shell = PowerShell(pool).add_cmdlet("Restart-Computer").add_parameter("Force")
        with pytest.raises(requests.exceptions.ConnectionError):
            shell.invoke()
        assert not pool.is_alive()
    lab.run(endpoint.power(True))
    with open_pool(endpoint, transport) as pool:
        assert pool.is_alive()


@pytest.mark.parametrize("transport", PLAIN)
def test_dropped_connections_are_made_anew(machine: Machine, lab: Lab, open_pool: OpenPool, transport: str) -> None:
    endpoint, _ = machine
    with open_pool(endpoint, transport) as pool:
        invoke(pool, "Set-Note", Value="kept")
        lab.run(endpoint.drop_connections())
        assert invoke(pool, "Get-Note").output == ["kept"]


@pytest.mark.parametrize("transport", ENCRYPTED)
def test_dropped_encrypted_connections_kill_the_client_until_it_is_renewed(
    machine: Machine, lab: Lab, open_pool: OpenPool, transport: str
) -> None:
    endpoint, _ = machine
    with open_pool(endpoint, transport) as pool:
        invoke(pool, "Set-Note", Value="kept")
        lab.run(endpoint.drop_connections())
        with pytest.raises(Exception, match=r"400|CredSSP token"):
            invoke(pool, "Get-Note")
        renew_connection(pool)
        assert invoke(pool, "Get-Note").output == ["kept"]


@pytest.mark.parametrize("kind", [FaultKind.RESET, FaultKind.RESET_BEFORE])
@pytest.mark.parametrize("transport", [*ENCRYPTED, *PLAIN])
def test_nothing_is_lost_when_a_receive_is_reset(
    machine: Machine, lab: Lab, open_pool: OpenPool, transport: str, kind: FaultKind
) -> None:
    endpoint, _ = machine
    with open_pool(endpoint, transport) as pool:
        lab.run(endpoint.add_fault(WireFault(kind, action="Receive")))
        shell = PowerShell(pool)
        shell.add_cmdlet("Wait-Here").add_parameter("Seconds", 0.2)
        shell.begin_invoke()
        with pytest.raises(BROKEN):
            shell.end_invoke()
        if transport in ENCRYPTED:
            renew_connection(pool)
        assert list(shell.end_invoke()) == ["waiting", "waited"]
        shell.close()


def test_a_silent_machine_is_asked_again(machine: Machine, lab: Lab, open_pool: OpenPool) -> None:
    endpoint, host = machine
    times = {"operation_timeout": 1, "read_timeout": 1, "connection_timeout": 1, "reconnection_backoff": 0.01}
    with open_pool(endpoint, **times) as pool:
        lab.run(endpoint.add_fault(WireFault(FaultKind.SILENCE, action="Receive")))
        assert invoke(pool, "Get-Echo", A=1).output == [1]
    assert [call.name for call in host.calls] == ["Get-Echo"]


@pytest.mark.parametrize("transport", ["http basic", "http ntlm"])
def test_nothing_is_lost_with_half_an_answer(machine: Machine, lab: Lab, open_pool: OpenPool, transport: str) -> None:
    endpoint, _ = machine
    with open_pool(endpoint, transport, operation_timeout=1, read_timeout=1, connection_timeout=1) as pool:
        lab.run(endpoint.add_fault(WireFault(FaultKind.HALF_ANSWER, action="Receive")))
        shell = PowerShell(pool).add_cmdlet("Write-Streams")
        shell.begin_invoke()
        with pytest.raises(requests.exceptions.ConnectionError, match="timed out"):
            shell.end_invoke()
        if transport in ENCRYPTED:
            renew_connection(pool)
        assert list(shell.end_invoke()) == ["one", "two"]
        assert len(shell.streams.warning) == 1
        shell.close()


def test_an_answer_that_comes_after_the_client_gave_up_is_given_again(
    machine: Machine, lab: Lab, open_pool: OpenPool
) -> None:
    endpoint, _ = machine
    times = {"operation_timeout": 1, "read_timeout": 1, "connection_timeout": 1, "reconnection_backoff": 0.01}
    with open_pool(endpoint, **times) as pool:
        lab.run(endpoint.add_fault(WireFault(FaultKind.SLOW, action="Receive", seconds=1.5)))
        shell = invoke(pool, "Write-Streams")
    assert shell.output == ["one", "two"]
    assert len(shell.streams.warning) == 1


@pytest.mark.parametrize("transport", ["http basic", "http ntlm"])
def test_output_waits_for_a_client_that_asks_again(open_pool: OpenPool, transport: str) -> None:
    impatient = {"operation_timeout": 10, "read_timeout": 0.4, "connection_timeout": 1, "reconnection_backoff": 0.01}
    with open_pool(transport=transport, **impatient) as pool:
        assert invoke(pool, "Wait-Here", Seconds=1).output == ["waiting", "waited"]


def test_slow_answers_come_late(machine: Machine, lab: Lab, open_pool: OpenPool) -> None:
    endpoint, _ = machine
    with open_pool(endpoint) as pool:
        lab.run(endpoint.add_fault(WireFault(FaultKind.SLOW, count=2, seconds=0.2)))
        started = time.monotonic()
        assert invoke(pool, "Get-Echo", A=1).output == [1]
        assert time.monotonic() - started >= 0.4


def test_refused_connections_leave_the_sessions_alone(machine: Machine, lab: Lab, connect: Connect) -> None:
    endpoint, _ = machine
    with RunspacePool(connect(endpoint, "http basic")) as pool:
        lab.run(endpoint.add_fault(WireFault(FaultKind.REFUSE)))
        with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
            RunspacePool(connect(endpoint, "http basic", reconnection_retries=0)).open()
        assert invoke(pool, "Get-Echo", A=1).output == [1], "the open connection still works"
        lab.run(endpoint.clear_faults())
        with RunspacePool(connect(endpoint, "http basic")) as other:
            assert other.is_alive()


def test_killed_sessions_are_told_as_missing(machine: Machine, lab: Lab, open_pool: OpenPool) -> None:
    endpoint, _ = machine
    with open_pool(endpoint) as pool:
        lab.run(endpoint.add_fault(WireFault(FaultKind.KILL_SESSIONS, action="Command", skip=1)))
        assert invoke(pool, "Get-Echo", A=1).output == [1]
        with pytest.raises(WSManFaultError) as gone:
            invoke(pool, "Get-Echo", A=1)
        assert gone.value.code == 2150858843
        assert not pool.is_alive()


def test_clearing_faults_frees_the_silent_connections(machine: Machine, lab: Lab, connect: Connect) -> None:
    endpoint, _ = machine
    lab.run(endpoint.add_fault(WireFault(FaultKind.SILENCE, count=None)))
    lab.loop.call_soon_threadsafe(lab.loop.call_later, 0.3, lambda: lab.loop.create_task(endpoint.clear_faults()))
    with pytest.raises(requests.exceptions.ConnectionError):
        RunspacePool(connect(endpoint, reconnection_retries=0)).open()
    with RunspacePool(connect(endpoint)) as pool:
        assert pool.is_alive()


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ({"kind": "reset", "node": "HCI01"}, "has no node"),
        ({"kind": "explosion"}, "no wire fault of kind 'explosion'; choose one of refuse, reset"),
        ({}, "no wire fault of kind None"),
        ({"kind": "slow", "seconds": -1}, "The seconds of a wire fault is a number from 0, not -1"),
        ({"kind": "slow", "count": "2"}, "The count of a wire fault is a number from 0, not '2'"),
        ({"kind": "slow", "action": 3}, "not 3"),
    ],
)
def test_orders_that_make_no_sense_are_refused(order: dict[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        WireFault.from_mapping(order)


def test_orders_become_faults() -> None:
    order = {"kind": "slow", "action": "Receive", "count": None, "skip": 2, "seconds": 1.5}
    assert WireFault.from_mapping(order) == WireFault(FaultKind.SLOW, "Receive", None, 2, 1.5)
    assert WireFault.from_mapping({"kind": "refuse"}) == WireFault(FaultKind.REFUSE)
