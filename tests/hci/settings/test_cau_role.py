"""Who runs a cluster's cadence, and what CAU's self-updating role cannot be asked for."""

from __future__ import annotations

import pytest

from include.hci.settings import SettingsError
from include.hci.settings.cau_role import CauRoleRequest
from include.hci.settings.cluster import ClusterSettings
from include.hci.settings.fleet import Fleet, parse_fleet

LINE = "{start_date: 2026-03-02 03:00, days_of_week: 4, weeks_of_month: [3]}"


def fleet(schedule: str = f"lines: [{LINE}]", more: str = "", run_by: str = "cau") -> Fleet:
    return parse_fleet(
        f"clusters:\n  c:\n    connection: x\n    nodes: [A1, A2]\n{more}"
        f"    schedule: {{timezone: UTC, run_by: {run_by}, {schedule}}}\n",
        "fleet.yaml",
    )


def cluster() -> ClusterSettings:
    found = fleet(more="    cau_role: {virtual_computer_object_name: C-CAU, group_name: Updates}\n")
    assert found.problems == ()
    return found.clusters["c"]


def test_airflow_runs_a_schedule_unless_the_file_says_otherwise():
    text = f"clusters: {{c: {{connection: x, nodes: [A1, A2], schedule: {{timezone: UTC, lines: [{LINE}]}}}}}}"
    schedule = parse_fleet(text, "fleet.yaml").clusters["c"].schedule
    assert schedule is not None
    assert schedule.run_by == "airflow"


BEYOND = {
    "a cron expression": ("cron: '0 1 * * SUN'", "", "no cron expressions"),
    "two lines": (f"lines: [{LINE}, {LINE}]", "", "one line, not 2"),
    "days after the second Tuesday": (
        "lines: [{start_date: 2026-03-02 03:00, days_after_second_tuesday: 4}]",
        "",
        "no days after the second Tuesday",
    ),
    "start_within": (f"start_within: '01:00:00', lines: [{LINE}]", "", "no 'start_within'"),
    "a ring": (f"lines: [{LINE}]", "    ring_offset_days: 7\n", "no rings"),
    "windows": (
        f"lines: [{LINE}]",
        "    profile_overrides: {windows: [{days_of_week: [SAT], opens: '22:00', duration: '08:00:00', timezone: UTC}]}\n",
        "no maintenance windows",
    ),
    "blackouts": (
        f"lines: [{LINE}]",
        "    profile_overrides: {blackouts: [{begins: 2026-12-19, timezone: UTC}]}\n",
        "no blackouts",
    ),
    "what only Invoke-CauRun has": (
        f"lines: [{LINE}]",
        "    profile_overrides: {force_self_update: true}\n",
        "no force_self_update",
    ),
    "approval": (f"lines: [{LINE}]", "    profile_overrides: {require_approval: true}\n", "no approval"),
    "rules for updates": (
        f"lines: [{LINE}]",
        "    profile_overrides: {updates: {reject_titles: [Preview]}}\n",
        "updates has no effect",
    ),
}


@pytest.mark.parametrize("what", BEYOND)
def test_what_a_role_cannot_have_is_refused_when_the_file_is_read(what):
    schedule, more, said = BEYOND[what]
    found = fleet(schedule, more)
    assert found.clusters == {}
    assert any(said in str(problem) and "run_by: cau" in str(problem) for problem in found.problems)
    if "days_of_week" in schedule or "cron" in schedule:
        assert fleet(schedule, more, run_by="airflow").problems == ()


def test_nobody_else_can_run_a_schedule():
    assert "run_by" in str(fleet(run_by="cron").problems[0])


def test_a_request_takes_the_names_of_the_fleet_file_unless_the_form_has_others():
    given = CauRoleRequest.for_run(cluster(), {"action": "check", "group_name": "Other"})
    assert (given.action, given.virtual_computer_object_name, given.group_name) == ("check", "C-CAU", "Other")
    assert given.is_run_by_cau
    assert not given.is_run_by_airflow


def test_a_request_comes_back_from_the_record_as_it_was():
    given = CauRoleRequest.for_run(cluster(), {"action": "enable"})
    assert CauRoleRequest.from_json(given.to_json()) == given


@pytest.mark.parametrize(
    "parameters", [{"action": "repair"}, {"virtual_computer_object_name": "a name that is far too long"}]
)
def test_a_wrong_parameter_is_named(parameters):
    with pytest.raises(SettingsError, match=next(iter(parameters))):
        CauRoleRequest.for_run(cluster(), parameters)
