"""Which commands send a node out of service and which node each of them means, and which commands only look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

#: How a node is sent away: it is paused, its cluster service or itself goes down, it was told to restart and has heard it, or
#: the whole cluster is stopped.
DRAIN, DOWN, RESTART, CLUSTER = "drain", "down", "restart", "cluster"
_KINDS = {
    "suspend-clusternode": DRAIN,
    "stop-clusternode": DOWN,
    "remove-clusternode": DOWN,
    "restart-computer": DOWN,
    "stop-computer": DOWN,
    "stop-service": DOWN,
    "restart-service": DOWN,
    "stop-cluster": CLUSTER,
}
_BY_COMPUTER = frozenset({"restart-computer", "stop-computer"})
_SERVICE = frozenset({"stop-service", "restart-service"})
#: Verbs of commands that change nothing outside the session they run in.
_LOOKING = frozenset(
    {
        *("compare", "convertfrom", "convertto", "find", "foreach", "format", "get", "group", "measure", "out", "read"),
        *("resolve", "select", "show", "sort", "test", "wait", "where"),
    }
)
_LOOKING_METHODS = frozenset({"scanupdates", "rebootrequired"})


@dataclass(frozen=True, slots=True)
class Order:
    """Somebody sent a node away: the account, None where nobody can tell, and how."""

    actor: str | None
    kind: str


def is_looking(detail: Mapping[str, Any]) -> bool:
    """Tell whether the command in ``detail`` only reads."""
    verb, dash, noun = str(detail.get("command", "")).lower().partition("-")
    if not dash or verb in _LOOKING or detail.get("what_if"):
        return True
    method = str((detail.get("parameters") or {}).get("MethodName", "")).lower()
    return noun == "cimmethod" and method in _LOOKING_METHODS


def kind_of(detail: Mapping[str, Any]) -> str | None:
    """Return how the command in ``detail`` sends nodes away, or None where it sends none."""
    command = str(detail.get("command", "")).lower()
    if detail.get("what_if"):
        return None
    if command in _SERVICE:
        parameters = detail.get("parameters") or {}
        named = f"{parameters.get('Name', '')} {parameters.get('DisplayName', '')} {detail.get('input', '')}".lower()
        return DOWN if "clussvc" in named or "cluster service" in named else None
    return _KINDS.get(command)


def ordered_nodes(detail: Mapping[str, Any], ran_on: str | None, nodes: Iterable[str] = ()) -> list[str]:
    """Return the nodes that the command in ``detail`` sends away; without a name it means the node it ran on.

    ``nodes`` are those of the cluster, which a pattern or the end of the whole cluster means.
    """
    kind = kind_of(detail)
    if kind is None:
        return []
    if kind == CLUSTER:
        return list(nodes)
    command, parameters = str(detail["command"]).lower(), detail.get("parameters") or {}
    named = None
    if command in _BY_COMPUTER:
        named = parameters.get("ComputerName") or parameters.get("CN")
    elif command not in _SERVICE:
        named = parameters.get("Name") or parameters.get("InputObject")
    named = named or (None if command in _SERVICE else detail.get("input")) or ran_on
    names = named if isinstance(named, list | tuple) else [named]
    meant: list[str] = []
    for name in (str(each) for each in names if each):
        if name.lower() in (".", "localhost"):
            meant.append(ran_on or "")
        elif "*" in name or "?" in name:
            meant += [each for each in nodes if fnmatchcase(each.lower(), name.lower())]
        else:
            meant.append(name)
    return meant
