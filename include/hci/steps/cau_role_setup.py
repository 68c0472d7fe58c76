"""Test-CauSetup before CAU updates the cluster by itself: its critical findings keep the role from being set up or started."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from include.hci.cluster.facade import Cluster
from include.hci.cluster.nodes import ClusterInfo
from include.hci.cluster.validation import CauFinding, test_cau_setup
from include.hci.policy.checks.vendor import check_vendor_tests
from include.hci.policy.readiness import CheckResult, ReadinessFacts, Subject, Unread
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.cau_role_place import role_place
from include.hci.steps.cau_role_prepare import RoleStep
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Clock, Decision, Done, Stop
from include.hci.steps.readings import Readings
from include.hci.steps.reporting import reported_check

#: Not about the setup: cluster validation, and whether there is a role, which is what this run reads back at its end.
_OTHERS = frozenset({"validation", "cau-role-installed", "cau-role-enabled"})


@dataclass(frozen=True, slots=True)
class SetupFacts:
    """What Test-CauSetup says; None where it was not asked, or did not answer, for the reasons beside it."""

    cluster: str
    findings: tuple[CauFinding, ...] | None
    unread: tuple[Unread, ...] = ()
    durations: Mapping[Subject, float] = field(default_factory=dict)
    not_asked: Mapping[Subject, str] = field(default_factory=dict)


class CauSetup(RoleStep[SetupFacts]):
    """Runs Test-CauSetup where it can reach every node; ``clock`` tells how long it took."""

    name: ev.StepName = "cau_setup"

    def __init__(self, context: StepContext, clock: Clock = lambda: datetime.now(UTC)) -> None:
        super().__init__(context)
        self.clock = clock

    def observe(self, cluster: Cluster) -> SetupFacts:
        """Ask the management host; a session on a node has no credentials for the other nodes."""
        readings = Readings(self.clock)
        place = role_place(cluster)
        found = None
        if not self.looks:
            readings.not_asked["cau-setup"] = "switching the role off needs nothing of the nodes"
        elif not self.context.options.check_cau_setup:
            readings.not_asked["cau-setup"] = "the option check_cau_setup is off"
        elif place.on_node:
            readings.not_asked["cau-setup"] = place.on_node
        else:
            found = readings.cluster("cau-setup", (place.shell,), lambda shell: test_cau_setup(shell, cluster.name))
        return SetupFacts(cluster.name, found, tuple(readings.unread), readings.durations, readings.not_asked)

    def decide(self, facts: SetupFacts, now: datetime) -> Decision:
        """Refuse where a critical rule is broken and the run is to set the role up, switch it on or start it."""
        checks = self.checks(facts)
        if blocked := [check for check in checks if self.blocks(check)]:
            return Stop(setup_refusal(blocked, "The role was not touched."))
        return Done("tested", say_setup(facts, checks))

    def events(self, facts: SetupFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put the findings on record."""
        if not isinstance(decision, Done | Stop):
            return ()
        checks = tuple(reported_check(check, refused=self.blocks(check)) for check in self.checks(facts))
        return (ev.ReadinessChecked(step=self.name, checks=checks),)

    def checks(self, facts: SetupFacts) -> tuple[CheckResult, ...]:
        """Return the findings as checks of a run that is left to CAU."""
        return check_setup(facts)

    def blocks(self, check: CheckResult) -> bool:
        """Return whether ``check`` keeps this run from going on."""
        return check.refuses and self.asked.action in ("configure", "enable", "update_now")


def check_setup(facts: SetupFacts) -> tuple[CheckResult, ...]:
    """Return the findings as checks of a run that is left to CAU."""
    given = ReadinessFacts(
        cluster=ClusterInfo(facts.cluster),
        nodes=(),
        expected=(),
        cau_setup=facts.findings,
        unread=facts.unread,
        durations=facts.durations,
        not_asked=facts.not_asked,
    )
    return tuple(check for check in check_vendor_tests(given, uses_cau=True) if check.id not in _OTHERS)


def say_setup(facts: SetupFacts, checks: Sequence[CheckResult]) -> str:
    """Return how many of CAU's rules are kept, and what is to be known of the others."""
    if facts.findings is None:
        return f"Test-CauSetup was not run: {'; '.join((*facts.not_asked.values(), *map(str, facts.unread)))}"
    noticed = [check for check in checks if not check.passed]
    said = f"{len(checks) - len(noticed)} of {len(checks)} of CAU's rules are kept"
    if noticed:
        said += "; to be known: " + "; ".join(f"{check.title}: {check.evidence}" for check in noticed)
    return said


def setup_refusal(blocked: Sequence[CheckResult], untouched: str) -> Problem:
    """Return why nothing is begun; ``untouched`` says what was not changed."""
    advice = dict.fromkeys(check.remediation for check in blocked if check.remediation)
    return Problem(
        title=f"CAU could not update this cluster: {'; '.join(f'{check.title}: {check.evidence}' for check in blocked)}.",
        meaning=f"Test-CauSetup says so. {untouched}",
        next_action=f"{' '.join(advice)} Then clear this task with everything downstream.",
        retry_is_safe=False,
    )
