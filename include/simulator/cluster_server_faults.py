"""What the world's faults of the connection mean on the wire."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from include.simulator.wire.accounts import Account
from include.simulator.wire.server import Endpoint
from include.simulator.wire.wire_faults import FaultKind, WireFault

#: Faults that stand until they are healed, and those that strike one request unless told otherwise.
_STANDING = {"silence": FaultKind.SILENCE, "slow": FaultKind.SLOW}
_SINGLE = {
    "reset-answer": FaultKind.RESET,
    "reset-before": FaultKind.RESET_BEFORE,
    "half-answer": FaultKind.HALF_ANSWER,
    "kill-sessions": FaultKind.KILL_SESSIONS,
    "quota": FaultKind.QUOTA,
}


async def apply_wire_fault(
    endpoint: Endpoint,
    kind: str,
    arguments: Mapping[str, object],
    *,
    speed: float = 1.0,
    accounts: Iterable[Account] = (),
) -> None:
    """Let the fault ``kind`` strike ``endpoint``; an unknown kind raises ValueError.

    ``reset`` resets the open connections at once, ``refuse`` also refuses new ones until healed, ``silence`` and ``slow`` (with
    ``seconds``) concern every request until healed. ``rotate-credentials`` gives ``account`` (each of ``accounts`` where none is
    named) another ``password``. ``heal`` ends what stands. The others strike one request, or ``count``, whose action ends in
    ``action`` where one is given. ``age_minutes`` is simulated time, of which ``speed`` seconds pass in a real one.
    """
    if kind == "heal":
        await endpoint.clear_faults()
    elif kind == "reset":
        await endpoint.drop_connections()
    elif kind == "refuse":
        await endpoint.add_fault(WireFault(FaultKind.REFUSE, count=None))
        await endpoint.drop_connections()
    elif kind == "rotate-credentials":
        named = str(arguments.get("account") or "")
        for account in [named] if named else [each.principal for each in accounts]:
            order = {
                "kind": FaultKind.ROTATE_CREDENTIALS.value,
                "account": account,
                "password": arguments.get("password"),
            }
            await endpoint.add_fault(WireFault.from_mapping(order))
    elif kind in _STANDING or kind in _SINGLE:
        await endpoint.add_fault(_request_fault(kind, arguments, speed))
    else:
        known = ", ".join(("heal", "reset", "refuse", "rotate-credentials", *_STANDING, *_SINGLE))
        raise ValueError(f"There is no fault of the connection called {kind!r}; there are {known}.")


def _request_fault(kind: str, arguments: Mapping[str, object], speed: float) -> WireFault:
    order: dict[str, object] = {
        key: value
        for key, value in arguments.items()
        if key in ("action", "skip", "seconds", "quota") and value is not None
    }
    if "age_minutes" in arguments:
        order["seconds"] = float(str(arguments["age_minutes"])) * 60 / speed
    order["kind"] = (_SINGLE.get(kind) or _STANDING[kind]).value
    order["count"] = arguments.get("count", 1 if kind in _SINGLE else None)
    return WireFault.from_mapping(order)
