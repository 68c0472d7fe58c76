"""Reading CAU's self-updating role back: what was asked for is proven, or every difference is named."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.policy.cau_role import RoleAudit, audit_role, role_times, shown_zone, wanted_role
from include.hci.report import events as ev
from include.hci.report.cau_role_events import RoleDifference
from include.hci.steps import cau_role_problems as problems
from include.hci.steps.cau_role_place import RoleFacts, read_role
from include.hci.steps.cau_role_prepare import RoleStep
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Clock, Decision, Done, Stop, Wait

#: A run that was ordered begins with a scan of all nodes, which is to be seen well before this.
_BEGINS_WITHIN = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class VerifyFacts:
    """The role as it was read at ``at``, and what is wrong with it; ``ordered``: when a run of it was ordered, if one was."""

    role: RoleFacts
    audit: RoleAudit
    at: datetime
    ordered: datetime | None = None


class VerifyRole(RoleStep[VerifyFacts]):
    """Proves what the run was asked for by reading; ``clock`` tells which times are still to come."""

    name: ev.StepName = "verify_role"

    def __init__(self, context: StepContext, clock: Clock = lambda: datetime.now(UTC)) -> None:
        super().__init__(context)
        self.clock = clock

    def observe(self, cluster: Cluster) -> VerifyFacts:
        """Read the role as it is now."""
        role, now = read_role(cluster), self.clock()
        ordered = [
            entry.at
            for entry in self.context.record.events()
            if isinstance(entry.event, ev.RoleChanging) and entry.event.role_change == "update-now"
        ]
        audit = audit_role(role.state, self.asked.schedule, self.context.options, now)
        return VerifyFacts(role, audit, now, ordered[-1] if ordered else None)

    def decide(self, facts: VerifyFacts, now: datetime) -> Decision:
        """Return whether what was asked for is so."""
        action, state = self.asked.action, facts.role.state
        if action == "update_now":
            return self._run_begun(facts)
        if action == "disable":
            off = state.role is None or state.enabled is False
            return Done("off", "the role is off") if off else Stop(problems.still_there("is still enabled"))
        if action == "remove":
            gone = state.role is None
            return Done("gone", "the role is gone") if gone else Stop(problems.still_there("is still there"))
        if not facts.audit.is_right:
            return Stop(problems.not_as_asked(facts.audit, action))
        schedule = self.asked.schedule
        if schedule is not None and schedule.run_by == "cau":
            return Done("proven", f"the role is enabled and reads back as asked for: {schedule.describe()}")
        is_off = "there is no self-updating role" if state.role is None else "the role is disabled"
        return Done("proven", f"{is_off}: nobody but this coordinator updates the cluster by itself")

    def events(self, facts: VerifyFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put the role on record as it was read back, whatever was found."""
        if not isinstance(decision, Done | Stop):
            return ()
        state, schedule = facts.role.state, self.asked.schedule
        by_cau = schedule is not None and schedule.run_by == "cau"
        asked = wanted_role(schedule, self.context.options).shown if schedule is not None and by_cau else None
        where = shown_zone(state.zones, schedule, facts.at)
        counts = state.role is not None and state.enabled is not False and where is not None
        return (
            ev.RoleRead(
                present=state.role is not None,
                enabled=state.enabled,
                parameters=dict(state.role or {}),
                asked=asked,
                findings=facts.audit.findings,
                differences=tuple(
                    RoleDifference(name=each.name, asked=each.asked, found=each.found)
                    for each in facts.audit.differences
                ),
                times=role_times(state.role, where, facts.at) if counts and state.role and where else (),
                zones={node: zone.name for node, zone in state.zones.items()},
                cau_run=facts.role.run.state,
                proven=isinstance(decision, Done),
            ),
        )

    def _run_begun(self, facts: VerifyFacts) -> Decision:
        run = facts.role.run
        if run.state == "RunInProgress":
            who = f", coordinated by {run.coordinator}" if run.coordinator else ""
            return Done("running", f"the role updates the cluster{who}", {"run_id": run.run_id})
        if run.state == "RunFailed":
            return Stop(problems.no_run_seen(run.state))
        if facts.ordered is None:
            return Stop(problems.still_there("was not told to update the cluster"))
        deadline = facts.ordered + _BEGINS_WITHIN
        return Wait(
            "the role was told to update the cluster; its run is not to be seen yet",
            None,
            deadline,
            problems.no_run_seen(run.state),
        )
