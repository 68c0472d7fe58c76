from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DataInterval, TimeRestriction
from airflow.timetables.trigger import CronTriggerTimetable
from hypothesis import given, settings
from hypothesis import strategies as st
from pendulum import instance

from include.hci.airflow import timetable
from include.hci.airflow.timetable import FIRST_RUN_GRACE, SelfUpdatingTimetable
from include.hci.policy.upcoming import cron_times

#: 03:00 UTC on every third Tuesday: 20 October, 17 November and 15 December 2026.
VENDOR = {"start_date": "2020-03-02 03:00", "days_of_week": 4, "weeks_of_month": [3]}
DARK = {"begins": "2026-11-10", "ends": "2026-11-20", "timezone": "UTC", "reason": "election"}


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def third_tuesday(**more) -> SelfUpdatingTimetable:
    return SelfUpdatingTimetable(timezone="UTC", lines=[VENDOR], **more)


def follows(
    found: SelfUpdatingTimetable,
    monkeypatch,
    now: str | datetime,
    last: str | datetime | None = None,
    earliest: str | None = None,
    latest: str | None = None,
    catchup: bool = False,
) -> datetime | None:
    """Return when the run after the one at ``last`` is made, as the scheduler asks at ``now``."""
    at, ran = (utc(text) if isinstance(text, str) else text for text in (now, last))
    monkeypatch.setattr(timetable, "now", lambda: at)
    info = found.next_dagrun_info(
        last_automated_data_interval=None if ran is None else DataInterval.exact(instance(ran)),
        restriction=TimeRestriction(
            None if earliest is None else instance(utc(earliest)),
            None if latest is None else instance(utc(latest)),
            catchup,
        ),
    )
    if info is None:
        return None
    assert info.data_interval == DataInterval.exact(info.run_after)
    assert info.logical_date == info.run_after
    return info.run_after


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        # A DAG that never ran: the next time, and one that has come just now, but none that was before it existed.
        ({"now": "2026-11-01"}, "2026-11-17T03:00"),
        ({"now": "2026-11-17T03:00"}, "2026-11-17T03:00"),
        ({"now": "2026-11-17T03:04"}, "2026-11-17T03:00"),
        ({"now": "2026-11-17T03:06"}, "2026-12-15T03:00"),
        # The one after the last run, however often Airflow asks: also between the time and the making of its run.
        ({"now": "2026-11-01", "last": "2026-10-20T03:00"}, "2026-11-17T03:00"),
        ({"now": "2026-11-17T03:00", "last": "2026-10-20T03:00"}, "2026-11-17T03:00"),
        ({"now": "2026-11-17T03:02", "last": "2026-11-17T03:00"}, "2026-12-15T03:00"),
        # Times that nobody was there for: the last one has its run, late, which then says so; those before have none.
        ({"now": "2026-11-18T09:00", "last": "2026-10-20T03:00"}, "2026-11-17T03:00"),
        ({"now": "2026-12-20T09:00", "last": "2026-10-20T03:00"}, "2026-12-15T03:00"),
        ({"now": "2026-12-20T09:00", "last": "2026-12-15T03:00"}, "2027-01-19T03:00"),
        # With catchup every one of them has.
        ({"now": "2026-12-20T09:00", "last": "2026-10-20T03:00", "catchup": True}, "2026-11-17T03:00"),
        ({"now": "2026-12-20T09:00", "earliest": "2026-11-17T03:00", "catchup": True}, "2026-11-17T03:00"),
        ({"now": "2026-12-20T09:00", "catchup": True}, "2027-01-19T03:00"),
        # The calendar of the DAG's page asks on from runs that are yet to be.
        ({"now": "2026-11-01", "last": "2026-12-15T03:00"}, "2027-01-19T03:00"),
        ({"now": "2026-11-01", "earliest": "2026-12-15T03:00"}, "2026-12-15T03:00"),
        ({"now": "2026-11-01", "earliest": "2026-12-15T03:01"}, "2027-01-19T03:00"),
        ({"now": "2026-11-01", "latest": "2026-11-17T03:00"}, "2026-11-17T03:00"),
        ({"now": "2026-11-01", "latest": "2026-11-17T02:59"}, None),
    ],
)
def test_the_run_that_follows(monkeypatch, asked, expected):
    assert follows(third_tuesday(), monkeypatch, **asked) == (None if expected is None else utc(expected))


def test_a_time_in_a_blackout_has_no_run_neither_then_nor_afterwards(monkeypatch):
    dark = third_tuesday(blackouts=[DARK])
    assert follows(dark, monkeypatch, "2026-11-01", "2026-10-20T03:00") == utc("2026-12-15T03:00")
    assert follows(dark, monkeypatch, "2026-11-18", "2026-10-20T03:00") == utc("2026-12-15T03:00")


def test_a_ring_comes_later(monkeypatch):
    assert follows(third_tuesday(ring_offset_days=7), monkeypatch, "2026-11-01") == utc("2026-11-24T03:00")


def test_it_says_what_it_is():
    found = third_tuesday(ring_offset_days=7, blackouts=[DARK])
    assert found.summary == "03:00 every third Tuesday of the month, each 7 days later (UTC)"
    assert found.description.endswith("not in the blackouts 2026-11-10 to 2026-11-20 (election)")
    assert found.infer_manual_data_interval(run_after=instance(utc("2026-11-01"))).end == utc("2026-11-01")
    many = third_tuesday(blackouts=[DARK | {"reason": "x" * 1900}])
    assert len(many.description) == 1000


def test_what_is_wrong_is_refused_at_once():
    with pytest.raises(ValueError, match="which weeks"):
        SelfUpdatingTimetable(timezone="UTC", lines=[{"start_date": "2020-03-02 03:00", "days_of_week": 4}])


def test_it_survives_the_way_into_airflows_database_and_back():
    lines = [
        VENDOR,
        {"start_date": "2026-01-01 22:30", "days_of_week": ["SAT", "SUN"], "interval_weeks": 2},
        {"start_date": "2026-01-01 22:00", "days_after_second_tuesday": 27},
    ]
    whole = [DARK, {"begins": "2026-12-24 18:00", "ends": "2026-12-27 06:00", "timezone": "Europe/Berlin"}]
    found = SelfUpdatingTimetable(timezone="Europe/Berlin", lines=lines, ring_offset_days=14, blackouts=whole)
    stored = json.dumps(DagSerialization.to_dict(DAG("updates", schedule=found)))
    back = DagSerialization.from_dict(json.loads(stored)).timetable
    assert back == found
    assert hash(back) == hash(found)
    assert back != third_tuesday()
    assert back.cadence == found.cadence
    assert back.summary == found.summary
    assert back.type_name == "include.hci.airflow.timetable.SelfUpdatingTimetable"


_STARTS = st.datetimes(datetime(2025, 1, 1), datetime(2027, 12, 31)).map(lambda at: at.strftime("%Y-%m-%d %H:%M"))
_LINES = st.one_of(
    st.fixed_dictionaries(
        {
            "start_date": _STARTS,
            "days_of_week": st.integers(1, 127),
            "weeks_of_month": st.lists(st.integers(1, 5), min_size=1, unique=True),
        }
    ),
    st.fixed_dictionaries(
        {"start_date": _STARTS, "days_of_week": st.integers(1, 127), "interval_weeks": st.integers(1, 9)}
    ),
    st.fixed_dictionaries({"start_date": _STARTS, "days_after_second_tuesday": st.integers(0, 27)}),
)
_ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(_LINES, min_size=1, max_size=3),
    _ZONES,
    st.integers(0, 27),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
)
def test_a_scheduler_that_is_never_late_makes_exactly_the_runs_of_the_cadence(lines, zone, ring, begin):
    found = SelfUpdatingTimetable(timezone=zone, lines=lines, ring_offset_days=ring)
    back = SelfUpdatingTimetable.deserialize(json.loads(json.dumps(found.serialize())))
    began = begin.replace(tzinfo=UTC)
    with pytest.MonkeyPatch.context() as patch:
        runs = [follows(back, patch, began)]
        for _ in range(5):
            last = runs[-1]
            # Asked while the run goes on, and again by every reading of the DAG file until the next one.
            soon, late = (follows(back, patch, last + wait, last) for wait in (timedelta(), timedelta(minutes=1)))
            assert soon == late
            runs.append(soon)
    assert all(earlier < later for earlier, later in itertools.pairwise(runs))
    expected = found.cadence.between(
        began - FIRST_RUN_GRACE + timedelta(microseconds=1), runs[-1] + timedelta(microseconds=1)
    )
    assert runs == list(expected[: len(runs)])
    assert len(expected) == len(runs)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(_LINES, min_size=1, max_size=3),
    _ZONES,
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
    st.lists(st.integers(1, 100 * 1440), min_size=1, max_size=8),
)
def test_of_the_times_that_a_scheduler_missed_exactly_the_last_has_its_run(lines, zone, begin, silences):
    found = SelfUpdatingTimetable(timezone=zone, lines=lines)
    at = begin.replace(tzinfo=UTC)
    with pytest.MonkeyPatch.context() as patch:
        last = follows(found, patch, at)
        at = last
        for silence in silences:
            before, at = last, at + timedelta(minutes=silence)
            missed = found.cadence.between(before + timedelta(microseconds=1), at + timedelta(microseconds=1))
            due = follows(found, patch, at, before)
            if missed:
                assert due == missed[-1]
                last = due
                due = follows(found, patch, at, last)
            # Whatever was missed, there is nothing more to make up for.
            assert due == found.cadence.next_after(at)


@settings(max_examples=100, deadline=None)
@given(
    st.sampled_from(["0 22 * * SAT", "30 2 * * *", "15 1 1,15 * *", "30 * * * *", "0 */6 * * 1-5", "45 2 * * SUN"]),
    _ZONES,
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)),
)
def test_the_cron_times_that_are_shown_are_airflows(cron, zone, begin):
    airflow = CronTriggerTimetable(cron, timezone=zone)
    moment = instance(begin.replace(tzinfo=UTC))
    expected = []
    for _ in range(40):
        moment = airflow._get_next(moment)
        expected.append(moment)
    assert list(islice(cron_times(cron, zone, begin.replace(tzinfo=UTC)), 40)) == expected
