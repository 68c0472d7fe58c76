from __future__ import annotations

import pytest

from include.hci.cluster.facade import FleetCluster, UnknownNode
from include.hci.cluster.witness import read_from_witness
from include.hci.powershell.command import Command
from include.hci.powershell.errors import (
    AuthenticationRefused,
    CertificateRefused,
    CommandFailed,
    ConnectionLost,
    DeadlineExceeded,
    EndpointRefused,
    NodeUnreachable,
    OutcomeUnknown,
    RemotingError,
)
from include.hci.powershell.pool import NoFreeSession
from include.hci.powershell.records import ErrorRecord
from tests.hci.cluster.fakes import FakeShell, node_obj, obj

READ, CHANGE = Command("Get-ClusterNode"), Command("Suspend-ClusterNode", {"Name": "B"})


def fleet(**replies: object) -> tuple[FleetCluster, dict[str, FakeShell]]:
    shells = {
        name: FakeShell({"Get-ClusterNode": reply, "Suspend-ClusterNode": reply}, name)
        for name, reply in replies.items()
    }
    return FleetCluster("C", tuple(shells), shells.__getitem__), shells


def code(number: int) -> CommandFailed:
    return CommandFailed([ErrorRecord("no", native_code=number)])


def test_a_shell_on_a_node_is_that_nodes_whatever_the_case():
    cluster, shells = fleet(HCI01=[], HCI02=[])
    assert cluster.on("hci02") is shells["HCI02"]
    with pytest.raises(UnknownNode, match="HCI09") as unknown:
        cluster.on("HCI09")
    assert "fleet file" in unknown.value.next_action


def test_any_takes_the_first_node_and_those_to_avoid_last():
    cluster, _ = fleet(A=[obj("a")], B=[obj("b")])
    assert cluster.any().run(READ).node == "A"
    assert cluster.any(avoid=("a",)).run(READ).node == "B"
    assert cluster.any(avoid=("A", "B")).run(READ).node == "A"


@pytest.mark.parametrize(
    "error",
    [NodeUnreachable("down"), ConnectionLost("cut"), DeadlineExceeded("late"), *map(code, (5, 5073, 5050, 1722))],
)
def test_reads_fall_over_to_the_next_node(error):
    cluster, _ = fleet(A=error, B=[obj("b")])
    assert cluster.any().run(READ).node == "B"


def test_errors_that_every_node_would_give_do_not_fall_over():
    cluster, shells = fleet(A=code(5042), B=[obj("b")])
    with pytest.raises(CommandFailed):
        cluster.any().run(READ)
    assert shells["B"].sent == []


@pytest.mark.parametrize("command", [READ, CHANGE])
@pytest.mark.parametrize("error", [AuthenticationRefused("no"), CertificateRefused("no"), EndpointRefused("no")])
def test_a_node_that_lets_nobody_in_does_not_stand_for_the_others(error, command):
    cluster, _ = fleet(A=error, B=[obj("b")])
    assert cluster.any().run(command).node == "B"
    assert read_from_witness(FleetCluster("C", ("A", "B"), fleet(A=error, B=[node_obj("B")])[1].__getitem__))[1]


def test_a_login_is_tried_on_two_nodes_at_the_most():
    cluster, shells = fleet(A=AuthenticationRefused("a"), B=AuthenticationRefused("b"), C=[obj("c")])
    with pytest.raises(AuthenticationRefused, match="b"):
        cluster.any().run(READ)
    with pytest.raises(AuthenticationRefused, match="b"):
        read_from_witness(cluster)
    assert shells["C"].sent == []


def test_an_unknown_outcome_behind_a_refused_login_stays_unknown():
    cluster, _ = fleet(A=AuthenticationRefused("a"), B=OutcomeUnknown("cut"))
    with pytest.raises(OutcomeUnknown):
        cluster.any().run(CHANGE)


def test_a_refusal_is_the_reason_where_nobody_else_answers():
    cluster, _ = fleet(A=NodeUnreachable("down"), B=CertificateRefused("expired"))
    with pytest.raises(CertificateRefused):
        cluster.any().run(READ)


@pytest.mark.parametrize("error", [OutcomeUnknown("cut"), code(5073), code(1722), ConnectionLost("cut")])
def test_a_change_that_may_have_begun_is_never_given_to_another_node(error):
    cluster, shells = fleet(A=error, B=[])
    with pytest.raises(RemotingError):
        cluster.any().run(CHANGE)
    assert shells["B"].sent == []


@pytest.mark.parametrize("error", [NodeUnreachable("down"), NoFreeSession("4 are in use"), code(1753), code(5)])
def test_a_change_moves_on_from_a_node_that_cannot_have_begun_it(error):
    cluster, shells = fleet(A=error, B=[])
    cluster.any().run(CHANGE)
    assert shells["B"].lines == ["Suspend-ClusterNode -Name 'B'"]


def test_when_nobody_answers_every_reason_is_named():
    cluster, _ = fleet(A=NodeUnreachable("no route"), B=ConnectionLost("reset"))
    with pytest.raises(NodeUnreachable, match=r"A: no route; B: reset"):
        cluster.any().run(READ)


@pytest.mark.parametrize("other", [code(5), NodeUnreachable("no route")])
@pytest.mark.parametrize("command", [READ, CHANGE])
def test_when_access_is_denied_and_nobody_else_does_it_that_is_the_reason(command, other):
    cluster, _ = fleet(A=code(5), B=other)
    with pytest.raises(CommandFailed) as denied:
        cluster.any().run(command)
    assert denied.value.has_code(5)


def test_a_cluster_without_nodes_is_refused():
    with pytest.raises(ValueError, match="no nodes"):
        FleetCluster("C", (), lambda node: FakeShell({}))
