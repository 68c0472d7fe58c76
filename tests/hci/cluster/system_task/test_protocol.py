from __future__ import annotations

import json
from datetime import date

import pytest

from include.hci.cluster.system_task.protocol import ARGUMENTS, FOLDER, read_answer, read_arguments
from include.hci.cluster.system_task.updater import result_of, update_of
from include.hci.cluster.updates import Update
from tests.hci.cluster.system_task.jobs import JOB, RESULT, answer_text


def test_the_argument_file_is_plain_data():
    given = json.loads(JOB.arguments.model_dump_json())
    assert given == {
        "format": 1,
        "run": str(JOB.run),
        "job": str(JOB.guid),
        "mode": "install",
        "include_recommended": False,
        "searches": ["IsInstalled=0"],
        "answer": rf"{FOLDER}\answer-{JOB.guid}.json",
    }
    assert ARGUMENTS.startswith(FOLDER)
    assert read_arguments(JOB.arguments.model_dump_json()) == JOB.arguments


@pytest.mark.parametrize(
    "changed",
    [
        {"mode": "uninstall"},
        {"answer": r"C:\Windows\System32\answer.json"},
        {"answer": rf"{FOLDER}\..\answer.json"},
        {"job": "; Remove-Item C:"},
        {"run": "1"},
        {"searches": []},
        {"searches": [""]},
        {"searches": ["x" * 120_001]},
        {"searches": ["a", "b"]},
        {"include_recommended": "false"},
        {"format": 2},
        {"extra": 1},
    ],
)
def test_arguments_that_are_none_are_refused(changed):
    assert read_arguments(json.dumps(json.loads(JOB.arguments.model_dump_json()) | changed)) is None


def test_an_answer_is_read_with_the_mark_that_windows_puts_in_front():
    answer = read_answer(answer_text(), JOB.guid)
    assert answer.is_final
    (result,) = map(result_of, answer.results)
    assert (result.update.kb, result.is_good, result.restart_required) == ("KB5044281", True, True)


def shown(**more: str) -> Update:
    found = {"update_id": "u1", "title": "t", "description": ""} | more
    searches = [{"criteria": "A=0", "updates": [found]}]
    return update_of(
        read_answer(answer_text(mode="scan", results=[], searches=searches), JOB.guid).searches[0].updates[0]
    )


def test_a_scan_tells_what_wants_a_person():
    assert shown(asks="licence-terms").asks == "licence-terms"
    assert shown().asks == ""


@pytest.mark.parametrize(
    ("told", "day"),
    [("2026-11-10", date(2026, 11, 10)), ("", None), ("1899-12-30", None), ("2026-02-31", None)],
)
def test_a_scan_tells_when_an_update_was_published_where_windows_does(told, day):
    assert shown(published=told).published == day


def test_an_hresult_comes_signed_and_is_the_same_as_everywhere():
    failed = RESULT | {"result_code": 4, "hresult": -2146498304}
    (item,) = read_answer(answer_text(results=[failed]), JOB.guid).results
    result = result_of(item)
    assert (result.hresult_text, result.is_failed) == ("0x800F0900", True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no valid answer"),
        (answer_text()[:100], "no valid answer"),
        (answer_text(state="finished"), "state"),
        (answer_text(restart_pending=None), "restart is pending"),
        (answer_text(error={"hresult": 1, "message": "x"}), "names an error exactly when"),
        (answer_text(state="failed"), "names an error exactly when"),
        (answer_text(results=[RESULT | {"hresult": 2**40}]), "hresult"),
        (answer_text(results=[RESULT | {"asks": "money"}]), "asks"),
        (answer_text(results=[RESULT | {"published": "yesterday"}]), "published"),
        (answer_text(done=-1), "done"),
        (answer_text(job=str(JOB.run)), f"is about {JOB.run}"),
        (" " * (5 * 1024 * 1024), "characters"),
    ],
)
def test_an_answer_that_is_none_is_said_to_be_none(text, said):
    with pytest.raises(ValueError, match="answer file") as caught:
        read_answer(text, JOB.guid)
    assert said in str(caught.value)
