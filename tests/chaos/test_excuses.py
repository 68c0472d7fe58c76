from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.simulator.faults.catalogue import catalogue
from include.simulator.journal import Entry
from include.simulator.referee import INVARIANTS, Violation
from tests.chaos.excuses import EXCUSES, Excuse, is_excused

NOW = datetime(2026, 11, 3, tzinfo=UTC)
ROW = Excuse("I12", "build after", ("node-restarted-by-someone",), "a reason")


def finding(invariant: str = "I12", sentence: str = "20 as build after of HCI01", seq: int = 9) -> Violation:
    return Violation(invariant, NOW, "HCI01", sentence, seq)


def struck(fault: str = "node-restarted-by-someone", node: str | None = "HCI01", seq: int = 5) -> Entry:
    return Entry(seq, NOW, "fault.injected", "event", "world", node, {"fault": fault, "node": node})


@pytest.mark.parametrize(
    ("found", "entry", "excused"),
    [
        (finding(), struck(), True),
        (finding(), struck(node=None), True),
        (finding(), struck(node="HCI02"), False),
        (finding(), struck(seq=10), False),
        (finding(), struck("node-crashes"), False),
        (finding("I8"), struck(), False),
        (finding(sentence="restarted twice"), struck(), False),
    ],
)
def test_an_excuse_needs_the_fault_on_that_node_before_the_finding(
    found: Violation, entry: Entry, excused: bool
) -> None:
    assert is_excused(found, [entry], [ROW]) is excused


@pytest.mark.parametrize("row", EXCUSES, ids=lambda row: row.says)
def test_every_excuse_is_about_something_that_there_is(row: Excuse) -> None:
    assert row.invariant in INVARIANTS
    assert row.says
    assert row.why
    assert row.faults
    assert set(row.faults) <= set(catalogue())
