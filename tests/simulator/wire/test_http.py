"""What clients on a bare socket see of the HTTP layer."""

from __future__ import annotations

import base64
import socket

import pytest

from include.simulator.wire import Endpoint, EndpointOptions, PortBusyError, WsmanServer
from tests.simulator.wire.lab import PASSWORD, USER, Lab, LabHost

IDENTIFY = "POST /wsman HTTP/1.1\r\nHost: x\r\nWSMANIDENTIFY: unauthenticated\r\nContent-Length: 0\r\n\r\n"
BASIC = "Authorization: Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


def talk(endpoint: Endpoint, *requests: str, count: int = 1) -> list[str]:
    """Send requests on one connection; return the answers, each as status line, headers and body."""
    answers = []
    with socket.create_connection(("127.0.0.1", endpoint.http_port), timeout=5) as sock:
        stream = sock.makefile("rb")
        for request in requests:
            sock.sendall(request.encode())
            answers += [_read(stream) for _ in range(count)]
    return answers


def _read(stream: object) -> str:
    head, length = "", 0
    while line := stream.readline().decode():  # type: ignore[attr-defined]
        head += line
        if line.lower().startswith("content-length"):
            length = int(line.split(":")[1])
        if line == "\r\n":
            break
    return head + str(stream.read(length).decode())  # type: ignore[attr-defined]


def test_identify_needs_no_log_in_and_connections_stay_open(lab: Lab) -> None:
    first, second = talk(lab.shared, IDENTIFY, IDENTIFY)
    assert first.startswith("HTTP/1.1 200 OK")
    assert "<wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>" in first
    assert second == first


def test_the_offered_log_ins_are_named(lab: Lab) -> None:
    (answer,) = talk(lab.shared, "POST /wsman HTTP/1.1\r\nContent-Length: 2\r\n\r\nxx")
    assert answer.startswith("HTTP/1.1 401 ")
    for scheme in ("Negotiate", "CredSSP", 'Basic realm="WSMAN"'):
        assert f"WWW-Authenticate: {scheme}\r\n" in answer


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        ("POST /elsewhere HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 404),
        ("GET /wsman HTTP/1.1\r\n\r\n", 405),
        ("nonsense\r\n\r\n", 400),
        ("POST /wsman HTTP/1.1\r\nno colon here\r\n\r\n", 400),
        ("POST /wsman HTTP/1.1\r\nContent-Length: many\r\n\r\n", 400),
        (f"POST /wsman HTTP/1.1\r\nContent-Length: {10**7}\r\n\r\n", 413),
        (f"POST /wsman HTTP/1.1\r\n{BASIC}\r\nContent-Length: 4\r\n\r\n<no>", 400),
        ("POST /wsman HTTP/1.1\r\nAuthorization: Negotiate %%%\r\nContent-Length: 0\r\n\r\n", 401),
        ("POST /wsman HTTP/1.1\r\nAuthorization: Negotiate AAAA\r\nContent-Length: 0\r\n\r\n", 401),
        ("POST /wsman HTTP/1.1\r\nAuthorization: Digest x\r\nContent-Length: 0\r\n\r\n", 401),
        (
            f'POST /wsman HTTP/1.1\r\n{BASIC}\r\nContent-Type: multipart/encrypted;protocol="x"\r\n'
            "Content-Length: 2\r\n\r\nxx",
            400,
        ),
    ],
)
def test_what_is_not_a_request_is_refused(lab: Lab, request_text: str, status: int) -> None:
    (answer,) = talk(lab.shared, request_text)
    assert answer.startswith(f"HTTP/1.1 {status}")


def test_clients_may_wait_before_they_send_the_body(lab: Lab) -> None:
    with socket.create_connection(("127.0.0.1", lab.shared.http_port), timeout=5) as sock:
        sock.sendall(b"POST /wsman HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert sock.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"xx")
        assert sock.recv(1000).startswith(b"HTTP/1.1 401 ")


def test_bodies_may_come_in_chunks(lab: Lab) -> None:
    text = f"POST /wsman HTTP/1.1\r\n{BASIC}\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n<a\r\n2\r\n/>\r\n0\r\n\r\n"
    (answer,) = talk(lab.shared, text)
    assert answer.startswith("HTTP/1.1 400"), "the body was read, and is no SOAP envelope"


def test_unknown_actions_are_faults(lab: Lab) -> None:
    soap = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" '
        'xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/addressing"><s:Header><a:Action>x/Fly</a:Action>'
        "<a:MessageID>uuid:1</a:MessageID></s:Header><s:Body/></s:Envelope>"
    )
    (answer,) = talk(lab.shared, f"POST /wsman HTTP/1.1\r\n{BASIC}\r\nContent-Length: {len(soap)}\r\n\r\n{soap}")
    assert answer.startswith("HTTP/1.1 500")
    assert "<a:RelatesTo>uuid:1</a:RelatesTo>" in answer
    assert "a:ActionNotSupported" in answer


def test_operation_time_outs_must_be_durations(lab: Lab) -> None:
    soap = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://schemas.xmlsoap.org/ws/2004/08/'
        'addressing" xmlns:w="http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"><s:Header><a:Action>x/Receive</a:Action>'
        "<w:OperationTimeout>PT-1S</w:OperationTimeout></s:Header><s:Body/></s:Envelope>"
    )
    (answer,) = talk(lab.shared, f"POST /wsman HTTP/1.1\r\n{BASIC}\r\nContent-Length: {len(soap)}\r\n\r\n{soap}")
    assert 'Code="2150858767"' in answer
    assert "<a:Action>http://schemas.xmlsoap.org/ws/2004/08/addressing/fault</a:Action>" in answer


def test_a_busy_port_is_named(lab: Lab) -> None:
    taken = Endpoint(LabHost("OTHER"), http_port=lab.shared.http_port)
    with pytest.raises(PortBusyError, match=f"OTHER cannot listen on 127.0.0.1 port {lab.shared.http_port}.*in use"):
        lab.run(WsmanServer([taken], []).start())


def test_a_foreign_address_is_named(lab: Lab) -> None:
    foreign = Endpoint(LabHost("OTHER"), address="192.0.2.1", http_port=0, options=EndpointOptions())
    with pytest.raises(OSError, match=r"OTHER cannot listen on 192\.0\.2\.1"):
        lab.run(WsmanServer([foreign], []).start())


def test_names_of_machines_are_unique() -> None:
    with pytest.raises(ValueError, match="Two endpoints are called HCI01"):
        WsmanServer([Endpoint(LabHost()), Endpoint(LabHost())], [])
