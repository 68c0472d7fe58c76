from __future__ import annotations

import pickle

import pytest

from include.hci.powershell import errors
from include.hci.powershell.errors import (
    CommandFailed,
    CommandNotAvailable,
    NodeUnreachable,
    OutcomeUnknown,
    RemotingError,
    command_failed,
)
from include.hci.powershell.extras import InvalidConnection
from include.hci.powershell.pool import NoFreeSession
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.threads import CallOverdue

DEGRADED = ErrorRecord("A clustered space is degraded.", "X,Y", native_code=5987, command="Suspend-ClusterNode")


def every_kind() -> list[type[RemotingError]]:
    found = [RemotingError]
    for kind in found:
        found += [sub for sub in kind.__subclasses__() if sub not in found]
    return found


@pytest.mark.parametrize("kind", every_kind(), ids=lambda kind: kind.__name__)
def test_every_error_names_the_node_and_survives_pickling(kind: type[RemotingError]) -> None:
    what = [DEGRADED] if issubclass(kind, CommandFailed) else "it went wrong"
    error = kind(what, node="HCI01", command="Get-Cluster")  # type: ignore[arg-type]
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error)
    assert "HCI01" in str(error)
    assert "Get-Cluster" in str(error)
    assert vars(again) == vars(error)


@pytest.mark.parametrize(
    "kind", [kind for kind in every_kind() if kind not in (RemotingError, CommandFailed, CommandNotAvailable)]
)
def test_every_kind_explains_itself(kind: type[RemotingError]) -> None:
    error = kind("why", node="HCI01")
    assert error.meaning
    assert error.next_action.endswith(".")
    assert (
        str(error) == f"{kind.title} on HCI01: why. {error.meaning[0].upper()}{error.meaning[1:]}. {error.next_action}"
    )


def test_what_cannot_be_known_is_never_safe_to_repeat() -> None:
    for kind in every_kind():
        if issubclass(kind, OutcomeUnknown):
            assert not kind("x").retry_safe
    assert NodeUnreachable("x").retry_safe


def test_a_failed_command_takes_its_meaning_from_the_catalogue() -> None:
    error = command_failed([ErrorRecord("odd"), DEGRADED], node="HCI01", command="Suspend-ClusterNode -Drain")
    assert type(error) is CommandFailed
    assert error.known is not None
    assert error.known.name == "ERROR_CLUSTER_SPACE_DEGRADED"
    assert error.retry_safe
    assert error.code == 5987
    assert all(error.has_code(code) for code in (5987, "0x80071763", -2147018909))
    assert not error.has_code(5)
    assert error.has_error_id("x")
    assert "Wait for the storage repair" in str(error)


def test_an_unknown_failure_is_told_as_it_came() -> None:
    error = command_failed([ErrorRecord("odd\r\nthing", "Odd,Place")], node="HCI01")
    assert str(error) == "Command failed on HCI01: odd thing [Odd,Place]."
    assert not error.retry_safe
    assert str(command_failed([])) == "Command failed: it ended as failed without saying why."


def test_a_missing_command_has_its_own_kind() -> None:
    assert type(command_failed([ErrorRecord("x", "CommandNotFoundException")])) is CommandNotAvailable


def test_the_others_survive_pickling_too() -> None:
    assert str(pickle.loads(pickle.dumps(InvalidConnection("HCI01", "no")))) == str(InvalidConnection("HCI01", "no"))
    overdue = pickle.loads(pickle.dumps(CallOverdue("x", begun=False)))
    assert overdue.retry_safe
    assert not overdue.begun
    assert isinstance(NoFreeSession("x"), RemotingError)
    assert errors.AnswerNotUnderstood("x").retry_safe is False


CLUSTER_EXCEPTION = ("Microsoft.FailoverClusters.PowerShell.ClusterCmdletException", "System.Exception")


@pytest.mark.parametrize(
    ("error_id", "message", "code"),
    [
        # As field reports quote them: the exception inside crosses the wire as text, so that no number is left.
        (
            "ClusterEndpointNotRegistered,Microsoft.FailoverClusters.PowerShell.GetNodeCommand",
            "Der Clusterdienst wird nicht ausgeführt.",
            1753,
        ),
        ("ClusterRpcConnection,Microsoft.FailoverClusters.PowerShell.GetNodeCommand", "", 1722),
        ("ClusterAccessDenied,Microsoft.FailoverClusters.PowerShell.GetClusterCommand", "", 5),
        (
            "Suspend-ClusterNode,Microsoft.FailoverClusters.PowerShell.SuspendClusterNodeCommand",
            "An error occurred while suspending HCI01.\n    A clustered space is in a degraded condition and the requested"
            " action cannot be completed at this time.",
            5987,
        ),
        ("Resume-ClusterNode,X", "HCI01 could not be resumed.\r\n    The cluster node is not paused", 5058),
        ("Suspend-ClusterNode,X", "HCI01 could not be paused.\n    A node drain is already in progress.", 5962),
        ("Get-ClusterNode,X", "HCI01 cannot be asked.\n    The cluster node is shutting down.", 5073),
    ],
)
def test_errors_of_the_cluster_module_are_known_without_a_number(error_id: str, message: str, code: int) -> None:
    record = ErrorRecord(message, error_id, exception_types=CLUSTER_EXCEPTION, hresult=0x80131509)
    assert CommandFailed([record]).has_code(code)


def test_a_restart_that_is_under_way_is_known_by_its_text() -> None:
    text = "Failed to restart the computer HCI01 with the following error message: A system shutdown is in progress."
    record = ErrorRecord(text, "RestartcomputerFailed,Microsoft.PowerShell.Commands.RestartComputerCommand")
    assert CommandFailed([record]).has_code(1115)


def test_texts_of_other_modules_are_not_taken_for_codes() -> None:
    assert CommandFailed([ErrorRecord("The cluster node is paused", "X")]).code is None
