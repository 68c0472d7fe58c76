"""Beginning, watching and clearing away a job, against a node that is a table of answers."""

from __future__ import annotations

from typing import Any

import pytest

from include.hci.cluster.lock import LockHeld
from include.hci.cluster.system_task.build import DEFINITION
from include.hci.cluster.system_task.job import AtWork, Broken, Finished, StillAtWork, begin, look, tidy
from include.hci.cluster.system_task.updater import Memory, SystemTaskUpdater
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.records import ErrorRecord
from tests.hci.cluster.fakes import FakeShell, obj
from tests.hci.cluster.system_task.jobs import JOB, RUN, answer_text


def failure(error_id: str, text: str = "no") -> CommandFailed:
    return CommandFailed([ErrorRecord(text, fully_qualified_error_id=error_id)])


NO_TASK = failure("CmdletizationQuery_NotFound_TaskName,Get-ScheduledTask")
NO_FILE = failure("PathNotFound,Microsoft.PowerShell.Commands.GetContentCommand")


def node(state: str | None = "Running", text: Any = None, **more: Any) -> FakeShell:
    return FakeShell(
        {
            "Get-ScheduledTask": NO_TASK if state is None else [obj(TaskName=JOB.task_name, State=state)],
            "Get-ScheduledTaskInfo": [obj(LastTaskResult=0x41306)],
            "Get-Content": NO_FILE if text is None else text if isinstance(text, Exception) else [text],
            **more,
        }
    )


def test_a_job_is_begun_with_fixed_text_and_its_values_as_data():
    shell = node(**{"Test-Path": [False]})
    begin(shell, JOB)
    names = [pipeline.commands[-1].name for pipeline in shell.sent]
    assert names == ["Test-Path", "New-Item", "Set-Content", "Register-ScheduledTask", "Start-ScheduledTask"]
    registered = shell.sent[3].commands[0].parameters
    assert registered["Xml"] == DEFINITION.read_text(encoding="ascii")
    assert registered["TaskName"] == f"HciUpdate-{RUN}"
    assert shell.sent[2].commands[0].parameters["Value"] == JOB.arguments.model_dump_json()


def test_a_folder_that_is_there_belongs_to_somebody_and_nothing_is_begun():
    shell = node(text=JOB.arguments.model_dump_json(), **{"Test-Path": [True]})
    with pytest.raises(LockHeld, match=f"belongs to the job {JOB.guid} of the run {RUN}") as caught:
        begin(shell, JOB)
    # Unlike a lock of CAU's it never goes away by itself.
    assert "disappears" not in str(caught.value)
    assert r"Remove-Item -LiteralPath C:\Windows\HciUpdate" in caught.value.next_action
    assert not any(pipeline.is_change for pipeline in shell.sent)


@pytest.mark.parametrize(
    ("state", "text", "kind"),
    [
        ("Running", None, AtWork),
        ("Running", answer_text(state="working"), AtWork),
        ("Queued", None, AtWork),
        # The file is being replaced right now.
        ("Running", failure("GetContentReaderIOError"), AtWork),
        ("Running", answer_text()[:50], AtWork),
        ("Running", answer_text(), Finished),
        ("Ready", answer_text(), Finished),
        (None, answer_text(), Finished),
        ("Ready", answer_text(state="working"), Broken),
        ("Ready", answer_text()[:50], Broken),
        ("Ready", None, Broken),
        (None, None, Broken),
    ],
)
def test_how_a_job_stands_is_told_by_its_task_and_its_answer(state, text, kind):
    shell = node(state, text)
    assert type(look(shell, JOB)) is kind
    assert not any(pipeline.is_change for pipeline in shell.sent)


@pytest.mark.parametrize(
    ("state", "code", "said"),
    [
        ("Ready", 0x41306, "ended from outside (0x00041306)"),
        ("Ready", 0x41303, "never started"),
        ("Ready", 0x41301, "it is running"),
        ("Ready", 0x41325, "it waits to be run"),
        ("Ready", 29, "it could not write its answer file (29)"),
        ("Ready", 87, "refused its arguments (87)"),
        ("Ready", 1, "it ended with 1"),
        (None, 0, "is gone"),
    ],
)
def test_a_job_that_broke_off_says_how(state, code, said):
    found = look(node(state, **{"Get-ScheduledTaskInfo": [obj(LastTaskResult=code)]}), JOB)
    assert isinstance(found, Broken)
    assert said in found.why
    assert found.never_ran is (code in (0x41303, 0x41301, 0x41325))


def test_task_and_folder_are_removed_and_seen_to_be_gone():
    there = iter((True, True, False))
    tasks = iter(([obj(TaskName=JOB.task_name, State="Running")], NO_TASK))
    shell = node(text=JOB.arguments.model_dump_json())
    shell.replies |= {
        "Test-Path": lambda pipeline: [next(there)],
        "Get-ScheduledTask": lambda pipeline: next(tasks),
    }
    tidy(shell, JOB)
    changes = [pipeline.commands[-1].name for pipeline in shell.sent if pipeline.is_change]
    assert changes == ["Stop-ScheduledTask", "Unregister-ScheduledTask", "Remove-Item"]


@pytest.mark.parametrize("other", [JOB.arguments.model_dump_json().replace(str(JOB.guid), str(RUN)), "something else"])
def test_a_folder_that_is_another_jobs_by_now_stays(other):
    shell = node(None, other, **{"Test-Path": [True]})
    tidy(shell, JOB)
    assert not any(pipeline.is_change for pipeline in shell.sent)


def test_a_file_that_is_held_for_a_moment_when_it_is_removed_is_tried_again():
    held = CommandFailed([ErrorRecord("in use", "RemoveFileSystemItemIOError", hresult=0x80070020)])
    shell = node(None, JOB.arguments.model_dump_json(), **{"Test-Path": [True], "Remove-Item": held})
    with pytest.raises(CommandFailed) as caught:
        tidy(shell, JOB)
    assert caught.value.retry_safe


def test_what_does_not_go_away_is_an_error():
    shell = node("Ready", JOB.arguments.model_dump_json(), **{"Test-Path": [True]})
    with pytest.raises(CommandFailed, match="still there"):
        tidy(shell, JOB)


def test_a_scan_that_was_answered_is_not_done_again_and_one_that_was_not_is_begun():
    shell = node(**{"Test-Path": [False]})
    begun: list[tuple[str, tuple[str, ...]]] = []

    def new_job(mode: Any, searches: tuple[str, ...]) -> Any:
        begun.append((mode, searches))
        return JOB

    updater = SystemTaskUpdater(shell, new_job, Memory({"known": ()}, restart_pending=True))
    updater.ahead(("first", "second", "first"))
    assert updater.scan("known") == ()
    assert updater.restart_needed() is True
    assert begun == []
    for criteria, searches in (("second", ("first", "second")), ("other", ("other",))):
        with pytest.raises(StillAtWork):
            updater.scan(criteria)
        assert begun.pop() == ("scan", searches)


@pytest.mark.parametrize(
    ("replies", "usable", "why"),
    [
        ({}, True, "the Task Scheduler runs"),
        ({"Get-Service": [obj(Name="Schedule", Status="Stopped")]}, False, "does not run"),
        ({"Get-Service": [obj(Name="Schedule", Status="Running")], "Test-Path": [False]}, False, "there is no C:"),
        ({"Get-ScheduledTask": failure("HRESULT 0x80070005", "Access is denied.")}, False, "Access is denied"),
    ],
)
def test_a_probe_says_whether_tasks_can_be_used(replies, usable, why):
    usual = {"Get-Service": [obj(Name="Schedule", Status="Running")], "Test-Path": [True]}
    probe = SystemTaskUpdater(node(None, **(usual | replies)), lambda mode, searches: JOB).probe()
    assert (probe.usable, why in probe.why) == (usable, True), probe
