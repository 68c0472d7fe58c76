"""The questions before what cannot be taken back: asked once per state of the cluster, a no skips, and nothing else is an answer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskAwaitingInput

from include.hci.airflow.events import Ended
from include.hci.airflow.feature_approval import ASKS, ApprovePostStepOperator, PostStepOperator
from include.hci.airflow.operators import StepStopped
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import StepWork, now
from include.hci.policy.post_question import Question
from include.hci.powershell.errors import command_failed
from include.hci.powershell.records import ErrorRecord
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.settings.feature import FeatureUpdateRequest
from include.hci.steps.feature_consent import Asking, consent

LEVEL = Question(
    "approve_functional_level", "demo", {"functional level": "10.2"}, "12.1", {"HCI01": "20348.1", "HCI02": "20348.1"}
)


@pytest.fixture
def record(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    monkeypatch.delenv("HCI_FLEET_FILE", raising=False)
    return open_record("demo", "run")


@pytest.fixture
def asked(monkeypatch):
    """What Airflow is told to ask."""
    questions: list[dict] = []
    monkeypatch.setattr(
        "airflow.providers.standard.operators.hitl.upsert_hitl_detail", lambda **question: questions.append(question)
    )
    return questions


@pytest.fixture
def cluster(monkeypatch):
    """What the step finds to ask, and the cluster itself says."""
    found = SimpleNamespace(asking=Asking(LEVEL, try_out=lambda: "What if: up it goes"))

    def look(step, *given):
        step = SimpleNamespace(observe=lambda cluster: None, asking=lambda cluster, facts, at: found.asking)
        return SimpleNamespace(runner=SimpleNamespace(step=step), cluster=None)

    monkeypatch.setattr(StepWork, "open", look)
    return found


def begin(record, **request):
    given = FeatureUpdateRequest.model_validate({"post_steps_only": True, **request})
    started = ev.RunStarted(
        run_id="run", cluster="demo", run_kind="feature-update", request=given.to_json(), started_by="ada"
    )
    record.add(started, now())
    return given


def context(tries: int = 1, **params):
    ti = SimpleNamespace(id="ti", try_number=tries, max_tries=2)
    return {"run_id": "run", "params": params, "task_instance": ti, "ti": ti}


def operator(step="approve_functional_level", **given):
    return ApprovePostStepOperator(task_id=step, step=step, cluster="demo", **given)


def answer(choice, user="bob", comment=""):
    return {
        "chosen_options": [choice],
        "params_input": {"comment": comment},
        "responded_at": datetime(2026, 11, 3, tzinfo=UTC),
        "responded_by_user": None if user is None else {"id": user, "name": user},
    }


def put(record, asked, cluster):
    """Put the question."""
    with pytest.raises(TaskAwaitingInput) as waiting:
        operator().execute(context(approvers=["bob"], approval_timeout_minutes=90))
    return waiting.value


def test_the_question_says_what_is_raised_and_what_the_cluster_says_and_silence_means_no(record, asked, cluster):
    begin(record)
    assert put(record, asked, cluster).timeout == timedelta(minutes=90)
    [question] = asked
    assert question["defaults"] == ["Refuse"]
    assert [user["id"] for user in question["assigned_users"]] == ["bob"]
    assert "Raise the functional level" in question["subject"]
    for text in ("10.2", "12.1", "20348.1", "What if: up it goes", "cannot be undone", LEVEL.identity[:12]):
        assert text in question["body"]
    on_record = record.last(ev.PostAsked).event
    assert (on_record.step, on_record.identity) == ("approve_functional_level", LEVEL.identity)
    assert (dict(on_record.subjects), on_record.said) == ({"functional level": "10.2"}, "What if: up it goes")


def test_a_yes_is_of_the_questions_hash_and_is_not_asked_for_twice(record, asked, cluster):
    given = begin(record)
    put(record, asked, cluster)
    assert operator().execute_complete(context(), answer("Approve", comment="go"))["approved_by"] == "bob"
    found = record.last(ev.PostAnswered).event
    assert (found.by, found.accepted, found.comment, found.identity) == ("bob", True, "go", LEVEL.identity)
    assert record.last(ev.Approved) is None
    assert consent(record, given.functional_level, LEVEL).answer == "go"
    assert operator().execute(context())["approved_by"] == "bob"
    assert len(asked) == 1


def test_a_yes_to_another_state_is_none_and_it_is_asked_about_anew(record, asked, cluster):
    given = begin(record)
    put(record, asked, cluster)
    operator().execute_complete(context(), answer("Approve"))
    other = Question(LEVEL.step, "demo", LEVEL.subjects, LEVEL.target, {**LEVEL.builds, "HCI02": "20348.9"})
    assert consent(record, given.functional_level, other).answer == "void"
    cluster.asking = Asking(other)
    put(record, asked, cluster)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("choice", "user", "says"),
    [
        ("Refuse", "bob", r"Refused by bob \(not tonight\)"),
        ("Refuse", None, "Nobody approved it in time, and that means no"),
        ("Approve", None, "that means no"),
    ],
)
def test_a_no_and_silence_skip_the_task_and_stand_in_the_record(record, asked, cluster, choice, user, says):
    given = begin(record)
    put(record, asked, cluster)
    with pytest.raises(AirflowSkipException, match=says):
        operator().execute_complete(context(), answer(choice, user, "not tonight"))
    assert consent(record, given.functional_level, LEVEL).answer == "left"
    with pytest.raises(AirflowSkipException, match=says):
        operator().execute(context())
    assert len(asked) == 1


def test_who_marks_the_task_as_done_has_approved_nothing(record):
    given = begin(record)
    assert consent(record, given.functional_level, LEVEL).answer == "missing"


@pytest.mark.parametrize("wish", ["yes", "no"])
def test_nobody_is_asked_where_it_was_said_when_the_run_was_begun(record, asked, cluster, wish):
    begin(record, functional_level=wish)
    assert operator().execute(context()) == {"asked": False, "why": f"functional_level: {wish}"}
    assert asked == []


def test_there_is_no_question_where_there_is_nothing_to_raise(record, asked, cluster):
    begin(record)
    cluster.asking = Asking(why="it is at 12.1 already")
    assert operator().execute(context())["asked"] is False
    assert asked == []
    assert record.last(ev.PostAsked) is None


def test_what_the_cluster_would_refuse_is_a_problem_and_no_question(record, asked, cluster):
    begin(record)

    def refuse():
        raise command_failed([ErrorRecord(message="HCI02 is down")], node="HCI01", command="x")

    cluster.asking = Asking(LEVEL, try_out=refuse)
    with pytest.raises(StepStopped, match="HCI02 is down"):
        operator(retries=2).execute(context(tries=1))
    assert record.last(ev.Failed) is None
    with pytest.raises(AirflowFailException, match="HCI02 is down"):
        operator(retries=2).execute(context(tries=3))
    assert record.last(ev.Failed).event.step == "approve_functional_level"
    assert asked == []


def test_a_problem_that_no_retry_mends_fails_at_once(record, asked, cluster):
    begin(record, vm_versions="ask")
    cluster.asking = Asking(problem=Problem(title="no such machine", retry_is_safe=False))
    with pytest.raises(AirflowFailException, match="no such machine"):
        operator("approve_vm_versions", retries=2).execute(context())


def test_an_answer_without_a_question_is_none(record):
    begin(record)
    with pytest.raises(AirflowFailException, match="no question on record"):
        operator().execute_complete(context(), answer("Approve"))


def test_every_question_is_about_a_wish_of_the_request():
    assert set(ASKS.values()) <= set(FeatureUpdateRequest.model_fields)


def test_a_step_that_was_left_out_is_a_skipped_task(record):
    begin(record)
    step = PostStepOperator(task_id="functional_level", step="functional_level", cluster="demo")
    with pytest.raises(AirflowSkipException, match=r"left at 10\.2"):
        step.ended(context(), Ended("done", "it is left at 10.2", details={"left": True}))
    assert step.ended(context(), Ended("done", "raised", details={"after": "12.1"}))["after"] == "12.1"
