from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput

from include.hci.airflow import approval
from include.hci.airflow.approval import ApprovePlanOperator
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import keep_plan
from include.hci.cluster.updates import Update
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.report import events as ev

PLAN = Plan(
    cluster="demo",
    made_at=datetime(2026, 11, 3, tzinfo=UTC),
    members=("HCI01", "HCI02"),
    nodes=(
        PlannedNode("HCI01", updates=(Update("u1", "Cumulative <b>Update</b> (KB5001)"),), build="20348.2113"),
        PlannedNode("HCI02", skip="nothing to install"),
    ),
)


@pytest.fixture
def record(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    found = open_record("demo", "run")
    keep_plan(found, PLAN)
    return found


@pytest.fixture
def asked(monkeypatch):
    """What Airflow is told to ask."""
    questions: list[dict] = []
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **question: questions.append(question)
    )
    return questions


def context(**params):
    return {"run_id": "run", "params": params, "task_instance": SimpleNamespace(id="ti")}


def operator():
    return ApprovePlanOperator(task_id="approve", cluster="demo")


def answer(choice, user="ada", comment=""):
    return {
        "chosen_options": [choice],
        "params_input": {"comment": comment},
        "responded_at": datetime(2026, 11, 3, tzinfo=UTC),
        "responded_by_user": None if user is None else {"id": user, "name": user},
    }


def test_a_run_that_needs_no_approval_asks_nobody(record, asked):
    assert operator().execute(context())["approved_by"] is None
    assert asked == []
    assert record.last(ev.Approved) is None


def test_the_question_shows_the_plan_to_those_who_may_answer_and_silence_means_no(record, asked):
    wanted = context(require_approval=True, approvers=["ada", "bob"], approval_timeout_minutes=90)
    with pytest.raises(TaskAwaitingInput) as waiting:
        operator().execute(wanted)
    [question] = asked
    assert question["defaults"] == ["Refuse"]
    assert [user["id"] for user in question["assigned_users"]] == ["ada", "bob"]
    assert waiting.value.timeout == timedelta(minutes=90)
    assert "**HCI01**" in question["body"]
    assert "KB5001" in question["body"]
    assert "HCI02: nothing to install" in question["body"]
    assert "<b>" not in question["body"]


def test_a_yes_is_of_the_plans_hash_and_is_not_asked_for_twice(record, asked):
    wanted = context(require_approval=True)
    assert operator().execute_complete(wanted, answer("Approve", comment="go"))["approved_by"] == "ada"
    found = record.last(ev.Approved).event
    assert (found.by, found.accepted, found.comment) == ("ada", True, "go")
    assert found.plan_id == approval.plan_hash(
        PLAN, approval.run_options(approval.cluster_settings("demo"), wanted).to_json()
    )
    assert operator().execute(wanted)["approved_by"] == "ada"
    assert asked == []


def test_a_yes_to_another_plan_is_none(record, asked):
    wanted = context(require_approval=True)
    operator().execute_complete(wanted, answer("Approve"))
    with pytest.raises(TaskAwaitingInput):
        operator().execute(context(require_approval=True, max_failed_nodes=0))


def test_a_yes_is_of_the_plan_that_was_shown_whatever_becomes_of_the_fleet_file_meanwhile(record, asked):
    wanted = context(require_approval=True)
    made_with = approval.run_options(approval.cluster_settings("demo"), wanted).to_json()
    keep_plan(record, replace(PLAN, options=made_with))
    with pytest.raises(TaskAwaitingInput):
        operator().execute(wanted)
    shown = approval.plan_hash(PLAN, made_with)
    assert shown[:12] in asked[0]["body"]
    operator().execute_complete(context(require_approval=True, failback_mode="NoFailback"), answer("Approve"))
    assert record.last(ev.Approved).event.plan_id == shown


@pytest.mark.parametrize(
    ("choice", "user", "says"),
    [
        ("Refuse", "ada", "ada refused the plan. not tonight"),
        ("Refuse", None, "means no"),
        ("Approve", None, "means no"),
    ],
)
def test_a_no_and_silence_end_the_run(record, choice, user, says):
    wanted = context(require_approval=True)
    with pytest.raises(AirflowFailException, match=says):
        operator().execute_complete(wanted, answer(choice, user, "not tonight"))
    assert record.last(ev.Approved).event.accepted is False
    with pytest.raises(AirflowFailException, match=says):
        operator().execute(wanted)


def test_there_is_nothing_to_approve_without_a_plan(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    with pytest.raises(AirflowFailException, match="no plan"):
        operator().execute(context(require_approval=True))
