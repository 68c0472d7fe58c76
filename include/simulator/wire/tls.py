"""Certificates for the HTTPS listeners and for CredSSP, made when a server starts."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from spnego import tls as spnego_tls


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """A self-signed certificate that a client trusts by naming ``certificate_file`` as its certificate authority."""

    certificate_file: Path
    key_file: Path
    der: bytes

    @property
    def channel_binding(self) -> bytes:
        """The ``tls-server-end-point`` binding that clients of HTTPS put into their log-in (RFC 5929)."""
        return b"tls-server-end-point:" + hashlib.sha256(self.der).digest()

    def context(self, client_authority: Path | None = None) -> ssl.SSLContext:
        """Return a TLS context for a listener; with ``client_authority`` it asks clients for a certificate of that authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.certificate_file, self.key_file)
        if client_authority is not None:
            context.verify_mode = ssl.CERT_OPTIONAL
            context.load_verify_locations(client_authority)
        return context


def make_certificate(directory: Path, names: Collection[str]) -> ServerCertificate:
    """Write a self-signed certificate for ``names`` (host names and addresses) into ``directory``."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Simulated cluster")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=365))
        .add_extension(x509.SubjectAlternativeName([_general_name(name) for name in sorted(names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    made = ServerCertificate(
        directory / "server.pem", directory / "server.key", certificate.public_bytes(serialization.Encoding.DER)
    )
    made.certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key_file.touch(mode=0o600)
    made.key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def client_name(certificate: dict[str, Any] | None) -> str:
    """Return the common name of a client's verified certificate, empty when it showed none."""
    subject = (certificate or {}).get("subject", ())
    return next((value for part in subject for key, value in part if key == "commonName"), "")


def make_credssp_context() -> spnego_tls.CredSSPTLSContext:
    """Return one TLS context for every CredSSP log-in; without it each log-in would make its own RSA key."""
    context = spnego_tls.default_tls_context(usage="accept")
    certificate, key, public_key = spnego_tls.generate_tls_certificate()
    with tempfile.TemporaryDirectory(prefix="simulator-credssp-") as directory:
        file = Path(directory) / "credssp.pem"
        file.touch(mode=0o600)
        file.write_bytes(certificate + key)
        context.context.load_cert_chain(file)
    context.public_key = public_key
    return context
