"""Which updates of the last scan came only after a node was finished, and so are the next run's."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.hci.cluster.updates import Update
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.report.values import UpdateRef
from include.hci.steps.verify import later_updates
from tests.hci.steps.facts import NOW, scan

NEW, KNOWN = "aaaaaaaa-0000-4000-8000-000000000000", "bbbbbbbb-0000-4000-8000-000000000000"


def record(*scans: tuple[str, str, int, str]) -> RunRecord:
    """A record of scans: step, node, minutes after the beginning, and the update that was to be installed, if any."""
    made = RunRecord(MemoryStorage())
    for step, node, minutes, update in scans:
        found = (UpdateRef(update_id=update, kb=None, title="T"),) if update else ()
        event = ev.Scanned(step=step, node=node, updates=found)  # type: ignore[arg-type]
        made.add(event, NOW + timedelta(minutes=minutes))
    return made


@pytest.mark.parametrize(
    ("scans", "later"),
    [
        # Nobody had it when the node was finished, and a node after it was offered it.
        ([("scan", "HCI01", 0, KNOWN), ("restart", "HCI01", 60, ""), ("install", "HCI02", 90, NEW)], {NEW}),
        # It was the plan's, also that of another node only: the node's own scan found too little.
        ([("scan", "HCI01", 0, ""), ("scan", "HCI02", 1, NEW)], set()),
        # Another node was offered it before this one was finished.
        ([("scan", "HCI01", 0, ""), ("install", "HCI02", 30, NEW), ("restart", "HCI01", 60, "")], set()),
        # It was to be installed on the node itself.
        ([("scan", "hci01", 0, ""), ("install", "HCI01", 60, NEW.upper())], set()),
        # What the last look itself finds excuses nothing.
        ([("scan", "HCI01", 0, ""), ("verify", "HCI01", 100, NEW)], {NEW}),
        # A node of which nothing is known has no excuse.
        ([("scan", "HCI02", 0, "")], set()),
    ],
)
def test_an_update_came_later_when_nobody_was_offered_it_before_the_node_was_finished(scans, later):
    assert later_updates(record(*scans), "HCI01", scan(Update(NEW))) == later


def test_what_the_plan_had_is_still_needed_beside_what_came_later():
    seen = record(("scan", "HCI01", 0, KNOWN), ("restart", "HCI01", 60, ""))
    assert later_updates(seen, "HCI01", scan(Update(KNOWN), Update(NEW))) == {NEW}
