"""What the world saw of each node during a run, for comparison with what the run's report claims."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from include.simulator.referee.history import Frame, History
from include.simulator.referee.no_repetition import hidden_boots
from include.simulator.referee.readings import BOOT_TIME, BUILD

_SUCCEEDED = (2, 3)


@dataclass(slots=True)
class NodeFacts:
    """One node: ``ours`` is what the run installed, ``installed`` what anybody did, both by update id with the KB.

    ``restarts`` are the boots that followed an order of the run's and that it could see: it read the boot time and the build
    since, and the boot time was a new one. ``boots`` are all of them; ``failures`` the HRESULTs by update. ``said`` are updates
    that the node called installed and that are not there, or not any more, and that no scan of the run has found on offer since.
    """

    ours: dict[str, str] = field(default_factory=dict)
    installed: dict[str, str] = field(default_factory=dict)
    failures: dict[str, set[str]] = field(default_factory=dict)
    said: set[str] = field(default_factory=set)
    ordered_boots: list[int] = field(default_factory=list)
    restarts: int = 0
    boots: int = 0
    drained: bool = False
    worked_on: bool = False
    ordered: bool = False


def gather(history: History, run: Sequence[Frame], seen: Sight) -> Mapping[str, NodeFacts]:
    """Return the facts of every node that anything happened to in ``run``."""
    nodes: dict[str, NodeFacts] = {}
    for frame in run:
        take = _TAKE.get(frame.entry.op)
        if take is not None:
            take(history, frame, nodes.setdefault(str(frame.detail["node"]), NodeFacts()))
    for name, node in nodes.items():
        spans = [span for span in _spans(node.ordered_boots) if span[0] not in seen.hidden]
        node.restarts = sum(seen.shows(name, span) for span in spans)
    return nodes


def _spans(boots: Sequence[int]) -> list[tuple[float, float]]:
    """Return from each boot to the next one."""
    return list(pairwise([*boots, float("inf")]))


@dataclass(frozen=True, slots=True)
class Sight:
    """What the run could see: ``hidden`` are the boots after which a node named its old boot time, ``readings`` all it read.

    A reading counts while the node took part in the cluster and no servicing went on there: until then a restart is not over, and
    what is read may still change.
    """

    hidden: frozenset[int]
    readings: Mapping[tuple[str, str], Sequence[int]]
    blind: bool

    def of(self, node: str, what: str) -> Sequence[int]:
        """Return when the run read ``what`` of the node, as places in the journal."""
        return self.readings.get((node, what), ())

    def shows(self, node: str, span: tuple[float, float]) -> bool:
        """Tell whether the run saw the boot at the beginning of ``span`` before the end of it."""
        if self.blind:
            return True  # the journal has no readings, so nobody can say what was not seen
        return all(any(span[0] < seq < span[1] for seq in self.of(node, what)) for what in (BOOT_TIME, BUILD))


def sight(history: History) -> Sight:
    """Return what the run of ``history`` could see."""
    turns: dict[str, list[tuple[int, bool]]] = {}
    servicing: set[str] = set()
    for frame in history.of("node.state", "node.power", "node.evicted", "service"):
        op, node = frame.entry.op, str(frame.detail.get("node"))
        if op == "service":
            if frame.detail.get("name") != "TrustedInstaller":
                continue
            (servicing.add if frame.detail.get("status") == "Running" else servicing.discard)(node)
        view = frame.after.nodes.get(node)
        is_in = op != "node.evicted" and view is not None and view.up and view.state in ("Up", "Paused")
        turns.setdefault(node, []).append((frame.entry.seq, is_in and node not in servicing))
    readings: dict[tuple[str, str], list[int]] = {}
    for reading in history.readings.all:
        before = turns.get(reading.machine, [])
        place = bisect_right(before, (reading.seq, False)) - 1
        if reading.actor in history.actors and (place < 0 or before[place][1]):
            readings.setdefault((reading.machine, reading.what), []).append(reading.seq)
    return Sight(hidden_boots(history), readings, not history.readings.all)


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
    elif frame.entry.op == "update.installed" and not detail.get("applied", True):
        node.said.add(update_id)
    elif frame.entry.op == "update.installed":
        node.installed[update_id] = str(detail.get("kb", ""))
        if history.installs(frame):
            node.ours[update_id] = node.installed[update_id]
    if frame.entry.op == "update.installed":
        node.worked_on |= history.installs(frame)


def _rolled_back(history: History, frame: Frame, node: NodeFacts) -> None:
    update_id = str(frame.detail["update_id"]).lower()
    node.said.add(update_id)
    node.installed.pop(update_id, None)
    node.ours.pop(update_id, None)


def _offered(history: History, frame: Frame, node: NodeFacts) -> None:
    if not history.guids or str(frame.detail.get("orchestrator")).lower() in history.guids:
        node.said -= {str(each).lower() for each in frame.detail.get("update_ids", ())}


def _restart(history: History, frame: Frame, node: NodeFacts) -> None:
    if history.blames(frame.detail.get("by")) and not frame.is_fault:
        node.worked_on = True
        node.ordered |= bool(frame.detail.get("ordered"))


def _power(history: History, frame: Frame, node: NodeFacts) -> None:
    if frame.detail["up"]:
        node.boots += 1
        node.ordered_boots += [frame.entry.seq] if node.ordered else []
        node.ordered = False


def _state(history: History, frame: Frame, node: NodeFacts) -> None:
    name = frame.detail["node"]
    was, order = frame.before.nodes.get(name), frame.before.ordered.get(name)
    if was is not None and was.in_service and not frame.after.nodes[name].in_service:
        node.drained |= order is not None and history.blames(order.actor) and not frame.is_fault


_TAKE = {
    "update.installed": _installed,
    "update.downloaded": _installed,
    "update.rolled-back": _rolled_back,
    "update.offered": _offered,
    "node.restart": _restart,
    "node.power": _power,
    "node.state": _state,
}
