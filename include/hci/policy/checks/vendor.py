"""The vendor's own tests as checks: a row per finding of Test-CauSetup, and one for cluster validation."""

from __future__ import annotations

import re
from dataclasses import dataclass

from include.hci.cluster.validation import CauFinding
from include.hci.policy.checks.facts import ReadinessFacts
from include.hci.policy.checks.judging import Row, judge
from include.hci.policy.checks.result import CheckResult, Severity, Status

CRITICAL, WARNING, INFORMATION = Severity.CRITICAL, Severity.WARNING, Severity.INFORMATION


@dataclass(frozen=True, slots=True)
class CauRule:
    """One of CAU's best practices (windowsserverdocs, cluster-aware-updating-requirements).

    ``words`` stand in its title. ``ours`` is how grave it is when it is broken and this coordinator updates the cluster, ``cau``
    when CAU does; None: it does not concern the run then.
    """

    id: str
    words: tuple[str, ...]
    ours: Severity | None
    cau: Severity | None
    remediation: str


#: In the order of the vendor's table. The more particular titles stand first where words of one are in another.
CAU_RULES: tuple[CauRule, ...] = (
    CauRule(
        "cau-available",
        ("cluster", "must be available"),
        CRITICAL,
        CRITICAL,
        "Mend the cluster's name in DNS, and bring the nodes up.",
    ),
    CauRule(
        "cau-wmi",
        ("remote management via wmi",),
        WARNING,
        CRITICAL,
        "Set-WSManQuickConfig on the node; rule 'Windows Remote Management (HTTP-In)'.",
    ),
    CauRule("cau-remoting", ("powershell remoting",), WARNING, CRITICAL, "Enable-PSRemoting on the node."),
    CauRule(
        "cau-version",
        ("cluster must be running",),
        WARNING,
        CRITICAL,
        "Bring the nodes to a version that CAU supports.",
    ),
    CauRule(
        "cau-framework", (".net framework",), INFORMATION, WARNING, "Install-WindowsFeature NET-Framework-45-Core."
    ),
    CauRule(
        "cau-service", ("cluster service",), CRITICAL, CRITICAL, "Start ClusSvc, and set it to start automatically."
    ),
    CauRule(
        "cau-automatic",
        ("automatic updates",),
        CRITICAL,
        CRITICAL,
        "Set Automatic Updates to notify (2) or download and notify (3), or off.",
    ),
    CauRule("cau-source", ("same update source",), WARNING, WARNING, "Give all nodes the same WSUS server, or none."),
    CauRule(
        "cau-firewall",
        ("firewall rule", "remote shutdown"),
        INFORMATION,
        CRITICAL,
        "Enable the rule group 'Remote Shutdown' for the domain profile.",
    ),
    CauRule(
        "cau-proxy",
        ("proxy",),
        INFORMATION,
        WARNING,
        'netsh winhttp set proxy host:port "<local>"; without a proxy it can be ignored.',
    ),
    CauRule("cau-role-installed", ("clustered role", "installed"), None, None, "Add-CauClusterRole."),
    CauRule("cau-role-enabled", ("clustered role", "enabled"), None, None, "Enable-CauClusterRole."),
    CauRule(
        "cau-plugin",
        ("plug-in", "registered on all"),
        None,
        WARNING,
        "Install the plug-in on every node and register it (Register-CauPlugin).",
    ),
    CauRule("cau-plugins-same", ("same set", "plug-ins"), None, WARNING, "Register the same plug-ins on all nodes."),
    CauRule(
        "cau-options",
        ("run options", "valid"),
        None,
        WARNING,
        "Set-CauClusterRole with valid options, and read them back.",
    ),
    CauRule("cau-owners", ("owners", "clustered role"), None, WARNING, "Make all nodes possible owners of the role."),
    CauRule(
        "cau-scripts-same", ("identical", "scripts"), None, WARNING, "Give all owners the same copy of the scripts."
    ),
    CauRule("cau-scripts", ("access", "scripts"), None, WARNING, "Give all owners read access to the scripts."),
    CauRule("cau-warn-after", ("warnafter", "stopafter"), None, WARNING, "Make WarnAfter shorter than StopAfter."),
)

#: The same rules by the numbers under which Test-CauSetup reports them in every language (the script of CAU's best practices
#: analyser, ClusterAwareUpdating.ps1).
_NUMBERED = (
    "cau-available",
    "cau-wmi",
    "cau-remoting",
    "cau-version",
    "cau-framework",
    "cau-service",
    "cau-automatic",
    "cau-source",
    "cau-firewall",
    "cau-proxy",
    "cau-role-installed",
    "cau-role-enabled",
    "cau-plugin",
    "cau-plugins-same",
    "cau-options",
    "cau-owners",
    "cau-scripts",
    "cau-scripts-same",
    "cau-warn-after",
)
_BY_NUMBER = {
    str(number): next(rule for rule in CAU_RULES if rule.id == name) for number, name in enumerate(_NUMBERED, start=1)
}

_SETUP = Row("cau-setup", "CAU's best practices are kept", WARNING, "Run Test-CauSetup by hand.", ("cau-setup",))
_VALIDATION = Row(
    "validation",
    "Cluster validation finds nothing",
    WARNING,
    "Read the report: it tells in its own words what was found.",
    ("validation",),
)


def check_vendor_tests(facts: ReadinessFacts, uses_cau: bool = False) -> tuple[CheckResult, ...]:
    """Return a row per finding of Test-CauSetup and one for Test-Cluster; ``uses_cau``: the run is left to CAU."""
    return (*_cau_setup(facts, uses_cau), _validation(facts))


def rule_of(finding: CauFinding) -> CauRule | None:
    """Return the rule that ``finding`` is about, by the words of its title, else by its number; None for one that is not known.

    Titles are those of the server's language, and numbers those of the versions that are known.
    """
    title = finding.title.lower()
    named = next((rule for rule in CAU_RULES if all(word in title for word in rule.words)), None)
    return named or _BY_NUMBER.get(finding.rule)


def _cau_setup(facts: ReadinessFacts, uses_cau: bool) -> tuple[CheckResult, ...]:
    findings = facts.cau_setup
    if findings is None:
        return (judge(_SETUP, facts, None, ""),)
    if not findings:
        # It reports its first rule whatever it finds.
        said = "Test-CauSetup ended without an error and named no rule, so nothing is known"
        return (CheckResult(_SETUP.id, _SETUP.title, WARNING, Status.UNKNOWN, said, _SETUP.remediation),)
    return tuple(_row(finding, facts, uses_cau) for finding in findings)


def _row(finding: CauFinding, facts: ReadinessFacts, uses_cau: bool) -> CheckResult:
    rule = rule_of(finding)
    title = finding.title or finding.rule
    if rule is None:
        key = "cau-" + re.sub(r"[^a-z0-9]+", "-", (finding.rule or finding.title).lower()).strip("-")
        row = Row(key, title, WARNING, "Get-BpaResult Microsoft/Windows/ClusterAwareUpdating tells how to mend it.")
    else:
        severity = rule.cau if uses_cau else rule.ours
        if severity is None:
            said = "it is about CAU updating the cluster by itself, which this run does not do"
            return CheckResult(rule.id, title, INFORMATION, Status.NOT_APPLICABLE, said)
        row = Row(rule.id, title, severity, rule.remediation)
    where = f"on {', '.join(finding.machines)}" if finding.machines else f"state {finding.state}"
    problems = [f"broken {where}"] if finding.is_failed else []
    if finding.is_open:
        problems.append("it was begun, and its result was not told")
    return judge(row, facts, problems, "kept")


def _validation(facts: ReadinessFacts) -> CheckResult:
    found = facts.validation
    if found is None:
        return judge(_VALIDATION, facts, None, "")
    problems = (
        [f"Test-Cluster gave {len(found.warnings)} warnings: {'; '.join(found.warnings)}"] if found.warnings else []
    )
    if not found.report:
        problems.append("Test-Cluster left no report")
    elif problems:
        problems.append(f"report: {found.report}")
    return judge(_VALIDATION, facts, problems, f"nothing found, report: {found.report}")
