"""A cluster's schedule as Airflow's timetable, and the guard against windows that were missed."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.timetables.trigger import CronTriggerTimetable

from include.hci.settings import ClusterSettings

#: A scheduled run that begins later than this after its time has missed its window.
GRACE = timedelta(minutes=30)


def timetable_of(cluster: ClusterSettings) -> CronTriggerTimetable | None:
    """Return when ``cluster`` is updated by itself; None where the fleet file gives no schedule."""
    if cluster.schedule is None:
        return None
    return CronTriggerTimetable(cluster.schedule.cron, timezone=cluster.schedule.timezone)


def missed_window(run_type: str, run_after: datetime, now: datetime) -> str | None:
    """Return why a run must not start because its window has passed, or None.

    Airflow makes up for the last missed time of a schedule: a DAG that is switched on, or a scheduler that comes back, on
    Wednesday would start Tuesday night's update at once, in working hours. Runs started by hand are always on time.
    """
    if run_type != "scheduled" or now - run_after <= GRACE:
        return None
    late = int((now - run_after).total_seconds() // 60)
    return (
        f"This run was due at {run_after:%Y-%m-%d %H:%M} UTC and begins {late} min late. Its window counts as missed after "
        f"{int(GRACE.total_seconds() // 60)} min, so nothing is touched. Trigger the DAG by hand, or wait for the next time."
    )
