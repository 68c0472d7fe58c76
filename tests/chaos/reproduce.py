"""Plays one random run again: ``python -m tests.chaos.reproduce SEED``; says what was wrong, and the smallest run that still fails."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.chaos.play import Played, Verdict
from tests.chaos.scenario import scenario
from tests.chaos.shrink import shrink


def main(arguments: Sequence[str] | None = None) -> int:
    """Play the run, print the verdict, and return 1 when it is broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.reproduce", description=__doc__)
    parser.add_argument("seed", type=int, help="the seed of the run")
    parser.add_argument("--journal", type=Path, help="write the world's journal to this file, one JSON line an entry")
    parser.add_argument("--words", action="store_true", help="print every decision of the run")
    parser.add_argument("--no-shrink", action="store_true", help="do not look for a smaller run that fails")
    given = parser.parse_args(arguments)
    console = Console(highlight=False, soft_wrap=True)
    played = Played(scenario(given.seed))
    console.print(played.scenario.describe(), markup=False)
    verdict = played.play()
    if given.words:
        console.print("\n".join(played.coordinator.words()), markup=False)
    if given.journal:
        lines = (entry.to_json() for entry in played.simulation.cluster.journal.entries)
        given.journal.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")
    _tell(console, verdict)
    if verdict.broken and not given.no_shrink:
        smallest = shrink(verdict)
        console.print(f"smallest: {smallest.scenario.describe()}", markup=False)
        _tell(console, smallest)
    return 1 if verdict.broken else 0


def _tell(console: Console, verdict: Verdict) -> None:
    words = f"{verdict.outcome} after {verdict.took} of simulated time, {verdict.commands} moments"
    console.print(words, markup=False)
    for line in verdict.broken or ("Nothing was broken.",):
        console.print(f"  {line}", markup=False)


if __name__ == "__main__":
    sys.exit(main())
