"""Changing CAU's self-updating role: set up as profile and schedule ask, switched on or off, removed, or started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from include.hci.cluster.cau import LockHolder
from include.hci.cluster.facade import Cluster
from include.hci.policy.cau_role import role_differences, wanted_role
from include.hci.powershell.errors import CommandFailed
from include.hci.report import events as ev
from include.hci.report.cau_role_events import RoleChange
from include.hci.settings import Schedule
from include.hci.settings.cau_role import CauRoleAction
from include.hci.steps import cau_role_problems as problems
from include.hci.steps.base import read_lock, read_members
from include.hci.steps.cau_role_actions import ChangeRole
from include.hci.steps.cau_role_gate import cadence_problem, role_problem
from include.hci.steps.cau_role_place import RoleFacts, read_role
from include.hci.steps.cau_role_prepare import RoleStep
from include.hci.steps.decisions import Act, Action, Decision, Done, Stop, Wait


@dataclass(frozen=True, slots=True)
class ConfigureFacts:
    """The role as it is, what this run has ordered of it already, and whose lock stands on the cluster.

    ``done`` are orders that came back without an error, ``open`` those of which nobody knows what became of them; both since the
    role was last read back.
    """

    role: RoleFacts
    done: frozenset[RoleChange] = frozenset()
    open: frozenset[RoleChange] = frozenset()
    foreign: tuple[LockHolder, ...] = ()


class ConfigureRole(RoleStep[ConfigureFacts]):
    """Does what the run was asked for; whatever was done before is found by reading, so that doing it twice is harmless."""

    name: ev.StepName = "configure_role"

    def observe(self, cluster: Cluster) -> ConfigureFacts:
        """Read the role, CAU's run and the clocks; the lock only where a run is to begin."""
        done, open_ = self._ordered()
        foreign: tuple[LockHolder, ...] = ()
        if self.asked.action == "update_now":
            foreign = read_lock(cluster, self.context, read_members(cluster)[1]).foreign
        return ConfigureFacts(read_role(cluster), done, open_, foreign)

    def decide(self, facts: ConfigureFacts, now: datetime) -> Decision:
        """Return the next command that is needed, or the end."""
        action, schedule = self.asked.action, self.asked.schedule
        if action == "check":
            return Done("checked", "a check changes nothing")
        if refused := cadence_problem(self.context.cluster, self.asked):
            return Stop(refused)
        if refused := role_problem(self.asked, self.context.options, facts.role, now):
            return Stop(refused)
        if action in ("configure", "enable") and schedule is not None:
            return self._set_up(facts, schedule)
        by_action: Mapping[CauRoleAction, Callable[[ConfigureFacts], Decision]] = {
            "disable": self._disable,
            "remove": self._remove,
            "update_now": self._update_now,
        }
        return by_action[action](facts)

    def refused(self, action: Action, error: CommandFailed, facts: ConfigureFacts, now: datetime) -> Decision | None:
        """Say what is missing where the role cannot be added from a node."""
        if isinstance(action, ChangeRole) and action.change == "add" and facts.role.on_node:
            return Stop(problems.needs_management_host(facts.role.on_node, error))
        return None

    def _set_up(self, facts: ConfigureFacts, schedule: Schedule) -> Decision:
        state, wanted = facts.role.state, wanted_role(schedule, self.context.options)
        different = () if state.role is None else role_differences(wanted, state.role)
        if self.asked.action == "enable" and (state.role is None or different):
            return Stop(problems.configure_first(different))
        if state.role is None:
            if "add" in facts.done:
                return Wait("the role was added and is not to be seen yet")
            names = (self.asked.virtual_computer_object_name or "", self.asked.group_name or "")
            action = ChangeRole("add", None, wanted.parameters, *names)
            return Act(action, "the cluster has no self-updating role")
        if different and "set" not in facts.done:
            said = "; ".join(map(str, different))
            return Act(ChangeRole("set", state.role, wanted.parameters), f"the role is not as asked for: {said}")
        if different:
            # Setting it once more would change nothing: reading it back, which comes next, names what is left.
            return Done(
                "different", f"the role was set, and is still not as asked for: {'; '.join(map(str, different))}"
            )
        if state.enabled is False:
            return self._order(facts, "enable", "the role is disabled, so its schedule does not count")
        return Done("configured", f"the role is there, enabled, and as asked for: {schedule.describe()}")

    def _disable(self, facts: ConfigureFacts) -> Decision:
        if facts.role.state.role is None:
            return Done("absent", "the cluster has no self-updating role")
        if facts.role.state.enabled is False:
            return Done("disabled", "the role is disabled; its settings are kept")
        return self._order(facts, "disable", "the role is enabled")

    def _remove(self, facts: ConfigureFacts) -> Decision:
        if facts.role.state.role is None:
            return Done("absent", "the cluster has no self-updating role")
        return self._order(facts, "remove", "the cluster has a self-updating role")

    def _update_now(self, facts: ConfigureFacts) -> Decision:
        if facts.done & {"update-now"} or facts.open & {"update-now"}:
            # A second order would begin a second run: whether the first one has begun is seen by watching for it.
            return Done("ordered", "the role was told to update the cluster now")
        if facts.role.state.role is None or facts.role.state.enabled is False:
            return Stop(problems.nothing_to_start(facts.role.state.role is not None))
        if not facts.role.run.is_free:
            return Stop(problems.cau_is_updating(facts.role.run))
        if facts.foreign:
            return Stop(problems.locked(facts.foreign))
        return Act(ChangeRole("update-now", facts.role.state.role), "a person asked for it")

    def _order(self, facts: ConfigureFacts, change: RoleChange, why: str) -> Decision:
        if change in facts.done:
            return Wait(f"{why}, although {change} was ordered")
        return Act(ChangeRole(change, facts.role.state.role), why)

    def _ordered(self) -> tuple[frozenset[RoleChange], frozenset[RoleChange]]:
        """Return what was done, and what may have been, since the role was last read back."""
        done: set[RoleChange] = set()
        open_: set[RoleChange] = set()
        for entry in self.context.record.events():
            match entry.event:
                case ev.RoleRead():
                    done.clear()
                    open_.clear()
                case ev.RoleChanging():
                    open_.add(entry.event.role_change)
                case ev.RoleChangeRefused():
                    open_.discard(entry.event.role_change)
                case ev.RoleChanged():
                    open_.discard(entry.event.role_change)
                    done.add(entry.event.role_change)
        return frozenset(done), frozenset(open_)
