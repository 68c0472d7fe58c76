"""When a cluster is updated next: by this Airflow's timetable, and by the schedule of CAU's own self-updating role."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.hci.policy.cadence import Cadence, line_of_role
from include.hci.policy.local_time import show_moment
from include.hci.policy.upcoming import NO_SCHEDULE, Upcoming


@dataclass(frozen=True, slots=True)
class Next:
    """What somebody has scheduled next; ``at`` (UTC) is None when nothing is, or nothing that is understood."""

    who: str
    at: datetime | None
    timezone: str = "UTC"
    remark: str = ""

    def __str__(self) -> str:
        when = show_moment(self.at, self.timezone) if self.at else "nothing"
        return f"{self.who}, {when}{f' ({self.remark})' if self.remark else ''}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return {"who": self.who, "at": self.at.isoformat() if self.at else None, "remark": self.remark}


def next_times(
    own: Upcoming | None,
    role: Mapping[str, str] | None,
    role_online: bool | None,
    timezone: str,
    now: datetime,
    own_none: str = NO_SCHEDULE,
) -> tuple[Next, ...]:
    """Return what both sides have scheduled after ``now``, earliest first.

    ``role`` are the parameters of CAU's role (empty: no role, None: not known); its times are meant in the servers' own time
    zone, for which ``timezone`` is taken. ``own_none`` is why this Airflow has nothing scheduled.
    """
    found = [Next("this Airflow", own.at if own else None, timezone, own.remark if own else own_none)]
    if role:
        found.append(_of_role(role, role_online, timezone, now))
    return tuple(sorted(found, key=lambda one: (one.at is None, one.at.timestamp() if one.at else 0.0)))


def _of_role(role: Mapping[str, str], online: bool | None, timezone: str, now: datetime) -> Next:
    who = "Cluster-Aware Updating's self-updating role"
    if online is False:
        return Next(who, None, timezone, "the role is disabled")
    line = line_of_role(role, timezone)
    if line is None:
        return Next(who, None, timezone, "its schedule is not understood: look at Get-CauClusterRole")
    remark = f"if the servers' clocks are in {timezone}"
    return Next(who, Cadence((line,)).next_after(now), timezone, remark)
