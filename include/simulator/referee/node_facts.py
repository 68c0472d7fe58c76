"""What the world saw of each node during a run, for comparison with what the run's report claims."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from include.simulator.referee.history import Frame, History

_SUCCEEDED = (2, 3)


@dataclass(slots=True)
class NodeFacts:
    """One node: ``ours`` is what the run installed, ``installed`` what anybody did, both by update id with the KB.

    ``restarts`` are the boots that followed an order of the run's, ``boots`` all of them; ``failures`` the HRESULTs by update.
    """

    ours: dict[str, str] = field(default_factory=dict)
    installed: dict[str, str] = field(default_factory=dict)
    failures: dict[str, set[str]] = field(default_factory=dict)
    restarts: int = 0
    boots: int = 0
    drained: bool = False
    worked_on: bool = False
    ordered: bool = False


def gather(history: History, run: Sequence[Frame]) -> Mapping[str, NodeFacts]:
    """Return the facts of every node that anything happened to in ``run``."""
    nodes: dict[str, NodeFacts] = {}
    for frame in run:
        take = _TAKE.get(frame.entry.op)
        if take is not None:
            take(history, frame, nodes.setdefault(str(frame.detail["node"]), NodeFacts()))
    return nodes


def code(hresult: object) -> str:
    """Return an HRESULT in one way of writing it."""
    text = str(hresult or "0").lower()
    try:
        return f"0x{int(text, 0) & 0xFFFFFFFF:08x}"
    except ValueError:
        return text


def _installed(history: History, frame: Frame, node: NodeFacts) -> None:
    detail = frame.detail
    update_id = str(detail["update_id"]).lower()
    if detail.get("result_code") not in _SUCCEEDED:
        node.failures.setdefault(update_id, set()).add(code(detail.get("hresult")))
    elif frame.entry.op == "update.installed":
        node.installed[update_id] = str(detail.get("kb", ""))
        if history.installs(frame):
            node.ours[update_id] = node.installed[update_id]
    if frame.entry.op == "update.installed":
        node.worked_on |= history.installs(frame)


def _rolled_back(history: History, frame: Frame, node: NodeFacts) -> None:
    update_id = str(frame.detail["update_id"]).lower()
    node.installed.pop(update_id, None)
    node.ours.pop(update_id, None)


def _restart(history: History, frame: Frame, node: NodeFacts) -> None:
    if history.blames(frame.detail.get("by")):
        node.worked_on = True
        node.ordered |= bool(frame.detail.get("ordered"))


def _power(history: History, frame: Frame, node: NodeFacts) -> None:
    if frame.detail["up"]:
        node.boots += 1
        node.restarts += node.ordered
        node.ordered = False


def _state(history: History, frame: Frame, node: NodeFacts) -> None:
    name = frame.detail["node"]
    was, order = frame.before.nodes.get(name), frame.before.ordered.get(name)
    if was is not None and was.in_service and not frame.after.nodes[name].in_service:
        node.drained |= order is not None and history.blames(order.actor)


_TAKE = {
    "update.installed": _installed,
    "update.downloaded": _installed,
    "update.rolled-back": _rolled_back,
    "node.restart": _restart,
    "node.power": _power,
    "node.state": _state,
}
