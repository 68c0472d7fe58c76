"""Thousands of whole runs over random clusters with random faults, deaths and cancels: each one ends, and breaks nothing.

``HCI_CHAOS_RUNS`` (default 2000) is how many, ``HCI_CHAOS_FROM`` (default 0) the first seed: for a night's run take more.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from tests.chaos.play import Verdict, play
from tests.chaos.scenario import scenario
from tests.chaos.shrink import shrink

RUNS = int(os.environ.get("HCI_CHAOS_RUNS", "2000"))
FIRST = int(os.environ.get("HCI_CHAOS_FROM", "0"))
_CHUNK = 10


def run_seed(seed: int) -> Verdict:
    """Play one run, in a process of the pool; a broken one is made smaller there as well."""
    verdict = play(scenario(seed))
    return shrink(verdict) if verdict.broken else verdict


def _quiet() -> None:
    logging.disable(logging.CRITICAL)  # what the simulator says of its own defects is in the journal, and judged


def verdicts(seeds: range) -> Iterator[Verdict]:
    """Play all runs over the cores."""
    workers = max(1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    # Not forked: a child must not inherit the threads and locks of whatever ran before in this process.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, _quiet) as pool:
        yield from pool.map(run_seed, seeds, chunksize=_CHUNK)


def test_random_runs_end_and_break_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    seeds = range(FIRST, FIRST + RUNS)
    broken: list[Verdict] = []
    outcomes: Counter[str] = Counter()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with capsys.disabled():
        console = Console(file=sys.stderr)
        with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as progress:
            task = progress.add_task("random runs", total=len(seeds))
            for verdict in verdicts(seeds):
                outcomes[verdict.outcome] += 1
                broken += [verdict] if verdict.broken else []
                progress.update(task, advance=1, description=f"random runs, {len(broken)} broken")
    told = [
        f"{verdict.scenario.describe()}\n"
        + "".join(f"    {line}\n" for line in verdict.broken[:5])
        + f"    python -m tests.chaos.reproduce {verdict.scenario.seed}"
        for verdict in broken
    ]
    assert not broken, f"{len(broken)} of {RUNS} runs are broken:\n" + "\n".join(told)
    # A run that is refused at once proves little: most must have got somewhere.
    assert outcomes["succeeded"] >= RUNS // 5, outcomes


# Every run has bounds of its own in simulated time and in commands; this one is for the machine they are played on.
test_random_runs_end_and_break_nothing = pytest.mark.timeout(max(900, RUNS))(test_random_runs_end_and_break_nothing)
