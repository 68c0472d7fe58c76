"""``faults``: what can go wrong in a simulated cluster."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from include.simulator.faults.catalogue import FaultRow, catalogue

if TYPE_CHECKING:
    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(commands: SubParsers) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser("faults", help="list the faults that can be injected")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the catalogue."""
    rows = catalogue().values()
    if options.json:
        print(
            json.dumps(
                [
                    {"id": row.id, "what": row.what, "node": row.node, "when": _when(row), "source": row.source}
                    for row in rows
                ],
                indent=2,
            )
        )
        return 0
    table = Table(title=f"{len(rows)} faults", title_justify="left")
    table.add_column("Id", no_wrap=True)
    table.add_column("What happens")
    for row in rows:
        table.add_row(
            escape(row.id), f"{escape(row.what)}\n[dim]node {escape(row.node)}; set off by: {escape(_when(row))}[/]"
        )
    Console().print(table)
    return 0


def _when(row: FaultRow) -> str:
    if row.when is None:
        return "nothing, it holds at once"
    where = ", ".join(f"{key} {value}" for key, value in row.when.where.items())
    delay = f", {row.when.delay_seconds:g} s later" if row.when.delay_seconds else ""
    return f"{row.when.event}{f' ({where})' if where else ''}{delay}"
