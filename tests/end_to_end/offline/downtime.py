"""The downtime of an offline update as its report has it, held against what the world's journal saw."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from include.hci.report.offline_downtime import Downtime, measure
from include.hci.report.record import RunRecord
from include.hci.report.storage import LocalStorage
from include.hci.report.timeline import duration_text
from tests.end_to_end.stack import World

#: What the clocks of two processes may differ by when the world's is told by asking it.
CLOCKS = timedelta(seconds=1)
#: How long it may take until the run sees what has happened, on a busy machine.
SEEN_LATE = timedelta(seconds=30)
#: Each phase with what the world must see in it and nowhere else: the operation and what stands in its detail.
SEEN: tuple[tuple[str, str, tuple[str, ...], str, dict[str, Any]], ...] = (
    ("Virtual machines stopped", "machines went off", ("stop_vms",), "vm.state", {"state": "Off"}),
    ("Disks offline, cluster stopped", "the cluster stopped", ("stop_cluster",), "cluster.stopped", {}),
    ("Installed on all servers", "updates", ("install_offline", "restart_offline"), "update.installed", {}),
    ("Servers restarted", "servers came up", ("install_offline", "restart_offline"), "node.power", {"up": True}),
    ("Cluster started, disks online", "the cluster formed", ("start_cluster",), "cluster.started", {}),
    ("Virtual machines started", "machines ran", ("start_vms",), "vm.state", {"state": "Running"}),
)


def downtime(report_file: Path) -> Downtime:
    """Return the downtime of the run whose report this is, measured from its record."""
    down = measure(RunRecord(LocalStorage(report_file.parent)).events(), datetime.now(UTC))
    assert down is not None
    return down


def assert_is_what_the_world_saw(world: World, report_file: Path) -> str:
    """Hold the measured downtime and its parts against the journal; returns them as a table, in the world's time."""
    down = downtime(report_file)
    parts = dict(down.parts)
    assert down.is_over
    assert abs(sum(parts.values()) - down.seconds) < 0.01
    assert_the_report_says_so(json.loads(report_file.read_text()), down)
    began = dict(phases(down))
    lines = []
    for title, what, steps, op, detail in SEEN:
        # Before the downtime machines run as well, and after it nothing is said of them.
        moments = [at for at in (world.real(line["t"]) for line in matching(world, op, detail)) if at >= down.began]
        opens, closes = began[steps[0]][0], began[steps[-1]][1]
        outside = [at for at in moments if not opens - CLOCKS <= at <= closes + CLOCKS]
        assert moments, f"The journal has no {op} {detail}."
        assert not outside, f"{what}: {outside}, but {', '.join(steps)} lasted from {opens} to {closes}"
        lines.append(f"  {title:<32}{simulated(world, parts[steps[-1]]):>13}   {len(moments)} {what}")
    off, ran = (
        sorted(world.real(line["t"]) for line in matching(world, "vm.state", {"state": state}))
        for state in ("Off", "Running")
    )
    seen = ran[-1] - off[0]
    assert -CLOCKS <= timedelta(seconds=down.seconds) - seen <= SEEN_LATE
    whole = f"  {'Together':<32}{simulated(world, sum(parts.values())):>13}   measured {simulated(world, down.seconds)}"
    saw = f"; the world saw its machines down for {simulated(world, seen.total_seconds())}"
    return "\n".join(
        (f"Downtime of {world.cluster.name}, {world.cluster.nodes} servers, in simulated time:", *lines, whole + saw)
    )


def assert_the_report_says_so(report: dict[str, Any], down: Downtime) -> None:
    section = next(one for one in report["sections"] if one["title"] == "Downtime")
    rows = {row[0]: row[1] for row in section["rows"]}
    assert section["sentences"][0].startswith(f"It took {duration_text(down.seconds)}: ")
    assert rows.pop("Together") == duration_text(down.seconds)
    assert [took for took in rows.values() if took] == [duration_text(seconds) for _, seconds in down.parts]


def phases(down: Downtime) -> Iterator[tuple[str, tuple[datetime, datetime]]]:
    """Return when each phase began and ended."""
    at = down.began
    for step, seconds in down.parts:
        yield step, (at, at + timedelta(seconds=seconds))
        at += timedelta(seconds=seconds)


def matching(world: World, op: str, detail: dict[str, Any]) -> list[dict[str, Any]]:
    return [line for line in world.events(op) if detail.items() <= line["detail"].items()]


def simulated(world: World, seconds: float) -> str:
    return duration_text(seconds * world.speed)
