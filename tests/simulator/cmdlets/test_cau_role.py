"""windows-powershell-docs, ClusterAwareUpdating: the cmdlets for the self-updating role."""

from datetime import UTC, datetime

import pytest

from include.simulator.objects import SimObject
from include.simulator.world.locks import RUN
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.updating import console, end

ABSENT = "The current cluster is not configured with a Cluster-Aware Updating clustered role."
SUNDAY = {"StartDate": datetime(2026, 11, 8, 22, 0, tzinfo=UTC), "DaysOfWeek": "Sunday", "WeeksOfMonth": [2]}


async def add(lab: Console, host: str = "MGMT01", **parameters: object) -> None:
    await lab.run(host, cmd("Add-CauClusterRole", ClusterName="HCI-CL01", Force=None, **parameters))


async def change(lab: Console, **parameters: object) -> None:
    await lab.run("MGMT01", cmd("Set-CauClusterRole", ClusterName="HCI-CL01", Force=None, **parameters))


async def pairs(lab: Console) -> dict[str, object]:
    values = (await lab.run("MGMT01", cmd("Get-CauClusterRole", ClusterName="HCI-CL01"))).values
    assert all(isinstance(each, SimObject) for each in values)
    return {str(each.get("Name")): each.get("Value") for each in values}  # type: ignore[attr-defined]


async def test_what_was_added_is_read_back() -> None:
    lab = console()
    await add(lab, **SUNDAY, MaxFailedNodes=1, EnableFirewallRules=None, GroupName="Updates")
    found = await pairs(lab)
    assert (found["ResourceGroupName"], str(found["Status"])) == ("Updates", "Online")
    assert (found["StartDate"], str(found["DaysOfWeek"]), found["WeeksOfMonth"]) == (SUNDAY["StartDate"], "Sunday", [2])
    assert (found["MaxFailedNodes"], found["EnableFirewallRules"]) == (1, "On")


@pytest.mark.parametrize(("variants", "listed"), [((), False), (("cau-role-lists-every-option",), True)])
async def test_options_that_nobody_gave(variants: tuple[str, ...], listed: bool) -> None:
    lab = console(*variants)
    await add(lab)
    assert ("RebootTimeoutMinutes" in await pairs(lab)) is listed


@pytest.mark.parametrize(
    ("days", "text", "number"),
    [
        (4, "Tuesday", 4),
        ("4", "Tuesday", 4),
        ("Thursday", "Thursday", 16),
        (36, "Tuesday, Friday", 36),
        ("tue,fri", "Tuesday, Friday", 36),
    ],
)
async def test_four_is_tuesday(days: object, text: str, number: int) -> None:
    lab = console()
    await add(lab, DaysOfWeek=days, WeeksOfMonth=[3])
    found = (await pairs(lab))["DaysOfWeek"]
    assert (str(found), found.value) == (text, number)  # type: ignore[attr-defined]


@pytest.mark.parametrize("days", [256, "Someday", "Tuesday,Someday"])
async def test_days_that_there_are_not(days: object) -> None:
    record = await console().refusal("MGMT01", cmd("Add-CauClusterRole", DaysOfWeek=days, Force=None))
    assert record.fully_qualified_error_id.startswith("CannotConvertArgumentNoMessage")


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"MaxRetriesPerNode": 2},
        {"CauPluginName": None},
        {"UseDefault": None},
        {"UseDefault": None, "MaxFailedNodes": 1},
    ],
)
async def test_set_without_a_schedule_brings_the_third_tuesday(parameters: dict[str, object]) -> None:
    lab = console()
    await add(lab, **SUNDAY)
    await change(lab, **parameters)
    found = await pairs(lab)
    assert (str(found["DaysOfWeek"]), found["WeeksOfMonth"]) == ("Tuesday", [3])
    assert found["StartDate"].hour == 3  # type: ignore[attr-defined]


async def test_every_other_week() -> None:
    lab = console()
    await add(lab, DaysOfWeek="Sunday", IntervalWeeks=2)
    found = await pairs(lab)
    assert found["WeeksInterval"] == 2
    assert "WeeksOfMonth" not in found


async def test_update_now_starts_a_run_and_changes_nothing() -> None:
    lab = console(nodes=2)
    await add(lab, **SUNDAY, EnableFirewallRules=None)
    before = await pairs(lab)
    await change(lab, UpdateNow=None)
    run = lab.world.cau.run
    assert run
    assert run.by_role
    assert run.user == "CORP\\operator"
    assert await pairs(lab) == before
    await end(lab, run)


async def test_update_now_cannot_be_combined_with_options() -> None:
    lab = console()
    await add(lab)
    record = await lab.refusal("MGMT01", cmd("Set-CauClusterRole", UpdateNow=None, MaxFailedNodes=1, Force=None))
    assert record.fully_qualified_error_id.startswith("AmbiguousParameterSet")


async def test_disable_and_enable_and_remove() -> None:
    lab = console()
    await add(lab, **SUNDAY)
    for name, status in (("Disable-CauClusterRole", "Offline"), ("Enable-CauClusterRole", "Online")):
        await lab.run("MGMT01", cmd(name, ClusterName="HCI-CL01", Force=None))
        found = await pairs(lab)
        assert (str(found["Status"]), str(found["DaysOfWeek"])) == (status, "Sunday")
    await lab.run("MGMT01", cmd("Remove-CauClusterRole", ClusterName="HCI-CL01", Force=None))
    assert (await lab.refusal("MGMT01", cmd("Get-CauClusterRole", ClusterName="HCI-CL01"))).message == ABSENT


@pytest.mark.parametrize(
    "name", ["Set-CauClusterRole", "Enable-CauClusterRole", "Disable-CauClusterRole", "Remove-CauClusterRole"]
)
async def test_there_is_nothing_to_change_without_a_role(name: str) -> None:
    record = await console().refusal("MGMT01", cmd(name, ClusterName="HCI-CL01", Force=None))
    assert (record.message, record.category) == (ABSENT, "ObjectNotFound")


@pytest.mark.parametrize(
    "name",
    [
        *("Add-CauClusterRole", "Set-CauClusterRole", "Enable-CauClusterRole"),
        *("Disable-CauClusterRole", "Remove-CauClusterRole", "Invoke-CauRun", "Stop-CauRun"),
    ],
)
async def test_nobody_answers_a_prompt(name: str) -> None:
    record = await console().refusal("MGMT01", cmd(name, ClusterName="HCI-CL01"))
    assert "NonInteractive mode" in record.message


@pytest.mark.parametrize(("variants", "refused"), [((), True), (("cau-role-can-be-added-from-a-member",), False)])
async def test_adding_on_a_member(variants: tuple[str, ...], refused: bool) -> None:
    lab = console(*variants)
    if refused:
        record = await lab.refusal("HCI01", cmd("Add-CauClusterRole", Force=None))
        assert record.fully_qualified_error_id.startswith("RunFromClusterNode")
    else:
        await add(lab, "HCI01")
    assert (lab.world.cau.role is None) is refused


async def test_what_if_changes_nothing() -> None:
    lab = console()
    await add(lab, WhatIf=None)
    assert lab.world.cau.role is None
    await add(lab, **SUNDAY)
    await change(lab, WhatIf=None, MaxFailedNodes=1)
    assert str((await pairs(lab))["DaysOfWeek"]) == "Sunday"


@pytest.mark.parametrize(
    "parameters",
    [
        {"MaxFailedNodes": 9},
        {"WeeksOfMonth": [6]},
        {"NodeOrder": ["HCI09"]},
        {"CauPluginName": ["Contoso.Firmware"]},
        {"DaysOfWeek": "Sunday", "IntervalWeeks": 0},
        {"CauPluginArguments": [{"Nonsense": "1"}]},
    ],
)
async def test_what_the_role_does_not_take(parameters: dict[str, object]) -> None:
    lab = console()
    await lab.refusal("MGMT01", cmd("Add-CauClusterRole", ClusterName="HCI-CL01", Force=None, **parameters))
    assert lab.world.cau.role is None


async def test_parameters_that_came_later() -> None:
    lab = console(os="WS2019")
    record = await lab.refusal("MGMT01", cmd("Add-CauClusterRole", RunOnce=None, Force=None))
    assert record.fully_qualified_error_id.startswith("NamedParameterNotFound")


async def test_a_second_role_is_refused() -> None:
    lab = console()
    await add(lab)
    record = await lab.refusal("MGMT01", cmd("Add-CauClusterRole", ClusterName="HCI-CL01", Force=None))
    assert record.fully_qualified_error_id.startswith("ClusterRoleAlreadyExists")


async def test_update_now_under_a_foreign_lock() -> None:
    lab = console()
    await add(lab)
    lab.world.locks.create(lab.nodes[2], RUN, "22222222-0000-0000-0000-000000000002")
    record = await lab.refusal("MGMT01", cmd("Set-CauClusterRole", ClusterName="HCI-CL01", UpdateNow=None, Force=None))
    assert record.fully_qualified_error_id.startswith("ClusterLocked")


async def test_the_cluster_must_be_named_outside_of_it() -> None:
    record = await console().refusal("MGMT01", cmd("Enable-CauClusterRole", Force=None))
    assert "ClusterName must be given" in record.message
