"""CAU reports as files: one line per update and node as CSV, the same with headings as HTML."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable

from include.simulator.world.cau_run import CauRun, SummaryStatus

COLUMNS = (
    "ClusterName",
    "RunId",
    "RunStatus",
    "StartTimeUtc",
    "NodeName",
    "NodeStatus",
    "UpdateTitle",
    "UpdateId",
    "UpdateResult",
    "ErrorCode",
)
_RESULTS = {2: "Succeeded", 3: "SucceededWithErrors", 4: "Failed", 5: "Aborted"}


def rows(cluster: str, runs: Iterable[CauRun]) -> list[tuple[str, ...]]:
    """Return one row per update and node; a node without any update has one row all the same."""
    found: list[tuple[str, ...]] = []
    for run in runs:
        head = (cluster, str(run.id), _name(run.status), f"{run.started:%Y-%m-%d %H:%M:%S}")
        for result in run.results.values():
            who = (result.node, _name(result.status))
            lines = [
                (
                    each.result.update.title,
                    each.result.update.update_id,
                    _RESULTS.get(each.result.code, str(each.result.code)),
                    f"0x{each.result.hresult:08X}",
                )
                for each in result.installs
            ]
            found += [(*head, *who, *line) for line in lines or [("", "", "", "")]]
    return found


def _name(status: SummaryStatus | None) -> str:
    return "" if status is None else status.name


def to_csv(cluster: str, runs: Iterable[CauRun]) -> str:
    """Return the reports as CSV."""
    text = io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    writer.writerows(rows(cluster, runs))
    return text.getvalue()


def to_html(cluster: str, runs: Iterable[CauRun]) -> str:
    """Return the reports as one HTML page."""
    head = "".join(f"<th>{name}</th>" for name in COLUMNS)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows(cluster, runs)
    )
    title = f"Cluster-Aware Updating Report: {html.escape(cluster)}"
    return (
        f"<!DOCTYPE html><html><head><title>{title}</title></head>"
        f"<body><h1>{title}</h1><table><tr>{head}</tr>{body}</table></body></html>"
    )
