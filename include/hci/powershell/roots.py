"""Finding out of a nest of network exceptions what really happened."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import requests.exceptions
import urllib3.exceptions

_NEVER_SENT = (
    requests.exceptions.ConnectTimeout,
    ssl.SSLCertVerificationError,
    urllib3.exceptions.NewConnectionError,
    urllib3.exceptions.ConnectTimeoutError,
    urllib3.exceptions.NameResolutionError,
    urllib3.exceptions.ProxyError,
)
_SILENCE = (
    requests.exceptions.Timeout,
    urllib3.exceptions.ReadTimeoutError,
    urllib3.exceptions.ConnectTimeoutError,
    TimeoutError,
)


def causes(error: BaseException) -> Iterator[BaseException]:
    """Give ``error`` and everything it was caused by, the outermost first, each once."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        found = waiting.pop(0)
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [*found.args, getattr(found, "reason", None), found.__cause__, found.__context__]


def never_sent(error: BaseException) -> bool:
    """Return whether ``error`` happened before anything could be sent."""
    return any(isinstance(cause, _NEVER_SENT) for cause in causes(error))


def is_silence(error: BaseException) -> bool:
    """Return whether nobody answered in time, be it the connection itself or a request."""
    # urllib3 derives its refused connection from its connect timeout.
    return any(
        isinstance(cause, _SILENCE) and not isinstance(cause, urllib3.exceptions.NewConnectionError)
        for cause in causes(error)
    )


def is_untrusted(error: BaseException) -> bool:
    """Return whether the other side's certificate was not accepted."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(error))


def describe_break(error: BaseException) -> str:
    """Return in a few words why a connection broke or did not come about, without the URLs and classes in between."""
    chain = list(causes(error))
    for cause in chain:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"certificate not accepted: {getattr(cause, 'verify_message', None) or cause}"
    for cause in chain:
        if isinstance(cause, ssl.SSLError):
            return f"TLS failed: {getattr(cause, 'reason', None) or cause}"
    for cause in reversed(chain):
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    for cause in chain:
        if isinstance(cause, urllib3.exceptions.ProtocolError):
            return str(cause.args[0]).rstrip(".") if cause.args else "connection broken"
    return f"{type(error).__name__}"
