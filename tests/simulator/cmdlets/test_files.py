"""Files and folders through New-Item, Set-Content, Get-Content, Test-Path and Remove-Item."""

from __future__ import annotations

import pytest

from include.simulator.objects import TerminatingError
from tests.simulator.world.console import Console
from tests.simulator.world.driver import Output, cmd

FOLDER = "C:\\Windows\\Somewhere"
FILE = FOLDER + "\\note.txt"


async def run(lab: Console, name: str, **parameters: object) -> Output:
    return await lab.run("HCI01", cmd(name, **parameters))


async def test_the_life_of_a_file() -> None:
    lab = Console()
    made = (await run(lab, "New-Item", Path=FOLDER, ItemType="Directory")).values[0]
    assert (made.get("FullName"), made.get("PSIsContainer")) == (FOLDER, True)  # type: ignore[attr-defined]
    assert (await run(lab, "Set-Content", LiteralPath=FILE, Value="one\r\ntwö", Encoding="UTF8")).errors == []
    # The byte order mark in front of it is not part of the text.
    assert lab.world.files.read(lab.world.nodes[0], FILE) == "\ufeffone\r\ntwö\r\n"
    assert (await run(lab, "Get-Content", LiteralPath=FILE, Encoding="UTF8")).values == ["one", "twö"]
    assert (await run(lab, "Get-Content", LiteralPath=FILE, Raw=True)).values == ["one\r\ntwö\r\n"]
    assert (await run(lab, "Test-Path", LiteralPath=FILE.lower())).values == [True]
    assert (await run(lab, "Test-Path", LiteralPath=FOLDER, PathType="Leaf")).values == [False]
    assert (await run(lab, "Remove-Item", LiteralPath=FOLDER, Recurse=True)).errors == []
    assert (await run(lab, "Test-Path", LiteralPath=FOLDER)).values == [False]
    events = [(event.detail["path"], event.detail["action"]) for event in lab.events("file")]
    assert events == [(FOLDER, "created"), (FILE, "created"), (FILE, "removed"), (FOLDER, "removed")]


async def test_every_machine_has_files_of_its_own() -> None:
    lab = Console()
    await run(lab, "New-Item", Path=FOLDER, ItemType="Directory")
    assert (await lab.run("HCI02", cmd("Test-Path", LiteralPath=FOLDER))).values == [False]
    assert [node["files"] for node in lab.world.snapshot()["nodes"]][:2] == [[FOLDER], []]  # type: ignore[index,union-attr]


@pytest.mark.parametrize(
    ("name", "parameters", "error_id"),
    [
        ("Get-Content", {"LiteralPath": FILE}, "PathNotFound,Microsoft.PowerShell.Commands.GetContentCommand"),
        ("Remove-Item", {"LiteralPath": FILE}, "PathNotFound,Microsoft.PowerShell.Commands.RemoveItemCommand"),
        (
            "Set-Content",
            {"LiteralPath": FILE, "Value": "x"},
            "GetContentWriterDirectoryNotFoundError,Microsoft.PowerShell.Commands.SetContentCommand",
        ),
        (
            "New-Item",
            {"Path": "C:\\Windows", "ItemType": "Directory"},
            "DirectoryExist,Microsoft.PowerShell.Commands.NewItemCommand",
        ),
    ],
)
async def test_what_is_not_there_and_what_is_there_already_are_errors(
    name: str, parameters: dict[str, object], error_id: str
) -> None:
    output = await run(Console(), name, **parameters)
    assert [error.fully_qualified_error_id for error in output.errors] == [error_id]


async def test_a_folder_with_something_in_it_is_not_removed_without_asking() -> None:
    lab = Console()
    await run(lab, "New-Item", Path=FOLDER, ItemType="Directory")
    await run(lab, "Set-Content", LiteralPath=FILE, Value="x")
    with pytest.raises(TerminatingError, match="NonInteractive"):
        await run(lab, "Remove-Item", LiteralPath=FOLDER)
    assert lab.world.files.exists(lab.world.nodes[0], FILE)


async def test_without_the_task_scheduler_no_command_about_tasks_works() -> None:
    lab = Console()
    lab.world.inject("task-scheduler-down", node=1)
    with pytest.raises(TerminatingError, match="Task Scheduler service is not running"):
        await run(lab, "Get-ScheduledTask")
    lab.world.faults.heal("task-scheduler-down")
    assert (await run(lab, "Get-ScheduledTask")).errors == []
