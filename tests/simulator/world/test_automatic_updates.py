"""A server whose policy lets it install and restart by itself, while a coordinator may be at work elsewhere."""

from datetime import UTC, datetime, timedelta

import pytest

from include.simulator.world.software import SoftwareSpec
from include.simulator.world.spec import demo_world
from tests.simulator.world.driver import START, Lab
from tests.simulator.world.software import with_software

# START is a Tuesday, 01:00.
AT_THREE = (("AUOptions", 4), ("ScheduledInstallDay", 0), ("ScheduledInstallTime", 3))


def lab_with(*policies: tuple[str, int | str]) -> Lab:
    return Lab(with_software(demo_world(2), SoftwareSpec(policies=policies)))


async def test_it_installs_at_its_hour_and_restarts_without_asking_anybody() -> None:
    lab = lab_with(*AT_THREE)
    node, other = lab.nodes
    boots = node.boot_time, other.boot_time
    await lab.wait(timedelta(hours=1, minutes=59))
    assert not lab.events("install.started")
    await lab.wait_for(lambda: node.up and node.restarts == 1, within=timedelta(hours=3))
    assert node.boot_time > boots[0]
    assert other.boot_time == boots[1]
    started = lab.events("install.started")
    assert [event.detail for event in started] == [{"node": "HCI01", "orchestrator": "Automatic Updates"}]
    assert "Automatic Updates" in str(lab.events("node.restart")[0].detail["by"])
    assert lab.world.node("HCI01").ubr > lab.world.node("HCI02").ubr


async def test_it_leaves_feature_updates_and_recommended_ones_alone() -> None:
    lab = lab_with(*AT_THREE)
    await lab.wait_for(lambda: lab.nodes[0].restarts == 1, within=timedelta(hours=4))
    installed = {event.detail["kb"] for event in lab.events("update.installed")}
    assert installed == {"KB5099101", "KB5099204", "KB2267602"}


@pytest.mark.parametrize(
    "policies",
    [
        (),
        (("AUOptions", 2),),
        (("AUOptions", 3), ("ScheduledInstallTime", 3)),
        (*AT_THREE, ("NoAutoUpdate", 1)),
    ],
)
async def test_any_other_setting_leaves_the_work_to_the_coordinator(policies: tuple[tuple[str, int], ...]) -> None:
    lab = lab_with(*policies)
    assert lab.world.automatic_updates.next_run(lab.nodes[0]) is None
    lab.world.after(timedelta(days=8), lambda: None)
    await lab.wait(timedelta(days=8))
    assert lab.events("install.started") == []
    assert [node.restarts for node in lab.nodes] == [0, 0]


@pytest.mark.parametrize(
    ("day", "hour", "due"),
    [
        (0, 3, datetime(2026, 11, 3, 3, tzinfo=UTC)),
        (0, 1, datetime(2026, 11, 4, 1, tzinfo=UTC)),
        (3, 3, datetime(2026, 11, 3, 3, tzinfo=UTC)),
        (1, 3, datetime(2026, 11, 8, 3, tzinfo=UTC)),
        (2, 0, datetime(2026, 11, 9, 0, tzinfo=UTC)),
        (7, 22, datetime(2026, 11, 7, 22, tzinfo=UTC)),
    ],
)
def test_the_day_counts_from_sunday_as_one(day: int, hour: int, due: datetime) -> None:
    assert datetime(2026, 11, 3, 1, 0, tzinfo=UTC) == START
    lab = lab_with(("AUOptions", 4), ("ScheduledInstallDay", day), ("ScheduledInstallTime", hour))
    assert lab.world.automatic_updates.next_run(lab.nodes[0]) == due


async def test_active_hours_put_the_restart_off() -> None:
    lab = lab_with(*AT_THREE, ("ActiveHoursStart", 3), ("ActiveHoursEnd", 20))
    node = lab.nodes[0]
    await lab.wait_for(lambda: node.pending_restart, within=timedelta(hours=4))
    await lab.wait_for(lambda: bool(lab.events("node.restart")), within=timedelta(days=1))
    assert lab.events("node.restart")[0].at.hour == 20


async def test_switching_it_off_before_the_hour_is_in_time() -> None:
    lab = lab_with(*AT_THREE)
    lab.world.policies.set(lab.nodes[0], "AUOptions", 3)
    lab.world.after(timedelta(hours=6), lambda: None)
    await lab.wait(timedelta(hours=6))
    assert lab.events("install.started") == []


@pytest.mark.parametrize(
    ("hours", "hour", "may"),
    [((8, 17), 7, True), ((8, 17), 8, False), ((8, 17), 17, True), ((22, 6), 23, False), ((22, 6), 12, True)],
)
def test_active_hours_may_go_over_midnight(hours: tuple[int, int], hour: int, may: bool) -> None:
    lab = lab_with(("ActiveHoursStart", hours[0]), ("ActiveHoursEnd", hours[1]))
    assert lab.world.policies.of(lab.nodes[0]).may_restart_at(hour) is may


def test_an_unknown_policy_value_names_those_there_are() -> None:
    with pytest.raises(ValueError, match="AUOptions"):
        lab_with(("AutoOptions", 4))
