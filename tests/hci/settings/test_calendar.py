"""Windows and blackouts in the fleet file: what is wrong is named with file, line and key."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from pydantic import TypeAdapter, ValidationError

from include.hci.settings.calendar import Blackout, MaintenanceWindow
from include.hci.settings.fleet import parse_fleet
from include.hci.settings.profile import UpdatingRunProfile

WINDOW = {"days_of_week": ["SAT"], "opens": "22:00", "duration": "06:00:00", "timezone": "Europe/Berlin"}
BLACKOUT = {"begins": "2026-12-20", "timezone": "Europe/Berlin"}


def test_a_window_is_read_with_its_own_time_zone():
    window = MaintenanceWindow.model_validate(WINDOW | {"days_of_week": ["Saturday", "sun"], "weeks_of_month": [2, 5]})
    assert (window.days_of_week, window.opens, window.duration) == (
        ("Saturday", "Sunday"),
        time(22),
        timedelta(hours=6),
    )
    assert window.describe() == "second, last Saturday, Sunday of the month 22:00 Europe/Berlin"


@pytest.mark.parametrize(
    "wrong",
    [
        {"days_of_week": []},
        {"days_of_week": ["Someday"]},
        {"days_of_week": ["SA"]},
        {"days_of_week": ["SAT", "Saturday"]},
        {"days_of_week": "SAT"},
        {"weeks_of_month": [0]},
        {"weeks_of_month": [6]},
        {"weeks_of_month": [2, 2]},
        {"opens": "24:00"},
        {"opens": "10 pm"},
        {"opens": 2200},
        {"duration": "00:00:00"},
        {"duration": "7.00:00:01"},
        {"duration": 6},
        {"timezone": "Berlin"},
        {"closes": "04:00"},
    ],
)
def test_a_window_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        MaintenanceWindow.model_validate(WINDOW | wrong)


@pytest.mark.parametrize("missing", sorted(WINDOW))
def test_a_window_needs_all_of_it(missing):
    with pytest.raises(ValidationError):
        MaintenanceWindow.model_validate({key: value for key, value in WINDOW.items() if key != missing})


@pytest.mark.parametrize(
    ("given", "span"),
    [
        ({}, (datetime(2026, 12, 20), datetime(2026, 12, 21))),
        ({"ends": "2027-01-03"}, (datetime(2026, 12, 20), datetime(2027, 1, 4))),
        (
            {"begins": "2026-12-20 18:00", "ends": "2026-12-20 19:30"},
            (datetime(2026, 12, 20, 18), datetime(2026, 12, 20, 19, 30)),
        ),
        ({"begins": "2026-12-20T18:00", "ends": "2026-12-21"}, (datetime(2026, 12, 20, 18), datetime(2026, 12, 22))),
    ],
)
def test_a_blackout_has_whole_days_or_times(given, span):
    assert Blackout.model_validate(BLACKOUT | given).span == span


@pytest.mark.parametrize(
    "wrong",
    [
        {"begins": "2026-13-20"},
        {"begins": "2026-12-20 25:00", "ends": "2026-12-22"},
        {"begins": "20.12.2026"},
        {"begins": 20261220},
        {"begins": "2026-12-20 18:00"},
        {"ends": "2026-12-19"},
        {"begins": "2026-12-20 18:00", "ends": "2026-12-20 18:00"},
        {"ends": "9999-12-31"},
        {"begins": "0001-01-01", "ends": "2026-12-31"},
        {"timezone": "Berlin"},
        {"until": "2026-12-22"},
    ],
)
def test_a_blackout_that_cannot_be_is_refused(wrong):
    with pytest.raises(ValidationError):
        Blackout.model_validate(BLACKOUT | wrong)


def test_windows_and_blackouts_survive_json():
    given = {
        "windows": [WINDOW | {"weeks_of_month": [5]}],
        "blackouts": [BLACKOUT, BLACKOUT | {"begins": "2026-12-20 18:00", "ends": "2026-12-21", "reason": "audit"}],
    }
    profile = UpdatingRunProfile.model_validate(given)
    assert TypeAdapter(UpdatingRunProfile).validate_json(profile.model_dump_json()) == profile
    assert profile.blackouts[0].begins == date(2026, 12, 20)
    assert not isinstance(profile.blackouts[0].begins, datetime)


@pytest.mark.parametrize(
    ("lines", "line", "key", "said"),
    [
        (("windows:", "  - days_of_week: [SAT]", "    opens: 25:00", "    duration: '06:00:00'", "    timezone: UTC"), 5, "windows[0].opens", "is not a time of day"),
        (("windows:", "  - days_of_week: [SAT]", "    opens: '22:00'", "    duration: '06:00:00'"), 4, "windows[0].timezone", "is missing"),
        (("windows:", "  - days_of_week: [SAT, SOMEDAY]", "    opens: '22:00'", "    duration: '06:00:00'", "    timezone: UTC"), 4, "windows[0].days_of_week[1]", "is not a day of the week"),
        (("windows:", "  - days_of_weak: [SAT]", "    opens: '22:00'", "    duration: '06:00:00'", "    timezone: UTC"), 4, "windows[0].days_of_weak", "Did you mean 'days_of_week'?"),
        (("blackouts:", "  - begins: 2026-12-20", "    timezone: UTC", "  - begins: 2026-12-22", "    ends: 2026-12-21", "    timezone: UTC"), 6, "blackouts[1]", "before it begins"),
        (("blackouts:", "  - begins: Christmas", "    timezone: UTC"), 4, "blackouts[0].begins", "is neither a date nor a time"),
        (("blackouts:", "  - begins: 2026-12-20", "    ends: 9999-12-31", "    timezone: UTC"), 5, "blackouts[0].ends", "lies outside the years 1970 to 2999"),
        (("updates:", "  reject_titles: ['(preview']"), 4, "updates.reject_titles[0]", "is not a regular expression"),
        (("updates:", "  accept_kbs: [KB12]"), 4, "updates.accept_kbs[0]", "is not an article number"),
        (("updates:", "  accept_categories: [Security]"), 4, "updates.accept_categories[0]", "must be"),
        (("hooks:", "  - {when: node-leaves, connection: m, command: 'rm -rf /'}"), 4, "hooks[0].command", "is not the name of a command"),
        (("accepted_warnings: [same-build, same-build]",), 3, "accepted_warnings", "is named twice"),
    ],
)  # fmt: skip
def test_what_is_wrong_in_the_file_is_named_with_its_line_and_key(lines, line, key, said):
    text = "\n".join(
        ["profiles:", "  night:", *(f"    {each}" for each in lines), "clusters: {a: {nodes: [A1, A2], connection: c}}"]
    )
    problems = [problem for problem in parse_fleet(text, "fleet.yaml").problems if problem.line == line]
    assert [(problem.file, problem.key) for problem in problems if said in problem.message] == [
        ("fleet.yaml", f"profiles.night.{key}")
    ]
