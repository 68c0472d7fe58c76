"""Life of a session: stop, disconnect, take-over, idle time, limits."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import pytest
from pypsrp.exceptions import WSManFaultError
from pypsrp.powershell import PowerShell, PSInvocationState, RunspacePool

from include.simulator.wire import Endpoint, EndpointOptions, Quotas
from tests.simulator.wire.conftest import Connect, OpenPool, invoke, wait_for
from tests.simulator.wire.lab import Lab, LabHost

TRANSPORT_CODES = ["http basic", "http ntlm", "http credssp", "https negotiate"]


@pytest.fixture
def impatient(lab: Lab) -> Iterator[Endpoint]:
    """A machine that allows idle time-outs of a second; Windows wants a minute at least."""
    endpoint, _ = lab.machine(EndpointOptions(quotas=Quotas(least_idle_seconds=1)))
    yield endpoint
    lab.run(endpoint.stop())


def test_variables_live_as_long_as_the_session(open_pool: OpenPool) -> None:
    with open_pool() as pool:
        invoke(pool, "Set-Note", Value={"a": 1})
        assert invoke(pool, "Get-Note").output == [{"a": 1}]
        pool.reset_runspace_state()
        assert invoke(pool, "Get-Note").output == [None]
    with open_pool() as pool:
        assert invoke(pool, "Get-Note").output == [None]


@pytest.mark.parametrize("transport", TRANSPORT_CODES)
def test_stop_cancels_the_command(machine: tuple[Endpoint, LabHost], open_pool: OpenPool, transport: str) -> None:
    endpoint, host = machine
    with open_pool(endpoint, transport) as pool:
        with PowerShell(pool) as shell:
            shell.add_cmdlet("Wait-Here").add_parameter("Seconds", 60)
            shell.begin_invoke()
            shell.poll_invoke()
            assert shell.output == ["waiting"]
            shell.stop()
            assert shell.state == PSInvocationState.STOPPED
        wait_for(lambda: host.stopped == ["Wait-Here"])
        assert invoke(pool, "Get-Note").output == [None], "the session goes on"


def test_a_stopped_pipeline_tells_its_state(machine: tuple[Endpoint, LabHost], open_pool: OpenPool) -> None:
    endpoint, _ = machine
    with open_pool(endpoint) as pool, PowerShell(pool) as shell:
        shell.add_cmdlet("Wait-Here").add_parameter("Seconds", 60)
        shell.begin_invoke()
        shell.poll_invoke()
        shell.stop()
        pool.pipelines[shell.id], shell.state = shell, PSInvocationState.RUNNING
        shell.end_invoke()
        assert shell.state == PSInvocationState.STOPPED
        assert [error.fq_error for error in shell.streams.error] == ["PipelineStopped"]


def test_a_slow_command_outlasts_the_operation_time_out(open_pool: OpenPool) -> None:
    with open_pool(operation_timeout=1, read_timeout=4) as pool:
        assert invoke(pool, "Wait-Here", Seconds=1.3).output == ["waiting", "waited"]


@pytest.mark.parametrize("transport", TRANSPORT_CODES)
def test_disconnect_and_reconnect(open_pool: OpenPool, transport: str) -> None:
    with open_pool(transport=transport) as pool:
        invoke(pool, "Set-Note", Value="kept")
        pool.disconnect()
        pool.connect()
        assert invoke(pool, "Get-Note").output == ["kept"]


@pytest.mark.parametrize("transport", ["http basic", "http ntlm", "https negotiate"])
def test_another_client_takes_a_running_pipeline_over(
    machine: tuple[Endpoint, LabHost], connect: Connect, transport: str
) -> None:
    endpoint, _ = machine
    first = RunspacePool(connect(endpoint, transport))
    first.open()
    shell = PowerShell(first)
    shell.add_cmdlet("Wait-Here").add_parameter("Seconds", 0.3)
    shell.begin_invoke()
    first.disconnect()

    (second,) = RunspacePool.get_runspace_pools(connect(endpoint, transport))
    assert second.id == first.id
    second.connect()
    (taken,) = second.create_disconnected_power_shells()
    assert taken.connect() == ["waiting", "waited"]
    assert invoke(second, "Get-Echo", A=5).output == [5]
    second.close()
    assert len(endpoint.service.shells) == 0


def test_only_the_owner_may_use_a_session(machine: tuple[Endpoint, LabHost], connect: Connect) -> None:
    endpoint, _ = machine
    pool = RunspacePool(connect(endpoint))
    pool.open()
    stranger = connect(endpoint, username="other", password="0ther")
    (seen,) = RunspacePool.get_runspace_pools(stranger)
    with pytest.raises(WSManFaultError) as refused:
        seen.connect()
    assert refused.value.code == 5
    pool.close()


def test_is_alive(machine: tuple[Endpoint, LabHost], open_pool: OpenPool, lab: Lab) -> None:
    endpoint, _ = machine
    with open_pool(endpoint) as pool:
        assert pool.is_alive()
        lab.loop.call_soon_threadsafe(endpoint.kill_shells)
        wait_for(lambda: len(endpoint.service.shells) == 0)
        assert not pool.is_alive()


def test_idle_sessions_end(impatient: Endpoint, open_pool: OpenPool) -> None:
    endpoint = impatient
    with open_pool(endpoint, pool={"idle_timeout": 1}) as pool:
        invoke(pool, "Get-Note")
        wait_for(lambda: len(endpoint.service.shells) == 0)
        with pytest.raises(WSManFaultError) as gone:
            invoke(pool, "Get-Note")
        assert gone.value.code == 2150858843
        assert not pool.is_alive()


def test_a_session_that_waits_is_not_idle(impatient: Endpoint, open_pool: OpenPool) -> None:
    with open_pool(impatient, pool={"idle_timeout": 1}) as pool:
        assert invoke(pool, "Wait-Here", Seconds=2.2).output == ["waiting", "waited"]


def test_a_command_waiting_in_a_deleted_session_is_aborted(
    machine: tuple[Endpoint, LabHost], open_pool: OpenPool, lab: Lab
) -> None:
    endpoint, _ = machine
    with open_pool(endpoint) as pool:
        shell = PowerShell(pool)
        shell.add_cmdlet("Wait-Here").add_parameter("Seconds", 60)
        shell.begin_invoke()
        shell.poll_invoke()
        lab.loop.call_soon_threadsafe(lab.loop.call_later, 0.2, endpoint.kill_shells)
        with pytest.raises(WSManFaultError) as aborted:
            shell.end_invoke()
        assert aborted.value.code == 995
        assert not pool.is_alive()


def test_pipelines_share_the_runspaces_of_a_pool(open_pool: OpenPool) -> None:
    with open_pool(pool={"max_runspaces": 2}) as pool:
        assert pool.get_available_runspaces() == 2
        shells = [PowerShell(pool).add_cmdlet("Wait-Here").add_parameter("Seconds", 0.3) for _ in range(3)]
        started = time.monotonic()
        for shell in shells:
            shell.begin_invoke()
        assert pool.get_available_runspaces() == 0
        for shell in shells:
            assert list(shell.end_invoke()) == ["waiting", "waited"]
            shell.close()
        assert time.monotonic() - started > 0.55, "the third pipeline waited for a runspace"
        pool.max_runspaces = 5
        assert pool.get_available_runspaces() == 5


def test_ids_may_be_used_again_after_terminate(open_pool: OpenPool) -> None:
    with open_pool() as pool:
        first, second, third = (PowerShell(pool).add_cmdlet("Get-Echo").add_parameter("A", n) for n in (1, 2, 3))
        third.id = second.id = first.id
        assert first.invoke() == [1]
        with pytest.raises(WSManFaultError, match="A command already exists"):
            second.begin_invoke()
        first.close()
        assert third.invoke() == [3]


def test_unknown_command_ids_are_faults(open_pool: OpenPool) -> None:
    with open_pool() as pool:
        with pytest.raises(WSManFaultError) as unknown:
            pool.shell.receive(command_id=str(uuid.uuid4()).upper())
        assert unknown.value.code == 2150858843


def test_the_end_of_a_command_is_told_once(open_pool: OpenPool) -> None:
    with open_pool() as pool, PowerShell(pool) as shell:
        shell.add_cmdlet("Get-Note").invoke()
        with pytest.raises(WSManFaultError, match="does not exist"):
            pool.shell.receive(command_id=str(shell.id).upper())


def test_the_shell_quota(lab: Lab, connect: Connect) -> None:
    endpoint, _ = lab.machine(EndpointOptions(quotas=Quotas(shells_per_user=2)))
    pools = [RunspacePool(connect(endpoint)) for _ in range(3)]
    pools[0].open()
    pools[1].open()
    with pytest.raises(WSManFaultError, match="maximum number of 2 concurrent shells") as refused:
        pools[2].open()
    assert refused.value.code == 2150859173
    with RunspacePool(connect(endpoint, username="other", password="0ther")) as others:
        assert others.is_alive()
    pools[0].close()
    pools[2] = RunspacePool(connect(endpoint))
    pools[2].open()
    for pool in pools[1:]:
        pool.close()
    lab.run(endpoint.stop())


def test_the_command_quota_counts_pipelines_until_they_are_closed(lab: Lab, open_pool: OpenPool) -> None:
    endpoint, _ = lab.machine(EndpointOptions(quotas=Quotas(commands_per_shell=3)))
    with open_pool(endpoint) as pool:
        for _ in range(5):
            invoke(pool, "Get-Note")
        left_open = [PowerShell(pool).add_cmdlet("Get-Note") for _ in range(4)]
        for shell in left_open[:3]:
            shell.invoke()
        with pytest.raises(WSManFaultError, match="maximum number of concurrent commands per shell") as refused:
            left_open[3].invoke()
        assert refused.value.code == 2150859241
    lab.run(endpoint.stop())


def test_the_operation_quota(lab: Lab, open_pool: OpenPool) -> None:
    endpoint, _ = lab.machine(EndpointOptions(quotas=Quotas(operations_per_user=3)))
    with open_pool(endpoint) as pool:
        shells = [PowerShell(pool).add_cmdlet("Get-Note") for _ in range(3)]
        shells[0].invoke()
        shells[1].begin_invoke()
        with pytest.raises(WSManFaultError, match="maximum number of 3 concurrent operations") as refused:
            shells[2].begin_invoke()
        assert refused.value.code == 2150859174
    lab.run(endpoint.stop())


def test_unknown_session_configurations_are_not_found(lab: Lab, connect: Connect) -> None:
    endpoint, _ = lab.machine(EndpointOptions(configurations=frozenset({"HciUpdate"})))
    with pytest.raises(WSManFaultError, match="was not found in the WS-Management catalog") as missing:
        RunspacePool(connect(endpoint)).open()
    assert missing.value.code == 2150858752
    with RunspacePool(connect(endpoint), configuration_name="hciupdate") as pool:
        assert pool.is_alive()
    lab.run(endpoint.stop())


def test_the_envelope_size_can_be_read(connect: Connect) -> None:
    wsman = connect()
    assert wsman.max_payload_size < 200_000
    wsman.update_max_payload_size()
    assert wsman.max_payload_size > 300_000
