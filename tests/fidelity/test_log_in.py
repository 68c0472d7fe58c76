"""Log-ins: what is offered, what is refused, encryption, channel binding, certificates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pypsrp.exceptions import AuthenticationError
from pypsrp.powershell import RunspacePool
from pypsrp.wsman import WSMan
from requests_credssp.exceptions import AuthenticationException, NTStatusException

from include.simulator.wire import Endpoint, EndpointOptions
from include.simulator.wire.options import BASIC
from tests.fidelity.raw import Raw
from tests.simulator.wire.conftest import TRANSPORTS, Connect, OpenPool, invoke
from tests.simulator.wire.lab import USER, Lab, LabHost


def challenges(port: int, authorization: str = "") -> tuple[int, list[str]]:
    headers = {"Authorization": authorization} if authorization else {}
    answer = requests.post(f"http://127.0.0.1:{port}/wsman", headers=headers, timeout=5)
    offered = answer.raw.headers.getlist("WWW-Authenticate")
    return answer.status_code, [each.split()[0] for each in offered]


def test_windows_offers_no_basic_unless_told_to(lab: Lab) -> None:
    """learn.microsoft.com, Installation and Configuration for WinRM: Service\\Auth\\Basic is false by default."""
    endpoint, _ = lab.machine(EndpointOptions())
    assert challenges(endpoint.http_port) == (401, ["Negotiate", "CredSSP"])
    lab.run(endpoint.stop())


@pytest.mark.parametrize(
    "authorization",
    ["Kerberos YII=", "Negotiate not-base64", "Digest x", "Basic !", "Basic eDp5"],
    ids=["Kerberos token without a domain", "no base64", "Digest", "no base64 in Basic", "wrong password"],
)
def test_what_cannot_log_in_is_answered_401(lab: Lab, authorization: str) -> None:
    """RFC 7235 2.1: the challenges again; no Kerberos, since no simulated domain hands out tickets."""
    status, offered = challenges(lab.shared.http_port, authorization)
    assert status == 401
    assert "Negotiate" in offered


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_wrong_passwords_are_refused(connect: Connect, transport: str) -> None:
    """MS-WSMV 2.2.1: HTTP 401, whatever the scheme."""
    with pytest.raises((AuthenticationError, AuthenticationException, NTStatusException)):
        RunspacePool(connect(transport=transport, password="wrong", reconnection_retries=0)).open()


def test_plain_http_needs_encryption(lab: Lab) -> None:
    """learn.microsoft.com, AllowUnencrypted is false: an unencrypted message over plain HTTP is not carried out."""
    endpoint, _ = lab.machine(EndpointOptions(authentication=(BASIC,)))
    assert Raw(endpoint.http_port).post("Enumerate").status == 500
    lab.run(endpoint.stop())


def test_basic_is_looked_at_with_every_request_and_ntlm_once(lab: Lab, open_pool: OpenPool) -> None:
    """MS-NTHT: NTLM logs a connection in; RFC 7617: Basic comes with every request. Seen in an account whose password changes."""
    with open_pool(transport="http ntlm") as pool:
        old = lab.server.rotate(USER, "changed")
        try:
            assert invoke(pool, "Get-Echo", A=1).output == [1]
            assert Raw(lab.shared.http_port).post("Enumerate").status == 401
        finally:
            lab.server.rotate(USER, old)


def test_the_channel_binding_is_checked(lab: Lab, connect: Connect) -> None:
    """RFC 5929 and CbtHardeningLevel Strict: a log-in over HTTPS without the binding is refused."""
    options: dict[str, Any] = {"negotiate_send_cbt": False, "reconnection_retries": 0}
    with pytest.raises(AuthenticationError):
        RunspacePool(connect(transport="https negotiate", **options)).open()


def test_undecryptable_bodies_are_answered_400(lab: Lab) -> None:
    """pypsrp issue 21: HTTP 400 without a body when the key of the connection is gone."""
    answer = Raw(lab.shared.http_port).send(
        b"--Encrypted Boundary\r\n",
        **{"Content-Type": 'multipart/encrypted;protocol="application/HTTP-SPNEGO-session-encrypted";boundary="x"'},
    )
    assert (answer.status, answer.body) == (400, b"")


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/wsman", 405), ("POST", "/", 404), ("POST", "/wsman?PSVersion=5.1", 401)]
)
def test_only_posts_to_the_service_are_taken(lab: Lab, method: str, path: str, status: int) -> None:
    """MS-WSMV 2.2.2: the URL prefix is wsman; PowerShell adds its version to it."""
    url = f"http://127.0.0.1:{lab.shared.http_port}{path}"
    assert requests.request(method, url, timeout=5).status_code == status


def test_identify_needs_no_log_in(lab: Lab) -> None:
    """DSP0226 11: the WSMANIDENTIFY header; MS-WSMV names the product with the operating system left out."""
    answer = requests.post(
        f"http://127.0.0.1:{lab.shared.http_port}/wsman-anon/identify",
        headers={"WSMANIDENTIFY": "unauthenticated"},
        timeout=5,
    )
    assert answer.status_code == 200
    assert "OS: 0.0.0 SP: 0.0 Stack: 3.0" in answer.text


def _certificate(directory: Path, name: str, issuer: tuple[x509.Certificate, rsa.RSAPrivateKey] | None) -> Any:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    certificate = builder.sign(issuer[1] if issuer else key, hashes.SHA256())
    (directory / f"{name}.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (directory / f"{name}.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return certificate, key


@pytest.fixture(scope="module")
def with_certificates(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Endpoint, Path]]:
    directory = tmp_path_factory.mktemp("certificates")
    authority = _certificate(directory, "authority", None)
    _certificate(directory, USER, authority)
    _certificate(directory, "nobody", authority)
    options = EndpointOptions(client_authority=directory / "authority.pem")
    endpoint = Endpoint(LabHost("CERT"), http_port=0, https_port=0, options=options)
    lab.run(lab.server.add(endpoint))
    yield endpoint, directory
    lab.run(endpoint.stop())


def _log_in(lab: Lab, endpoint: Endpoint, directory: Path, name: str) -> WSMan:
    return WSMan(
        "127.0.0.1",
        port=endpoint.https_port,
        ssl=True,
        auth="certificate",
        certificate_pem=str(directory / f"{name}.pem"),
        certificate_key_pem=str(directory / f"{name}.key"),
        cert_validation=str(lab.server.certificate_file),
        reconnection_retries=0,
    )


def test_a_client_certificate_logs_in(lab: Lab, with_certificates: tuple[Endpoint, Path]) -> None:
    """MS-WSMV 2.2.1.1 and the DMTF profile "https/mutual": the TLS handshake proves who it is."""
    with _log_in(lab, *with_certificates, USER) as wsman, RunspacePool(wsman) as pool:
        assert invoke(pool, "Get-Session").output == [r"CONTOSO\svc Certificate False Microsoft.PowerShell"]


def test_a_certificate_without_an_account_is_refused(lab: Lab, with_certificates: tuple[Endpoint, Path]) -> None:
    """learn.microsoft.com, winrm/config/service/certmapping: a certificate that maps to no account gets no access."""
    with pytest.raises(AuthenticationError):
        RunspacePool(_log_in(lab, *with_certificates, "nobody")).open()
