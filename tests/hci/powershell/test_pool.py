from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from include.hci.powershell.command import Command, Pipeline
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.errors import CommandFailed, NodeUnreachable
from include.hci.powershell.pool import NoFreeSession, ShellPool
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.result import Result
from include.hci.powershell.shell import OnProgress

SETTINGS = ConnectionSettings(host="hci01")
READ = Command("Get-Cluster")
NOW = timedelta(0)


@dataclass
class FakeShell:
    settings: ConnectionSettings
    closed: int = 0
    entered: threading.Event = field(default_factory=threading.Event)
    hold: threading.Event = field(default_factory=threading.Event)

    def run(
        self, pipeline: Command | Pipeline, *, timeout: timedelta | None = None, on_progress: OnProgress | None = None
    ) -> Result:
        self.entered.set()
        self.hold.wait(5)
        return Result(output=(self.settings.host,))

    def close(self) -> None:
        self.closed += 1


@dataclass
class Factory:
    made: list[FakeShell] = field(default_factory=list)

    def __call__(self, settings: ConnectionSettings) -> FakeShell:
        shell = FakeShell(settings)
        shell.hold.set()
        self.made.append(shell)
        return shell


@pytest.fixture
def factory() -> Factory:
    return Factory()


def test_one_shell_serves_lease_after_lease(factory: Factory) -> None:
    pool = ShellPool(factory)
    for _ in range(3):
        with pool.lease(SETTINGS) as lease:
            assert lease.run(READ).output == ("hci01",)
            assert pool.counts(SETTINGS) == (1, 0)
    assert pool.counts(SETTINGS) == (0, 1)
    assert len(factory.made) == 1
    assert factory.made[0].closed == 0


def test_two_leases_never_share_a_shell_and_two_connections_neither(factory: Factory) -> None:
    pool = ShellPool(factory)
    other = replace(SETTINGS, user="other")
    with pool.lease(SETTINGS), pool.lease(SETTINGS), pool.lease(other):
        assert len(factory.made) == 3
    assert pool.counts(SETTINGS) == (0, 2)
    assert pool.counts(other) == (0, 1)


@pytest.mark.parametrize(
    ("error", "kept"),
    [
        (CommandFailed([ErrorRecord("x")]), True),
        (NodeUnreachable("x"), False),
        (RuntimeError("x"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_what_breaks_out_of_a_lease_decides_whether_the_shell_is_kept(
    factory: Factory, error: BaseException, kept: bool
) -> None:
    pool = ShellPool(factory)
    with pytest.raises(type(error)), pool.lease(SETTINGS):
        raise error
    assert pool.counts(SETTINGS) == (0, int(kept))
    assert factory.made[0].closed == int(not kept)


def test_whoever_comes_too_late_waits_and_then_gives_up(factory: Factory) -> None:
    pool = ShellPool(factory, max_per_key=1)
    lease = pool.acquire(SETTINGS)
    with pytest.raises(NoFreeSession, match="1 are in use") as caught:
        pool.acquire(SETTINGS, wait=timedelta(seconds=0.05))
    assert caught.value.retry_safe
    threading.Timer(0.05, pool.release, [lease]).start()
    again = pool.acquire(SETTINGS, wait=timedelta(seconds=5))
    assert len(factory.made) == 1
    pool.discard(again)
    pool.acquire(SETTINGS, wait=NOW)
    assert len(factory.made) == 2


def test_a_lease_belongs_to_one_thread_at_a_time_and_ends(factory: Factory) -> None:
    pool = ShellPool(factory)
    lease = pool.acquire(SETTINGS)
    shell = factory.made[0]
    shell.hold.clear()
    worker = threading.Thread(target=lease.run, args=[READ])
    worker.start()
    assert shell.entered.wait(5)
    with pytest.raises(RuntimeError, match="another thread"):
        lease.run(READ)
    with pytest.raises(RuntimeError, match="cannot be given back"):
        pool.release(lease)
    shell.hold.set()
    worker.join()
    pool.release(lease)
    with pytest.raises(RuntimeError, match="was given back"):
        lease.run(READ)
    with pytest.raises(RuntimeError, match="given back already"):
        pool.release(lease)
    assert pool.counts(SETTINGS) == (0, 1)


def test_idle_shells_are_closed_in_time_and_the_rest_by_close_all(factory: Factory) -> None:
    pool = ShellPool(factory, idle=timedelta(seconds=0.1))
    with pool.lease(SETTINGS):
        pass
    time.sleep(0.05)
    assert factory.made[0].closed == 0
    limit = time.monotonic() + 5
    while not factory.made[0].closed and time.monotonic() < limit:
        time.sleep(0.01)
    assert factory.made[0].closed == 1
    assert pool.counts(SETTINGS) == (0, 0)
    keeps = ShellPool(factory)
    with keeps.lease(SETTINGS):
        pass
    keeps.close_all()
    assert [shell.closed for shell in factory.made] == [1, 1]


def test_many_threads_get_no_more_shells_than_allowed(factory: Factory) -> None:
    pool = ShellPool(factory, max_per_key=3)
    using = 0
    most = 0
    lock = threading.Lock()

    def work() -> None:
        nonlocal using, most
        for _ in range(30):
            with pool.lease(SETTINGS) as lease:
                with lock:
                    using += 1
                    most = max(most, using)
                lease.run(READ)
                with lock:
                    using -= 1

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(20)
    assert most <= 3
    assert len(factory.made) <= 3
    assert pool.counts(SETTINGS)[0] == 0


def test_a_forked_process_starts_with_an_empty_pool(factory: Factory, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = ShellPool(factory)
    with pool.lease(SETTINGS):
        pass
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pool.lease(SETTINGS):
        assert len(factory.made) == 2
    assert factory.made[0].closed == 0


def test_a_pool_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ShellPool(max_per_key=0)


def test_nodes_that_do_not_answer_keep_no_process_from_ending(factory: Factory) -> None:
    pool = ShellPool(factory)
    settings = [replace(SETTINGS, host=f"hci{number:02d}") for number in range(16)]
    for one in settings:
        with pool.lease(one):
            pass
    for shell in factory.made:
        shell.close = lambda: time.sleep(0.1)  # type: ignore[method-assign]
    began = time.monotonic()
    pool.close_all(timedelta(seconds=0.25))
    assert time.monotonic() - began < 1
    assert all(pool.counts(one) == (0, 0) for one in settings)
