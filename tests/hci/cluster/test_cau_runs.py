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
    run_pipeline,
)
from include.hci.powershell.errors import NodeUnreachable
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.result import Result
from include.hci.powershell.values import SWITCH
from include.hci.steps.cau_run_access import ask
from tests.hci.cluster.fakes import FakeShell, enum, obj

AT = datetime(2026, 11, 3, 1, tzinfo=UTC)
RUN = UUID("3ea35120-b59f-5ee7-a3f5-d04bc79e5d12")
STATUS = "Get-CauRun -ClusterName 'C'"
NODES = "Get-CauRun -ClusterName 'C' -ShowClusterNodeState"
REPORT = "Get-CauReport -ClusterName 'C' -Last -Detailed"
CLUSTER = f"{REPORT} | Select-Object -ExpandProperty 'ClusterResult'"
RESULTS = f"{CLUSTER} | Select-Object -ExpandProperty 'NodeResults'"


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
    rows = [
        enum(1, "RunInProgress"),
        obj(Node="HCI01", Status="Succeeded", Timestamp=AT),
        obj(Node="HCI02", Status="Frobnicating", Timestamp=AT),
    ]
    found = get_cau_status(FakeShell({STATUS: running(NodeResults=("x",)), NODES: rows}), "C")
    assert (found.run_id, found.coordinator, found.is_on, found.finished) == (str(RUN), "MGMT01", True, 1)
    assert [(each.node, each.status, each.since) for each in found.nodes] == [
        ("HCI01", "Succeeded", AT),
        ("HCI02", "Frobnicating", AT),
    ]


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
                    ErrorRecordData="too many",
                )
            ],
            f"{CLUSTER} | Select-Object -ExpandProperty 'RunId' | Select-Object -ExpandProperty 'Guid'": [str(RUN)],
            f"{CLUSTER} | Select-Object -ExpandProperty 'ErrorRecordData'": [
                obj(FullyQualifiedErrorId="MaxFailedNodesExceeded")
            ],
            RESULTS: [
                obj(
                    Node="HCI01",
                    Status=enum(1, "Failed"),
                    ErrorRecordData="0x80240022",
                    NumberOfSucceededUpdates=0,
                    NumberOfFailedUpdates=1,
                    NodeSuspendedTimestamp=AT,
                    NodeSuspendedDuration=timedelta(minutes=9),
                ),
                obj(Node="HCI02", Status=enum(3, "Succeeded"), ErrorRecordData=None),
            ],
            f"{RESULTS} | Select-Object -ExpandProperty 'ErrorRecordData'": [
                obj(FullyQualifiedErrorId="InstallFailed")
            ],
            f"{RESULTS} | Select-Object -ExpandProperty 'InstallResults'": [update],
            f"{RESULTS} | Select-Object -ExpandProperty 'TransientInstallErrors'": [],
        }
    )
    found = get_cau_report(shell, "C")
    assert found is not None
    assert (found.run_id, found.status, found.error_id) == (str(RUN), "Failed", "MaxFailedNodesExceeded")
    assert (found.started_at, found.duration, found.coordinator) == (AT, timedelta(hours=1), "MGMT01")
    assert (found.user, found.account) == ("CORP\\ada", "SYSTEM")
    node, other = found.nodes
    assert [node.error_id, other.error_id] == ["InstallFailed", ""]
    assert (node.node, node.error, node.failed, node.suspended_at) == ("HCI01", "0x80240022", 1, AT)
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
