"""The CAU clustered role: its options, its schedule, its runs (windows-powershell-docs, Set-CauClusterRole)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from include.simulator.world.cau_schedule import Schedule, check_weeks, default_schedule, weekdays
from include.simulator.world.groups import Group, GroupState
from include.simulator.world.spec import CauRoleSpec

if TYPE_CHECKING:
    from include.simulator.world.agenda import Timer
    from include.simulator.world.machines import Node
    from include.simulator.world.world import World

#: The variant in which a role with RunOnce waits for -UpdateNow.
RUN_ONCE_WAITS = "cau-run-once-waits-for-update-now"
_SCHEDULE = ("StartDate", "DaysOfWeek", "WeeksOfMonth", "IntervalWeeks", "RunOnce")


class RoleError(Exception):
    """The role cannot be changed like this; ``id`` is what the error carries."""

    def __init__(self, id: str, text: str) -> None:
        super().__init__(text)
        self.id = id


@dataclass(slots=True)
class CauRole:
    """The role's settings: ``schedule`` None means once, ``options`` are those of a run by parameter name, as they were given."""

    schedule: Schedule | None
    options: dict[str, object] = field(default_factory=dict)
    computer_name: str = ""
    prestaged: bool = False
    possible_owners: tuple[str, ...] = ()
    done_once: bool = False
    timer: Timer | None = None
    next_run: datetime | None = None


class Roles:
    """Installs, changes and removes the role, and starts its runs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.role: CauRole | None = None
        self.group: Group | None = None

    @property
    def enabled(self) -> bool:
        """Whether the role runs or should run."""
        return self.group is not None and self.group.wanted

    def from_spec(self, spec: CauRoleSpec) -> None:
        """Install the role as a world's specification has it, or give the role that is there its schedule."""
        days, weeks = weekdays(spec.days_of_week), tuple(spec.weeks_of_month)
        if self.role is None:
            self.add({}, {}, owner=self._world.nodes[0], enabled=spec.enabled)
        role, _ = self._require()
        role.schedule = replace(role.schedule or default_schedule(self._world.now), days=days, weeks=weeks, interval=0)
        if spec.enabled is not self.enabled:
            self.enable(spec.enabled)
        self._arm()
        self._tell("set")

    def add(
        self,
        schedule: Mapping[str, object],
        options: Mapping[str, object],
        *,
        owner: Node,
        enabled: bool = True,
        group_name: str = "",
        computer_name: str = "",
    ) -> None:
        """Install the role; raises RoleError where there is one."""
        if self.role is not None:
            raise RoleError(
                "ClusterRoleAlreadyExists",
                "The cluster is already configured with a Cluster-Aware Updating clustered role.",
            )
        made_up = f"CAU{self._world.spec.cluster.replace('-', '')[:6]}"
        name = group_name or computer_name or made_up
        state = GroupState.Online if enabled else GroupState.Offline
        planned = self._planned(schedule)
        self.role = CauRole(
            planned,
            {key: value for key, value in options.items() if value is not None},
            computer_name or made_up,
            bool(computer_name),
            tuple(node.name for node in self._world.nodes),
        )
        self.group = self._world.groups.add_role(name, owner, state)
        self._tell("added")
        self._arm()

    def set(self, schedule: Mapping[str, object], options: Mapping[str, object], *, use_default: bool) -> None:
        """Change the role.

        What the call does not say of the schedule becomes the third Tuesday at three, whatever stood there before
        (AzureLocal-Supportability: OS update automatically set to run on third Tuesday). An option without a value is taken away.
        """
        role, _ = self._require()
        role.schedule, role.done_once = self._planned(schedule), False
        kept = {} if use_default else role.options
        role.options = {key: value for key, value in {**kept, **options}.items() if value is not None}
        self._tell("set")
        self._arm()

    def enable(self, enabled: bool) -> None:
        """Bring the role online or take it offline; its settings stay."""
        _, group = self._require()
        if not enabled and self._world.cau.run is not None and self._world.cau.run.by_role:
            raise RoleError("RunInProgress", "A Cluster-Aware Updating run is in progress.")
        group.wanted = enabled
        state = GroupState.Online if enabled else GroupState.Offline
        if group.state is not state:
            how = "enabled" if enabled else "disabled"
            self._world.groups.set_state(group, state, f"the CAU role was {how}")
            self._tell(how)
        self._arm()

    def remove(self) -> None:
        """Take the role away, with its computer object unless that was prestaged."""
        role, group = self._require()
        if self._world.cau.run is not None and self._world.cau.run.by_role:
            raise RoleError("RunInProgress", "A Cluster-Aware Updating run is in progress.")
        if role.timer:
            role.timer.cancel()
        detail = {"computer_object_deleted": not role.prestaged}
        self._tell("removed", **detail)
        if group.state is GroupState.Online:
            self._world.groups.set_state(group, GroupState.Offline, "the CAU role was removed")
        self._world.groups.all.remove(group)
        self.role = self.group = None

    def require(self) -> CauRole:
        """Return the role; raises RoleError where there is none."""
        return self._require()[0]

    def describe(self) -> dict[str, object]:
        """Return the schedule as plain JSON values."""
        role = self.role
        if role is None or role.schedule is None:
            return {"run_once": role is not None}
        found = role.schedule
        return {
            "start_date": found.start.isoformat(),
            "days_of_week": found.days.text,
            "weeks_of_month": [] if found.interval else list(found.weeks),
            "interval_weeks": found.interval or None,
            "next_run": role.next_run.isoformat() if role.next_run else None,
        }

    def moved(self, source: str, destination: str) -> None:
        """Note that the role's group went to another node."""
        self._tell("moved", source=source, destination=destination)

    def updating(self) -> None:
        """Note that the role begins a run."""
        self._tell("updating")

    def _require(self) -> tuple[CauRole, Group]:
        if self.role is None or self.group is None:
            raise RoleError(
                "ClusterRoleNotFound",
                "The current cluster is not configured with a Cluster-Aware Updating clustered role.",
            )
        return self.role, self.group

    def _planned(self, given: Mapping[str, object]) -> Schedule | None:
        if given.get("RunOnce"):
            return None
        standard = default_schedule(self._world.now)
        start = given.get("StartDate")
        days = weekdays(str(given["DaysOfWeek"])) if "DaysOfWeek" in given else standard.days
        raw = given.get("WeeksOfMonth", standard.weeks)
        weeks = tuple(int(each) for each in raw) if isinstance(raw, list | tuple) else standard.weeks
        interval = int(str(given.get("IntervalWeeks", 0)))
        check_weeks(weeks)
        if "IntervalWeeks" in given and interval < 1:
            raise ValueError(f"IntervalWeeks takes 1 and more, not {interval}.")
        return Schedule(start if isinstance(start, datetime) else standard.start, days, weeks, interval)

    def _arm(self) -> None:
        role = self.role
        if role is None:
            return
        if role.timer:
            role.timer.cancel()
        role.timer = role.next_run = None
        if not self.enabled:
            return
        if role.schedule is None:
            due = None if self._world.variant(RUN_ONCE_WAITS) or role.done_once else self._world.now
        else:
            due = self._next(role.schedule)
        if due is not None:
            role.next_run = due
            role.timer = self._world.at(due, self._fire)

    def _next(self, schedule: Schedule) -> datetime | None:
        """Return the next time of a schedule, whose times of day are those of the node that owns the role."""
        zone = ZoneInfo(self._require()[1].owner.time_zone)
        local = schedule.next_after(self._world.now.astimezone(zone).replace(tzinfo=UTC))
        return None if local is None else local.replace(tzinfo=zone).astimezone(UTC)

    def _fire(self) -> None:
        role, group = self._require()
        if role.schedule is None:
            role.done_once = True
        self._arm()
        if group.state is GroupState.Online and group.owner.member:
            self._world.cau.update_now("NT AUTHORITY\\SYSTEM", quiet=True)

    def _tell(self, action: str, **more: object) -> None:
        group = self.group
        owner = group.owner.name if group else None
        detail = {"action": action, "owner": owner, "schedule": self.describe(), "enabled": self.enabled}
        self._world.emit("cau.role", None, detail | more)


def schedule_of(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return those of a command's parameters that make up the schedule."""
    return {name: value for name, value in parameters.items() if name in _SCHEDULE}
