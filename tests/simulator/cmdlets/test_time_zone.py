"""win32, Win32_TimeZone class: what a machine says of its clocks, and whose clocks the self-updating role goes by."""

from datetime import UTC, datetime

import pytest

from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.updating import console

CHANGES = ("DaylightMonth", "DaylightDay", "DaylightHour", "StandardMonth", "StandardDay", "StandardHour")


async def zone(lab: Console, name: str) -> dict[str, object]:
    lab.nodes[0].time_zone = name
    found = await lab.one("HCI01", cmd("Get-CimInstance", ClassName="Win32_TimeZone"))
    return {key: found.get(key) for key in ("Bias", "DaylightBias", *CHANGES)}


@pytest.mark.parametrize(
    ("name", "bias", "summer", "changes"),
    [
        ("UTC", 0, 0, (0, 0, 0, 0, 0, 0)),
        ("Asia/Kolkata", 330, 0, (0, 0, 0, 0, 0, 0)),
        ("Europe/Berlin", 60, -60, (3, 5, 2, 10, 5, 3)),
        ("America/Los_Angeles", -480, -60, (3, 2, 2, 11, 1, 2)),
        ("Australia/Sydney", 600, -60, (10, 1, 2, 4, 1, 3)),
    ],
)
async def test_clocks_and_their_changes(name: str, bias: int, summer: int, changes: tuple[int, ...]) -> None:
    found = await zone(console(), name)
    assert (found["Bias"], found["DaylightBias"]) == (bias, summer)
    assert tuple(found[key] for key in CHANGES) == changes


@pytest.mark.parametrize(("name", "due"), [("UTC", 3), ("Europe/Berlin", 2), ("America/New_York", 8)])
async def test_the_role_goes_by_the_clocks_of_its_node(name: str, due: int) -> None:
    lab = console()
    for node in lab.nodes:
        node.time_zone = name
    await lab.run(
        "MGMT01",
        cmd(
            "Add-CauClusterRole",
            ClusterName="HCI-CL01",
            StartDate="12/1/2026 3:00:00 AM",
            DaysOfWeek=4,
            WeeksOfMonth=[3],
            Force=None,
        ),
    )
    role = lab.world.cau.role
    assert role is not None
    assert role.next_run == datetime(2026, 12, 15, due, tzinfo=UTC)


@pytest.mark.parametrize("text", ["3/2/2020 3:00:00 AM", "03/02/2020 03:00", "2020-03-02T03:00:00"])
async def test_a_date_is_read_in_the_invariant_culture(text: str) -> None:
    lab = console()
    await lab.run("MGMT01", cmd("Add-CauClusterRole", ClusterName="HCI-CL01", StartDate=text, Force=None))
    role = lab.world.cau.role
    assert role is not None
    assert role.schedule is not None
    assert role.schedule.start == datetime(2020, 3, 2, 3, tzinfo=UTC)


async def test_what_is_no_date_is_refused() -> None:
    record = await console().refusal("MGMT01", cmd("Add-CauClusterRole", StartDate="13/13/2020", Force=None))
    assert "not recognized as a valid DateTime" in record.message
