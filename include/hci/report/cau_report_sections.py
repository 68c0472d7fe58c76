"""CAU's own report as sections of ours: all of it, so that nobody has to export it on the management host (Export-CauReport).

CAU's files would have to be written on that machine and fetched from there; what is in them comes from the same objects
(Get-CauReport -Last -Detailed), in which nothing is rounded or translated.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from include.hci.report import events as ev
from include.hci.report.model import Section

GOOD_RESULTS = ("succeeded", "succeeded-with-errors")
_NODE = ("Node", "CAU says", "Installed", "Failed", "Paused (UTC)", "Error")
_UPDATE = ("Node", "Update", "Plug-in", "Result", "At (UTC)")


def report_sections(read: ev.CauReportRead) -> Iterable[Section]:
    """Yield what CAU's report says: of the run with every node, of every update, and of the tries that were made again."""
    nodes = tuple(
        (
            each.node,
            each.status,
            _count(each.succeeded),
            _count(each.failed),
            _paused(each),
            " ".join(filter(None, (each.error_id, each.error))),
        )
        for each in read.nodes
    )
    yield Section("CAU's own report", _sentences(read), _NODE if nodes else (), nodes)
    installed = tuple(row for each in read.nodes for row in _updates(each.node, each.updates))
    if installed:
        yield Section("Every update in CAU's report", (), _UPDATE, installed)
    earlier = tuple(
        (*row, "yes" if is_made_good(update, each.updates) else "no", update.meaning or "")
        for each in read.nodes
        for update, row in zip(each.transient, _updates(each.node, each.transient), strict=True)
    )
    if earlier:
        yield Section("Tries that failed and were made again", (), (*_UPDATE, "Made good", "Meaning"), earlier)


def is_made_good(earlier: ev.CauUpdateResult, last: Iterable[ev.CauUpdateResult]) -> bool:
    """Return whether a later try of the same update succeeded."""
    return any(each.update_id == earlier.update_id and each.result in GOOD_RESULTS for each in last)


def _sentences(read: ev.CauReportRead) -> tuple[str, ...]:
    facts = (
        ("Run", read.run_id),
        ("Status", read.status),
        ("Began", f"{_moment(read.started_at)} UTC" if read.started_at is not None else ""),
        ("Took", _span(read.seconds)),
        ("Coordinated on", read.coordinator),
        ("Begun by", read.user),
        ("Installed as", read.account),
        ("Plug-in", read.plugin),
        ("Error", " ".join(filter(None, (read.error_id, read.error)))),
    )
    return tuple(f"{name}: {value}" for name, value in facts if value)


def _updates(node: str, updates: Sequence[ev.CauUpdateResult]) -> Iterable[tuple[str, ...]]:
    for each in updates:
        label = each.title if not each.kb or each.kb in each.title else f"{each.kb} {each.title}"
        result = " ".join(filter(None, (each.result, each.hresult)))
        restart = ", restart needed" if each.reboot_required else ""
        yield (node, f"{label} ({each.update_id})", each.plugin, f"{result}{restart}", _moment(each.at))


def _paused(result: ev.CauNodeResult) -> str:
    if result.suspended_at is None:
        return ""
    return f"{_moment(result.suspended_at)} for {_span(result.suspended_seconds)}".removesuffix(" for ")


def _count(number: int | None) -> str:
    return "" if number is None else str(number)


def _moment(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def _span(seconds: float | None) -> str:
    return "" if seconds is None else str(timedelta(seconds=round(seconds)))
