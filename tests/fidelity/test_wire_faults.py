"""Faults on the wire, one of each kind, as a client without any patience of its own lives through them."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable

import pytest
import requests

from include.simulator.wire import Endpoint, FaultKind, WireFault, names
from tests.fidelity.raw import Raw, Session
from tests.simulator.wire.conftest import wait_for
from tests.simulator.wire.lab import USER, Lab, LabHost

Order = Callable[..., WireFault]


@pytest.fixture
def endpoint(machine: tuple[Endpoint, LabHost]) -> Endpoint:
    return machine[0]


@pytest.fixture
def order(endpoint: Endpoint, lab: Lab) -> Order:
    def ordered(**mapping: object) -> WireFault:
        fault = WireFault.from_mapping(mapping)
        lab.run(endpoint.add_fault(fault))
        return fault

    return ordered


def test_every_kind_has_a_test() -> None:
    here = globals()
    assert {kind for kind in FaultKind if f"test_{kind.replace('-', '_')}" not in here} == set()


def test_refuse(endpoint: Endpoint, order: Order, lab: Lab) -> None:
    """RFC 9293 3.10.7.1: nobody listens, the connection is reset at once."""
    order(kind="refuse")
    with pytest.raises(requests.exceptions.ConnectionError, match="refused"):
        Raw(endpoint.http_port).post("Enumerate")
    lab.run(endpoint.clear_faults())
    assert Raw(endpoint.http_port).post("Enumerate").status == 200


def test_reset(endpoint: Endpoint, order: Order) -> None:
    """Half of the answer and then a TCP reset; the request has been carried out."""
    raw = Raw(endpoint.http_port)
    order(kind="reset", action="Create")
    with pytest.raises(requests.exceptions.RequestException):
        raw.cmd()
    assert len(endpoint.service.shells) == 1


def test_lose(endpoint: Endpoint, order: Order) -> None:
    """MS-WSMV 3.1.4.1.39: an answer is kept for who names an OperationID; nobody else gets what is lost, however he asks."""
    session = Session(Raw(endpoint.http_port))
    command_id, _ = session.run("Get-Note")
    time.sleep(0.2)  # until all of it is there to be lost
    order(kind="lose", action="Receive")
    again = {"message_id": f"uuid:{uuid.uuid4()}"}
    with pytest.raises(requests.exceptions.ConnectionError):
        session.receive(command_id, **again)
    assert session.receive(command_id, **again).fault == (2150858843, "w:InvalidSelectors")


def test_reset_before(endpoint: Endpoint, order: Order) -> None:
    """A TCP reset before the request is carried out."""
    raw = Raw(endpoint.http_port)
    order(kind="reset-before", action="Create")
    with pytest.raises(requests.exceptions.ConnectionError):
        raw.cmd()
    assert len(endpoint.service.shells) == 0


def test_silence(endpoint: Endpoint, order: Order) -> None:
    """The connection is accepted and nothing is ever said on it."""
    order(kind="silence", count=None)
    with pytest.raises(requests.exceptions.ReadTimeout):
        requests.post(f"http://127.0.0.1:{endpoint.http_port}/wsman", timeout=0.3)


def test_half_answer(endpoint: Endpoint, order: Order) -> None:
    """A body shorter than its Content-Length, and no end of the connection."""
    raw = Raw(endpoint.http_port)
    order(kind="half-answer")
    with pytest.raises(requests.exceptions.RequestException, match="timed out"):
        raw.http.post(raw.url, timeout=0.3)


def test_slow(endpoint: Endpoint, order: Order) -> None:
    """The answer comes late and whole."""
    raw = Raw(endpoint.http_port)
    order(kind="slow", seconds=0.3)
    started = time.monotonic()
    assert raw.post("Enumerate").status == 200
    assert time.monotonic() - started >= 0.3


def test_kill_sessions(endpoint: Endpoint, order: Order) -> None:
    """MaxShellRunTime and the thirty minutes after which some administrators' tools end sessions: the shell is not found."""
    session = Session(Raw(endpoint.http_port))
    order(kind="kill-sessions", action="Command")
    assert session.run("Get-Note")[1].fault == (2150858843, "w:InvalidSelectors")


def test_kill_sessions_of_an_age(endpoint: Endpoint, order: Order) -> None:
    """With count null and seconds N no session lives longer than N seconds, whether it is used or not."""
    old = Session(Raw(endpoint.http_port))
    order(kind="kill-sessions", seconds=0.8, count=None)
    assert old.post("Get").status == 200
    wait_for(lambda: len(endpoint.service.shells) == 0)
    young = Session(Raw(endpoint.http_port))
    assert young.post("Get").status == 200


def test_quota(endpoint: Endpoint, order: Order) -> None:
    """The fault of a used up quota, with room left."""
    raw = Raw(endpoint.http_port)
    order(kind="quota")
    assert raw.cmd().fault == (2150859173, "w:QuotaLimit")
    assert raw.cmd().status == 200
    session = Session(raw)
    order(kind="quota", quota="commands")
    assert session.run("Get-Note")[1].fault[0] == 2150859241
    order(kind="quota", quota="operations", action="Receive")
    assert session.receive().fault[0] == 2150859174


def test_rotate_credentials(endpoint: Endpoint, order: Order, lab: Lab) -> None:
    """From then on the old password is answered 401 and the new one works; clearing the fault restores the old one."""
    order(kind="rotate-credentials", account=USER, password="n3w", seconds=0.3)
    assert Raw(endpoint.http_port).post("Enumerate").status == 200
    time.sleep(0.4)
    assert Raw(endpoint.http_port).post("Enumerate").status == 401
    assert Raw(endpoint.http_port, "n3w").post("Enumerate").status == 200
    lab.run(endpoint.clear_faults())
    assert Raw(endpoint.http_port).post("Enumerate").status == 200


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"kind": "quota", "quota": "memory"}, "choose one of shells, commands, operations"),
        ({"kind": "rotate-credentials"}, "needs the account and its new password"),
    ],
)
def test_senseless_orders_are_refused(mapping: dict[str, object], problem: str) -> None:
    """A fault that cannot strike is an error when it is ordered, not a test that passes."""
    with pytest.raises(ValueError, match=problem):
        WireFault.from_mapping(mapping)


def test_an_unknown_account_cannot_be_rotated(order: Order) -> None:
    """The same, where only the server knows."""
    with pytest.raises(ValueError, match="no account 'nobody'"):
        order(kind="rotate-credentials", account="nobody", password="x")


def test_the_action_of_a_fault_is_that_of_the_wire() -> None:
    """MS-WSMV 2.2.3: the last part of the action URI."""
    assert WireFault.from_mapping({"kind": "quota"}).action == f"{names.TRANSFER}/Create".rpartition("/")[2]
