"""Reading the extra fields of a connection: which keys there are, what each takes, and errors that name the key."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any, Final

from include.hci.powershell.values import Secret


class InvalidConnection(ValueError):
    """A connection cannot be used as it is; the message names the host, the key and what to change."""

    def __init__(self, host: str, problem: str) -> None:
        super().__init__(f"The connection to {host} cannot be used: {problem}.")
        self.host = host
        self.problem = problem

    def __reduce__(self) -> tuple[Any, ...]:
        return (InvalidConnection, (self.host, self.problem))


class _Wrong(Exception):
    """Says what a value should have been."""


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise _Wrong("true or false")


def _integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, str) and value.strip().isdecimal():
        return int(value)
    raise _Wrong("a whole number")


def _number(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    raise _Wrong("a number")


def _text(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    raise _Wrong("a text")


def _secret(value: object) -> Secret:
    return Secret(_text(value))


def _one_of(*choices: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        if isinstance(value, str) and value.strip().lower() in choices:
            return value.strip().lower()
        raise _Wrong("one of " + ", ".join(choices))

    return read


_KEYS: Final[Mapping[str, Callable[[object], object]]] = {
    "auth": _one_of("basic", "certificate", "credssp", "kerberos", "negotiate", "ntlm"),
    "ca": _text,
    "cert_validation": _boolean,
    "certificate_key_password": _secret,
    "certificate_key_pem": _text,
    "certificate_pem": _text,
    "configuration_name": _text,
    "connection_timeout": _integer,
    "credssp_auth_mechanism": _one_of("auto", "ntlm", "kerberos"),
    "credssp_disable_tlsv1_2": _boolean,
    "credssp_minimum_version": _integer,
    "encryption": _one_of("auto", "always", "never"),
    "idle_timeout": _integer,
    "locale": _text,
    "negotiate_delegate": _boolean,
    "negotiate_hostname_override": _text,
    "negotiate_send_cbt": _boolean,
    "negotiate_service": _text,
    "no_proxy": _boolean,
    "operation_timeout": _integer,
    "path": _text,
    "port": _integer,
    "proxy": _secret,
    "read_timeout": _integer,
    "reconnection_backoff": _number,
    "reconnection_retries": _integer,
    "ssl": _boolean,
}

#: Keys whose values never appear in a message.
_HIDDEN: Final = frozenset({"certificate_key_password", "proxy"})


def read_extras(host: str, extra: Mapping[str, Any]) -> dict[str, Any]:
    """Return the known extras of a connection with the types they need; None stands for a key that is not given.

    Raises InvalidConnection for an unknown key or a value of the wrong type.
    """
    found: dict[str, Any] = {}
    for key, value in extra.items():
        reader = _KEYS.get(key)
        if reader is None:
            near = difflib.get_close_matches(str(key), _KEYS, n=1, cutoff=0.5)
            hint = f"the nearest known one is {near[0]!r}" if near else "known are " + ", ".join(_KEYS)
            raise InvalidConnection(host, f"its extra has the unknown key {key!r}; {hint}")
        if value is None:
            continue
        # The psrp provider hands cert_validation to requests, which also takes the path of an authority's file.
        if key == "cert_validation" and isinstance(value, str) and value.strip().lower() not in ("true", "false"):
            found["ca"] = _text(value)
            continue
        try:
            found[key] = reader(value)
        except _Wrong as wanted:
            shown = f"a {type(value).__name__}" if key in _HIDDEN else f"{value!r} ({type(value).__name__})"
            raise InvalidConnection(host, f"its extra {key!r} must be {wanted}, not {shown}") from None
    return found
