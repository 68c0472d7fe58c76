from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest

from include.hci.report.build import report_of
from include.hci.report.updates_csv import COLUMNS, updates_csv
from tests.hci.report.example import failed_night


def rows(report) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(updates_csv(report), newline="")))


def night():
    made = failed_night()
    return report_of(made.record, made.now)


def test_every_update_of_every_node_has_a_line_with_its_result():
    report = night()
    found = rows(report)
    expected = sum(len(node.updates) + len(node.excluded) for node in report.nodes)
    assert len(found) == expected > 0
    assert tuple(found[0]) == COLUMNS
    for node in report.nodes:
        lines = {line["update_id"]: line for line in found if line["node"] == node.name}
        assert {update.update_id: update.result for update in node.updates}.items() <= {
            key: line["result"] for key, line in lines.items()
        }.items()
    assert {line["result"] for line in found} >= {"succeeded", "failed"}


@pytest.mark.parametrize(
    ("title", "cell"),
    [
        ('=HYPERLINK("http://x")', '\'=HYPERLINK("http://x")'),
        ("+1", "'+1"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'=1"),
        ("a, b\r\n=c", "a, b =c"),
        (" =1+1", "'=1+1"),
        ("\u3000\uff1d1", "'\uff1d1"),
        ("\uff0b1", "'\uff0b1"),
        ("\uff0d1", "'\uff0d1"),
        ("\uff20SUM(A1)", "'\uff20SUM(A1)"),
        ("fix; =cmd|' /C calc'!A0", "fix; '=cmd|' /C calc'!A0"),
        ('fix;"+1', "fix;\"'+1"),
        ("KB1; KB2 - both", "KB1; KB2 - both"),
        ("Cumulative Update", "Cumulative Update"),
    ],
)
def test_no_cell_is_taken_for_a_formula(title, cell):
    report = night()
    node = next(node for node in report.nodes if node.updates)
    changed = replace(node, updates=(replace(node.updates[0], title=title),), excluded=())
    [line] = rows(replace(report, nodes=(changed,)))
    assert line["title"] == cell


def test_a_node_without_any_update_has_a_line_all_the_same():
    report = night()
    bare = replace(report.nodes[0], updates=(), excluded=(), outcome="skipped", error="not its turn any more")
    [line] = rows(replace(report, nodes=(bare,)))
    assert (line["node"], line["node_outcome"], line["node_error"]) == (bare.name, "skipped", bare.error)
    assert {name for name, value in line.items() if value} == {"cluster", "run", "node", "node_outcome", "node_error"}
