"""Looking at the certificate files of a connection beforehand: what TLS says of one names neither the file nor the reason."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class FileUnusable(Exception):
    """A certificate file cannot be used; the text names it and says why."""


def check_authority(validation: object) -> None:
    """Raise FileUnusable where ``validation`` is the path of a file, or a folder, of authorities that cannot be used."""
    if not isinstance(validation, str):
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with _naming("the authority's file", validation):
        if Path(validation).is_dir():
            context.load_verify_locations(capath=validation)
        else:
            context.load_verify_locations(cafile=validation)


def check_certificate(certificate: str | None, key: str | None, password: str | None) -> None:
    """Raise FileUnusable where a certificate of our own and its key cannot be used together; None: there is none."""
    if certificate is None:
        return
    with _naming("the client's certificate", f"{certificate} with {key}"):
        # Without a password OpenSSL would ask the terminal for that of an encrypted key.
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password=lambda: password or "")


@contextmanager
def _naming(what: str, where: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        why = error.strerror or getattr(error, "reason", None) or str(error)
        raise FileUnusable(f"{what} {where} cannot be used: {why}") from error
