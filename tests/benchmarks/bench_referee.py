"""How long the referee takes over a long journal, and how that grows with its length.

Run from the root of the repository: ``python -m tests.benchmarks.bench_referee``. Thousands of runs are judged in a session of
tests, so the time must grow with the length of a journal and not with its square: the last column says by how much it does.
"""

from __future__ import annotations

import time
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from include.simulator.journal import Entry
from include.simulator.referee import judge
from tests.simulator.referee.coordinator import Coordinator, play
from tests.simulator.referee.journals import true_report

LENGTHS = (2_000, 8_000, 32_000)


def sixteen_nodes(length: int) -> tuple[Entry, ...]:
    """What a careful update of sixteen servers leaves behind, again and again, up to ``length`` entries."""
    coordinator = Coordinator(nodes=16)

    async def work() -> None:
        await coordinator.take_lock()
        for node in coordinator.nodes:
            await coordinator.update(node)
            await coordinator.touch_lock()
        await coordinator.release_lock()

    play(coordinator, work(), hours=200)
    once = coordinator.cluster.journal.entries
    times = -(-length // len(once))
    entries = (list(once) * times)[:length]
    return tuple(replace(entry, seq=number) for number, entry in enumerate(entries, start=1))


def seconds(entries: tuple[Entry, ...]) -> float:
    """Return the processor time of the best of three judgements."""
    best = float("inf")
    for _ in range(3):
        began = time.process_time()
        judge(entries, true_report())
        best = min(best, time.process_time() - began)
    return best


def main() -> None:
    """Print the table."""
    table = Table("Entries", "Seconds", "Entries a second", "Time over the row before, by entry", box=None)
    before: float | None = None
    for length in LENGTHS:
        entries = sixteen_nodes(length)
        took = seconds(entries)
        each = took / len(entries)
        ratio = "" if before is None else f"{each / before:.2f}"
        table.add_row(f"{len(entries):,}", f"{took:.3f}", f"{len(entries) / took:,.0f}", ratio)
        before = each
    Console().print(table)


if __name__ == "__main__":
    main()
