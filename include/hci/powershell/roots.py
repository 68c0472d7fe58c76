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


def causes(error: BaseException, outside: BaseException | None = None) -> Iterator[BaseException]:
    """Give ``error`` and everything it was caused by, the outermost first, each once.

    ``outside`` is what was being handled when the work began that ended in ``error``: Python hangs it below whatever is raised
    meanwhile, but an earlier trouble is no cause of this one.
    """
    seen: set[int] = {id(outside)}
    waiting: list[object] = [error]
    while waiting:
        found = waiting.pop(0)
        if not isinstance(found, BaseException) or id(found) in seen:
            continue
        seen.add(id(found))
        yield found
        waiting += [*found.args, getattr(found, "reason", None), found.__cause__, found.__context__]


def never_sent(error: BaseException, outside: BaseException | None = None) -> bool:
    """Return whether ``error`` happened before anything could be sent."""
    return any(isinstance(cause, _NEVER_SENT) for cause in causes(error, outside))


def is_silence(error: BaseException, outside: BaseException | None = None) -> bool:
    """Return whether nobody answered in time, be it the connection itself or a request."""
    # urllib3 derives its refused connection from its connect timeout.
    return any(
        isinstance(cause, _SILENCE) and not isinstance(cause, urllib3.exceptions.NewConnectionError)
        for cause in causes(error, outside)
    )


def is_untrusted(error: BaseException, outside: BaseException | None = None) -> bool:
    """Return whether the other side's certificate was not accepted."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes(error, outside))


def describe_break(error: BaseException, outside: BaseException | None = None) -> str:
    """Return in a few words why a connection broke or did not come about, without the URLs and classes in between."""
    chain = list(causes(error, outside))
    for cause in chain:
        if isinstance(cause, urllib3.exceptions.ProxyError):
            return f"the proxy let nothing through: {_reason(cause.original_error)}"
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


def _reason(error: BaseException) -> str:
    """Return what an error says, without the address that urllib3 puts in front."""
    said = next((cause.strerror for cause in causes(error) if isinstance(cause, OSError) and cause.strerror), None)
    return said or str(error).rstrip(".") or type(error).__name__
