"""I12 for runs that were left to CAU: what the report says CAU did is what the world saw CAU do.

CAU's own doings have no account in the journal: they belong to the run that begun them, from its first state to its last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from include.simulator.referee.history import Frame, History

#: Kinds of runs in which CAU does the work.
KINDS = frozenset({"cau-remote-updating", "feature-update"})
#: Last states of a node that did not end well: the other ones differ by version, these do not.
_BAD = frozenset({"failed", "canceled"})
_COORDINATOR = "Cluster-Aware Updating"
_NODE_LOCK = "MSFT_CAUNode"


@dataclass(slots=True)
class CauFacts:
    """One run of CAU's: its last state, and per node its last one, how often CAU restarted it, and whether CAU paused it."""

    run_id: str
    state: str = ""
    states: dict[str, str] = field(default_factory=dict)
    restarts: dict[str, int] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)


def check(history: History, report: Mapping[str, Any]) -> Iterator[tuple[str | None, str]]:
    """Yield every claim of ``report`` that CAU's doings contradict, with the node it is about."""
    if report.get("run_kind") not in KINDS:
        return
    found = _facts(history.frames, run_of(history, report))
    outcome = report.get("outcome")
    if found is None:
        for node in report.get("nodes", ()):
            if node["outcome"] in ("updated", "failed"):
                yield node["name"], f"The report says {node['name']} {node['outcome']}; CAU ran no run."
        return
    if outcome in ("succeeded", "nothing-to-do") and found.state not in ("Succeeded", ""):
        yield None, f"The report says {outcome}; CAU's run ended {found.state}."
    if outcome != "running" and found.state in ("Started", "CancelPending", "CoordinatorMoved"):
        named = any("Stop-CauRun" in str(left.get("command")) for left in report.get("left") or ())
        if not named:
            yield None, "The report is of a run that is over; CAU's run still goes on."
    for node in report.get("nodes", ()):
        yield from ((node["name"], claim) for claim in _node(found, node))


def _node(found: CauFacts, node: Mapping[str, Any]) -> Iterator[str]:
    name, outcome = node["name"], node["outcome"]
    last = found.states.get(name, "").lower()
    if outcome in ("updated", "nothing-to-install") and last in _BAD:
        yield f"The report says {name} {outcome}; CAU's last word on it was {last}."
    if outcome == "not-started" and name in found.paused:
        yield f"The report says {name} was not started; CAU took it out of service."
    if outcome in ("updated", "nothing-to-install") and bool(node.get("taken_out")) != (name in found.paused):
        was = "was" if name in found.paused else "was not"
        yield f"The report says taken_out={node.get('taken_out')} of {name}; it {was} taken out of service by CAU."
    claimed, seen = int(node.get("restarts", 0)), found.restarts.get(name, 0)
    # CAU's report does not count them, so that two in a row may be seen as one; none at all is another matter.
    if outcome in ("updated", "nothing-to-install") and bool(claimed) != bool(seen):
        yield f"The report says CAU restarted {name} {claimed} times; the world saw {seen}."


def run_of(history: History, report: Mapping[str, Any]) -> str:
    """Return the id of CAU's run that the report is about: the one it names, or the only one from outside the cluster.

    A feature update may do without one, where only the steps after the installation were asked for.
    """
    begun = [
        str(frame.detail["run_id"])
        for frame in history.of("cau.run")
        if frame.detail["state"] == "Started" and not frame.detail.get("self_updating")
    ]
    text = json.dumps(report, default=str)
    named = [run_id for run_id in begun if run_id in text]
    only = begun[0] if len(begun) == 1 and report.get("run_kind") != "feature-update" else ""
    return named[-1] if named else only


def _facts(frames: Sequence[Frame], run_id: str) -> CauFacts | None:
    """Return what the world saw of the run ``run_id``."""
    facts: CauFacts | None = None
    busy: set[str] = set()
    for frame in frames:
        op, detail = frame.entry.op, frame.detail
        if op == "cau.run" and detail.get("run_id") == run_id:
            facts = facts or CauFacts(run_id)
            if detail["state"] != "WarnAfterExceeded":
                facts.state = str(detail["state"])
        elif facts is None:
            continue
        elif op == "cau.node" and detail["run_id"] == facts.run_id:
            facts.states[str(detail["node"])] = str(detail["state"])
        elif op in ("lock.taken", "lock.released") and detail["class"] == _NODE_LOCK:
            if str(detail["guid"]).lower() == facts.run_id and frame.entry.node:
                (busy.add if op == "lock.taken" else busy.discard)(frame.entry.node)
        elif op == "node.restart" and detail.get("by") == _COORDINATOR and not frame.is_fault:
            facts.restarts[str(detail["node"])] = facts.restarts.get(str(detail["node"]), 0) + 1
        elif op == "node.state" and detail["state"] == "Paused" and str(detail["node"]) in busy:
            facts.paused.add(str(detail["node"]))
    return facts
