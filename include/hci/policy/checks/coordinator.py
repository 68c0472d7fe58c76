"""Checks of the machine that is to coordinate a run of CAU's: it stands outside, has the tools, and reaches the nodes.

Sources: windowsserverdocs, cluster-aware-updating-requirements; azure-stack-docs, update-cluster; PowerShell-Docs,
ps-remoting-second-hop.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from include.hci.cluster.machine import Build, WindowsVersion
from include.hci.policy.cau_options import too_new
from include.hci.policy.checks.result import CheckResult, Severity, Status

ROLLING_UPGRADE = "Microsoft.RollingUpgradePlugin"
#: Windows Server 2022 or Azure Stack HCI 21H2, and 20H2 with KB5003237 (azure-stack-docs, update-cluster).
_UPGRADES_FROM, _UPGRADES_20H2 = Build(20348), Build(17784, 1737)

_HOST = ("management-host", "There is a machine outside the cluster to coordinate the run")
_OUTSIDE = ("coordinator-outside", "The coordinating machine is not a member of the cluster")
_MODULE = ("coordinator-module", "The coordinating machine has CAU and the plug-ins of the run")
_VERSION = ("coordinator-version", "Windows on the coordinating machine is new enough for the plug-ins and the options")
_CREDENTIALS = ("coordinator-credentials", "What runs on the coordinating machine can log on to the nodes")


@dataclass(frozen=True, slots=True)
class CoordinatorFacts:
    """What was read of the management host; what is None could not be, for the reason in ``problem``.

    ``passes_credentials``: its session does. ``can_delegate``: a session by CredSSP would, and ``accepts`` tells whether the
    machine accepts one now.
    """

    configured: bool
    problem: str = ""
    name: str | None = None
    version: WindowsVersion | None = None
    plugins: tuple[str, ...] | None = None
    plugins_problem: str = ""
    passes_credentials: bool = False
    can_delegate: bool = False
    accepts: bool | None = None


def check_coordinator(
    facts: CoordinatorFacts,
    members: Iterable[str],
    plugins: Sequence[str],
    parameters: Mapping[str, object],
    *,
    may_switch: bool,
) -> tuple[CheckResult, ...]:
    """Return the checks of the management host for a run with ``plugins`` and ``parameters`` (of Invoke-CauRun).

    ``members`` are the cluster's nodes; ``may_switch``: the run may switch CredSSP on for its time.
    """
    if not facts.configured:
        advice = (
            "Name a management_host for the cluster in the fleet file: a machine with the failover clustering tools."
        )
        return (_failed(_HOST, "the cluster has no management_host", advice),)
    if facts.name is None or facts.version is None:
        advice = "Mend the connection of the management host, then start another run."
        return (_failed(_HOST, f"the management host does not answer: {facts.problem}", advice),)
    return (
        _passed(_HOST, f"{facts.name}, {facts.version.product or 'Windows'} {facts.version.build}"),
        _outside(facts.name, members),
        _module(facts, plugins),
        _version(facts.version, facts.name, plugins, parameters),
        _credentials(facts, facts.name, may_switch=may_switch),
    )


def is_same_machine(one: str, other: str) -> bool:
    """Tell whether two names, short or fully qualified, are of one machine."""
    return bool(one) and one.split(".")[0].lower() == other.split(".")[0].lower()


def _outside(name: str, members: Iterable[str]) -> CheckResult:
    if any(is_same_machine(name, member) for member in members):
        said = f"{name} is a node of the cluster: it would restart in the middle of its own run"
        return _failed(_OUTSIDE, said, "Name a machine outside the cluster as its management_host.")
    return _passed(_OUTSIDE, f"{name} is not a node of the cluster")


def _module(facts: CoordinatorFacts, plugins: Sequence[str]) -> CheckResult:
    advice = "Install the failover clustering tools there (RSAT-Clustering-Mgmt, RSAT-Clustering-PowerShell), and the plug-in."
    if facts.plugins is None:
        return _failed(_MODULE, f"ClusterAwareUpdating cannot be used on {facts.name}: {facts.plugins_problem}", advice)
    known = {name.lower() for name in facts.plugins}
    missing = [name for name in plugins if name.lower() not in known]
    if missing:
        return _failed(_MODULE, f"{', '.join(missing)} is not registered on {facts.name}", advice)
    return _passed(_MODULE, f"{facts.name} has {', '.join(plugins)}")


def _version(
    version: WindowsVersion, name: str, plugins: Sequence[str], parameters: Mapping[str, object]
) -> CheckResult:
    build = version.build
    problems = []
    upgrades = build >= _UPGRADES_FROM or (build.number == _UPGRADES_20H2.number and build >= _UPGRADES_20H2)
    if ROLLING_UPGRADE.lower() in {plugin.lower() for plugin in plugins} and not upgrades:
        problems.append(f"{ROLLING_UPGRADE} needs Windows Server 2022, Azure Stack HCI 21H2, or 20H2 with KB5003237")
    if unknown := too_new(parameters, build.number):
        problems.append(f"its Invoke-CauRun has no {', '.join(f'-{each}' for each in unknown)}")
    if problems:
        advice = "Use a newer management host, or leave the options out that need one."
        return _failed(_VERSION, f"{name} has build {build}: {'; '.join(problems)}", advice)
    return _passed(_VERSION, f"{name} has build {build}")


def _credentials(facts: CoordinatorFacts, name: str, *, may_switch: bool) -> CheckResult:
    advice = (
        "Give the connection of the management host auth credssp (or negotiate_delegate with a host that is trusted for"
        " delegation), or let the run switch CredSSP on there for its time (credssp: when_needed)."
    )
    if facts.passes_credentials:
        return _passed(_CREDENTIALS, "the connection passes its credentials on")
    if not facts.can_delegate:
        return _failed(_CREDENTIALS, f"the connection of {name} passes none on and has no password to delegate", advice)
    if facts.accepts is None:
        return _failed(
            _CREDENTIALS, f"whether {name} accepts delegated credentials cannot be read: {facts.problem}", advice
        )
    if facts.accepts:
        return _passed(_CREDENTIALS, f"{name} accepts delegated credentials")
    if may_switch:
        return _passed(_CREDENTIALS, f"CredSSP is switched on on {name} for the time of the run")
    return _failed(
        _CREDENTIALS, f"{name} accepts no delegated credentials, and this run may not switch that on", advice
    )


def _passed(row: tuple[str, str], said: str) -> CheckResult:
    return CheckResult(*row, Severity.CRITICAL, Status.PASSED, said)


def _failed(row: tuple[str, str], said: str, advice: str) -> CheckResult:
    return CheckResult(*row, Severity.CRITICAL, Status.FAILED, said, advice)
