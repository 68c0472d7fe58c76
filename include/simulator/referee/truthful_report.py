"""I12: what the report claims is what the world saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from include.simulator.referee.view import LOCK, Frame
from include.simulator.referee.violation import Violation, violation

NAME = "I12"
SENTENCE = "what the report claims is what the world saw"
_SUCCEEDED = (2, 3)


def check(frames: Sequence[Frame], report: Mapping[str, Any]) -> list[Violation]:
    """Return every claim of ``report`` that the journal contradicts: nodes, updates, restarts, builds, the lock, the outcome."""
    run = _of_this_run(frames, str(report.get("lock", {}).get("guid") or "").lower())
    if not run:
        return []
    found = [_lie(run, None, claim) for claim in (*_lock(run, report), *_outcome(run, report))]
    for node in report.get("nodes", ()):
        for claim in (*_node(run, node), *_updates(run, node), *_builds(run, node)):
            found.append(_lie(run, node["name"], claim))
    reported = {node["name"] for node in report.get("nodes", ())}
    touched = {
        str(frame.entry.detail["node"]) for frame in run if frame.entry.op in ("update.installed", "node.restart")
    }
    found += [
        _lie(run, name, f"The report leaves out {name}, which was worked on.") for name in sorted(touched - reported)
    ]
    return found


def _of_this_run(frames: Sequence[Frame], guid: str) -> Sequence[Frame]:
    """Return the part of the journal that belongs to the run: from the first time its lock was taken to the next holder's time.

    It does not end with the lock, which may expire before the run is over.
    """
    taken = [
        (index, str(frame.entry.detail["guid"]).lower())
        for index, frame in enumerate(frames)
        if frame.entry.op == "lock.taken" and frame.entry.detail["class"] == LOCK
    ]
    own = [index for index, holder in taken if guid and holder == guid]
    if not own:
        return frames
    others = [index for index, holder in taken if index > own[-1] and holder != guid]
    return frames[own[0] : others[0] if others else len(frames)]


def _lie(run: Sequence[Frame], node: str | None, sentence: str) -> Violation:
    return violation(NAME, run[-1].entry, node, sentence)


def _lock(run: Sequence[Frame], report: Mapping[str, Any]) -> list[str]:
    lock = report.get("lock") or {}
    guid = str(lock.get("guid") or "").lower()
    holding = sorted(node for node, held in run[-1].after.locks.items() if held == guid)
    if lock.get("released") and holding:
        return [f"The report says the lock is released; {', '.join(holding)} still has it."]
    # On a node that is off nobody can see whether the lock is gone, so a report must not claim it.
    hidden = any(not node.up for node in run[-1].after.nodes.values())
    if guid and lock.get("released") is False and not holding and not hidden:
        return ["The report says the lock is not released; no node has it any more."]
    return []


def _outcome(run: Sequence[Frame], report: Mapping[str, Any]) -> list[str]:
    nodes = {node["name"]: node["outcome"] for node in report.get("nodes", ())}
    outcome = report.get("outcome")
    if outcome == "succeeded":
        bad = sorted(name for name, each in nodes.items() if each not in ("updated", "nothing-to-install"))
        if bad:
            return [f"The report says the run succeeded, and of {', '.join(bad)} that it did not."]
    if outcome == "nothing-to-do" and any(frame.entry.op in ("update.installed", "node.restart") for frame in run):
        return ["The report says there was nothing to do; the world saw installations or restarts."]
    return []


def _node(run: Sequence[Frame], node: Mapping[str, Any]) -> list[str]:
    name, outcome = node["name"], node["outcome"]
    claims = []
    restarts = _restarts(run, name)
    if node.get("restarts", 0) != restarts:
        claims.append(
            f"The report says {name} was restarted {node.get('restarts', 0)} times; the world saw {restarts}."
        )
    state = run[-1].after.nodes.get(name)
    if node.get("resumed") and state is not None and state.state == "Paused":
        claims.append(f"The report says {name} was resumed; it is Paused.")
    installed = _installed(run, name)
    if outcome == "updated" and not installed:
        claims.append(f"The report says {name} was updated; nothing was installed on it.")
    if outcome in ("nothing-to-install", "not-started", "skipped") and installed:
        claims.append(f"The report says {outcome} of {name}; {len(installed)} updates were installed on it.")
    drained = any(
        frame.entry.op == "node.state"
        and frame.entry.detail["node"] == name
        and name in frame.before.ordered
        and frame.before.nodes[name].in_service
        for frame in run
    )
    if outcome == "not-started" and (drained or restarts):
        claims.append(f"The report says {name} was not started; it was drained or restarted.")
    return claims


def _restarts(run: Sequence[Frame], name: str) -> int:
    """Return how often the node came up again after it was told to restart: an order that had no effect is no restart."""
    ordered, seen = False, 0
    for entry in (frame.entry for frame in run if frame.entry.detail.get("node") == name):
        if entry.op == "node.restart" and entry.detail.get("ordered"):
            ordered = True
        elif entry.op == "node.power" and entry.detail["up"] and ordered:
            ordered, seen = False, seen + 1
    return seen


def _installed(run: Sequence[Frame], name: str) -> dict[str, str]:
    """Return what was installed on the node, update id to KB."""
    entries = [
        frame.entry for frame in run if frame.entry.op == "update.installed" and frame.entry.detail["node"] == name
    ]
    return {
        str(entry.detail["update_id"]).lower(): str(entry.detail.get("kb", ""))
        for entry in entries
        if entry.detail.get("result_code") in _SUCCEEDED
    }


def _updates(run: Sequence[Frame], node: Mapping[str, Any]) -> list[str]:
    name = node["name"]
    seen = _installed(run, name)
    claimed = {str(each["update_id"]).lower(): each for each in node.get("updates", ())}
    claims = []
    for update_id, each in claimed.items():
        label = each.get("kb") or update_id
        if each["result"].startswith("succeeded") and update_id not in seen:
            claims.append(f"The report says {label} was installed on {name}; the world saw no such thing.")
        if not each["result"].startswith("succeeded") and update_id in seen:
            claims.append(f"The report says {label} {each['result']} on {name}; the world saw it installed.")
    claims += [
        f"The report leaves out {kb or update_id}, installed on {name}."
        for update_id, kb in seen.items()
        if update_id not in claimed
    ]
    return claims


def _builds(run: Sequence[Frame], node: Mapping[str, Any]) -> list[str]:
    name = node["name"]
    truth = {"build_before": run[0].before.nodes.get(name), "build_after": run[-1].after.nodes.get(name)}
    claims = []
    for key, view in truth.items():
        claim = node.get(key)
        if claim and view is not None and view.build and claim != view.build:
            claims.append(
                f"The report gives {claim} as {key.replace('_', ' ')} of {name}; the world says {view.build}."
            )
    return claims
