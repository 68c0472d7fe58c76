"""The self-updating role against what the fleet file asks for."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from include.hci.cluster.time_zone import ClockChange, MachineZone
from include.hci.policy.cau_options import WS2022, WS2025, cau_parameters, plugin_arguments, too_new
from include.hci.policy.cau_role import (
    RoleState,
    audit_role,
    clock_problem,
    role_differences,
    role_times,
    shown_zone,
    wanted_role,
)
from include.hci.powershell.values import SWITCH
from include.hci.settings import RunOptions, Schedule

NOW = datetime(2026, 11, 7, 20, tzinfo=UTC)
UTC_ZONE = MachineZone("Coordinated Universal Time", 0)
BERLIN = MachineZone("W. Europe Standard Time", 60, 60, ClockChange(3, 5, 0, 2), ClockChange(10, 5, 0, 3))


def options(**more: Any) -> RunOptions:
    return RunOptions.model_validate({"max_failed_nodes": 1, **more})


def schedule(timezone: str = "UTC", run_by: str = "cau", **line: Any) -> Schedule:
    given = {"start_date": "2026-03-02 03:00", "days_of_week": ["TUE"], "weeks_of_month": [3]} | line
    kept = {name: value for name, value in given.items() if value is not None}
    return Schedule.model_validate({"timezone": timezone, "run_by": run_by, "lines": [kept]})


def role(**more: str | None) -> dict[str, str]:
    """The role as Get-CauClusterRole gives it, as asked for unless something is changed."""
    pairs: dict[str, str | None] = {
        "ResourceGroupName": "CAU",
        "Status": "Online",
        "StartDate": "2026-03-02T03:00:00",
        "DaysOfWeek": "Tuesday",
        "WeeksOfMonth": "3",
        "CauPluginName": "Microsoft.WindowsUpdatePlugin",
        "CauPluginArguments": "IncludeRecommendedUpdates=False",
        "MaxFailedNodes": "1",
        "MaxRetriesPerNode": "3",
    }
    return {name: value for name, value in (pairs | more).items() if value is not None}


# --- CAU's parameters -----------------------------------------------------------------------------------------------------


def test_only_what_differs_from_caus_own_defaults_is_sent_beside_what_always_is():
    assert cau_parameters(options()) == {
        "MaxFailedNodes": 1,
        "MaxRetriesPerNode": 3,
        "CauPluginName": ["Microsoft.WindowsUpdatePlugin"],
        "CauPluginArguments": {"IncludeRecommendedUpdates": "False"},
    }
    more = cau_parameters(options(require_all_nodes_online=True, node_order=["B", "A"], reboot_timeout_minutes=60))
    assert more["RequireAllNodesOnline"] is SWITCH
    assert (more["NodeOrder"], more["RebootTimeoutMinutes"]) == (["B", "A"], 60)


@pytest.mark.parametrize(
    ("given", "tables"),
    [
        ({}, ({"IncludeRecommendedUpdates": "False"},)),
        (
            {"include_recommended_updates": True, "query_string": "IsInstalled=0"},
            ({"IncludeRecommendedUpdates": "True", "QueryString": "IsInstalled=0"},),
        ),
        (
            {
                "cau_plugin_name": ["Microsoft.WindowsUpdatePlugin", "Microsoft.HotfixPlugin"],
                "cau_plugin_arguments": [{}, {"HotfixRootFolderPath": "C:\\Fixes"}],
            },
            ({"IncludeRecommendedUpdates": "False"}, {"HotfixRootFolderPath": "C:\\Fixes"}),
        ),
    ],
)
def test_every_plug_in_gets_its_arguments(given, tables):
    assert plugin_arguments(options(**given)) == tables


@pytest.mark.parametrize(
    ("name", "build", "unknown"),
    [
        ("RebootMode", 17763, True),
        ("RebootMode", WS2022, False),
        ("SuspendRetriesPerNode", WS2022, True),
        ("SuspendRetriesPerNode", WS2025, False),
        ("MaxFailedNodes", 17763, False),
    ],
)
def test_options_that_came_later_are_known_by_the_build(name, build, unknown):
    assert bool(too_new({name: 1}, build)) is unknown


def test_a_weekly_line_has_an_interval_and_no_weeks():
    wanted = wanted_role(schedule(weeks_of_month=None, interval_weeks=2, days_of_week=["TUE", "FRI"]), options())
    assert wanted.parameters["DaysOfWeek"] == 36
    assert wanted.parameters["IntervalWeeks"] == 2
    assert "WeeksOfMonth" not in wanted.parameters
    assert wanted.shown["DaysOfWeek"] == "Tuesday, Friday"


# --- differences ----------------------------------------------------------------------------------------------------------

SAME = {
    "as it is": {},
    "a start with a zone": {"StartDate": "2026-03-02T03:00:00+00:00"},
    "a start in the words of the server": {"StartDate": "03/02/2026 03:00:00 AM"},
    "the number of the day": {"DaysOfWeek": "4"},
    "defaults that are reported": {
        "RebootTimeoutMinutes": "15",
        "FailbackMode": "immediate",
        "AttemptSoftReboot": "False",
    },
    "things that are not there": {"PreUpdateScript": "", "WarnAfter": "0:00:00", "StopAfter": "00:00:00"},
}
DIFFERENT = {
    "another day": ({"DaysOfWeek": "Thursday"}, "DaysOfWeek"),
    "one day more": ({"DaysOfWeek": "Tuesday, Friday"}, "DaysOfWeek"),
    "another week": ({"WeeksOfMonth": "3 4"}, "WeeksOfMonth"),
    "another time": ({"StartDate": "2026-03-02T22:00:00"}, "StartDate"),
    "no time": ({"StartDate": None}, "StartDate"),
    "no schedule": ({"DaysOfWeek": None}, "schedule"),
    "one failure more": ({"MaxFailedNodes": "2"}, "MaxFailedNodes"),
    "an option that it does not report": ({"MaxRetriesPerNode": None}, "MaxRetriesPerNode"),
    "other arguments": ({"CauPluginArguments": "IncludeRecommendedUpdates=True"}, "CauPluginArguments"),
    "an option that nobody asked for": ({"AttemptSoftReboot": "True"}, "AttemptSoftReboot"),
    "a script that nobody asked for": ({"PreUpdateScript": "C:\\evil.ps1"}, "PreUpdateScript"),
    "a limit that nobody asked for": ({"StopAfter": "2:00:00"}, "StopAfter"),
}


@pytest.mark.parametrize("what", SAME)
def test_what_is_the_same(what):
    assert role_differences(wanted_role(schedule(), options()), role(**SAME[what])) == ()


@pytest.mark.parametrize("what", DIFFERENT)
def test_what_is_different(what):
    changed, name = DIFFERENT[what]
    assert [each.name for each in role_differences(wanted_role(schedule(), options()), role(**changed))] == [name]


def test_a_time_that_was_sent_with_a_zone_is_read_on_the_clocks_of_the_schedule():
    wanted = wanted_role(schedule("Europe/Berlin"), options())
    assert role_differences(wanted, role(StartDate="2026-03-02T02:00:00+00:00")) == ()


def test_spans_and_tables_are_compared_by_what_they_mean():
    given = options(stop_after="01:30:00", query_string="IsInstalled=0")
    wanted = wanted_role(schedule(), given)
    found = role(StopAfter="1:30:00", CauPluginArguments="QueryString=IsInstalled=0, IncludeRecommendedUpdates=False")
    assert role_differences(wanted, found) == ()


# --- the whole of it ------------------------------------------------------------------------------------------------------

AUDITS = {
    "right": (schedule(), role(), True, None),
    "absent": (schedule(), None, None, "no self-updating role"),
    "disabled": (schedule(), role(), False, "disabled"),
    "wrong": (schedule(days_of_week=["SAT"]), role(), True, "the third Tuesday at 03:00 is what Set-CauClusterRole"),
    "Airflow has the cadence and the role is on": (schedule(run_by="airflow"), role(), True, "Airflow updates the cluster as well"),
    "Airflow has the cadence and nothing tells of the role": (schedule(run_by="airflow"), role(), None, "Airflow updates"),
    "Airflow has the cadence and the role is off": (schedule(run_by="airflow"), role(), False, None),
    "Airflow has the cadence and there is no role": (schedule(run_by="airflow"), None, None, None),
    "nobody has the cadence and the role is on": (None, role(), True, "no schedule asks for it"),
}  # fmt: skip


@pytest.mark.parametrize("what", AUDITS)
def test_who_may_have_a_role(what):
    asked, found, enabled, said = AUDITS[what]
    audit = audit_role(RoleState(found, enabled, {"HCI01": UTC_ZONE}), asked, options(), NOW)
    assert audit.is_right is (said is None)
    if said is not None:
        assert said in " ".join(audit.findings)


# --- whose clocks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("timezone", "zone", "agrees"),
    [
        ("UTC", UTC_ZONE, True),
        ("Europe/Berlin", BERLIN, True),
        ("Europe/Paris", BERLIN, True),
        ("Europe/Berlin", UTC_ZONE, False),
        # The same time in winter only.
        ("Europe/Berlin", MachineZone("W. Central Africa Standard Time", 60), False),
    ],
)
def test_the_clocks_of_the_nodes_are_held_against_the_zone_of_the_schedule(timezone, zone, agrees):
    wanted = wanted_role(schedule(timezone), options())
    assert (clock_problem({"HCI01": zone}, wanted, NOW) == "") is agrees


def test_a_run_in_the_hour_of_the_change_is_no_difference():
    wanted = wanted_role(schedule("Europe/Berlin", days_of_week=["SUN"], weeks_of_month=[5]), options())
    assert clock_problem({"HCI01": BERLIN}, wanted, NOW) == ""


@pytest.mark.parametrize(
    ("zones", "asked", "where"),
    [
        ({"A": BERLIN}, schedule("Europe/Berlin"), "Europe/Berlin"),
        ({"A": UTC_ZONE}, None, "UTC"),
        ({"A": UTC_ZONE}, schedule("Europe/Berlin"), "UTC"),
        ({"A": BERLIN}, None, None),
        ({}, None, None),
    ],
)
def test_times_are_told_only_in_a_zone_that_the_nodes_go_by(zones, asked, where):
    assert shown_zone(zones, asked, NOW) == where


def test_the_next_times():
    assert role_times(role(), "UTC", NOW, 2) == ("2026-11-17 03:00 UTC", "2026-12-15 03:00 UTC")
    assert role_times({"DaysOfWeek": "None"}, "UTC", NOW) == ()
