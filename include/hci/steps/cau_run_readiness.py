"""Readiness for a run that CAU coordinates from the management host: the checks of any run, and those of that machine."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

from include.hci.cluster.as_found import get_credssp
from include.hci.cluster.cau_runs import get_cau_plugins, get_last_report_id
from include.hci.cluster.facade import Cluster
from include.hci.cluster.machine import get_windows_version
from include.hci.policy.cau_options import cau_parameters
from include.hci.policy.checks.coordinator import CoordinatorFacts, check_coordinator
from include.hci.policy.readiness import CheckResult, ReadinessFacts, Severity, check_readiness
from include.hci.powershell.errors import RemotingError
from include.hci.settings import RunOptions
from include.hci.settings.profile import not_by_cau
from include.hci.steps.cau_run_access import ask, get_computer_name, readers, request_of
from include.hci.steps.readiness import Readiness, rules_of

#: CAU's own rule about the firewall is mended by the run itself where it is told to enable the rules.
_FIREWALL = "cau-firewall"
#: What a run that has lost its coordinator leaves as it is: paused nodes, and storage that waits for them.
_LEFT_BEHIND = frozenset(
    {
        "cau-run",
        "lock",
        "nodes-up",
        "quorum",
        "memory",
        "storage",
        "pools",
        "volume-access",
        "pending-roles",
        "servicing",
    }
)


@dataclass(frozen=True, slots=True)
class CauReadinessFacts(ReadinessFacts):
    """What was read of the cluster and of the management host; ``last_report`` is the id of CAU's newest report."""

    coordinator: CoordinatorFacts = field(default_factory=lambda: CoordinatorFacts(configured=False))
    last_report: str = ""


class CauReadiness(Readiness):
    """Refuses what CAU would refuse, and what would leave it half-way."""

    def observe(self, cluster: Cluster) -> CauReadinessFacts:
        """Read the cluster as for any run, then the management host."""
        found = super().observe(cluster)
        known = {item.name: getattr(found, item.name) for item in fields(ReadinessFacts)}
        last = ""
        if found.cau_run is not None and not found.cau_run.is_free:
            try:
                last = ask(readers(cluster), lambda shell: get_last_report_id(shell, cluster.name))
            except RemotingError:
                last = ""
        return CauReadinessFacts(**known, coordinator=read_coordinator(cluster), last_report=last)

    def checks(self, facts: ReadinessFacts) -> tuple[CheckResult, ...]:
        """Return the checks of ``facts`` for a run that is left to CAU."""
        options, request = self.context.options, request_of(self.context)
        found = check_readiness(facts, rules_of(self.context, uses_cau=True))
        if not isinstance(facts, CauReadinessFacts):
            return found
        if options.enable_firewall_rules:
            found = tuple(_told(check) if check.id == _FIREWALL else check for check in found)
        if request.force_recovery == "allow" and _is_left_behind(facts):
            # Everything is judged again once that is recovered, before anything is begun.
            found = tuple(_told(check) if check.id in _LEFT_BEHIND else check for check in found)
        members = [node.name for node in facts.nodes]
        may_switch = request.credssp == "when_needed"
        parameters = run_parameters(options)
        own = check_coordinator(
            facts.coordinator, (*members, *facts.expected), options.cau_plugin_name, parameters, may_switch=may_switch
        )
        return (*own, *found)


def _told(check: CheckResult) -> CheckResult:
    return replace(check, severity=Severity.INFORMATION)


def run_parameters(options: RunOptions) -> dict[str, object]:
    """Return the parameters of Invoke-CauRun for ``options``; raises ValueError for options on which CAU does not act."""
    if refused := not_by_cau(options):
        raise ValueError("; ".join(f"{name} {why}" for name, why in refused.items()))
    switched = {"ForceSelfUpdate": True} if options.force_self_update else {}
    return {**cau_parameters(options), **switched}


def read_coordinator(cluster: Cluster) -> CoordinatorFacts:
    """Read the management host; what does not answer is a finding."""
    host = cluster.management()
    if host is None:
        return CoordinatorFacts(configured=False)
    if host.shell is None:
        return CoordinatorFacts(configured=True, problem=host.problem)
    try:
        name, version = get_computer_name(host.shell), get_windows_version(host.shell)
    except RemotingError as error:
        return CoordinatorFacts(configured=True, problem=error.detail)
    plugins: tuple[str, ...] | None = None
    plugins_problem = problem = ""
    accepts: bool | None = None
    try:
        plugins = get_cau_plugins(host.shell)
    except RemotingError as error:
        plugins_problem = error.detail
    if not host.passes_credentials:
        try:
            accepts, _ = get_credssp(host.shell)
        except RemotingError as error:
            problem = error.detail
    return CoordinatorFacts(
        configured=True,
        problem=problem,
        name=name,
        version=version,
        plugins=plugins,
        plugins_problem=plugins_problem,
        passes_credentials=host.passes_credentials,
        can_delegate=host.by_credssp is not None,
        accepts=accepts,
    )


def _is_left_behind(facts: CauReadinessFacts) -> bool:
    """Tell whether all that is in the way is what CAU's last run left: no run is on, and only that one's lock stands."""
    run = facts.cau_run
    if run is None or run.is_free or run.state == "RunInProgress":
        return False
    return all(str(holder.guid).lower() == facts.last_report for holder in facts.holders)
