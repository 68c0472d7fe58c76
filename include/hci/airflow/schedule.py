"""A cluster's schedule as Airflow's timetable, and the guard against windows that were missed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from airflow.timetables.trigger import CronTriggerTimetable

from include.hci.airflow.timetable import SelfUpdatingTimetable
from include.hci.policy.local_time import show_moment
from include.hci.policy.progress import show_duration
from include.hci.policy.upcoming import next_start, starts_between
from include.hci.settings import ClusterSettings
from include.hci.settings.schedule import START_WITHIN

#: How many of the times that had no run are named.
_NAMED = 3


def timetable_of(cluster: ClusterSettings) -> CronTriggerTimetable | SelfUpdatingTimetable | None:
    """Return when ``cluster`` is updated by itself; None where the fleet file gives no schedule, or leaves it to CAU's role."""
    schedule = cluster.schedule
    if schedule is None or schedule.run_by == "cau":
        return None
    if schedule.cron is not None:
        return CronTriggerTimetable(schedule.cron, timezone=schedule.timezone)
    return SelfUpdatingTimetable(
        timezone=schedule.timezone,
        lines=schedule.lines,
        ring_offset_days=cluster.ring_offset_days,
        blackouts=cluster.options.blackouts,
    )


def missed_window(
    run_type: str,
    run_after: datetime,
    now: datetime,
    cluster: ClusterSettings,
    run_before: Callable[[], datetime | None] = lambda: None,
) -> str | None:
    """Return why a run of ``cluster`` must not start because its window has passed, or None.

    ``run_before`` tells when the DAG's run before this one was due; it is asked only when this one is late.

    Airflow makes up for the last missed time of a schedule: a DAG that is switched on, or a scheduler that comes back, on
    Wednesday would start Tuesday night's update at once, in working hours. Runs started by hand are always on time.
    """
    grace = START_WITHIN if cluster.schedule is None else cluster.schedule.start_within
    if run_type != "scheduled" or now - run_after <= grace:
        return None
    where = "UTC" if cluster.schedule is None else cluster.schedule.timezone
    following = next_start(cluster, now)
    next_time = "There is no next time" if following is None else f"The next time is {show_moment(following, where)}"
    return (
        f"This run was due at {show_moment(run_after, where)} and began {show_duration(now - run_after)} late: Airflow did not "
        "run, the DAG was switched off, another run was going on, or the schedule was given this time only afterwards. More than "
        f"{show_duration(grace)} (start_within) counts as a missed window, so nothing was touched."
        f"{_missed_before(run_before(), run_after, cluster, where)} {next_time}. "
        "To update before then, trigger the DAG by hand."
    )


def _missed_before(last: datetime | None, run_after: datetime, cluster: ClusterSettings, where: str) -> str:
    """Return a sentence about the times for which Airflow did not even make a run; empty when there are none."""
    missed = () if last is None else starts_between(cluster, last, run_after)
    if not missed:
        return ""
    count = f"{len(missed)} time{'s' * (len(missed) != 1)}"
    latest = ", ".join(show_moment(moment, where) for moment in missed[-_NAMED:])
    return f" Since the run before it, {count} had passed without any run: {'... ' * (len(missed) > _NAMED)}{latest}."
