"""What the terminal shows of a running update: pure functions from task states to lines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from include.demo.api import TaskInstance

GROUP = "update_node"
PHASES = ("turn", "drain", "install", "restart", "resume", "resync")
RUN_TASKS = ("readiness", "scan", "plan", "take_lock", "stage", "verify", "report", "conclude")
ENDED = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})
MARKS = {
    "success": ("✓", "green"),
    "failed": ("✗", "bold red"),
    "upstream_failed": ("-", "red"),
    "skipped": ("-", "dim"),
    "up_for_retry": ("↻", "yellow"),
    "running": ("●", "cyan"),
    "deferred": ("●", "cyan"),
    "queued": ("·", "dim"),
    "scheduled": ("·", "dim"),
}


@dataclass(frozen=True, slots=True)
class Progress:
    """What a waiting step last said: a sentence, how far it is (0 to 1) and how many seconds it expects still to take."""

    text: str = ""
    fraction: float | None = None
    seconds_left: float | None = None


@dataclass(frozen=True, slots=True)
class NodeLine:
    """One server's line: its name, the state of each phase, the phase under way and its progress."""

    node: str
    states: Mapping[str, str | None]
    phase: str | None
    progress: Progress


def progress_from(value: object) -> Progress:
    """Return the Progress of an XCom's ``value``; anything unexpected is an empty one."""
    if not isinstance(value, Mapping):
        return Progress()
    done, total, left = value.get("done"), value.get("total"), value.get("seconds_left")
    numbers = isinstance(done, int | float) and isinstance(total, int | float) and total > 0
    return Progress(
        str(value.get("text", "")),
        min(1.0, max(0.0, done / total)) if numbers else None,  # type: ignore[operator]
        float(left) if isinstance(left, int | float) else None,
    )


def node_states(instances: Sequence[TaskInstance]) -> dict[int, dict[str, str | None]]:
    """Return {map index: {phase: state}} of the per-node group."""
    found: dict[int, dict[str, str | None]] = {}
    for row in instances:
        group, _, phase = row.task_id.rpartition(".")
        if group == GROUP and row.map_index >= 0:
            found.setdefault(row.map_index, {})[phase] = row.state
    return found


def current_phase(states: Mapping[str, str | None]) -> str | None:
    """Return the phase that is under way, or the one that comes next after one that has ended; None before and after all."""
    for phase in PHASES:
        state = states.get(phase)
        if state is not None and state not in ENDED:
            return phase
    ended = [phase for phase in PHASES if states.get(phase) in ENDED]
    waiting = [phase for phase in PHASES if states.get(phase) is None]
    return waiting[0] if ended and waiting else None


def node_summary(states: Mapping[str, str | None]) -> tuple[str, str]:
    """Return what to say about a server and its style when no phase of it is under way."""
    values = [states.get(phase) for phase in PHASES]
    if any(value == "failed" for value in values):
        return "failed", "bold red"
    if values and all(value in ENDED for value in values):
        return ("skipped", "dim") if states.get("turn") == "skipped" else ("done", "green")
    return "waits for its turn", "dim"


def left_text(seconds: float | None) -> str:
    """Return ``seconds`` as ``3 min 20 s``, or nothing when nobody knows."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def node_table(lines: Sequence[NodeLine]) -> Table:
    """Return the table of servers."""
    table = Table(box=None, pad_edge=False, expand=True)
    table.add_column("server", no_wrap=True, style="bold")
    for phase in PHASES:
        table.add_column(phase, justify="center", no_wrap=True)
    table.add_column("progress", min_width=12, max_width=16)
    table.add_column("what it does", ratio=1, overflow="ellipsis", no_wrap=True)
    table.add_column("time left", justify="right", no_wrap=True)
    for line in lines:
        marks = [Text(*MARKS.get(line.states.get(phase) or "", (" ", ""))) for phase in PHASES]
        if line.phase is None:
            said, style = node_summary(line.states)
            bar: RenderableType = ProgressBar(total=1, completed=1 if said == "done" else 0)
            table.add_row(line.node, *marks, bar, Text(said, style=style), "")
            continue
        fraction = line.progress.fraction
        bar = ProgressBar(total=1, completed=fraction or 0, pulse=fraction is None)
        text = line.progress.text or line.phase
        table.add_row(line.node, *marks, bar, text, left_text(line.progress.seconds_left))
    return table


def run_line(instances: Sequence[TaskInstance]) -> Text:
    """Return the line of the tasks that concern the whole cluster."""
    text = Text()
    for name in RUN_TASKS:
        states = {row.state for row in instances if row.task_id == name}
        # The worst or busiest instance of a mapped task speaks for all of it.
        state = next((s for s in MARKS if s in states and s != "success"), "success" if states == {"success"} else None)
        mark, style = MARKS.get(state or "", (" ", "dim"))
        text.append(f"{mark} ", style)
        text.append(f"{name}  ", "dim" if state in (None, "success", "skipped") else "bold")
    return text


def screen(title: str, instances: Sequence[TaskInstance], lines: Sequence[NodeLine]) -> Group:
    """Return the whole live picture."""
    return Group(Text(title, style="bold"), run_line(instances), node_table(lines))
