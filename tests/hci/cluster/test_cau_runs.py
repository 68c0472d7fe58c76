from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from include.hci.cluster.cau_runs import (
    CauRunStatus,
    get_cau_report,
    get_cau_status,
    invoke_cau_scan,
    invoke_upgrade_scan,
    recover_cau,
    run_pipeline,
)
from include.hci.powershell.errors import CommandFailed, NodeUnreachable
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.result import Result
from include.hci.powershell.values import SWITCH
from include.hci.steps.cau_run_access import ask
from tests.hci.cluster.fakes import FakeShell, enum, obj

AT = datetime(2026, 11, 3, 1, tzinfo=UTC)
RUN = UUID("3ea35120-b59f-5ee7-a3f5-d04bc79e5d12")
STATUS = "Get-CauRun -ClusterName 'C'"
NODES = f"{STATUS} | Select-Object -ExpandProperty 'NodeStatusNotifications'"
NO_SUCH_PROPERTY = ErrorRecord(
    'Property "NodeStatusNotifications" cannot be found.',
    "ExpandPropertyNotFound,Microsoft.PowerShell.Commands.SelectObjectCommand",
    "InvalidArgument",
)
REPORT = "Get-CauReport -ClusterName 'C' -Last -Detailed"
CLUSTER = f"{REPORT} | Select-Object -ExpandProperty 'ClusterResult'"
RESULTS = f"{CLUSTER} | Select-Object -ExpandProperty 'NodeResults'"
ERROR_CLASS = "Microsoft.ClusterAwareUpdating.ErrorRecordData"


def running(**more: object) -> list[object]:
    return [
        enum(1, "RunInProgress"),
        obj(RunId=RUN, RunStartTime=AT, CurrentOrchestrator="MGMT01", CancelPending=False, **more),
    ]


@pytest.mark.parametrize("state", ["RunNotInProgress", "RunFailed", "SomethingNobodyDocumented"])
def test_a_state_comes_through_in_caus_own_words(state: str):
    found = get_cau_status(FakeShell({STATUS: [enum(None, state)]}), "C")
    assert (found.state, found.is_on, found.is_free) == (state, False, state == "RunNotInProgress")


def test_an_empty_answer_is_no_free_cluster():
    assert get_cau_status(FakeShell({}), "C") == CauRunStatus("Unknown")


def test_a_run_tells_what_it_does_on_each_node_and_how_many_are_through():
    rows = (
        obj(Node="HCI01", Status="Succeeded", Timestamp=AT),
        None,
        obj(Node="HCI02", Status=enum(9, "Frobnicating"), Timestamp=AT),
    )
    told = Result(rows, errors=(NO_SUCH_PROPERTY,))
    shell = FakeShell({STATUS: running(NodeResults=("x",)), NODES: told})
    found = get_cau_status(shell, "C")
    # That is about the locks on the nodes, whatever it writes.
    assert not any("ShowClusterNodeState" in line for line in shell.lines)
    assert (found.run_id, found.coordinator, found.is_on, found.finished) == (str(RUN), "MGMT01", True, 1)
    assert [(each.node, each.status, each.since) for each in found.nodes] == [
        ("HCI01", "Succeeded", AT),
        ("HCI02", "Frobnicating", AT),
    ]


def test_that_the_nodes_of_a_run_cannot_be_read_is_no_run_without_nodes():
    broken = ErrorRecord("The cluster node is shutting down", "Microsoft.ClusterAwareUpdating.X", "OperationStopped")
    shell = FakeShell({STATUS: running(), NODES: Result((), errors=(NO_SUCH_PROPERTY, broken))})
    with pytest.raises(CommandFailed, match="shutting down"):
        get_cau_status(shell, "C")


def test_a_node_whose_text_is_only_its_class_is_expanded_on_the_server():
    text = "Microsoft.ClusterAwareUpdating.Node"
    rows = [obj(Node=text, Status="Waiting"), obj(Node=text, Status="Scanning")]
    names = [obj(NodeName="HCI01"), obj(NodeName="HCI02")]
    shell = FakeShell({STATUS: running(), NODES: rows, f"{NODES} | Select-Object -ExpandProperty 'Node'": names})
    assert [each.node for each in get_cau_status(shell, "C").nodes] == ["HCI01", "HCI02"]


def test_a_scan_leaves_out_what_belongs_to_no_node_and_keeps_what_went_wrong():
    error = ErrorRecord("HCI02 is not online.", "NodeUnreachable", "ConnectionError")
    shell = FakeShell(
        {
            "Invoke-CauScan": Result(
                (
                    obj(ActivityId="x", NodeName=None),
                    obj(NodeName="HCI01", UpdateId="u1", UpdateTitle="2026-11 (KB5044288)", SourcePlugin="P"),
                    obj(NodeName="HCI01", SourcePlugin="Microsoft.RollingUpgradePlugin"),
                ),
                errors=(error,),
            )
        }
    )
    found = invoke_cau_scan(shell, "C", {"CauPluginName": ["P"]})
    assert [(each.node, each.update.update_id, each.plugin) for each in found.offered] == [
        ("HCI01", "u1", "P"),
        ("HCI01", "Microsoft.RollingUpgradePlugin", "Microsoft.RollingUpgradePlugin"),
    ]
    assert found.of("hci01")[0].kb == "KB5044288"
    assert "not online" in found.problems[0]
    assert not shell.sent[0].is_change


def test_an_upgrade_scan_names_the_feature_updates_and_takes_no_book_keeping_for_trouble():
    no_such = ErrorRecord(
        'Property "UpgradeInstallProperties" cannot be found.',
        "ExpandPropertyNotFound,Microsoft.PowerShell.Commands.SelectObjectCommand",
        "InvalidArgument",
    )
    locked = ErrorRecord("HCI02 is locked.", "NodeLocked", "ResourceUnavailable")
    scan = (
        "Invoke-CauScan -ClusterName 'C' | Select-Object -ExpandProperty 'UpgradeInstallProperties'"
        " | Select-Object -ExpandProperty 'WuUpdatesInfo'"
    )
    found = obj(NodeName="HCI01", UpdateId="u1", UpdateTitle="Feature update to 22H2")
    shell = FakeShell({scan: Result((found,), errors=(no_such, locked))})
    scanned = invoke_upgrade_scan(shell, "C", {})
    assert [update.title for update in scanned.of("HCI01")] == ["Feature update to 22H2"]
    assert len(scanned.problems) == 1
    assert "HCI02 is locked" in scanned.problems[0]
    assert not shell.sent[0].is_change


def test_a_run_asks_nobody_and_its_output_is_dropped():
    assert run_pipeline("C", {"MaxFailedNodes": 1, "RequireAllNodesOnline": SWITCH}).describe() == (
        "Invoke-CauRun -ClusterName 'C' -MaxFailedNodes 1 -RequireAllNodesOnline -Force -Confirm $false | Out-Null"
    )


def test_there_may_be_no_report_yet():
    assert get_cau_report(FakeShell({}), "C") is None


@pytest.mark.parametrize(
    ("code", "number"),
    [
        (enum(2, "Succeeded"), 2),
        (enum(7, "Failed"), 4),
        (enum(None, "SucceededWithErrors"), 3),
        (enum(3, None), 3),
        ("Never heard of", 4),
    ],
)
def test_a_report_is_put_together_from_what_remoting_leaves_of_it(code: object, number: int):
    update = obj(
        NodeName="HCI01",
        UpdateId="u1",
        UpdateTitle="KB5044288",
        UpdateResultCode=code,
        ErrorCode=-2145124318,
        SourcePlugin="P",
        UpdateTimestamp=AT,
    )
    head = obj(
        OrchestratorMachine="MGMT01", OrchestratorUser="CORP\\ada", OrchestratorUpdateAccount="SYSTEM", Plugin="P"
    )
    shell = FakeShell(
        {
            REPORT: [head],
            CLUSTER: [
                obj(
                    Status=enum(1, "Failed"),
                    StartTimestamp=AT,
                    RunDuration=timedelta(hours=1),
                    ErrorRecordData=ERROR_CLASS,
                )
            ],
            f"{CLUSTER} | Select-Object -ExpandProperty 'RunId' | Select-Object -ExpandProperty 'Guid'": [str(RUN)],
            f"{CLUSTER} | Select-Object -ExpandProperty 'ErrorRecordData'": [
                obj(FullyQualifiedErrorId="MaxFailedNodesExceeded", ExceptionData="too many nodes failed")
            ],
            RESULTS: [
                obj(
                    Node="HCI01",
                    Status=enum(1, "Failed"),
                    ErrorRecordData=ERROR_CLASS,
                    NumberOfSucceededUpdates=0,
                    NumberOfFailedUpdates=1,
                    NodeSuspendedTimestamp=AT,
                    NodeSuspendedDuration=timedelta(minutes=9),
                ),
                obj(Node="HCI02", Status=enum(3, "Succeeded"), ErrorRecordData=None),
            ],
            f"{RESULTS} | Select-Object -ExpandProperty 'ErrorRecordData'": [
                obj(
                    FullyQualifiedErrorId="InstallFailed",
                    ExceptionData="RemoteException: a resource has locked status.",
                )
            ],
            f"{RESULTS} | Select-Object -ExpandProperty 'InstallResults'": [update],
            f"{RESULTS} | Select-Object -ExpandProperty 'TransientInstallErrors'": [],
        }
    )
    found = get_cau_report(shell, "C")
    assert found is not None
    assert (found.run_id, found.status, found.error_id) == (str(RUN), "Failed", "MaxFailedNodesExceeded")
    assert found.error == "too many nodes failed"
    assert (found.started_at, found.duration, found.coordinator) == (AT, timedelta(hours=1), "MGMT01")
    assert (found.user, found.account) == ("CORP\\ada", "SYSTEM")
    node, other = found.nodes
    assert [node.error_id, other.error_id] == ["InstallFailed", ""]
    assert (node.node, node.failed, node.suspended_at) == ("HCI01", 1, AT)
    assert (node.error, other.error) == ("RemoteException: a resource has locked status.", "")
    [install] = node.updates
    assert (install.result.code, install.result.hresult_text) == (number, "0x80240022")
    assert (install.plugin, install.at) == ("P", AT)


def test_another_one_is_asked_and_silence_is_unknown():
    def silent() -> FakeShell:
        return FakeShell({"Get-CauRun": NodeUnreachable("shutting down", node="HCI01")})

    free = FakeShell({"Get-CauRun": [enum(0, "RunNotInProgress")]})
    assert ask((silent(), free), lambda shell: get_cau_status(shell, "C")).is_free
    with pytest.raises(NodeUnreachable, match="HCI01: shutting down"):
        ask((silent(), silent()), lambda shell: get_cau_status(shell, "C"))


def test_a_recovery_is_given_the_time_that_caus_clean_up_on_all_nodes_takes(monkeypatch: pytest.MonkeyPatch):
    shell, allowed = FakeShell({}), []
    answer = shell.run

    def run(pipeline, *, timeout=None, on_progress=None):
        allowed.append(timeout)
        return answer(pipeline)

    monkeypatch.setattr(shell, "run", run)
    recover_cau(shell, "C")
    assert allowed == [timedelta(minutes=30)]
    assert shell.lines == ["Invoke-CauRun -ClusterName 'C' -ForceRecovery -Force -Confirm $false"]
