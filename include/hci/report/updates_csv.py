"""The updates of a run as CSV, safe to open in a spreadsheet: no cell of it is ever taken for a formula."""

from __future__ import annotations

import csv
import io

from include.hci.report.model import RunReport

COLUMNS = ("cluster", "run", "node", "kb", "title", "update_id", "result", "hresult", "restart", "round", "meaning")
#: A cell that begins with one of these is a formula, or a command, to some spreadsheet (OWASP, CSV injection).
_DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")


def updates_csv(report: RunReport) -> str:
    """Return one line per update and node (RFC 4180), the ones that were left out on purpose included, with the reason."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for node in report.nodes:
        about = (report.cluster, report.run_id, node.name)
        for update in node.updates:
            restart = "yes" if update.reboot_required else "no"
            row = (
                update.kb,
                update.title,
                update.update_id,
                update.result,
                update.hresult,
                restart,
                update.install_pass,
            )
            writer.writerow([_cell(value) for value in (*about, *row, update.meaning)])
        for left_out in node.excluded:
            absent = (left_out.kb, left_out.title, left_out.update_id, "left out", None, "", None)
            writer.writerow([_cell(value) for value in (*about, *absent, left_out.why)])
    return text.getvalue()


def _cell(value: object) -> str:
    text = "" if value is None else " ".join(str(value).split())
    return f"'{text}" if str(value or "").startswith(_DANGEROUS) else text
