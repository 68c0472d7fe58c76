"""Updating Runs of Cluster-Aware Updating: what one would install, beginning, watching and stopping it, and its report.

Remoting gives an object's properties, and of the objects in them only the text: what lies deeper is expanded on the server by
Select-Object. The names of states are passed on as they come, because few of them are documented.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from include.hci.cluster.updates import Update, UpdateResult, hresult_of
from include.hci.powershell.command import Command, Pipeline
from include.hci.powershell.detached import SETTLE, LeavingShell
from include.hci.powershell.errors import command_failed
from include.hci.powershell.psobject import EnumValue, PSObject
from include.hci.powershell.result import Result
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH, Value

#: The options that a scan takes, and those that a run takes beside them (windows-powershell-docs).
SCAN_PARAMETERS = (
    "CauPluginName",
    "CauPluginArguments",
    "RunPluginsSerially",
    "StopOnPluginFailure",
    "OsRollingUpgrade",
    "AttemptSoftReboot",
    "RebootMode",
)
RUN_PARAMETERS = (
    *SCAN_PARAMETERS,
    "MaxFailedNodes",
    "MaxRetriesPerNode",
    "NodeOrder",
    "RequireAllNodesOnline",
    "RebootTimeoutMinutes",
    "FailbackMode",
    "WarnAfter",
    "StopAfter",
    "EnableFirewallRules",
    "PreUpdateScript",
    "PostUpdateScript",
    "ConfigurationName",
    "SeparateReboots",
    "SuspendClusterNodeTimeoutMinutes",
    "SuspendRetriesPerNode",
    "WaitForStorageRepairTimeoutMinutes",
    "ForcePauseNoDrain",
    "ForcePauseAndDrain",
    "ForcePauseDrainAndReboot",
    "SkipUpdateChecks",
    "ForceSelfUpdate",
    "SiteAwareUpdatingOrder",
)
#: What Get-CauRun says first: of the states only these names are documented.
FREE, IN_PROGRESS, FAILED = "RunNotInProgress", "RunInProgress", "RunFailed"
#: A scan asks every node at once; a report of sixteen nodes is read in pieces.
_SCAN_TIMEOUT, _READ_TIMEOUT = timedelta(minutes=45), timedelta(minutes=5)
#: A recovery visits every node, and must not be broken off in its midst.
_RECOVERY_TIMEOUT = timedelta(minutes=30)
#: What Select-Object says of an object that does not have the property (FullyQualifiedErrorId).
_NOT_FOUND = "ExpandPropertyNotFound"
#: OperationResultCode of the Windows Update Agent, which CAU's ResultCode mirrors as far as anybody knows.
_RESULT_CODES = {
    name: number
    for number, name in enumerate(("notstarted", "inprogress", "succeeded", "succeededwitherrors", "failed", "aborted"))
}


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """What a run says that it does on one node, in CAU's own words, and since when."""

    node: str
    status: str
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class CauRunStatus:
    """CAU's state on a cluster, and the run that is on, where one is; ``finished``: of how many nodes the run has a result."""

    state: str
    run_id: str = ""
    coordinator: str = ""
    started_at: datetime | None = None
    cancel_pending: bool = False
    nodes: tuple[NodeStatus, ...] = ()
    finished: int = 0

    @property
    def is_on(self) -> bool:
        """Whether a run is in progress."""
        return self.state == IN_PROGRESS

    @property
    def is_free(self) -> bool:
        """Whether none is, and none has left anything behind."""
        return self.state == FREE


@dataclass(frozen=True, slots=True)
class Offered:
    """An update that a scan found for a node, and the plug-in that would bring it."""

    node: str
    update: Update
    plugin: str = ""


@dataclass(frozen=True, slots=True)
class CauScan:
    """What a scan gave: ``failed`` maps what it could not ask to the reason."""

    offered: tuple[Offered, ...]
    problems: tuple[str, ...] = ()

    def of(self, node: str) -> tuple[Update, ...]:
        """Return what was found for ``node``."""
        return tuple(each.update for each in self.offered if each.node.lower() == node.lower())


@dataclass(frozen=True, slots=True)
class CauInstall:
    """How one update ended, which plug-in brought it, and when that was."""

    result: UpdateResult
    plugin: str = ""
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What the report says of one node; ``status`` is CAU's SummaryStatus as it came."""

    node: str
    status: str
    error: str = ""
    error_id: str = ""
    succeeded: int = 0
    failed: int = 0
    suspended_at: datetime | None = None
    suspended_for: timedelta | None = None
    updates: tuple[CauInstall, ...] = ()
    transient: tuple[CauInstall, ...] = ()


@dataclass(frozen=True, slots=True)
class CauReport:
    """The report of a run that is over; ``account`` is the one under which updates were installed."""

    run_id: str
    status: str
    started_at: datetime | None = None
    duration: timedelta | None = None
    error_id: str = ""
    error: str = ""
    coordinator: str = ""
    user: str = ""
    account: str = ""
    plugin: str = ""
    nodes: tuple[NodeResult, ...] = ()


def get_cau_status(shell: Shell, cluster: str) -> CauRunStatus:
    """Return CAU's state and, while a run is on, what it does on each node (Get-CauRun).

    What it does stands in the run's NodeStatusNotifications (azure-stack-docs, update-cluster, and Windows Admin Center).
    -ShowClusterNodeState tells of something else: of the WMI objects by which CAU locks the nodes (windows-powershell-docs).
    """
    command = Pipeline((Command("Get-CauRun", {"ClusterName": cluster}),))
    output = shell.run(command).require().output
    if not output:
        return CauRunStatus("Unknown")
    state, run = _text(output[0]), output[1] if len(output) > 1 else None
    if not isinstance(run, PSObject):
        return CauRunStatus(state)
    told = command | _expand("NodeStatusNotifications")
    result = shell.run(told)
    # The state that Get-CauRun gives first has no such property.
    if others := [each for each in result.errors if not each.fully_qualified_error_id.startswith(_NOT_FOUND)]:
        raise command_failed(others, node=result.node, command=result.command)
    statuses = [item for item in result.output if isinstance(item, PSObject)]
    names = _names(shell, told, statuses)
    return CauRunStatus(
        state,
        run_id=_text(run.get("RunId")).lower(),
        coordinator=_text(run.get("CurrentOrchestrator")),
        started_at=run.moment("RunStartTime", None, zone=UTC),
        cancel_pending=run.boolean("CancelPending", False),
        nodes=tuple(
            NodeStatus(name, _text(item.get("Status")), item.moment("Timestamp", None, zone=UTC))
            for name, item in zip(names, statuses, strict=True)
            if name
        ),
        finished=len(results) if isinstance(results := run.get("NodeResults"), list | tuple) else 0,
    )


def invoke_cau_scan(shell: Shell, cluster: str, parameters: Mapping[str, Value]) -> CauScan:
    """Return what CAU's plug-ins find for every node (Invoke-CauScan); it downloads and changes nothing.

    A node that cannot be asked is one of the ``problems``. What a rolling upgrade would install bears its plug-in's name here:
    see ``invoke_upgrade_scan``.
    """
    result = shell.run(_scan(cluster, parameters), timeout=_SCAN_TIMEOUT)
    return CauScan(_offered(result), tuple(record.describe() for record in result.errors))


def invoke_upgrade_scan(shell: Shell, cluster: str, parameters: Mapping[str, Value]) -> CauScan:
    """Return which feature updates of Windows Update the rolling upgrade's plug-in finds for every node, as ``invoke_cau_scan``.

    They stand in UpgradeInstallProperties.WuUpdatesInfo of what the scan gives for a node (azure-stack-docs, update-cluster).
    """
    scan = _scan(cluster, parameters) | _expand("UpgradeInstallProperties") | _expand("WuUpdatesInfo")
    result = shell.run(scan, timeout=_SCAN_TIMEOUT)
    # What the scan gives first belongs to no node and has no such property.
    errors = [each for each in result.errors if not each.fully_qualified_error_id.startswith(_NOT_FOUND)]
    return CauScan(_offered(result), tuple(record.describe() for record in errors))


def _scan(cluster: str, parameters: Mapping[str, Value]) -> Pipeline:
    return Pipeline((Command("Invoke-CauScan", {"ClusterName": cluster, **parameters}, changes=False),))


def _offered(result: Result) -> tuple[Offered, ...]:
    offered = []
    for item in result.output:
        # Entries without a node are CAU's own book-keeping.
        if isinstance(item, PSObject) and (node := item.string("NodeName", "")):
            title = item.string("UpdateTitle", "") or item.string("SourcePlugin", "")
            update = Update(item.string("UpdateId", "") or title, title, item.string("UpdateDescription", ""))
            offered.append(Offered(node, update, item.string("SourcePlugin", "")))
    return tuple(offered)


def leave_cau_run(
    shell: LeavingShell,
    cluster: str,
    parameters: Mapping[str, Value],
    session: UUID,
    lasts: timedelta,
    settle: timedelta = SETTLE,
) -> None:
    """Begin an Updating Run in a session that outlives this program (Invoke-CauRun); its output is not wanted.

    In remote-updating mode the coordinator is the process that runs the cmdlet (windowsserverdocs, cluster-aware-updating).
    """
    shell.leave(run_pipeline(cluster, parameters), session, lasts=lasts, settle=settle)


def run_pipeline(cluster: str, parameters: Mapping[str, Value]) -> Pipeline:
    """Return the commands that begin an Updating Run without asking anybody."""
    run = Command("Invoke-CauRun", {"ClusterName": cluster, **parameters, "Force": SWITCH, "Confirm": False})
    return run | Command("Out-Null", changes=False)


def recover_cau(shell: Shell, cluster: str) -> None:
    """Override the lock of a run whose coordinator is gone; CAU asks nobody (Invoke-CauRun: ForceRecovery)."""
    parameters: dict[str, Value] = {"ClusterName": cluster, "ForceRecovery": SWITCH, "Force": SWITCH, "Confirm": False}
    shell.run(Command("Invoke-CauRun", parameters), timeout=_RECOVERY_TIMEOUT).require()


def stop_cau_run(shell: Shell, cluster: str) -> None:
    """Ask the run that is on to stop; what is under way on a node is brought to an end (Stop-CauRun)."""
    shell.run(Command("Stop-CauRun", {"ClusterName": cluster, "Force": SWITCH})).require()


def get_cau_plugins(shell: Shell) -> tuple[str, ...]:
    """Return the plug-ins that are registered on the machine (Get-CauPlugin)."""
    return tuple(item.string("Name") for item in shell.run(Command("Get-CauPlugin")).require().objects())


def get_last_report_id(shell: Shell, cluster: str) -> str:
    """Return the id of the newest report, empty while there is none."""
    return _run_id(shell, _report(cluster))


def get_cau_report(shell: Shell, cluster: str) -> CauReport | None:
    """Return the newest report in full, or None while there is none (Get-CauReport -Last -Detailed)."""
    report = _report(cluster)
    run_id = _run_id(shell, report)
    outer = _run(shell, report)
    inner = _run(shell, report | _expand("ClusterResult"))
    if not outer.output or not inner.output:
        return None
    head, whole = inner.objects()[0], outer.objects()[0]
    nodes = report | _expand("ClusterResult") | _expand("NodeResults")
    results = _run(shell, nodes).objects()
    names = _names(shell, nodes, results)
    installs = _results(_run(shell, nodes | _expand("InstallResults")))
    transient = _results(_run(shell, nodes | _expand("TransientInstallErrors")))
    errors = _errors(shell, nodes, results)
    [(error_id, error)] = _errors(shell, report | _expand("ClusterResult"), (head,))
    if _run_id(shell, report) != run_id:  # another run has ended meanwhile: what was read is of two reports
        return get_cau_report(shell, cluster)
    return CauReport(
        run_id=run_id,
        status=_text(head.get("Status")),
        started_at=head.moment("StartTimestamp", None, zone=UTC),
        duration=head.duration("RunDuration", None),
        error_id=error_id,
        error=error,
        coordinator=whole.string("OrchestratorMachine", ""),
        user=whole.string("OrchestratorUser", ""),
        account=whole.string("OrchestratorUpdateAccount", ""),
        plugin=whole.string("Plugin", ""),
        nodes=tuple(
            NodeResult(
                node=name,
                status=_text(item.get("Status")),
                error=said,
                error_id=name_of_error,
                succeeded=item.integer("NumberOfSucceededUpdates", 0),
                failed=item.integer("NumberOfFailedUpdates", 0),
                suspended_at=item.moment("NodeSuspendedTimestamp", None, zone=UTC),
                suspended_for=item.duration("NodeSuspendedDuration", None),
                updates=tuple(each for node, each in installs if node.lower() == name.lower()),
                transient=tuple(each for node, each in transient if node.lower() == name.lower()),
            )
            for name, item, (name_of_error, said) in zip(names, results, errors, strict=True)
        ),
    )


def _report(cluster: str) -> Pipeline:
    return Pipeline((Command("Get-CauReport", {"ClusterName": cluster, "Last": SWITCH, "Detailed": SWITCH}),))


def _expand(name: str) -> Command:
    return Command("Select-Object", {"ExpandProperty": name})


def _run(shell: Shell, pipeline: Pipeline) -> Result:
    return shell.run(pipeline, timeout=_READ_TIMEOUT).require()


def _run_id(shell: Shell, report: Pipeline) -> str:
    found = _run(shell, report | _expand("ClusterResult") | _expand("RunId") | _expand("Guid")).output
    return _text(found[0]).lower() if found else ""


def _errors(shell: Shell, pipeline: Pipeline, items: Sequence[PSObject]) -> list[tuple[str, str]]:
    """Return error id and error of each of ``items``, which ``pipeline`` gave; empty where it has none.

    In an item its ErrorRecordData is no more than a text, maybe that of its class. What went wrong is in its ExceptionData
    (AzureLocal-Supportability, Previous-CAU-run-status-was-canceled), which is told where it is known whose one is which.
    """
    failed = [number for number, item in enumerate(items) if item.get("ErrorRecordData") is not None]
    found = [("", _text(item.get("ErrorRecordData"))) for item in items]
    if not failed:
        return found
    output = _run(shell, pipeline | _expand("ErrorRecordData")).output
    records = [record for record in output if isinstance(record, PSObject)]
    for number, record in zip(failed, records, strict=True) if len(records) == len(failed) else ():
        said = _text(record.get("ExceptionData")) or found[number][1]
        found[number] = (record.string("FullyQualifiedErrorId", ""), said)
    return found


def _results(result: Result) -> list[tuple[str, CauInstall]]:
    found = []
    for item in result.objects():
        title = item.string("UpdateTitle", "")
        update = Update(item.string("UpdateId", "") or title, title, item.string("UpdateDescription", ""))
        code = _code(item.get("UpdateResultCode"))
        restart = item.boolean("RebootRequired", False)
        each = UpdateResult(update, code, hresult_of(item.integer("ErrorCode", 0)), restart)
        at = item.moment("UpdateTimestamp", None, zone=UTC)
        found.append((item.string("NodeName", ""), CauInstall(each, item.string("SourcePlugin", ""), at)))
    return found


def _code(value: object) -> int:
    """Return a result code by its name where there is one: nothing documents the numbers."""
    name = _text(value).replace("_", "").lower()
    if name in _RESULT_CODES:
        return _RESULT_CODES[name]
    if isinstance(value, EnumValue) and value.number is not None:
        return value.number
    return int(name) if name.isdecimal() else _RESULT_CODES["failed"]


def _names(shell: Shell, pipeline: Pipeline, items: Sequence[PSObject]) -> list[str]:
    """Return the node of each of ``items``, which ``pipeline`` gave.

    What stands in ``Node`` comes as its text, which may be no more than the name of its class: then it is expanded.
    """
    names = [_text(item.get("Node")) for item in items]
    if not any(name.startswith("Microsoft.") or not name for name in names):
        return names
    # The state that Get-CauRun gives first has no such property, which is an error of no importance.
    output = shell.run(pipeline | _expand("Node"), timeout=_READ_TIMEOUT).output
    found = [node.string("NodeName", "") for node in output if isinstance(node, PSObject)]
    return found if len(found) == len(items) else names


def _text(value: object) -> str:
    if value is None:
        return ""
    return value.text or "" if isinstance(value, PSObject) else str(value)
