"""Test-CauSetup before a feature update: what is critical among its findings keeps anything from being begun."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from include.hci.cluster.facade import Cluster
from include.hci.cluster.validation import test_cau_setup
from include.hci.policy.readiness import CheckResult, Severity
from include.hci.report import events as ev
from include.hci.steps.base import BaseStep
from include.hci.steps.cau_role_setup import SetupFacts, check_setup, say_setup, setup_refusal
from include.hci.steps.cau_run_access import feature_request
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Clock, Decision, Done, Stop
from include.hci.steps.feature_reach import Reach, no_reach, open_reach, read_reach
from include.hci.steps.reporting import reported_check

#: What the step ``remoting`` sets up, which a run that ends with its preview leaves alone.
_SET_UP_LATER = frozenset({"cau-wmi", "cau-remoting", "cau-firewall"})


@dataclass(frozen=True, slots=True)
class FeatureSetupFacts:
    """From where the nodes are reached, and what Test-CauSetup says once they are."""

    reach: Reach
    setup: SetupFacts


class FeatureSetup(BaseStep[FeatureSetupFacts]):
    """Runs Test-CauSetup on the management host; ``clock`` tells how long it took."""

    name: ev.StepName = "cau_setup"

    def __init__(self, context: StepContext, clock: Clock = lambda: datetime.now(UTC)) -> None:
        super().__init__(context)
        self.clock = clock

    def observe(self, cluster: Cluster) -> FeatureSetupFacts:
        """Run it where it can reach every node; an error of its own is for the next try."""
        if not self.context.options.check_cau_setup:
            left_out = SetupFacts(cluster.name, None, not_asked={"cau-setup": "the option check_cau_setup is off"})
            return FeatureSetupFacts(Reach(), left_out)
        reach = read_reach(cluster)
        if reach.shell is None:
            return FeatureSetupFacts(reach, SetupFacts(cluster.name, None, not_asked={"cau-setup": reach.why}))
        begun = self.clock()
        found = test_cau_setup(reach.shell, cluster.name)
        took = (self.clock() - begun).total_seconds()
        return FeatureSetupFacts(reach, SetupFacts(cluster.name, found, durations={"cau-setup": took}))

    def decide(self, facts: FeatureSetupFacts, now: datetime) -> Decision:
        """Refuse where a critical rule is broken: CAU would fail, or restart what it must not."""
        if opening := open_reach(facts.reach, feature_request(self.context), self.name):
            return opening
        if facts.setup.findings is None and self.context.options.check_cau_setup:
            return Stop(no_reach(facts.reach, "Test-CauSetup"))
        checks = self.checks(facts)
        if blocked := [check for check in checks if check.refuses]:
            return Stop(setup_refusal(blocked, "No node was touched but for its remote management."))
        return Done("tested", say_setup(facts.setup, checks))

    def events(self, facts: FeatureSetupFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put the findings on record."""
        if not isinstance(decision, Done | Stop):
            return ()
        checks = tuple(reported_check(check, refused=check.refuses) for check in self.checks(facts))
        return (ev.ReadinessChecked(step=self.name, checks=checks),)

    def may_cancel(self, facts: FeatureSetupFacts, decision: Decision) -> bool:
        """It only reads; what was switched on for it is switched off at the end of the run."""
        return True

    def checks(self, facts: FeatureSetupFacts) -> tuple[CheckResult, ...]:
        """Return the findings as checks."""
        found = check_setup(facts.setup)
        if not self.context.options.plan_only:
            return found
        return tuple(
            replace(check, severity=Severity.INFORMATION) if check.id in _SET_UP_LATER else check for check in found
        )
