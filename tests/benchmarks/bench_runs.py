"""How many complete rolling runs a core plays in a second, in-process on a virtual clock, and where the time goes.

Run from the root of the repository: ``python -m tests.benchmarks.bench_runs [seconds per row]``. Nothing is asserted: the aim is
something to come nearer to, and absolute numbers say something about this machine only.

Every run is a whole one: readiness, scan, plan, lock, staging, every node's turn, verify, the report, and the referee's verdict. "every
poll" reads the cluster as often as production does; "patient" sleeps over polls before which nothing is due to happen in the world.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from rich.console import Console
from rich.table import Table

from include.hci.report.build import report_of
from include.hci.steps.decisions import Done
from include.simulator.referee import judge
from include.simulator.world.spec import demo_world
from tests.hci.steps.coordinator import Coordinator
from tests.hci.steps.simulated import Simulation

#: Complete runs per second and core that are aimed at, by the number of nodes.
AIMS = {4: 100.0, 16: 20.0}
PACES = {"every poll": None, "patient": timedelta(minutes=5)}
#: Whose time it is, by the part of the tree; what is in none of them (Python's own library, pydantic ...) belongs to its caller.
PARTS = {
    "include/simulator/referee/": "referee",
    "include/simulator/world/": "world",
    "include/simulator/faults/": "world",
    "include/simulator/": "commands",
    "include/hci/": "product",
    "tests/": "harness",
}
ROOT = Path(__file__).parents[2].as_posix() + "/"


@dataclass(frozen=True, slots=True)
class Run:
    """One complete run: its processor time in seconds, how many pipelines it gave and how long it took in simulated time."""

    seconds: float
    pipelines: int
    simulated: timedelta
    broken: int


def play(nodes: int, seed: int, patience: timedelta | None) -> Run:
    """Play a run to its end and judge it."""
    began = time.process_time()
    simulation = Simulation(demo_world(nodes), seed)
    start = simulation.now()
    coordinator = Coordinator(simulation, patience=patience)
    end = coordinator.run()
    simulation.cluster.snapshot("world")
    report = report_of(coordinator.record, simulation.now())
    broken = judge(simulation.cluster.journal.entries, report.to_json(), ended=True)
    seconds = time.process_time() - began
    if not isinstance(end, Done):
        raise RuntimeError(f"The run of {nodes} nodes with seed {seed} did not arrive: {end}")
    return Run(seconds, len(simulation.commands), simulation.now() - start, len(broken))


def runs(nodes: int, patience: timedelta | None, seconds: float) -> Iterator[Run]:
    """Play runs of different seeds for about ``seconds`` of processor time, one at least."""
    spent, seed = 0.0, 0
    while spent < seconds:
        run = play(nodes, seed, patience)
        spent, seed = spent + run.seconds, seed + 1
        yield run


def shares(nodes: int, patience: timedelta | None) -> dict[str, float]:
    """Return which part of the time of one run is whose."""
    profile = cProfile.Profile()
    profile.runcall(play, nodes, 0, patience)
    spent = dict.fromkeys(dict.fromkeys(PARTS.values()), 0.0)
    stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    for (file, _, _), (_, _, own, _, callers) in stats.items():
        part = _part(file)
        if part is not None:
            spent[part] += own
            continue
        for (caller, _, _), (_, _, from_there, _) in callers.items():
            spent[_part(caller) or "harness"] += from_there
    whole = sum(spent.values())
    return {part: seconds / whole for part, seconds in spent.items()}


def _part(file: str) -> str | None:
    path = Path(file).as_posix()
    if not path.startswith(ROOT):
        return None
    inside = path.removeprefix(ROOT)
    return next((part for prefix, part in PARTS.items() if inside.startswith(prefix)), None)


def main() -> None:
    """Measure and print."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    play(2, 0, None)  # imports, syntax tables and caches are not what a run costs
    speed = Table(title="Complete rolling runs per second and core")
    for heading in (
        "nodes",
        "reads",
        "runs",
        "runs/s",
        "aim",
        "of the aim",
        "s/run",
        "pipelines/run",
        "µs/pipeline",
        "simulated",
    ):
        speed.add_column(heading, justify="left" if heading == "reads" else "right")
    where = Table(title="Where the time goes (under a profiler)")
    parts = list(dict.fromkeys(PARTS.values()))
    for heading in ("nodes", "reads", *parts):
        where.add_column(heading, justify="left" if heading == "reads" else "right")
    for nodes, aim in AIMS.items():
        for pace, patience in PACES.items():
            played = list(runs(nodes, patience, seconds))
            whole, given = sum(run.seconds for run in played), sum(run.pipelines for run in played)
            rate = len(played) / whole
            speed.add_row(
                str(nodes),
                pace,
                str(len(played)),
                f"{rate:.2f}",
                f"{aim:.0f}",
                f"{rate / aim:.1%}",
                f"{whole / len(played):.3f}",
                f"{given // len(played):,}",
                f"{whole / given * 1e6:.0f}",
                str(timedelta(seconds=round(played[0].simulated.total_seconds()))),
            )
            share = shares(nodes, patience)
            where.add_row(str(nodes), pace, *(f"{share[part]:.0%}" for part in parts))
    console = Console(width=None if sys.stdout.isatty() else 130)
    console.print(speed)
    console.print(where)


if __name__ == "__main__":
    main()
