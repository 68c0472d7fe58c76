"""The ScheduledTasks module: registering, running and ending tasks, whatever their program does."""

from datetime import timedelta

import pytest

from include.simulator.world.agent import Logon
from include.simulator.world.tasks import TaskRun
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.tasks import task_xml

NAME = "SMEWindowsUpdateInstallUpdates"


class Program:
    """Stands for what a task runs: takes its time and ends with a code."""

    def __init__(self, lab: Console, *, takes: timedelta = timedelta(minutes=5), code: int = 0) -> None:
        self.lab, self.takes, self.code = lab, takes, code
        self.runs: list[TaskRun] = []
        self.stopped = 0
        lab.world.tasks.handle("powershell.exe", self)

    def __call__(self, run: TaskRun) -> None:
        self.runs.append(run)
        run.on_stop = self._stop
        self.lab.world.after(self.takes, lambda: run.end(self.code))

    def _stop(self) -> None:
        self.stopped += 1


async def register(lab: Console, **definition: object) -> None:
    await lab.run("HCI01", cmd("Register-ScheduledTask", TaskName=NAME, Xml=task_xml(**definition)))  # type: ignore[arg-type]


async def look(lab: Console) -> tuple[str, int]:
    task = await lab.one("HCI01", cmd("Get-ScheduledTask", TaskName=NAME))
    info = await lab.one("HCI01", cmd("Get-ScheduledTaskInfo", TaskName=NAME))
    return str(task.get("State")), info.get("LastTaskResult")


async def test_the_life_of_a_task_that_runs_as_system() -> None:
    lab = Console()
    program = Program(lab, code=3)
    await register(lab, run_level="HighestAvailable", arguments="-File C:\\x.ps1")
    assert await look(lab) == ("Ready", 0x41303)
    await lab.run("HCI01", cmd("Start-ScheduledTask", TaskName=NAME))
    assert await look(lab) == ("Running", 0x41301)
    assert (program.runs[0].logon, program.runs[0].action.arguments) == (Logon.SYSTEM, "-File C:\\x.ps1")
    await lab.wait(timedelta(minutes=6))
    assert await look(lab) == ("Ready", 3)
    await lab.run("HCI01", cmd("Unregister-ScheduledTask", TaskName=NAME, Confirm=False))
    assert [(event.node, event.detail["action"]) for event in lab.events("task", name="\\" + NAME)] == [
        ("HCI01", "registered"),
        ("HCI01", "started"),
        ("HCI01", "ended"),
        ("HCI01", "removed"),
    ]


async def test_starting_a_task_that_runs_leaves_it_alone() -> None:
    lab = Console()
    program = Program(lab)
    await register(lab)
    for _ in range(2):
        assert (await lab.run("HCI01", cmd("Start-ScheduledTask", TaskName=NAME))).errors == []
    assert len(program.runs) == 1


async def test_a_stopped_task_says_that_it_was_terminated_and_its_program_is_told() -> None:
    lab = Console()
    program = Program(lab)
    await register(lab)
    await lab.run("HCI01", cmd("Start-ScheduledTask", TaskName=NAME))
    await lab.run("HCI01", cmd("Get-ScheduledTask", TaskName=NAME), cmd("Stop-ScheduledTask"))
    assert await look(lab) == ("Ready", 0x41306)
    await lab.wait(timedelta(minutes=6))
    assert await look(lab) == ("Ready", 0x41306), "what the program ends with later counts no more"
    assert program.stopped == 1


async def test_a_task_that_runs_too_long_is_ended() -> None:
    lab = Console()
    program = Program(lab, takes=timedelta(hours=3))
    await register(lab, limit="PT1H")
    await lab.run("HCI01", cmd("Start-ScheduledTask", TaskName=NAME))
    await lab.wait(timedelta(minutes=61))
    assert await look(lab) == ("Ready", 0x41306)
    assert program.stopped == 1


async def test_a_restart_ends_what_runs_and_keeps_what_is_registered() -> None:
    lab = Console()
    program = Program(lab, takes=timedelta(hours=1))
    node = lab.nodes[0]
    await register(lab)
    await lab.run(node, cmd("Start-ScheduledTask", TaskName=NAME))
    lab.world.power.crash(node)
    assert program.stopped == 1
    await lab.wait_for(lambda: node.up)
    assert await look(lab) == ("Ready", 0x41306)


async def test_a_task_for_the_start_of_windows_runs_after_every_restart() -> None:
    lab = Console()
    program = Program(lab)
    await register(lab, triggers="<BootTrigger><Delay>PT2M</Delay></BootTrigger>")
    assert program.runs == []
    for count in (1, 2):
        lab.world.power.crash(lab.nodes[0])
        await lab.wait_for(lambda count=count: len(program.runs) == count)  # type: ignore[misc]
        await lab.wait(timedelta(minutes=6))


async def test_a_task_for_a_point_in_time_runs_then_and_says_so_before() -> None:
    lab = Console()
    program = Program(lab)
    await register(lab, triggers="<TimeTrigger><StartBoundary>2026-11-03T02:00:00Z</StartBoundary></TimeTrigger>")
    info = await lab.one("HCI01", cmd("Get-ScheduledTaskInfo", TaskName=NAME))
    due = info.get("NextRunTime")
    assert str(due) == "2026-11-03 02:00:00+00:00"
    await lab.wait_for(lambda: bool(program.runs))
    assert lab.clock.now() == due


async def test_actions_run_one_after_another_until_one_fails() -> None:
    lab = Console()
    program = Program(lab)
    again = "<Exec><Command>C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe</Command></Exec>"
    await register(lab, more_actions=again)
    await lab.run("HCI01", cmd("Start-ScheduledTask", TaskName=NAME))
    await lab.wait(timedelta(minutes=11))
    assert len(program.runs) == 2
    program.code = 1
    await lab.run("HCI01", cmd("Start-ScheduledTask", TaskName=NAME))
    await lab.wait(timedelta(minutes=11))
    assert len(program.runs) == 3
    assert await look(lab) == ("Ready", 1)


async def test_a_program_that_is_not_there_ends_with_file_not_found() -> None:
    lab = Console()
    await register(lab, command="C:\\nowhere.exe")
    await lab.run("HCI01", cmd("Start-ScheduledTask", TaskName=NAME))
    await lab.wait(timedelta(seconds=5))
    assert await look(lab) == ("Ready", 0x80070002)


async def test_a_handler_can_ask_for_certain_arguments() -> None:
    lab = Console()
    fallback = Program(lab)
    special: list[TaskRun] = []
    lab.world.tasks.handle("wscript", special.append, arguments_with="/job:update")
    await register(lab, command="WScript.exe", arguments="x.js /Job:Update")
    await lab.run("HCI01", cmd("Start-ScheduledTask", TaskName=NAME))
    assert (len(special), fallback.runs) == (1, [])


async def test_without_anybody_at_the_console_an_interactive_task_does_not_start() -> None:
    lab = Console()
    program = Program(lab)
    await register(lab, user="CORP\\operator")
    await lab.run("HCI01", cmd("Start-ScheduledTask", TaskName=NAME))
    assert await look(lab) == ("Ready", 0x41303)
    assert program.runs == []


async def test_the_account_given_beside_the_definition_counts() -> None:
    lab = Console()
    program = Program(lab)
    await lab.run(
        "HCI01",
        cmd("Register-ScheduledTask", TaskName=NAME, Xml=task_xml(user="CORP\\operator"), User="NT AUTHORITY\\SYSTEM"),
    )
    await lab.run("HCI01", cmd("Start-ScheduledTask", TaskName=NAME))
    assert program.runs[0].logon is Logon.SYSTEM


async def test_a_task_with_a_stored_password_runs_as_a_batch_job() -> None:
    lab = Console()
    program = Program(lab)
    await lab.run(
        "HCI01",
        cmd("Register-ScheduledTask", TaskName=NAME, Xml=task_xml(), User="CORP\\operator", Password="secret"),
    )
    await lab.run("HCI01", cmd("Start-ScheduledTask", TaskName=NAME))
    assert program.runs[0].logon is Logon.BATCH


@pytest.mark.parametrize(
    ("command", "error_id"),
    [
        (cmd("Start-ScheduledTask", TaskName="Nope"), "HRESULT 0x80070002,Start-ScheduledTask"),
        (cmd("Get-ScheduledTaskInfo", TaskName="Nope"), "HRESULT 0x80070002,Get-ScheduledTaskInfo"),
        (cmd("Register-ScheduledTask", TaskName=NAME, Xml=task_xml()), "HRESULT 0x800700b7,Register-ScheduledTask"),
        (cmd("Register-ScheduledTask", TaskName="New", Xml="no"), "HRESULT 0x8004131a,Register-ScheduledTask"),
        (cmd("Unregister-ScheduledTask", TaskName=NAME), "InvalidOperation,Unregister-ScheduledTask"),
    ],
)
async def test_what_ends_the_pipeline(command, error_id: str) -> None:
    lab = Console()
    await register(lab)
    assert (await lab.refusal("HCI01", command)).fully_qualified_error_id == error_id


async def test_a_disabled_task_does_not_start() -> None:
    lab = Console()
    await register(lab)
    await lab.run("HCI01", cmd("Disable-ScheduledTask", TaskName=NAME))
    record = await lab.refusal("HCI01", cmd("Start-ScheduledTask", TaskName=NAME))
    assert record.fully_qualified_error_id == "HRESULT 0x80041326,Start-ScheduledTask"
    await lab.run("HCI01", cmd("Enable-ScheduledTask", TaskName=NAME))
    assert (await look(lab))[0] == "Ready"


async def test_a_task_of_an_unknown_name_is_a_query_that_found_nothing() -> None:
    output = await Console().run("HCI01", cmd("Get-ScheduledTask", TaskName="Nope"))
    assert output.errors[0].fully_qualified_error_id == "CmdletizationQuery_NotFound_TaskName,Get-ScheduledTask"


async def test_force_replaces_a_task_and_ends_what_it_runs() -> None:
    lab = Console()
    program = Program(lab)
    await register(lab)
    await lab.run("HCI01", cmd("Start-ScheduledTask", TaskName=NAME))
    await lab.run("HCI01", cmd("Register-ScheduledTask", TaskName=NAME, Xml=task_xml(command="x.exe"), Force=None))
    assert program.stopped == 1
    task = await lab.one("HCI01", cmd("Get-ScheduledTask", TaskName=NAME))
    assert task.get("Actions")[0].get("Execute") == "x.exe"


async def test_folders_keep_tasks_of_the_same_name_apart() -> None:
    lab = Console()
    await register(lab)
    await lab.run("HCI01", cmd("Register-ScheduledTask", TaskName=NAME, TaskPath="\\Fleet", Xml=task_xml()))
    found = (await lab.run("HCI01", cmd("Get-ScheduledTask", TaskName=NAME))).values
    assert [each.get("TaskPath") for each in found] == ["\\", "\\Fleet\\"]
    one = await lab.one("HCI01", cmd("Get-ScheduledTask", TaskName=NAME, TaskPath="\\Fleet\\"))
    assert one.get("URI") == f"\\Fleet\\{NAME}"


async def test_an_exported_task_can_be_registered_again() -> None:
    lab = Console()
    await register(lab, arguments="-a &lt; 1", run_level="HighestAvailable")
    text = (await lab.run("HCI01", cmd("Export-ScheduledTask", TaskName=NAME))).values[0]
    await lab.run("HCI02", cmd("Register-ScheduledTask", TaskName=NAME, Xml=text))
    mine, copy = (lab.world.tasks.find(node, NAME) for node in lab.nodes[:2])
    assert mine is not None
    assert copy is not None
    assert mine.definition == copy.definition


async def test_the_snapshot_tells_what_is_registered() -> None:
    lab = Console()
    await register(lab)
    nodes = lab.world.snapshot()["nodes"]
    assert nodes[0]["tasks"] == [{"name": NAME, "path": "\\", "state": "Ready", "last_result": 0x41303}]
    assert nodes[1]["tasks"] == []
