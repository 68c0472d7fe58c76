"""``judge``: hold a journal, and the report of the run if there is one, against the invariants."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from include.simulator.journal import read_journal
from include.simulator.referee import Verdict, Violation, verdicts
from include.simulator.referee.verdict import BROKEN, HELD, NOT_JUDGED

if TYPE_CHECKING:
    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(commands: SubParsers) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "judge", help="judge a journal: exit 0 when every invariant held, 1 when one was broken"
    )
    parser.add_argument("journal", type=Path, metavar="JOURNAL", help="the journal that 'serve --journal' wrote")
    parser.add_argument(
        "--report", type=Path, metavar="REPORT.json", help="the run report to compare with the journal (I12, I6, I10)"
    )
    parser.add_argument(
        "--budget",
        type=int,
        default=None,
        help="how many nodes may be out of service at a time (default: what the journal's rules say, else 1)",
    )
    parser.add_argument(
        "--ended",
        action="store_true",
        help="the run is over, even though it still has its lock and left no report (I10)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge and print; return the exit code."""
    try:
        entries = read_journal(options.journal)
        report = _read_report(options.report) if options.report else None
    except (OSError, ValueError) as reason:
        print(f"Cannot judge: {reason}", file=sys.stderr)
        return 2
    made = verdicts(entries, report, budget=options.budget, ended=options.ended)
    violations = sorted((each for verdict in made for each in verdict.violations), key=lambda each: each.seq)
    if options.json:
        fields = {
            "entries": len(entries),
            "judged": [verdict.invariant for verdict in made if verdict.outcome != NOT_JUDGED],
            "verdicts": [verdict.to_fields() for verdict in made],
            "violations": [violation.to_fields() for violation in violations],
        }
        print(json.dumps(fields, indent=2))
    else:
        _print_tables(made, violations, len(entries))
    return 1 if violations else 0


def _read_report(path: Path) -> dict[str, Any]:
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as reason:
        raise ValueError(f"{path} is not JSON ({reason}).") from reason
    if not isinstance(report, dict) or "nodes" not in report:
        raise ValueError(f"{path} is not a run report: it has no nodes.")
    return report


def _print_tables(made: list[Verdict], violations: list[Violation], entries: int) -> None:
    console = Console()
    shown = Table(title=f"{entries} journal entries", title_justify="left")
    for heading in ("Invariant", "Sentence", "Verdict", "Not judged because"):
        shown.add_column(heading)
    for verdict in made:
        shown.add_row(verdict.invariant, escape(verdict.sentence), _outcome(verdict), escape(verdict.reason))
    console.print(shown)
    if not violations:
        return
    table = Table(title="Violations", title_justify="left")
    for heading in ("Invariant", "When", "Node", "What happened"):
        table.add_column(heading)
    table.add_column("Entry", justify="right")
    for violation in violations:
        when = f"{violation.when:%Y-%m-%d %H:%M:%S}"
        table.add_row(violation.invariant, when, violation.node or "", escape(violation.sentence), str(violation.seq))
    console.print(table)


def _outcome(verdict: Verdict) -> str:
    times = len(verdict.violations)
    colours = {HELD: "[green]held[/]", NOT_JUDGED: "[yellow]not judged[/]"}
    return f"[red]{BROKEN} {times} {'time' if times == 1 else 'times'}[/]" if times else colours[verdict.outcome]
