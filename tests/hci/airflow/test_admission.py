from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.hci.airflow.admission import Admission, admit, admit_cluster_step, missing_approval
from include.hci.cluster.updates import Update
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.report import events as ev
from include.hci.report.facts import Asked, Change, RunFacts

MADE = datetime(2026, 11, 3, tzinfo=UTC)
PLAN = Plan(
    cluster="demo",
    made_at=MADE,
    members=("HCI01", "HCI02"),
    nodes=(
        PlannedNode("HCI01", updates=(Update("u1", "Cumulative"),)),
        PlannedNode("HCI02", skip="nothing to install"),
    ),
)
LOCKED = RunFacts(lock_guid="g", lock_nodes=("HCI01",))
PAUSED = RunFacts(lock_guid="g", paused={"HCI01": MADE, "HCI02": MADE})
TOLD = RunFacts(
    lock_guid="g", changes=(Change("monitoring-silence", "HCI01", "monitoring of HCI01", "on", "told", MADE),)
)
SKIPPED = RunFacts(lock_guid="g", skipped={"HCI01": "failure budget used up"})


@pytest.mark.parametrize(
    ("step", "node", "plan", "facts", "turn", "admission", "says"),
    [
        ("scan", "HCI01", None, RunFacts(), False, Admission.GO, ""),
        ("turn", "HCI01", None, LOCKED, False, Admission.REFUSE, "no plan"),
        ("turn", "HCI01", PLAN, RunFacts(), False, Admission.REFUSE, "lock"),
        ("turn", "HCI01", PLAN, LOCKED, False, Admission.GO, ""),
        ("turn", "HCI02", PLAN, LOCKED, False, Admission.SKIP, "nothing to install"),
        ("stage", "HCI01", PLAN, LOCKED, False, Admission.GO, ""),
        ("stage", "HCI02", PLAN, LOCKED, False, Admission.SKIP, "nothing to install"),
        ("drain", "HCI01", PLAN, LOCKED, False, Admission.REFUSE, "turn"),
        ("drain", "HCI01", PLAN, LOCKED, True, Admission.GO, ""),
        ("drain", "HCI01", PLAN, SKIPPED, False, Admission.SKIP, "budget"),
        ("install", "HCI01", PLAN, SKIPPED, True, Admission.SKIP, "budget"),
        ("restart", "HCI01", PLAN, RunFacts(), True, Admission.REFUSE, "lock"),
        ("resume", "HCI01", PLAN, LOCKED, True, Admission.SKIP, "has not paused"),
        ("resume", "HCI01", PLAN, PAUSED, True, Admission.GO, ""),
        # What this run paused is resumed whatever else is wrong: the lock may be gone, the node may need nothing.
        ("resume", "HCI01", PLAN, RunFacts(paused={"HCI01": MADE}), False, Admission.GO, ""),
        ("resume", "HCI02", PLAN, PAUSED, True, Admission.GO, ""),
        # Told of maintenance and never paused: somebody has to say that it is over.
        ("resume", "HCI01", PLAN, TOLD, True, Admission.GO, ""),
        ("resume", "HCI02", PLAN, TOLD, True, Admission.SKIP, "has not paused"),
    ],
)
def test_admit(step, node, plan, facts, turn, admission, says):
    answer = admit(step, node, plan, facts, {node: turn})
    assert answer.admission is admission
    assert says in answer.why


ADA = Asked(MADE, "ada")
CANCELLED = RunFacts(lock_guid="g", cancel=ADA)


@pytest.mark.parametrize(
    ("step", "facts", "stage_only", "admission"),
    [
        ("stage", CANCELLED, False, Admission.SKIP),
        ("turn", CANCELLED, False, Admission.SKIP),
        # A node that is out of service already is brought to its end.
        ("turn", RunFacts(lock_guid="g", cancel=ADA, paused={"HCI01": MADE}), False, Admission.GO),
        ("restart", RunFacts(lock_guid="g", cancel=ADA, paused={"HCI01": MADE}), False, Admission.GO),
        ("resume", RunFacts(lock_guid="g", cancel=ADA, paused={"HCI01": MADE}), False, Admission.GO),
        ("stage", LOCKED, True, Admission.GO),
        ("turn", LOCKED, True, Admission.SKIP),
    ],
)
def test_a_run_that_is_cancelled_or_only_downloads_begins_no_node(step, facts, stage_only, admission):
    assert admit(step, "HCI01", PLAN, facts, {"HCI01": True}, stage_only=stage_only).admission is admission


@pytest.mark.parametrize(
    ("wanted", "answer", "says"),
    [
        (False, None, ""),
        (True, None, "Nobody has approved"),
        (True, ev.Approved(by="ada", accepted=False, plan_id="h1"), "ada refused"),
        (True, ev.Approved(by="ada", plan_id="h2"), "another plan (h2), not this one (h1)"),
        (True, ev.Approved(by="ada", plan_id="h1"), ""),
    ],
)
def test_only_a_yes_to_this_very_plan_lets_a_run_begin(wanted, answer, says):
    missing = missing_approval(wanted, "h1", answer)
    assert says in missing
    assert bool(missing) == bool(says)
    expected = Admission.REFUSE if says else Admission.GO
    assert admit_cluster_step("take_lock", RunFacts(), missing_approval=missing).admission is expected
    assert admit_cluster_step("conclude", RunFacts(), missing_approval=missing).admission is Admission.GO


@pytest.mark.parametrize(
    ("step", "facts", "stage_only", "admission"),
    [
        ("readiness", RunFacts(), False, Admission.GO),
        ("take_lock", CANCELLED, False, Admission.REFUSE),
        ("verify", CANCELLED, False, Admission.SKIP),
        ("verify", LOCKED, True, Admission.SKIP),
        ("verify", LOCKED, False, Admission.GO),
        ("conclude", CANCELLED, True, Admission.GO),
    ],
)
def test_what_concerns_the_whole_cluster_ends_with_a_cancel_except_for_the_end(step, facts, stage_only, admission):
    assert admit_cluster_step(step, facts, stage_only=stage_only).admission is admission
