"""Which commands send a node out of service, and which node each of them means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_BY_NAME = frozenset({"suspend-clusternode", "stop-clusternode"})
_BY_COMPUTER = frozenset({"restart-computer", "stop-computer"})


def ordered_nodes(detail: Mapping[str, Any], ran_on: str | None) -> list[str]:
    """Return the nodes that the command in ``detail`` sends away; without a name it means the node it ran on."""
    command = str(detail.get("command", "")).lower()
    parameters = detail.get("parameters") or {}
    if detail.get("what_if"):
        return []
    if command in _BY_NAME:
        named = parameters.get("Name")
    elif command in _BY_COMPUTER:
        named = parameters.get("ComputerName")
    elif command == "stop-service" and "clussvc" in str(parameters.get("Name", "")).lower():
        named = None
    else:
        return []
    named = named or detail.get("input") or ran_on
    names = named if isinstance(named, list | tuple) else [named]
    return [ran_on or "" if str(name).lower() in (".", "localhost") else str(name) for name in names if name]
