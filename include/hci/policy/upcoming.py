"""The next times at which a cluster is updated by itself, and the times that are left out, with the reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile

from croniter import CroniterBadDateError, croniter  # type: ignore[import-untyped]

from include.hci.policy.cadence import HORIZON, cadence_of
from include.hci.policy.local_time import zone
from include.hci.policy.windows import may_begin
from include.hci.settings import ClusterSettings
from include.hci.settings.profile import not_supported

_STRIDE = timedelta(days=92)
NO_SCHEDULE = "it has no schedule"


@dataclass(frozen=True, slots=True)
class Upcoming:
    """One time of a schedule (UTC). ``begins`` tells whether a run begins then; ``remark`` why not, or what stands against it."""

    at: datetime
    begins: bool = True
    remark: str = ""


def without_runs(cluster: ClusterSettings) -> str:
    """Return why this Airflow begins no run of ``cluster`` by itself; empty: it does, at the times of the schedule."""
    if cluster.schedule is None:
        return NO_SCHEDULE
    if cluster.schedule.run_by == "cau":
        return "its schedule is left to CAU's self-updating role"
    refused = ", ".join(not_supported(cluster.options))
    return f"it has no rolling update, which does not act on {refused} of its profile" if refused else ""


def upcoming(cluster: ClusterSettings, after: datetime, count: int) -> tuple[Upcoming, ...]:
    """Return the next ``count`` times after ``after`` at which ``cluster`` is updated, and between them those left out.

    Fewer are returned when the schedule has fewer within five years; none when the cluster has no schedule.
    """
    found: list[Upcoming] = []
    begun = 0
    for one in _times(cluster, after):
        if begun == count:
            break
        found.append(one)
        begun += one.begins
    # What is left out after the last time that begins says nothing about those asked for.
    while begun == count and found and not found[-1].begins:
        found.pop()
    return tuple(found)


def next_start(cluster: ClusterSettings, after: datetime) -> datetime | None:
    """Return the next time after ``after`` at which ``cluster`` is updated by itself; None when there is none."""
    return next((one.at for one in _times(cluster, after) if one.begins), None)


def starts_between(cluster: ClusterSettings, after: datetime, before: datetime) -> tuple[datetime, ...]:
    """Return the times after ``after`` and before ``before`` at which ``cluster`` was, or is, to be updated by itself."""
    times = takewhile(lambda one: one.at < before, _times(cluster, after))
    return tuple(one.at for one in times if one.begins)


def _times(cluster: ClusterSettings, after: datetime) -> Iterator[Upcoming]:
    schedule = cluster.schedule
    if schedule is None:
        return
    if schedule.cron is not None:
        yield from (_judged(cluster, moment) for moment in cron_times(schedule.cron, schedule.timezone, after))
        return
    cadence = cadence_of(schedule, cluster.ring_offset_days, cluster.options.blackouts)
    first = cadence.first
    begin = max(after + timedelta(microseconds=1), first) if first is not None else after
    end = begin + HORIZON
    while begin < end:
        for one in cadence.explained(begin, begin + _STRIDE):
            yield Upcoming(one.at, begins=False, remark=one.skipped) if one.skipped else _judged(cluster, one.at)
        begin += _STRIDE


def cron_times(cron: str, timezone: str, after: datetime) -> Iterator[datetime]:
    """Give the times (UTC) of a cron expression after ``after``, as Airflow's CronTriggerTimetable has them.

    A time that clocks skip comes as much later; of one that they show twice the second is meant, unless it runs every hour.
    """
    where = zone(timezone)
    current = after.astimezone(UTC)
    while current < after + HORIZON:
        local = current.astimezone(where).replace(tzinfo=None)
        expression = croniter(cron, local)
        try:
            naive: datetime = expression.get_next(datetime)
        except CroniterBadDateError:  # the 30th of February
            return
        if expression.expanded[1] == ["*"]:
            current += naive - local
        else:
            current = max(naive.replace(tzinfo=where, fold=fold).astimezone(UTC) for fold in (0, 1))
        yield current


def _judged(cluster: ClusterSettings, moment: datetime) -> Upcoming:
    options = cluster.options
    answer = may_begin(moment, options.windows, options.blackouts, timedelta(0))
    return Upcoming(moment, remark="" if answer.allowed else f"no node is begun then: {answer.why}")
