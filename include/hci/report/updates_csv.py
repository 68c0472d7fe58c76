"""The updates of a run as CSV, safe to open in a spreadsheet: no cell of it is ever taken for a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable

from include.hci.report.model import RunReport
from include.hci.report.model_node import NodeReport, UpdateReport

COLUMNS = (
    *("cluster", "run", "node", "kb", "title", "update_id", "result", "hresult", "restart", "round", "meaning"),
    *("plugin", "at", "node_outcome", "node_error"),
)
#: A cell that begins with one of these is a formula, or a command, to some spreadsheet (OWASP, CSV injection); the wide signs
#: are to those that read East Asian text.
_SIGNS = "=+\\-@\uff1d\uff0b\uff0d\uff20"
#: Where a semicolon separates cells (Excel in most of Europe) a cell begins in the middle of one of ours.
_DANGEROUS = re.compile(rf"(^|;[\s\"]*)(?=[{_SIGNS}])")
#: Tells Excel, and PowerShell's Import-Csv, that the file is UTF-8.
BYTE_ORDER_MARK = "\ufeff"
_GOOD = ("succeeded", "succeeded-with-errors")


def updates_csv(report: RunReport) -> str:
    """Return one line per update and node (RFC 4180), the ones that were left out on purpose included, with the reason.

    A node without any has one line all the same. A try that failed and was made again has a line of its own, which says so.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for node in report.nodes:
        for row in _rows(node) or [[""] * 10]:
            line = (report.cluster, report.run_id, node.name, *row, node.outcome, node.error)
            writer.writerow([_cell(value) for value in line])
    return text.getvalue()


def _rows(node: NodeReport) -> list[Iterable[object]]:
    found: list[Iterable[object]] = [_row(update, update.meaning) for update in node.updates]
    for update in node.retried:
        good = any(each.update_id == update.update_id and each.result in _GOOD for each in node.updates)
        said = f"tried again{' and made good' if good else ''}"
        found.append(_row(update, "; ".join(filter(None, (said, update.meaning)))))
    for absent in node.excluded:
        found.append((absent.kb, absent.title, absent.update_id, "left out", None, "", None, absent.why, None, None))
    return found


def _row(update: UpdateReport, meaning: str | None) -> tuple[object, ...]:
    restart = "yes" if update.reboot_required else "no"
    at = "" if update.at is None else update.at.isoformat()
    return (
        *(update.kb, update.title, update.update_id, update.result, update.hresult, restart, update.install_pass),
        *(meaning, update.plugin, at),
    )


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    # Looked at as it is written: what stood before a sign may have been white space only.
    return _DANGEROUS.sub(r"\1'", text)
