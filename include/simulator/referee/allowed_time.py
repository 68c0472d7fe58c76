"""I6: no action outside an open window, in a blackout, or on an approval for another plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from include.simulator.referee.departures import departures
from include.simulator.referee.history import Frame, History
from include.simulator.referee.violation import Violation, violation

NAME = "I6"
SENTENCE = "no action outside an open window, in a blackout, or on an approval for another plan"
_LEVELS = {"cluster.functional_level": "The functional level", "pool.version": "The pool version"}


def check(history: History, report: Mapping[str, Any] | None = None) -> list[Violation]:
    """Return every act that began while nothing might begin, and work on a plan that nobody approved.

    Without a window everything is allowed. A node that was begun while it was allowed may be finished: installed, restarted,
    resumed and unlocked after the window has closed. It is finished when it is back in service.
    """
    acts = sorted(_acts(history), key=lambda act: act[0].entry.seq)
    found = []
    for frame, node, what in acts:
        closed = frame.before.rules.closed(frame.entry.at)
        if closed:
            found.append(violation(NAME, frame.entry, node, f"{what} {closed}."))
    return found + _approval(history, acts, report or {})


def unjudged(history: History, report: Mapping[str, Any] | None) -> str:
    """Return what of the invariant cannot be judged, or nothing where all of it can."""
    rules = history.frames[-1].after.rules if history.frames else None
    missing = [] if rules and rules.limit_time else ["there is no window and no blackout"]
    if rules is None or not rules.approvals:
        missing.append("there is no approval")
    elif report is None:
        missing.append("there is no report that names the plan")
    elif plan_hash(report) is None:
        missing.append("the report does not name its plan")
    unreadable = [f"a rule is unreadable: {each}" for each in rules.unreadable] if rules else []
    return "; ".join(unreadable + missing)


def is_judged(history: History, report: Mapping[str, Any] | None) -> bool:
    """Tell whether any of the invariant can be judged."""
    rules = history.frames[-1].after.rules if history.frames else None
    if rules is None or rules.unreadable:
        return False
    return rules.limit_time or bool(rules.approvals and report is not None and plan_hash(report))


def plan_hash(report: Mapping[str, Any]) -> str | None:
    """Return the hash of the plan that the report is about."""
    plan = report.get("plan")
    found = report.get("plan_hash") or (plan.get("plan_hash") if isinstance(plan, dict) else None)
    return str(found) if found else None


def _acts(history: History) -> Iterator[tuple[Frame, str | None, str]]:
    """Yield every act that begins something: work on a node in service, or on one not begun yet, and what concerns no node."""
    begun: dict[str, int] = {}
    back: dict[str, list[int]] = {}
    for frame in history.of("node.state", "node.power"):
        node = str(frame.detail["node"])
        was, now = frame.before.nodes.get(node), frame.after.nodes[node]
        if now.in_service and was is not None and not was.in_service:
            back.setdefault(node, []).append(frame.entry.seq)
    starts: list[tuple[Frame, str, str]] = []
    for each in departures(history):
        if not each.consequence:
            starts.append(
                (each.frame, each.node, f"{each.node} was {'told to restart' if each.restart else 'drained'}")
            )
    for frame in history.of("install.started"):
        if history.installs(frame):
            starts.append((frame, str(frame.detail["node"]), f"An installation began on {frame.detail['node']}"))
    for frame, node, what in sorted(starts, key=lambda start: start[0].entry.seq):
        since, was = begun.get(node), frame.before.nodes.get(node)
        in_service = was is None or was.in_service
        if in_service or since is None or any(since < seq < frame.entry.seq for seq in back.get(node, ())):
            begun[node] = frame.entry.seq
            yield frame, node, what
    for frame in history.of("vm.state", "vm.version", *_LEVELS):
        if history.is_run(frame.by):
            yield frame, None, _described(frame)


def _described(frame: Frame) -> str:
    detail = frame.detail
    if frame.entry.op in _LEVELS:
        return f"{_LEVELS[frame.entry.op]} was raised"
    what = "upgraded" if frame.entry.op == "vm.version" else f"made {detail.get('state')}"
    return f"Virtual machine {detail['vm']} was {what}"


def _approval(
    history: History, acts: list[tuple[Frame, str | None, str]], report: Mapping[str, Any]
) -> list[Violation]:
    claimed = plan_hash(report)
    if not acts or claimed is None:
        return []
    first, approvals = acts[0][0], history.frames[-1].after.rules.approvals
    if not approvals:
        return []
    if claimed not in approvals:
        shown = ", ".join(approvals)
        return [violation(NAME, first.entry, None, f"The run followed plan {claimed}; approved was {shown}.")]
    if claimed not in first.before.rules.approvals:
        return [violation(NAME, first.entry, None, f"The run began before its plan {claimed} was approved.")]
    return []
