"""What the world's faults of the connection mean on the wire."""

from __future__ import annotations

from collections.abc import Mapping

from include.simulator.wire.server import Endpoint
from include.simulator.wire.wire_faults import FaultKind, WireFault

#: Faults that stand until they are healed, and those that strike one request unless told otherwise.
_STANDING = {"silence": FaultKind.SILENCE, "slow": FaultKind.SLOW}
_SINGLE = {
    "reset-answer": FaultKind.RESET,
    "reset-before": FaultKind.RESET_BEFORE,
    "half-answer": FaultKind.HALF_ANSWER,
    "kill-shells": FaultKind.KILL_SHELLS,
}


async def apply_wire_fault(endpoint: Endpoint, kind: str, arguments: Mapping[str, object]) -> None:
    """Let the fault ``kind`` strike ``endpoint``; an unknown kind raises ValueError.

    ``reset`` resets the open connections at once, ``refuse`` also refuses new ones until healed, ``silence`` and ``slow`` (with
    ``seconds``) concern every request until healed. ``heal`` ends what stands. The others strike one request, or ``count``, whose
    action ends in ``action`` where one is given.
    """
    if kind == "heal":
        await endpoint.clear_faults()
    elif kind == "reset":
        await endpoint.drop_connections()
    elif kind == "refuse":
        await endpoint.add_fault(WireFault(FaultKind.REFUSED, count=None))
        await endpoint.drop_connections()
    elif kind in _STANDING or kind in _SINGLE:
        await endpoint.add_fault(_request_fault(kind, arguments))
    else:
        known = ", ".join(("heal", "reset", "refuse", *_STANDING, *_SINGLE))
        raise ValueError(f"There is no fault of the connection called {kind!r}; there are {known}.")


def _request_fault(kind: str, arguments: Mapping[str, object]) -> WireFault:
    action = arguments.get("action")
    count = arguments.get("count", 1 if kind in _SINGLE else None)
    return WireFault(
        _SINGLE.get(kind) or _STANDING[kind],
        action=str(action) if action else None,
        count=None if count is None else int(str(count)),
        skip=int(str(arguments.get("skip", 0))),
        seconds=float(str(arguments.get("seconds", 0.0))),
    )
