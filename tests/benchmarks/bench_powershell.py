"""What a poll of a node costs: with the session kept open, and with a session per poll.

Run from the root of the repository: ``python -m tests.benchmarks.bench_powershell [polls]``. Absolute times say something about
this machine only; the ratios are what to look at. The node is simulated and answers at once, so they are what the client and
the protocol cost; on a real node each saved request saves a round trip and each saved session a process as well.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from include.hci.powershell.command import Command
from include.hci.powershell.pool import ShellPool
from include.hci.powershell.psrp import PsrpShell
from include.hci.powershell.transport import BoundedTransport
from include.simulator.host import CommandCall, Sink
from include.simulator.objects import SimEnum, SimObject
from tests.hci.powershell.live.conftest import Machine

READ = Command("Get-ClusterNode")
STATE = "Microsoft.FailoverClusters.PowerShell.ClusterNodeState"
LINKS: dict[str, dict[str, Any]] = {
    "https basic": {"ssl": True, "auth": "basic"},
    "https negotiate": {"ssl": True, "auth": "negotiate"},
    "http ntlm": {"auth": "ntlm"},
    "http credssp": {"auth": "credssp"},
}


async def four_nodes(call: CommandCall, sink: Sink) -> None:
    """Answer like a cluster of four."""
    for number in range(1, 5):
        state = SimEnum(STATE, 0, "Up")
        sink.output(
            SimObject(
                ("Microsoft.FailoverClusters.PowerShell.ClusterNode", "System.Object"),
                {"Name": f"HCI0{number}", "State": state},
                to_string=f"HCI0{number}",
            )
        )


class Counter:
    """Counts the requests that reach the wire, log-in legs included where pypsrp sends them itself."""

    def __init__(self) -> None:
        self.requests = 0
        self._original = BoundedTransport._send_request

    def __enter__(self) -> Counter:
        def counting(transport: BoundedTransport, *arguments: Any, **keywords: Any) -> bytes:
            self.requests += 1
            return self._original(transport, *arguments, **keywords)

        BoundedTransport._send_request = counting  # type: ignore[method-assign]
        return self

    def __exit__(self, *_: object) -> None:
        BoundedTransport._send_request = self._original  # type: ignore[method-assign]


def measure(poll: Callable[[], object], polls: int) -> tuple[float, float, float]:
    """Return the median wall time and the mean CPU time of a poll in milliseconds, and its requests."""
    poll()
    walls = []
    with Counter() as counter:
        cpu = time.thread_time()
        for _ in range(polls):
            began = time.perf_counter()
            poll()
            walls.append(time.perf_counter() - began)
        cpu = time.thread_time() - cpu
    return statistics.median(walls) * 1e3, cpu / polls * 1e3, counter.requests / polls


def main() -> None:
    """Print the table."""
    polls = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    machine = Machine()
    machine.host.cmdlets["Get-ClusterNode"] = four_nodes
    print(f"{polls} polls each; wall = median, cpu = mean of the client thread, in ms per poll")
    print(f"{'connection':<16} {'kept open':>24} {'opened per poll':>24} {'ratio wall/cpu/requests':>26}")
    for name, link in LINKS.items():
        settings = machine.settings(**link)
        pool = ShellPool()

        def kept(pool: ShellPool = pool, settings: Any = settings) -> None:
            with pool.lease(settings) as shell:
                shell.run(READ).require()

        def opened(settings: Any = settings) -> None:
            with PsrpShell(settings) as shell:
                shell.run(READ).require()

        one, other = measure(kept, polls), measure(opened, polls)
        pool.close_all()
        ratios = "  ".join(f"{many / few:.1f}" for few, many in zip(one, other, strict=True))
        cells = [f"{wall:6.1f} {cpu:6.1f} {requests:5.1f} req" for wall, cpu, requests in (one, other)]
        print(f"{name:<16} {cells[0]:>24} {cells[1]:>24} {ratios:>26}")
    machine.stop()


if __name__ == "__main__":
    main()
