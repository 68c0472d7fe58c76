from __future__ import annotations

import pytest

from include.hci.cluster.nodes import (
    get_cluster,
    get_cluster_groups,
    get_cluster_nodes,
    get_cluster_quorum,
    get_cluster_resources,
    get_cluster_shared_volume_states,
    get_cluster_shared_volumes,
    get_volumes_in_backup,
    resume_cluster_node,
    suspend_cluster_node,
)
from include.hci.cluster.values import DrainStatus, GroupState, NodeState, StatusInformation
from include.hci.powershell.errors import AnswerNotUnderstood, CommandFailed
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.result import Result
from tests.hci.cluster.fakes import FakeShell, enum, group_obj, node_obj, obj


@pytest.mark.parametrize(
    ("state", "drain", "status", "expected"),
    [
        ("Up", "NotInitiated", "Normal", (NodeState.UP, DrainStatus.NOT_INITIATED, StatusInformation.NORMAL)),
        (2, 1, 4, (NodeState.PAUSED, DrainStatus.IN_PROGRESS, StatusInformation.DRAIN_IN_PROGRESS)),
        (enum(2, "Paused"), enum(2, "Completed"), 8, (NodeState.PAUSED, DrainStatus.COMPLETED, StatusInformation(8))),
        (enum(1, "Down"), enum(3, None), 2, (NodeState.DOWN, DrainStatus.FAILED, StatusInformation.QUARANTINED)),
        (
            "paused",
            "inprogress",
            "Isolated, DrainFailed",
            (NodeState.PAUSED, DrainStatus.IN_PROGRESS, StatusInformation(0x11)),
        ),
        (
            enum(-1, "Unknown"),
            "NotInitiated",
            0,
            (NodeState.UNKNOWN, DrainStatus.NOT_INITIATED, StatusInformation.NORMAL),
        ),
        ("Sleeping", "Odd", 0x40, (NodeState.UNKNOWN, DrainStatus.UNKNOWN, StatusInformation(0x40))),
        (3, "NotInitiated", None, (NodeState.JOINING, DrainStatus.NOT_INITIATED, StatusInformation.NORMAL)),
    ],
)
def test_a_node_is_read_whether_its_enumerations_come_as_text_or_number(state, drain, status, expected):
    (node,) = get_cluster_nodes(FakeShell({"Get-ClusterNode": [node_obj("HCI01", state, drain, status)]}))
    assert (node.state, node.drain, node.status) == expected


def test_nodes_are_sorted_by_name_whatever_the_case():
    shell = FakeShell({"Get-ClusterNode": [node_obj("hci10"), node_obj("HCI02"), node_obj("hci01")]})
    assert [node.name for node in get_cluster_nodes(shell)] == ["hci01", "HCI02", "hci10"]


def test_paused_alone_is_not_drained():
    shell = FakeShell(
        {"Get-ClusterNode": [node_obj("A", "Paused", "InProgress"), node_obj("B", "Paused", "Completed")]}
    )
    assert [node.is_drained for node in get_cluster_nodes(shell)] == [False, True]


@pytest.mark.parametrize(
    ("status", "said"), [(0, ""), (1, "isolated"), (2, "quarantined"), (3, "quarantined"), (4, "")]
)
def test_a_node_says_why_it_is_kept_out(status, said):
    (node,) = get_cluster_nodes(FakeShell({"Get-ClusterNode": [node_obj("A", status=status)]}))
    assert node.kept_out == said


def test_votes_default_to_one_and_are_read():
    shell = FakeShell({"Get-ClusterNode": [node_obj("A"), node_obj("B", NodeWeight=0, DynamicWeight=0)]})
    assert [(node.vote, node.dynamic_vote) for node in get_cluster_nodes(shell)] == [(1, 1), (0, 0)]


def test_groups_are_read_with_owner_and_kind():
    shell = FakeShell(
        {
            "Get-ClusterGroup": [
                group_obj("VM1", "HCI01", 0, 111),
                group_obj("VM2", "HCI02", "Pending", "VirtualMachine"),
                group_obj("X", "HCI02", 3, 4242),
            ]
        }
    )
    groups = get_cluster_groups(shell)
    assert [(group.owner, group.state, group.kind, group.is_running) for group in groups] == [
        ("HCI01", GroupState.ONLINE, "VirtualMachine", True),
        ("HCI02", GroupState.PENDING, "VirtualMachine", True),
        ("HCI02", GroupState.PARTIAL_ONLINE, "4242", True),
    ]
    assert groups[0].describe() == "VM1 (VirtualMachine, Online)"


@pytest.mark.parametrize("state", ["Offline", "Failed", "Unknown"])
def test_a_role_that_does_not_run_would_not_be_interrupted(state):
    (group,) = get_cluster_groups(FakeShell({"Get-ClusterGroup": [group_obj("VM1", "A", state)]}))
    assert not group.is_running


def test_cluster_resources_quorum_and_shared_volumes_are_read():
    shell = FakeShell(
        {
            "Get-Cluster": [obj("C", Name="HCI-CL01", ClusterFunctionalLevel=12, S2DEnabled=1, QuarantineThreshold=3)],
            "Get-ClusterResource": [
                obj(
                    Name="Cloud Witness",
                    State="Online",
                    ResourceType=obj("Cloud Witness"),
                    OwnerGroup=obj("Cluster Group"),
                )
            ],
            "Get-ClusterQuorum": [obj(QuorumResource=obj("Cloud Witness"), QuorumType="Majority")],
            "Get-ClusterSharedVolume": [obj(Name="CSV1", State=2, OwnerNode=obj("HCI01"))],
        }
    )
    cluster = get_cluster(shell)
    assert (cluster.name, cluster.functional_level, cluster.s2d_enabled, cluster.dynamic_quorum) == (
        "HCI-CL01",
        12,
        True,
        None,
    )
    (resource,) = get_cluster_resources(shell)
    assert (resource.name, resource.kind, resource.state, resource.group) == (
        "Cloud Witness",
        "Cloud Witness",
        "Online",
        "Cluster Group",
    )
    assert get_cluster_quorum(shell).resource == "Cloud Witness"
    assert get_cluster_shared_volumes(shell)[0].state == "Online"


def test_a_volume_in_backup_is_named_as_its_folder():
    infos = [
        obj(FriendlyVolumeName="C:\\ClusterStorage\\Volume1", BackupState="VolumeBackupInProgress"),
        obj(FriendlyVolumeName="C:\\ClusterStorage\\Volume2", BackupState=0),
    ]
    shell = FakeShell({"Select-Object": infos})
    assert get_volumes_in_backup(shell) == ("C:\\ClusterStorage\\Volume1",)
    assert shell.lines == ["Get-ClusterSharedVolume | Select-Object -ExpandProperty 'SharedVolumeInfo'"]


def test_pausing_and_resuming_name_the_node_and_do_not_wait():
    shell = FakeShell({})
    suspend_cluster_node(shell, "HCI02")
    resume_cluster_node(shell, "HCI02", "Immediate")
    assert shell.lines == [
        "Suspend-ClusterNode -Name 'HCI02' -Drain",
        "Resume-ClusterNode -Name 'HCI02' -Failback 'Immediate'",
    ]


def test_an_error_that_does_not_end_the_pipeline_is_an_error_all_the_same():
    shell = FakeShell({"Get-ClusterNode": Result(errors=(ErrorRecord("no such cluster", native_code=1753),))})
    with pytest.raises(CommandFailed, match="no such cluster"):
        get_cluster_nodes(shell)


def test_a_node_without_a_name_is_not_guessed():
    with pytest.raises(AnswerNotUnderstood, match="Name"):
        get_cluster_nodes(FakeShell({"Get-ClusterNode": [obj(State="Up")]}))


@pytest.mark.parametrize(("locked", "expected"), [(1, True), (0, False), (None, False)])
def test_a_role_that_an_operation_keeps_in_its_place_is_locked(locked, expected):
    item = obj("VM1", Name="VM1", OwnerNode="HCI01", State="Online", GroupType=111, LockedFromMoving=locked)
    (group,) = get_cluster_groups(FakeShell({"Get-ClusterGroup": [item]}))
    assert group.locked is expected


@pytest.mark.parametrize(
    ("state", "file_system", "block", "redirected"),
    [
        ("Direct", "NotFileSystemRedirected", "NotBlockRedirected", False),
        ("FileSystemRedirected", "FileSystemReFs", "NotBlockRedirected", False),
        ("FileSystemRedirected", "UserRequest", "NotBlockRedirected", True),
        ("FileSystemRedirected", "FileSystemReFs, UserRequest", "NotBlockRedirected", True),
        ("FileSystemRedirected", "FileSystemReFs, FileSystemTiering", "NotBlockRedirected", False),
        ("BlockRedirected", "NotFileSystemRedirected", "VolumeReplicationEnabled", False),
        ("BlockRedirected", "NotFileSystemRedirected", "NoDiskConnectivity", True),
        ("Unavailable", None, None, False),
    ],
)
def test_a_volume_takes_a_detour_when_there_is_another_reason_than_its_file_system(
    state, file_system, block, redirected
):
    item = obj(
        Name="Cluster Virtual Disk (V1)",
        VolumeFriendlyName="V1",
        Node="HCI02",
        StateInfo=state,
        FileSystemRedirectedIOReason=file_system,
        BlockRedirectedIOReason=block,
    )
    (access,) = get_cluster_shared_volume_states(FakeShell({"Get-ClusterSharedVolumeState": [item]}))
    assert (access.volume, access.node, access.is_redirected) == ("V1", "HCI02", redirected)


@pytest.mark.parametrize(
    ("state", "interrupted"),
    [("Unavailable", True), ("Paused", True), ("Direct", False), ("FileSystemRedirected", False), ("Unknown", False)],
)
def test_a_volume_that_a_node_does_not_reach_is_interrupted(state, interrupted):
    item = obj(Name="CSV1", VolumeFriendlyName="V1", Node="HCI02", StateInfo=state)
    (access,) = get_cluster_shared_volume_states(FakeShell({"Get-ClusterSharedVolumeState": [item]}))
    assert access.is_interrupted is interrupted


@pytest.mark.parametrize(
    ("state", "text"), [((0, "Up"), "Up"), ((2, "Paused"), "Paused"), ((-1, "Unknown"), "Unknown")]
)
def test_a_state_arrives_as_an_enumeration(state, text):
    # FailoverClusters 2.0.0.0: ClusterNodeState and ClusterNodeStatusInformation, whose Unknown is the sign bit alone.
    item = node_obj("HCI01", enum(*state), enum(0, "NotInitiated"), enum(-(2**31), "Unknown"))
    (node,) = get_cluster_nodes(FakeShell({"Get-ClusterNode": [item]}))
    assert (str(node.state), node.kept_out) == (text, "")
