"""The self-updating role in the world (windows-powershell-docs, Add-CauClusterRole, Set-CauClusterRole)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from include.simulator.world.cau_coordinator import RunRefusedError
from include.simulator.world.cau_role import RoleError
from include.simulator.world.locks import RUN
from include.simulator.world.spec import CauRoleSpec, demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.updating import console, end, statuses

THIRD_TUESDAY = datetime(2026, 11, 17, 3, 0, tzinfo=UTC)
WEEKLY = {"StartDate": datetime(2026, 11, 3, 2, 0, tzinfo=UTC), "DaysOfWeek": "Tuesday", "IntervalWeeks": 1}
OPTIONS: dict[str, object] = {"EnableFirewallRules": True}


def with_role(*variants: str, schedule: dict[str, object] | None = None, nodes: int = 2) -> Console:
    lab = console(*variants, nodes=nodes)
    lab.world.cau.roles.add(schedule or {}, OPTIONS, owner=lab.nodes[0])
    return lab


async def test_an_enabled_role_updates_the_cluster_when_its_hour_comes() -> None:
    lab = with_role()
    await lab.wait(THIRD_TUESDAY - lab.clock.now() - timedelta(minutes=1))
    assert lab.world.cau.run is None
    await lab.wait(timedelta(minutes=2))
    run = lab.world.cau.run
    assert run
    assert (run.started, run.by_role, run.coordinator) == (THIRD_TUESDAY, True, "HCI01")
    await end(lab, run)
    assert set(statuses(run).values()) == {"Succeeded"}
    role = lab.world.cau.role
    assert role
    assert role.next_run == datetime(2026, 12, 15, 3, 0, tzinfo=UTC)


async def test_a_disabled_role_does_nothing() -> None:
    lab = with_role(schedule=WEEKLY)
    lab.world.cau.roles.enable(False)
    await lab.wait(timedelta(days=8))
    assert not lab.events("cau.run")
    lab.world.cau.roles.enable(True)
    await lab.wait(timedelta(days=7))
    assert lab.events("cau.run", state="Started")


async def test_a_run_that_meets_a_foreign_lock_is_refused_and_comes_again_next_time() -> None:
    lab = with_role(schedule=WEEKLY)
    lab.world.locks.create(lab.nodes[1], RUN, "22222222-0000-0000-0000-000000000002")
    await lab.wait(timedelta(hours=2))
    assert [event.detail["state"] for event in lab.events("cau.run")] == ["Refused"]
    await lab.wait(timedelta(days=7))
    assert [event.detail["state"] for event in lab.events("cau.run")][:2] == ["Refused", "Started"]


@pytest.mark.parametrize(("variants", "begins"), [((), True), (("cau-run-once-waits-for-update-now",), False)])
async def test_run_once(variants: tuple[str, ...], begins: bool) -> None:
    lab = with_role(*variants, schedule={"RunOnce": True})
    await lab.wait(timedelta(days=40))
    assert len(lab.events("cau.run", state="Started")) == int(begins)


async def test_set_without_a_schedule_leaves_the_third_tuesday_behind() -> None:
    # AzureLocal-Supportability: OS update automatically set to run on third Tuesday.
    lab = with_role(schedule={**WEEKLY, "DaysOfWeek": "Sunday"})
    lab.world.cau.roles.set({}, {"MaxRetriesPerNode": 1}, use_default=False)
    role = lab.world.cau.role
    assert role
    assert role.schedule
    assert (role.schedule.days.text, role.schedule.weeks, role.schedule.interval) == ("Tuesday", (3,), 0)
    assert role.next_run == THIRD_TUESDAY


@pytest.mark.parametrize(("use_default", "kept"), [(False, {"EnableFirewallRules": True}), (True, {})])
def test_use_default_forgets_what_the_call_does_not_say(use_default: bool, kept: dict[str, object]) -> None:
    lab = with_role()
    lab.world.cau.roles.set({}, {"MaxFailedNodes": 1}, use_default=use_default)
    role = lab.world.cau.role
    assert role
    assert role.options == {**kept, "MaxFailedNodes": 1}


async def test_update_now() -> None:
    lab = with_role()
    run = lab.world.cau.update_now("CORP\\operator")
    assert run
    assert lab.events("cau.role", action="updating")
    await end(lab, run)
    assert set(statuses(run).values()) == {"Succeeded"}


@pytest.mark.parametrize("trouble", ["disabled", "running", "locked"])
def test_update_now_is_refused(trouble: str) -> None:
    lab = with_role()
    if trouble == "disabled":
        lab.world.cau.roles.enable(False)
    elif trouble == "running":
        lab.world.cau.update_now("CORP\\operator")
    else:
        lab.world.locks.create(lab.nodes[1], RUN, "22222222-0000-0000-0000-000000000002")
    with pytest.raises(RunRefusedError):
        lab.world.cau.update_now("CORP\\operator")


def test_there_is_one_role() -> None:
    lab = with_role()
    with pytest.raises(RoleError):
        lab.world.cau.roles.add({}, {}, owner=lab.nodes[0])


@pytest.mark.parametrize("action", ["disable", "remove"])
def test_a_role_that_updates_stays(action: str) -> None:
    lab = with_role()
    lab.world.cau.update_now("CORP\\operator")
    with pytest.raises(RoleError, match="in progress"):
        lab.world.cau.roles.enable(False) if action == "disable" else lab.world.cau.roles.remove()


@pytest.mark.parametrize(("name", "deleted"), [("", True), ("CAU-PRESTAGED", False)])
async def test_removing_takes_the_group_and_a_generated_computer_object(name: str, deleted: bool) -> None:
    lab = console(nodes=2)
    lab.world.cau.roles.add({}, {}, owner=lab.nodes[0], computer_name=name)
    group = lab.world.cau.role_group
    lab.world.cau.roles.remove()
    assert group not in lab.world.groups.all
    assert lab.events("cau.role", action="removed")[0].detail["computer_object_deleted"] is deleted
    await lab.wait(timedelta(days=20))
    assert not lab.events("cau.run")


def test_the_specification_s_role_has_its_schedule() -> None:
    spec = replace(demo_world(2), cau_role=CauRoleSpec("Sunday", (1, 2), enabled=False))
    world = Console(spec).world
    state = world.snapshot()["cau_role"]
    assert state["enabled"] is False  # type: ignore[index]
    assert state["schedule"]["days_of_week"] == "Sunday"  # type: ignore[index]
    assert state["schedule"]["weeks_of_month"] == [1, 2]  # type: ignore[index]


def test_events_tell_action_owner_schedule_and_state() -> None:
    lab = with_role()
    lab.world.cau.roles.enable(False)
    told = [
        (event.detail["action"], event.detail["owner"], event.detail["enabled"]) for event in lab.events("cau.role")
    ]
    assert told == [("added", "HCI01", True), ("disabled", "HCI01", False)]
    assert lab.events("cau.role")[0].detail["schedule"]["days_of_week"] == "Tuesday"  # type: ignore[index]
