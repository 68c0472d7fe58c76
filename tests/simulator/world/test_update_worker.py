"""A SYSTEM task that drives the Windows Update Agent: what it does with its arguments, and what it leaves when it is ended."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from include.simulator.world.rig import Condition
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.worker import (
    FOLDER,
    QUERY,
    RUN,
    WORKER_TASK,
    answer_path,
    arguments_json,
    worker_xml,
)

NODE = "HCI01"


async def begin(lab: Console, xml: str | None = None, **changed: object) -> None:
    files = lab.world.files
    node = lab.world.node(NODE)
    if not files.is_folder(node, FOLDER):
        files.make_folder(node, FOLDER)
    files.write(node, FOLDER + "\\arguments.json", arguments_json(**changed))
    register = cmd("Register-ScheduledTask", TaskName=WORKER_TASK, Xml=xml or worker_xml(), Force=True)
    await lab.run(NODE, register)
    await lab.run(NODE, cmd("Start-ScheduledTask", TaskName=WORKER_TASK))


async def result(lab: Console) -> int:
    info = await lab.one(NODE, cmd("Get-ScheduledTaskInfo", TaskName=WORKER_TASK))
    return int(info.get("LastTaskResult"))  # type: ignore[arg-type]


def answer(lab: Console) -> dict[str, Any]:
    text = lab.world.files.read(lab.world.node(NODE), answer_path())
    return json.loads(text.removeprefix("\ufeff"))  # type: ignore[no-any-return]


async def do(lab: Console, **changed: object) -> dict[str, Any]:
    await begin(lab, **changed)
    await lab.wait(timedelta(hours=3))
    assert await result(lab) == 0
    return answer(lab)


async def test_it_scans_downloads_and_installs_as_system() -> None:
    lab = Console()
    found = await do(lab, searches=[QUERY, "IsInstalled=1"])
    assert [(item["criteria"], bool(item["updates"])) for item in found["searches"]] == [
        (QUERY, True),
        ("IsInstalled=1", False),
    ]
    assert (found["state"], found["restart_pending"]) == ("done", False)
    # Nothing is installed that is not on the machine yet.
    assert {item["hresult"] for item in (await do(lab, mode="install"))["results"]} == {0x80246007 - (1 << 32)}
    assert {item["result_code"] for item in (await do(lab, mode="download"))["results"]} == {2}
    done = await do(lab, mode="install")
    assert {item["result_code"] for item in done["results"]} == {2}
    assert done["restart_pending"] is True
    assert any(item["restart_required"] for item in done["results"])
    assert {event.detail["orchestrator"] for event in lab.events("update.installed")} == {RUN}


async def test_how_far_it_is_stands_in_the_file_while_it_works() -> None:
    lab = Console()
    await begin(lab, mode="download")
    await lab.wait(timedelta(seconds=90))
    seen = answer(lab)
    assert (seen["state"], seen["total"]) == ("working", 4)
    assert 0 <= seen["done"] < 4
    assert "Update" in seen["doing"]


@pytest.mark.parametrize(
    "changed",
    [
        {"mode": "format"},
        {"answer": "C:\\Windows\\answer.json"},
        {"job": "..\\x"},
        {"run": 7},
        {"searches": []},
        {"searches": "x"},
        {"include_recommended": 1},
        {"format": 9},
    ],
)
async def test_arguments_that_are_none_are_refused(changed: dict[str, object]) -> None:
    lab = Console()
    await begin(lab, **changed)
    await lab.wait(timedelta(minutes=5))
    assert await result(lab) == 87
    assert lab.world.files.paths(lab.world.node(NODE)) == [FOLDER, FOLDER + "\\arguments.json"]


async def test_another_text_is_not_played() -> None:
    lab = Console()
    await begin(lab, worker_xml("Get-Date"))
    await lab.wait(timedelta(minutes=5))
    assert await result(lab) == 1


async def test_a_search_that_fails_is_told_with_its_hresult() -> None:
    lab = Console()
    lab.world.rig.add(Condition("scan-fails", NODE, 1, {"hresult": "0x8024402C"}))
    failed = await do(lab)
    assert (failed["state"], failed["error"]["hresult"]) == ("failed", 0x8024402C - (1 << 32))


async def test_when_it_is_killed_the_update_at_work_goes_on_and_no_other_one_begins() -> None:
    lab = Console()
    await do(lab, mode="download")
    await begin(lab, mode="install")
    await lab.wait(timedelta(minutes=2))
    assert lab.world.updates.installing(lab.world.node(NODE))
    await lab.run(NODE, cmd("Stop-ScheduledTask", TaskName=WORKER_TASK))
    assert await result(lab) == 0x41306
    await lab.wait(timedelta(hours=2))
    assert len(lab.events("update.installed")) == 1
    assert answer(lab)["state"] == "working"


async def test_a_restart_ends_it_and_files_and_task_outlive_it() -> None:
    lab = Console()
    await begin(lab, mode="download")
    await lab.wait(timedelta(minutes=1))
    node = lab.world.node(NODE)
    lab.world.power.restart(node, "test")
    await lab.wait(timedelta(minutes=30))
    assert await result(lab) == 0x41306
    assert answer(lab)["state"] == "working"
    assert lab.world.files.paths(node)[0] == FOLDER


async def test_an_answer_can_be_cut_off() -> None:
    lab = Console()
    lab.world.rig.add(Condition("task-answer-corrupt", NODE, 1))
    await begin(lab)
    await lab.wait(timedelta(minutes=5))
    with pytest.raises(json.JSONDecodeError):
        answer(lab)
