"""Scripts that lie on a machine and functions of its constrained endpoints, as remote clients run them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from include.simulator.host import Session
from include.simulator.objects import TerminatingError
from include.simulator.world.cau_scripts import Script
from include.simulator.world.own_commands import OwnCommand
from tests.simulator.world.console import Console
from tests.simulator.world.driver import Output, cmd

PATH = r"C:\ClusterStorage\Volume01\pre.ps1"
TAKES = {"Node": "String", "Minutes": "Int32", "Quiet": "SwitchParameter"}
WELL = OwnCommand("Set-Maintenance", TAKES, takes=timedelta(0), output=("silenced",))


async def ask(lab: Console, name: str, endpoint: str = "Monitoring", **parameters: object) -> Output:
    lab.session = Session("CORP\\hci-update", "Negotiate", endpoint, "10.0.0.9")
    return await lab.run("MGMT01", cmd(name, **parameters))


@pytest.fixture
def lab() -> Console:
    made = Console()
    made.world.cau.scripts.put(PATH, Script(takes=timedelta(0), output=("stopped the agent",)), "HCI01")
    return made


async def test_a_script_runs_by_its_path_whatever_the_case_and_writes_its_lines(lab: Console) -> None:
    assert (await lab.run("HCI01", cmd(PATH.upper()))).values == ["stopped the agent"]
    entry = [each for each in lab.journal.entries if each.op == "command" and each.status == "ok"][-1]
    assert (entry.node, entry.detail["command"]) == ("HCI01", PATH.upper())


async def test_only_the_node_that_has_the_file_finds_it(lab: Console) -> None:
    found = [(await lab.run(name, cmd("Test-Path", LiteralPath=[PATH]))).values for name in ("HCI01", "HCI02")]
    assert found == [[True], [False]]
    with pytest.raises(TerminatingError) as caught:
        await lab.run("HCI02", cmd(PATH))
    assert caught.value.record.fully_qualified_error_id == "CommandNotFoundException"


Change = Callable[[Console], object]


@pytest.mark.parametrize(
    ("change", "error_id", "message"),
    [
        (lambda lab: lab.world.cau.scripts.put(PATH, Script(fails="no backup")), "no backup", "no backup"),
        (lambda lab: lab.world.cau.scripts.put(PATH, Script(unreadable=True)), "UnauthorizedAccess", "is denied"),
        (lambda lab: lab.world.inject("script-fails-on-node-1"), "The backup agent", "does not answer"),
    ],
)
async def test_a_script_that_fails_ends_the_pipeline(lab: Console, change: Change, error_id: str, message: str) -> None:
    change(lab)
    with pytest.raises(TerminatingError) as caught:
        await lab.run("HCI01", cmd(PATH))
    assert caught.value.record.fully_qualified_error_id.startswith(error_id)
    assert message in caught.value.record.message


async def test_a_script_that_hangs_ends_once_it_is_healed(lab: Console) -> None:
    lab.world.inject("script-hangs-on-node-1")
    task = lab.start("HCI01", cmd(PATH))
    await lab.wait(timedelta(hours=5))
    assert not task.done()
    lab.world.rig.clear("script-hangs")
    await lab.wait(timedelta(minutes=1))
    assert task.done()


async def test_a_function_is_seen_in_its_endpoint_only_and_its_parameters_are_journalled(lab: Console) -> None:
    cluster = lab.cluster
    cluster.offer("MGMT01", "Monitoring", WELL)
    assert (await ask(lab, "Set-Maintenance", Node="HCI02", Minutes=90, Quiet=None)).values == ["silenced"]
    told = [each.detail["parameters"] for each in lab.journal.entries if each.status == "invoke"][-1]
    assert told == {"Node": "HCI02", "Minutes": 90, "Quiet": True}
    with pytest.raises(TerminatingError, match="not recognized"):
        await ask(lab, "Set-Maintenance", "", Node="HCI02")
    with pytest.raises(TerminatingError, match="not recognized"):
        await ask(lab, "Get-ClusterNode")


async def test_a_restricted_endpoint_tells_which_functions_it_has(lab: Console) -> None:
    lab.cluster.offer("MGMT01", "Monitoring", WELL)
    found = (await ask(lab, "Get-Command", Name=["Set-Maintenance"])).values
    assert [(each.properties["Name"], each.properties["CommandType"].name) for each in found] == [
        ("Set-Maintenance", "Function")
    ]
    assert (await ask(lab, "Get-Command", Name=["Set-Other"])).errors


async def test_a_parameter_that_the_function_does_not_have_is_refused(lab: Console) -> None:
    lab.cluster.offer("MGMT01", "Monitoring", WELL)
    with pytest.raises(TerminatingError) as caught:
        await ask(lab, "Set-Maintenance", Server="HCI02")
    assert caught.value.record.fully_qualified_error_id == "NamedParameterNotFound,Set-Maintenance"


@pytest.mark.parametrize("how", ["set", "fault"])
async def test_a_function_can_refuse(lab: Console, how: str) -> None:
    refusal = "Access is denied." if how == "set" else ""
    lab.cluster.offer("MGMT01", "Monitoring", OwnCommand("Set-Maintenance", takes=timedelta(0), fails=refusal))
    if how == "fault":
        lab.world.inject("monitoring-refuses")
    with pytest.raises(TerminatingError, match="Access is denied"):
        await ask(lab, "Set-Maintenance")
