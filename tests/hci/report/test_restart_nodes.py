"""What the report says of nodes that were to be restarted whatever was installed on them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.html import render_html
from include.hci.report.model import RunReport
from include.hci.report.values import UpdateRef
from tests.hci.report.example import CUMULATIVE, NEW, START, Night, good
from tests.hci.report.judging import check_report

ME = "HCI01"
PAUSED = ev.Pausing(node=ME, state_before="Up", roles=())
ORDERED = ev.RestartOrdered(node=ME, boot_time_before=START - timedelta(days=9))
SEEN = ev.Restarted(node=ME, boot_time=START, build=NEW)
BACK = (ev.Resumed(node=ME, failback_mode="Immediate"), ev.Resynced(node=ME, gib=1))
INSTALLED = (
    ev.InstallStarted(node=ME, install_pass=1, updates=(CUMULATIVE,)),
    ev.InstallFinished(node=ME, install_pass=1, results=(good(CUMULATIVE),), restart_needed=False),
)
TURN = ev.TurnGiven(node=ME, position=1, total=1, why="its turn")


def told(
    *events: ev.RunEvent, pending: bool = False, mode: str = "update", updates: tuple[UpdateRef, ...] = ()
) -> RunReport:
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="C", nodes=(ME,), mode=mode))
    night.after(1, ev.Scanned(node=ME, build=NEW, restart_pending=pending, updates=updates))
    night.after(1, ev.Planned(order=(ME,), updates={ME: updates}, restart_asked=(ME,), plan_id="f" * 64))
    for event in events:
        night.after(60, event)
    night.after(1, ev.Concluded(why="Nothing is left to do."))
    found = report_of(night.record, night.now)
    check_report(found)
    return found


@pytest.mark.parametrize(
    ("events", "outcome", "run"),
    [
        ((TURN, PAUSED, ORDERED, SEEN, *BACK), "restarted", "succeeded"),
        # whoever gave the order, the node has restarted
        ((TURN, PAUSED, SEEN, *BACK), "restarted", "succeeded"),
        ((TURN, PAUSED, *INSTALLED, ORDERED, SEEN, *BACK), "updated", "succeeded"),
        ((TURN, PAUSED, *BACK), "failed", "failed"),
        ((TURN, PAUSED, *INSTALLED, *BACK), "failed", "failed"),
        ((TURN, PAUSED, ORDERED, *BACK), "failed", "failed"),
        ((), "not-started", "failed"),
        ((ev.Skipped(step="turn", node=ME, reason="cancelled"),), "skipped", "failed"),
    ],
)
def test_a_node_that_was_to_be_restarted(events, outcome, run):
    found = told(*events)
    assert (found.nodes[0].outcome, found.outcome) == (outcome, run)


def test_a_restart_that_was_pending_as_well_has_brought_the_node_up_to_date():
    assert told(TURN, PAUSED, ORDERED, SEEN, *BACK, pending=True).nodes[0].outcome == "updated"


def test_a_node_that_was_not_restarted_says_so():
    problem = told(TURN, PAUSED, *BACK).nodes[0].problem
    assert problem is not None
    assert problem.title == f"{ME} was to be restarted, and the run ended before it was."


def test_the_headline_and_the_page_say_what_was_done():
    found = told(TURN, PAUSED, ORDERED, SEEN, *BACK)
    assert found.headline.startswith("Of 1 nodes: 1 restarted.")
    page = render_html(found)
    assert '<span class="chip restarted">restarted</span>' in page
    assert "no updates, a restart as asked for" in " ".join(page.split())


@pytest.mark.parametrize(
    ("updates", "says"),
    [
        ((), "0 of 1 nodes have something to install, 1 is to be restarted as asked for. Nothing was changed."),
        ((CUMULATIVE,), "1 of 1 nodes has something to install, 1 is to be restarted as asked for. Nothing was changed."),
    ],
)  # fmt: skip
def test_a_plan_alone_names_the_restarts(updates, says):
    found = told(mode="plan-only", updates=updates)
    assert (found.outcome, found.headline) == ("planned", says)
