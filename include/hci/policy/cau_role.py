"""CAU's self-updating role against what the fleet file asks for: its parameters, its differences, whose clocks it goes by."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from include.hci.cluster.cau_role import role_start_date
from include.hci.cluster.time_zone import MachineZone
from include.hci.policy.cadence import Cadence, Line, cadence_of, line_of_role
from include.hci.policy.cau_options import DEFAULTS, cau_parameters
from include.hci.policy.local_time import show_moment, zone
from include.hci.powershell.values import SWITCH, Value
from include.hci.settings import Schedule, UpdatingRunProfile
from include.hci.settings.calendar import WEEKDAYS
from include.hci.settings.schedule import WEEKDAY_BITS, days_mask

#: CAU's names of the days, in the order in which it gives them.
_DAYS = {WEEKDAYS[day]: bit for day, bit in sorted(WEEKDAY_BITS.items(), key=lambda item: item[1])}
#: How far ahead the clocks of the nodes are held against the zone of the schedule.
_YEARS_AHEAD = timedelta(days=2 * 366)
_SCHEDULE = ("StartDate", "DaysOfWeek", "WeeksOfMonth", "IntervalWeeks")
#: What Set-CauClusterRole leaves behind when it is given no schedule (AzureLocal-Supportability, TSG/Update).
_THIRD_TUESDAY = (frozenset({1}), frozenset({3}), None)
SURPRISE = "the third Tuesday at 03:00 is what Set-CauClusterRole leaves behind when it is given no schedule"


@dataclass(frozen=True, slots=True)
class WantedRole:
    """The role that the fleet file asks for: its schedule in ``timezone``, and its run options by CAU's names."""

    schedule: Schedule
    options: Mapping[str, Value]

    @property
    def line(self) -> Line:
        """The line of its schedule."""
        return cadence_of(self.schedule).lines[0]

    @property
    def parameters(self) -> dict[str, Value]:
        """Everything that Add-CauClusterRole and Set-CauClusterRole are given."""
        line = self.line
        found: dict[str, Value] = {
            **self.options,
            "StartDate": role_start_date(line.starts),
            "DaysOfWeek": days_mask(line.days_of_week),
        }
        if line.interval_weeks is None:
            found["WeeksOfMonth"] = sorted(line.weeks_of_month)
        else:
            found["IntervalWeeks"] = line.interval_weeks
        return found

    @property
    def shown(self) -> dict[str, str]:
        """The same parameters as a person reads them, and as the role's own are read."""
        days = ", ".join(name for name, bit in _DAYS.items() if bit & days_mask(self.line.days_of_week))
        return {name: shown_value(value) for name, value in self.parameters.items()} | {"DaysOfWeek": days}


@dataclass(frozen=True, slots=True)
class Difference:
    """One parameter of the role that is not what was asked for; both as a person reads them."""

    name: str
    asked: str
    found: str

    def __str__(self) -> str:
        return f"{self.name} is {self.found or 'not set'}, asked for was {self.asked or 'nothing'}"


@dataclass(frozen=True, slots=True)
class RoleAudit:
    """What is wrong with the role: ``findings`` in sentences, ``differences`` per parameter."""

    findings: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings and not self.differences


@dataclass(frozen=True, slots=True)
class RoleState:
    """The role as it was read: None where there is none; ``enabled`` None where nothing tells.

    ``zones`` are the time zones of the nodes by name: the role's times are those of the node that owns it.
    """

    role: Mapping[str, str] | None
    enabled: bool | None = None
    zones: Mapping[str, MachineZone] = field(default_factory=dict)


def wanted_role(schedule: Schedule, options: UpdatingRunProfile) -> WantedRole:
    """Return the role that ``schedule``, which CAU runs, and ``options`` ask for."""
    return WantedRole(schedule, cau_parameters(options))


def role_differences(wanted: WantedRole, role: Mapping[str, str]) -> tuple[Difference, ...]:
    """Return every parameter of ``role`` that is not as ``wanted``: schedule, options asked for, and options nobody asked for.

    What the role does not report counts as different: it has not been proven.
    """
    found = {name.lower(): value for name, value in role.items()}
    options = {name: shown_value(value) for name, value in wanted.options.items()}
    differences = list(_schedule_differences(wanted, role))
    for name, asked in options.items():
        present = found.get(name.lower())
        if present is None:
            differences.append(Difference(name, asked, "not reported by the role"))
        elif not _is_same(asked, present):
            differences.append(Difference(name, asked, present))
    for name, default in DEFAULTS.items():
        present = found.get(name.lower(), "")
        if name not in options and not _is_same(default, present) and not _is_nothing(present):
            differences.append(Difference(name, default, present))
    return tuple(differences)


def audit_role(state: RoleState, schedule: Schedule | None, options: UpdatingRunProfile, now: datetime) -> RoleAudit:
    """Return what is wrong with the role when the fleet file has ``schedule`` for the cluster.

    Two that update a cluster by themselves are one too many: where Airflow has the cadence, or nobody, the role must be off.
    """
    role, enabled = state.role, state.enabled is not False
    if schedule is None or schedule.run_by == "airflow":
        if role is None or not enabled:
            return RoleAudit()
        other = (
            f"Airflow updates the cluster as well ({schedule.describe()})" if schedule else "no schedule asks for it"
        )
        said = describe_role(role)
        where = schedule.timezone if schedule else "UTC"
        surprise = f"; {SURPRISE}" if _is_third_tuesday(role, where) else ""
        return RoleAudit((f"the role is enabled, {said}, and {other}{surprise}",))
    if role is None:
        return RoleAudit(("the cluster has no self-updating role",))
    wanted = wanted_role(schedule, options)
    findings = [] if enabled else ["the role is disabled: its schedule does not count"]
    if problem := clock_problem(state.zones, wanted, now):
        findings.append(problem)
    differences = role_differences(wanted, role)
    if _is_third_tuesday(role, schedule.timezone) and any(each.name in _SCHEDULE for each in differences):
        findings.append(SURPRISE)
    return RoleAudit(tuple(findings), differences)


def clock_problem(zones: Mapping[str, MachineZone], wanted: WantedRole, now: datetime) -> str:
    """Return why the nodes' clocks make the role run at another time than the schedule says; empty when they do not.

    The role knows no time zone: its times are on the clocks of the node that owns it.
    """
    line, where = wanted.line, wanted.schedule.timezone
    begin = max(now, line.starts.replace(tzinfo=UTC) - timedelta(days=2))
    moments = Cadence((line,)).between(begin, begin + _YEARS_AHEAD)
    for node, clocks in sorted(zones.items()):
        for moment in moments:
            meant = moment.astimezone(zone(where))
            offset = clocks.offset(meant.replace(tzinfo=None))
            if offset != meant.utcoffset():
                shown = moment.astimezone(UTC) + offset
                return (
                    f"{meant:%Y-%m-%d %H:%M} in {where} is {shown:%Y-%m-%d %H:%M} on the clocks of {node} ({clocks.name}), by "
                    "which the role goes: write the schedule in the nodes' own time zone"
                )
    return ""


def shown_zone(zones: Mapping[str, MachineZone], schedule: Schedule | None, now: datetime) -> str | None:
    """Return the zone in which the role's times can be told: that of the schedule, or UTC, where all nodes go by it."""
    candidates = [*([schedule.timezone] if schedule else []), "UTC"]
    days = [now + timedelta(days=7 * week) for week in range(53)]
    for where in candidates:
        local = [day.astimezone(zone(where)) for day in days]
        if zones and all(
            clocks.offset(each.replace(tzinfo=None)) == each.utcoffset() for clocks in zones.values() for each in local
        ):
            return where
    return None


def role_times(role: Mapping[str, str], timezone: str, now: datetime, count: int = 5) -> tuple[str, ...]:
    """Return the next ``count`` times of the role, whose node has its clocks in ``timezone``, for people."""
    line = line_of_role(role, timezone)
    if line is None:
        return ()
    cadence, moment = Cadence((line,)), now
    found: list[str] = []
    while len(found) < count:
        following = cadence.next_after(moment)
        if following is None:
            break
        found.append(show_moment(following, timezone))
        moment = following
    return tuple(found)


def describe_role(role: Mapping[str, str]) -> str:
    """Return the schedule of the role in CAU's own words."""
    named = {name.lower(): value for name, value in role.items()}
    said = ", ".join(f"{name} {named[name.lower()]}" for name in _SCHEDULE if named.get(name.lower()))
    return said or "without a schedule that it reports"


def shown_value(value: object) -> str:
    """Return a parameter as text, as the role's own are read (get_cau_cluster_role)."""
    if value is SWITCH:
        return "True"
    if isinstance(value, Mapping):
        return ", ".join(f"{name}={shown_value(inner)}" for name, inner in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return " ".join(map(shown_value, value))
    return "" if value is None else str(value)


def _schedule_differences(wanted: WantedRole, role: Mapping[str, str]) -> tuple[Difference, ...]:
    line, where = wanted.line, wanted.schedule.timezone
    present = line_of_role(role, where)
    named = {name.lower(): value for name, value in role.items()}
    asked = wanted.shown
    if present is None:
        return (Difference("schedule", wanted.schedule.describe(), describe_role(role)),)
    pairs = (
        # The role reports none: then it has not been proven.
        ("StartDate", line.starts, present.starts if named.get("startdate") else None),
        ("DaysOfWeek", line.days_of_week, present.days_of_week),
        ("WeeksOfMonth", line.weeks_of_month, present.weeks_of_month),
        ("IntervalWeeks", line.interval_weeks, present.interval_weeks),
    )
    return tuple(
        Difference(
            name,
            f"{line.starts:%Y-%m-%d %H:%M}" if name == "StartDate" else asked.get(name, ""),
            named.get(name.lower(), ""),
        )
        for name, want, have in pairs
        if want != have
    )


def _is_third_tuesday(role: Mapping[str, str], where: str) -> bool:
    line = line_of_role(role, where)
    if line is None or (line.starts.hour, line.starts.minute) != (3, 0):
        return False
    return (line.days_of_week, line.weeks_of_month, line.interval_weeks) == _THIRD_TUESDAY


def _is_same(one: str, other: str) -> bool:
    return _comparable(one) == _comparable(other)


def _comparable(text: str) -> tuple[str, ...]:
    """Return what two texts of the same value have in common: the case, the order of a table and leading zeros do not count."""
    parts = sorted(text.lower().split(", ")) if "=" in text else [text.lower()]
    return tuple(re.sub(r"\b0+(\d)", r"\1", part.strip()) for part in parts)


def _is_nothing(text: str) -> bool:
    return text.strip("0:. ") == "" or text.lower() in ("false", "none", "@()")
