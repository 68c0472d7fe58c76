"""The schedule of CAU's self-updating role as a timetable of Airflow's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable
from pendulum import DateTime
from pendulum import instance as to_pendulum

from include.hci.policy.cadence import Cadence, cadence_of
from include.hci.settings.calendar import Blackout
from include.hci.settings.schedule import Schedule, ScheduleLine

#: How late the very first run of a DAG may be made. Airflow asks anew whenever it reads the DAG file, also between a time and
#: the making of its run: without this, that time would be lost.
FIRST_RUN_GRACE = timedelta(minutes=5)
#: What the column of Airflow's database takes.
_LONGEST_DESCRIPTION = 1000


def now() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)


class SelfUpdatingTimetable(Timetable):
    """Begins a run at the times of ``lines`` (those of Add-CauClusterRole, and days after the second Tuesday) in ``timezone``.

    ``lines`` and ``blackouts`` are as in the fleet file, models or their plain data. ``ring_offset_days`` moves every run so many
    days. Raises ValueError naming what is wrong. Times in a blackout have no run. Of the times that pass while Airflow does not
    run or the DAG is switched off, only the last gets its run, late; whether that one may still begin is the run's own decision.
    """

    def __init__(
        self,
        *,
        timezone: str,
        lines: Sequence[ScheduleLine | Mapping[str, Any]],
        ring_offset_days: int = 0,
        blackouts: Sequence[Blackout | Mapping[str, Any]] = (),
    ) -> None:
        self.schedule = Schedule.model_validate({"timezone": timezone, "lines": tuple(lines)})
        self.ring_offset_days = ring_offset_days
        self.blackouts = tuple(Blackout.model_validate(blackout) for blackout in blackouts)
        dark = "; ".join(blackout.describe() for blackout in self.blackouts)
        text = f"Self-updating at {self.summary}{f', not in the blackouts {dark}' if dark else ''}"
        self.description = text if len(text) <= _LONGEST_DESCRIPTION else f"{text[: _LONGEST_DESCRIPTION - 3]}..."

    @cached_property
    def cadence(self) -> Cadence:
        """The times as such."""
        return cadence_of(self.schedule, self.ring_offset_days, self.blackouts)

    def serialize(self) -> dict[str, Any]:
        """Return what :meth:`deserialize` makes the timetable of, as JSON data."""
        return {
            "timezone": self.schedule.timezone,
            "lines": [line.model_dump(mode="json", exclude_defaults=True) for line in self.schedule.lines],
            "ring_offset_days": self.ring_offset_days,
            "blackouts": [blackout.model_dump(mode="json", exclude_defaults=True) for blackout in self.blackouts],
        }

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> SelfUpdatingTimetable:
        """Return the timetable that was serialised as ``data``."""
        return cls(**data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SelfUpdatingTimetable) and self.serialize() == other.serialize()

    def __hash__(self) -> int:
        return hash((self.schedule, self.ring_offset_days, self.blackouts))

    @property
    def summary(self) -> str:
        """The times as a person says them, for the list of DAGs."""
        return self.schedule.describe(self.ring_offset_days)

    def infer_manual_data_interval(self, *, run_after: DateTime) -> DataInterval:
        """Return the moment itself: an update has no interval."""
        return DataInterval.exact(run_after)

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the run that follows on the last automated one; None when there is none within ``restriction``."""
        last = None if last_automated_data_interval is None else last_automated_data_interval.end
        moment = self._next(last, restriction.earliest, now(), makes_up=restriction.catchup)
        if moment is None or (restriction.latest is not None and moment > restriction.latest):
            return None
        return DagRunInfo.exact(to_pendulum(moment))

    def _next(
        self, last: datetime | None, earliest: datetime | None, at: datetime, *, makes_up: bool
    ) -> datetime | None:
        # "after" is left out itself, "earliest" is not.
        begins = None if earliest is None else earliest - timedelta(microseconds=1)
        if makes_up:
            after = max((moment for moment in (last, begins) if moment is not None), default=at)
            return self.cadence.next_after(after)
        after = at - FIRST_RUN_GRACE if last is None else last
        after = after if begins is None else max(after, begins)
        missed = None if last is None else self.cadence.last_until(at, after)
        return missed or self.cadence.next_after(max(after, at) if last is not None else after)
