"""The section on the preview channel in the report: what each node was set to and is set to, and that there is no way back."""

from __future__ import annotations

from collections.abc import Sequence

from include.hci.report import events as ev
from include.hci.report.model import Section
from include.hci.report.record import Entry

TITLE = "Preview channel"
ALREADY = (
    "Every node was on a preview channel already; nothing was changed. One that joined after its last restart is offered preview "
    "builds only once it has restarted (restart_nodes of the rolling update)."
)
NO_WAY_BACK = "A server leaves the preview channel only by a clean installation: this is not taken back."


def channel_sections(entries: Sequence[Entry]) -> tuple[Section, ...]:
    """Return the section of a run that looked at the preview channel; none of one that did not."""
    announced: dict[str, ev.PreviewChannelSetting] = {}
    done: dict[str, ev.PreviewChannelSet] = {}
    refused: dict[str, ev.PreviewChannelNotSet] = {}
    read: ev.PreviewChannelRead | None = None
    for entry in entries:
        match entry.event:
            case ev.PreviewChannelSetting() as event:
                announced.setdefault(event.node, event)
                refused.pop(event.node, None)
            case ev.PreviewChannelNotSet() as event:
                refused[event.node] = event
            case ev.PreviewChannelSet() as event:
                done[event.node] = event
                refused.pop(event.node, None)
            case ev.PreviewChannelRead() as event:
                read = event
            case _:
                pass
    if read is None and not announced:
        return ()
    now = {seen.node: seen.channel for seen in read.channels} if read else {}
    rows = []
    for node in dict.fromkeys((*now, *announced)):
        before = announced[node].before if node in announced else now[node]
        after = done[node].after if node in done else now.get(node, "not known")
        if node in refused:
            after = f"refused{'' if refused[node].exit_code is None else f' (exit code {refused[node].exit_code})'}"
        rows.append((node, before, after, _restart(done.get(node))))
    joined = ", ".join(dict.fromkeys((*done, *(node for node in announced if node not in refused))))
    said = [f"{joined} joined the preview channel in this run. {NO_WAY_BACK}"] if joined else []
    said += [] if joined or refused else [ALREADY]
    if read is not None and read.restart:
        said.append(f"{', '.join(read.restart)} had to restart for it.")
    return (Section(TITLE, tuple(said), ("Node", "Before", "After", "Restart needed for it"), tuple(rows)),)


def _restart(event: ev.PreviewChannelSet | None) -> str:
    if event is None:
        return ""
    if event.restart_needed is None:
        return "not told, so yes"
    return "yes" if event.restart_needed else "no"
