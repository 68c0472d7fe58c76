"""What the report says of the operator's own commands: which scripts and hooks were given, when, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from include.hci.report import events as ev
from include.hci.report.model import Section
from include.hci.report.record import Entry

_COLUMNS = ("Time", "Node", "What", "Result", "Said")
_RESULTS = {"not-begun": "not begun", "timed-out": "not over in time", "unknown": "not known"}
#: So much of what a script wrote is shown; the record has more of it.
_SHOWN = 600


def own_command_sections(entries: Sequence[Entry], *, over: bool) -> tuple[Section, ...]:
    """Return a section for the scripts and one for the hooks, each where the run had any; ``over``: the run has ended."""
    return (*_scripts(entries, over=over), *_hooks(entries))


def _scripts(entries: Sequence[Entry], *, over: bool) -> tuple[Section, ...]:
    rows: list[tuple[str, str, str, str, str]] = []
    running: dict[tuple[str, str], int] = {}
    for entry in entries:
        match entry.event:
            case ev.ScriptStarting() as event:
                running[event.node, event.script] = len(rows)
                result = "not known" if over else "running"
                said = "the run was interrupted while it ran" if over else ""
                rows.append((_time(entry.at), event.node, f"{event.script}: {event.path}", result, said))
            case ev.ScriptEnded() as event:
                said = " ".join(part for part in (event.why, event.output) if part)
                row = (
                    _time(entry.at),
                    event.node,
                    f"{event.script}: {event.path}",
                    _RESULTS.get(event.result, event.result),
                    said if len(said) <= _SHOWN else f"{said[:_SHOWN]}...",
                )
                position = running.pop((event.node, event.script), None)
                if position is None:
                    rows.append(row)
                else:
                    rows[position] = row
            case _:
                pass
    if not rows:
        return ()
    return (Section("Scripts", _without_end(entries) if over else (), _COLUMNS, tuple(rows)),)


def _without_end(entries: Sequence[Entry]) -> tuple[str, ...]:
    """Return which nodes had their first script and not their second, although the run has one."""
    first, second = dict[str, None](), set[str]()
    wanted = ""
    for entry in entries:
        match entry.event:
            case ev.RunStarted() as event:
                wanted = str(event.options.get("post_update_script") or "")
            case ev.ScriptEnded(script="pre-update", result="succeeded") as event:
                first[event.node] = None
                second.discard(event.node)
            case ev.ScriptStarting(script="post-update") as event:
                second.add(event.node)
            case _:
                pass
    return tuple(
        f"{node}: {wanted} was not run after the pre-update script, because the node did not come back in its own turn or was"
        " never paused. Run it by hand where it is needed."
        for node in first
        if wanted and node not in second
    )


def _hooks(entries: Sequence[Entry]) -> tuple[Section, ...]:
    rows = tuple(
        (
            _time(entry.at),
            entry.node or "",
            f"{entry.event.when}: {entry.event.command} ({entry.event.connection})",
            _RESULTS.get(entry.event.result, entry.event.result),
            entry.event.why,
        )
        for entry in entries
        if isinstance(entry.event, ev.HookGiven)
    )
    failed = sum(row[3] != "sent" for row in rows)
    said = (f"{failed} of {len(rows)} commands did not arrive, or it is not known.",) if failed else ()
    return (Section("Monitoring", said, _COLUMNS, rows),) if rows else ()


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
