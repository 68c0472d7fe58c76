"""Shows when clusters are updated by themselves next, in local time and UTC, and which times are left out and why.

``python -m include.hci.next_runs [CLUSTER ...] [--fleet FILE] [--count 10] [--after 2026-11-03]``. Exit code 1: a cluster that
was asked for is not there, or the fleet file has a problem.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from include.hci.policy.local_time import zone
from include.hci.policy.progress import show_duration
from include.hci.policy.upcoming import upcoming, without_runs
from include.hci.settings import ClusterSettings, Fleet, fleet_path, load_fleet
from include.hci.settings.calendar import FIRST_YEAR, LAST_YEAR

_NARROWEST = 120


def show(fleet: Fleet, names: Sequence[str], after: datetime, count: int, console: Console) -> int:
    """Print the next ``count`` times of the clusters ``names`` (none: all) after ``after`` and return the exit code."""
    for problem in fleet.problems:
        console.print(Text(str(problem), style="red"))
    by_name = {name.casefold(): cluster for name, cluster in fleet.clusters.items()}
    unknown = [name for name in names if name.casefold() not in by_name]
    for name in unknown:
        known = ", ".join(fleet.clusters) or "none"
        console.print(Text(f"There is no usable cluster {name} in {fleet.file}. Clusters: {known}.", style="red"))
    wanted = [by_name[name.casefold()] for name in names if name not in unknown] if names else by_name.values()
    for cluster in wanted:
        _show_cluster(cluster, after, count, console)
    return 1 if unknown or fleet.problems else 0


def _show_cluster(cluster: ClusterSettings, after: datetime, count: int, console: Console) -> None:
    schedule = cluster.schedule
    if schedule is None:
        console.print(Text.assemble((cluster.name, "bold"), " is updated only by hand: it has no schedule."))
        return
    console.print(Text.assemble((cluster.name, "bold"), f": {schedule.describe(cluster.ring_offset_days)}"))
    if schedule.run_by == "airflow" and (none := without_runs(cluster)):
        console.print(Text(f"  No run begins: {none}.", style="red"))
        console.print()
        return
    found = upcoming(cluster, after, count)
    if not any(one.begins for one in found):
        console.print("  No run begins within five years.")
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("", justify="right")
    table.add_column(schedule.timezone, no_wrap=True)
    table.add_column("UTC", no_wrap=True)
    table.add_column("in", justify="right", no_wrap=True)
    table.add_column("")
    number = 0
    for one in found:
        number += one.begins
        table.add_row(
            str(number) if one.begins else "-",
            f"{one.at.astimezone(zone(schedule.timezone)):%a %Y-%m-%d %H:%M %z}",
            f"{one.at:%a %Y-%m-%d %H:%M}",
            _distance(one.at - after),
            Text(one.remark if one.begins else f"left out: {one.remark}"),
            style="" if one.begins else "dim",
        )
    if found:
        console.print(table)
    console.print()


def _distance(duration: timedelta) -> str:
    return (
        show_duration(duration) if duration < timedelta(days=2) else f"{duration.days} d {duration.seconds // 3600} h"
    )


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise argparse.ArgumentTypeError(f'{text!r} is no time. Write it as "2026-11-03" or "2026-11-03T01:00+01:00".')
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _count(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 1000.")
    return int(text)


def main(arguments: Sequence[str] | None = None) -> int:
    """Show the times and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m include.hci.next_runs", description=__doc__)
    parser.add_argument("clusters", nargs="*", metavar="CLUSTER", help="default: every cluster of the fleet file")
    parser.add_argument("--fleet", type=Path, default=None, help="default: HCI_FLEET_FILE, or include/fleet/fleet.yaml")
    parser.add_argument("--count", type=_count, default=10, help="how many times of each cluster, 1 to 1000 (10)")
    parser.add_argument("--after", type=_moment, default=None, help="ISO time, UTC unless it says otherwise (now)")
    given = parser.parse_args(arguments)
    console = Console(highlight=False)
    if console.width < _NARROWEST and not console.is_terminal:
        console = Console(highlight=False, width=_NARROWEST)
    fleet = load_fleet(given.fleet or fleet_path())
    return show(fleet, given.clusters, given.after or datetime.now(UTC), given.count, console)


if __name__ == "__main__":
    sys.exit(main())
