"""``faults``: what can go wrong in a simulated cluster."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from include.simulator.faults.catalogue import FaultRow, catalogue, not_faults
from include.simulator.faults.registry import effects, heals, parameters
from include.simulator.faults.scenarios import scenarios
from include.simulator.faults.triggers import PHASES, Trigger
from include.simulator.world.variants import VARIANTS

if TYPE_CHECKING:
    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_parser(commands: SubParsers) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "faults",
        help="list the faults that can be injected",
        description="List the faults of the catalogue, or the named scenarios, the effects that rows can use, the open facts.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--demand", action="append", default=[], metavar="B-N", help="only what plays this users' complaint"
    )
    parser.add_argument(
        "--theme", action="append", default=[], help="only the rows of one file, such as storage or wire"
    )
    other = parser.add_mutually_exclusive_group()
    other.add_argument("--scenarios", action="store_true", help="list the named scenarios instead")
    other.add_argument("--effects", action="store_true", help="list the effects that a row can use instead")
    other.add_argument(
        "--variants", action="store_true", help="list the unconfirmed facts that have two readings instead"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what was asked for; an unknown demand or theme is an error."""
    demands = [each.upper() if each.upper().startswith("B-") else f"B-{each}" for each in options.demand]
    if unknown := _unknown(demands, options.theme):
        print(unknown, file=sys.stderr)
        return 2
    if options.scenarios:
        return _print(options, _scenarios(demands), "scenarios", ("id", "what"))
    if options.effects:
        return _print(options, _effects(), "effects", ("id", "what"))
    if options.variants:
        return _print(options, _variants(), "open facts", ("id", "what"))
    rows = [
        row
        for row in catalogue().values()
        if (not demands or set(demands) & set(row.demands)) and (not options.theme or row.theme in options.theme)
    ]
    if not rows and len(demands) == 1 and demands[0] in not_faults():
        print(f"No fault plays {demands[0]}: {not_faults()[demands[0]]}", file=sys.stderr)
    return _print(options, [_row(row) for row in rows], "faults", ("id", "what"))


def _unknown(demands: Iterable[str], themes: Iterable[str]) -> str:
    known = {demand for row in catalogue().values() for demand in row.demands} | set(not_faults())
    for demand in demands:
        if demand not in known:
            return f"There is no demand {demand}; there are B-1 to B-{max(int(each[2:]) for each in known)}."
    files = {row.theme for row in catalogue().values()}
    for theme in themes:
        if theme not in files:
            return f"There is no theme {theme!r}; there are {', '.join(sorted(files))}."
    return ""


def _row(row: FaultRow) -> dict[str, object]:
    details = sorted(set().union(*(parameters(effect) for effect in row.effects)))
    return {
        "id": row.id,
        "what": row.what,
        "theme": row.theme,
        "node": row.node,
        "when": _when(row),
        "details": details,
        "heals": all(heals(effect) for effect in row.effects),
        "demands": list(row.demands),
        "shows": list(row.shows),
        "source": row.source,
    }


def _scenarios(demands: list[str]) -> list[dict[str, object]]:
    return [
        {
            "id": each.id,
            "what": each.what,
            "nodes": each.nodes,
            "demands": list(each.demands),
            "steps": [
                {"fault": step.fault, "node": step.node, "after": step.after, "heal": step.heal, **step.arguments}
                for step in each.steps
            ],
            "source": each.source,
        }
        for each in scenarios().values()
        if not demands or set(demands) & set(each.demands)
    ]


def _effects() -> list[dict[str, object]]:
    return [
        {"id": each.name, "what": each.what, "details": sorted(each.parameters), "heals": each.stands}
        for each in sorted(effects().values(), key=lambda each: each.name)
    ]


def _variants() -> list[dict[str, object]]:
    return [
        {"id": each.id, "what": f"{each.default} Otherwise: {each.alternative}", "source": each.source}
        for each in VARIANTS.values()
    ]


def _print(options: argparse.Namespace, rows: list[dict[str, object]], name: str, columns: tuple[str, str]) -> int:
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    table = Table(title=f"{len(rows)} {name}", title_justify="left")
    table.add_column("Id", no_wrap=True)
    table.add_column("What happens")
    for row in rows:
        more = "; ".join(
            f"{key}: {_text(value)}" for key, value in row.items() if key not in (*columns, "source", "shows")
        )
        table.add_row(escape(str(row["id"])), f"{escape(str(row['what']))}\n[dim]{escape(more)}[/]")
    Console().print(table)
    if name == "faults":
        Console().print(f"Phases: {', '.join(PHASES)}.", highlight=False)
    return 0


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(each["fault"]) if isinstance(each, dict) else str(each) for each in value) or "none"
    return str(value)


def _when(row: FaultRow) -> str:
    return "nothing, it holds at once" if row.when is None else _event(row.when)


def _event(trigger: Trigger) -> str:
    where = ", ".join(f"{key} {value}" for key, value in trigger.where.items())
    delay = f", {trigger.delay_seconds:g} s later" if trigger.delay_seconds else ""
    return f"{trigger.event}{f' ({where})' if where else ''}{delay}"
