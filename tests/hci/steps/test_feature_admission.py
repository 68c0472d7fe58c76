from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.hci.cluster.updates import Update
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.report.facts import Asked, Change, RunFacts
from include.hci.settings.feature import FeatureUpdateRequest
from include.hci.steps.feature_admission import AFTERWARDS, UPGRADING, admit_feature

AT = datetime(2026, 11, 7, tzinfo=UTC)
ASKED = FeatureUpdateRequest(preview_channel=True)
CHANGE = Change("cau-run", "MGMT01", "CAU's Updating Run of demo", "none", "in progress", AT)
CANCELLED = Asked(AT, "ada")
EVERY = ("readiness", *UPGRADING, *AFTERWARDS, "conclude")


def plan(*updates: Update) -> Plan:
    return Plan(cluster="c", made_at=AT, members=("A",), nodes=(PlannedNode("A", updates),))


WORK, IDLE = plan(Update("u", "Feature update")), plan()


def going(request: FeatureUpdateRequest, facts: RunFacts, found: Plan | None = WORK, **more: object) -> list[str]:
    return [step for step in EVERY if admit_feature(step, request, facts, found, **more).goes]  # type: ignore[arg-type]


def test_a_run_that_asks_for_everything_does_everything():
    assert going(ASKED, RunFacts()) == list(EVERY)


def test_what_is_not_asked_for_is_left_out_with_its_reason():
    request = FeatureUpdateRequest(further_updates=False)
    assert set(EVERY) - set(going(request, RunFacts())) == {"preview_channel", "restart_for_preview", "further_updates"}
    assert "further_updates" in admit_feature("further_updates", request, RunFacts()).why


def test_only_the_steps_afterwards():
    request = FeatureUpdateRequest(post_steps_only=True)
    assert going(request, RunFacts(), None) == ["readiness", *AFTERWARDS, "conclude"]


def test_a_preview_changes_nothing_and_nothing_follows_it():
    assert going(ASKED, RunFacts(), plan_only=True) == [
        "readiness", "cau_setup", "validate", "prepare", "preview", "collect", "conclude",
    ]  # fmt: skip


def test_where_nothing_is_to_be_installed_only_the_installation_is_left_out():
    assert set(EVERY) - set(going(ASKED, RunFacts(), IDLE)) == {"approve", "run_cau"}


def test_a_run_that_is_parked_raises_nothing():
    facts = RunFacts(parked="no window is open")
    assert set(going(ASKED, facts)) & {"builds", "further_updates", *AFTERWARDS} == set()
    assert "collect" in going(ASKED, facts)


@pytest.mark.parametrize(
    ("step", "facts", "goes"),
    [
        ("run_cau", RunFacts(cancel=CANCELLED), False),
        # CAU's run goes on: somebody has to tell it to stop.
        ("run_cau", RunFacts(cancel=CANCELLED, changes=(CHANGE,)), True),
        ("collect", RunFacts(cancel=CANCELLED), True),
        ("functional_level", RunFacts(cancel=CANCELLED), False),
        ("conclude", RunFacts(cancel=CANCELLED), True),
    ],
)
def test_a_cancelled_run_still_sees_to_caus(step: str, facts: RunFacts, goes: bool):
    found = admit_feature(step, ASKED, facts, WORK)
    assert found.goes is goes
    assert goes or found.refused


def test_nothing_is_installed_without_the_approval_of_this_very_preview():
    found = admit_feature("run_cau", ASKED, RunFacts(), WORK, missing_approval="Nobody has approved it.")
    assert (found.goes, found.refused) == (False, True)
    assert (
        admit_feature("run_cau", ASKED, RunFacts(), IDLE, missing_approval="Nobody has approved it.").refused is False
    )
