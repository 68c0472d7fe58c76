"""Every fault of the simulated cluster ends the rolling update as it has to, and the document says so."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from include.simulator.faults.catalogue import catalogue
from tests.faults.playing import play
from tests.faults.table import DOCUMENT, expectations, render, seen_ends

WRITTEN = DOCUMENT.read_text(encoding="utf-8")


def named_checks(report):
    """Return the checks that the text says did not pass; what would be "with" another configuration is not played."""
    return set(re.findall(r"`([a-z-]+)`", report.partition("With ")[0]))


def test_every_fault_has_an_expectation_and_no_other_has():
    assert set(expectations()) == set(catalogue())


def test_the_document_is_what_the_rows_and_the_known_errors_say():
    assert render(seen_ends(WRITTEN)) == WRITTEN, "Run: python -m tests.faults.table"


@pytest.mark.parametrize("fault", sorted(catalogue()))
def test_the_rolling_update_ends_as_it_has_to(fault):
    expected = expectations()[fault]
    seen = play(fault, after=expected.after)
    assert (seen.end, seen.violations) == (expected.end, ())
    assert re.search(expected.says, seen.text)
    # What the document tells a person to look for is there.
    assert named_checks(expected.report) <= seen.noticed
    assert "Why it waited" not in expected.report or seen.longest_wait >= timedelta(minutes=5)
    assert seen_ends(WRITTEN).get(fault) == seen.end, "Run: python -m tests.faults.table"
