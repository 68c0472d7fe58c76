"""The vendor's own tests of a cluster: CAU's best practices, and cluster validation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from include.hci.cluster.values import squeeze
from include.hci.powershell.command import Command
from include.hci.powershell.psobject import PSObject
from include.hci.powershell.shell import Shell

#: Both visit every node and take minutes.
_CAU_TIMEOUT, _CLUSTER_TIMEOUT = timedelta(minutes=30), timedelta(hours=2)
_FAILED = frozenset({"failed", "fail", "error", "warning", "noncompliant"})
#: What the analyser says of a rule before it knows how that comes out (its library, CauCommon.ps1: Started, Succeeded, Failed).
_BEGUN = "started"


@dataclass(frozen=True, slots=True)
class CauFinding:
    """What Test-CauSetup says of one rule, which it calls by its number; ``state`` and ``severity`` are as they came."""

    rule: str
    title: str
    state: str = ""
    severity: str = ""
    machines: tuple[str, ...] = ()

    @property
    def is_failed(self) -> bool:
        """Whether the rule is broken: a machine failed it, or its state says so."""
        return bool(self.machines) or squeeze(self.state) in _FAILED

    @property
    def is_open(self) -> bool:
        """Whether the rule was begun and no result of it was told."""
        return squeeze(self.state) == _BEGUN


@dataclass(frozen=True, slots=True)
class ClusterValidation:
    """What Test-Cluster left behind.

    ``report`` is the report's path on the machine that ran it, ``length`` its bytes where that is known. ``warnings`` are what it
    said beside it, in the language of the server: they are counted and shown, never read for words (azure-stack-docs,
    update-cluster, known issues).
    """

    report: str
    warnings: tuple[str, ...] = ()
    length: int | None = None


def test_cau_setup(shell: Shell, cluster: str) -> tuple[CauFinding, ...]:
    """Return the findings of CAU's best practices analyser, one per rule (Test-CauSetup).

    The cmdlet reports a rule several times while it works; what it says last counts. The sentence with which it ends
    (windows-powershell-docs, Test-CauSetup) is no finding.
    """
    command = Command("Test-CauSetup", {"ClusterName": cluster})
    output = shell.run(command, timeout=_CAU_TIMEOUT).require().output
    found: dict[str, CauFinding] = {}
    for item in output:
        if isinstance(item, PSObject):
            finding = _finding(item)
            if rule := finding.rule or finding.title:
                found[rule] = finding
    return tuple(found.values())


def test_cluster(shell: Shell, categories: Sequence[str], cluster: str = "") -> ClusterValidation:  # noqa: PT028
    """Run cluster validation for ``categories`` of tests and return its report (Test-Cluster).

    ``cluster`` is its name where ``shell`` is on a machine outside of it.

    Storage tests leave alone what is in use, because the command is never sent with -Force. It creates a local account on every
    node and removes it again, so it counts as a change.
    """
    where = {"Cluster": cluster} if cluster else {}
    command = Command("Test-Cluster", {**where, "Include": list(categories), "Confirm": False}, changes=True)
    result = shell.run(command, timeout=_CLUSTER_TIMEOUT).require()
    reports = [
        (item.string("FullName", "") or item.text or "", item.integer("Length", None))
        for item in result.output
        if isinstance(item, PSObject)
    ]
    path, length = next((each for each in reports if each[0]), ("", None))
    return ClusterValidation(path, tuple(str(message) for message in result.warnings), length)


def _finding(item: PSObject) -> CauFinding:
    return CauFinding(
        rule=item.string("RuleId", ""),
        title=item.string("Title", ""),
        state=item.string("State", ""),
        severity=item.string("Severity", ""),
        machines=tuple(filter(None, item.strings("FailedMachines", ()))),
    )
