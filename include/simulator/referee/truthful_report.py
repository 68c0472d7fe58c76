"""I12: what the report claims is what the world saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from include.simulator.referee.history import Frame, History
from include.simulator.referee.node_facts import NodeFacts, code, gather
from include.simulator.referee.view import LOCK
from include.simulator.referee.violation import Violation, violation

NAME = "I12"
SENTENCE = "what the report claims is what the world saw"


def check(history: History, report: Mapping[str, Any]) -> list[Violation]:
    """Return every claim of ``report`` that the journal contradicts: nodes, updates, restarts, builds, the lock, the outcome."""
    run = _of_this_run(history, str((report.get("lock") or {}).get("guid") or "").lower())
    if not run:
        return []
    facts = gather(history, run)
    found = [_lie(run, None, claim) for claim in (*_lock(run, report), *_outcome(run, facts, report))]
    for node in report.get("nodes", ()):
        seen = facts.get(node["name"]) or NodeFacts()
        for claim in (*_node(run, seen, node), *_updates(seen, node), *_builds(run, node)):
            found.append(_lie(run, node["name"], claim))
    reported = {node["name"] for node in report.get("nodes", ())}
    touched = {name for name, seen in facts.items() if seen.worked_on}
    found += [
        _lie(run, name, f"The report leaves out {name}, which was worked on.") for name in sorted(touched - reported)
    ]
    return found


def _of_this_run(history: History, guid: str) -> Sequence[Frame]:
    """Return the part of the journal that belongs to the run: from the first time its lock was taken to the next holder's time.

    It does not end with the lock, which may expire before the run is over.
    """
    frames = history.frames
    taken = [
        (place, str(frames[place].detail["guid"]).lower())
        for place in history.places("lock.taken")
        if frames[place].detail["class"] == LOCK
    ]
    own = [index for index, holder in taken if guid and holder == guid]
    if not own:
        return frames
    last = max(
        place
        for op in ("lock.taken", "lock.released", "lock.expired")
        for place in history.places(op)
        if str(frames[place].detail["guid"]).lower() == guid
    )
    others = [index for index, holder in taken if index > last and holder != guid]
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


def _outcome(run: Sequence[Frame], facts: Mapping[str, NodeFacts], report: Mapping[str, Any]) -> list[str]:
    nodes = {node["name"]: node["outcome"] for node in report.get("nodes", ())}
    outcome = report.get("outcome")
    if outcome == "succeeded":
        bad = sorted(name for name, each in nodes.items() if each not in ("updated", "nothing-to-install"))
        if bad:
            return [f"The report says the run succeeded, and of {', '.join(bad)} that it did not."]
        end = run[-1].after
        left = sorted(name for name in nodes if name in end.ordered and end.nodes[name].state == "Paused")
        if left:
            return [
                f"The report says the run succeeded; {', '.join(left)} {'is' if len(left) == 1 else 'are'} still paused."
            ]
    if outcome == "nothing-to-do" and any(seen.worked_on for seen in facts.values()):
        return ["The report says there was nothing to do; the world saw installations or restarts."]
    return []


def _node(run: Sequence[Frame], seen: NodeFacts, node: Mapping[str, Any]) -> list[str]:
    name, outcome = node["name"], node["outcome"]
    claims = []
    restarts = node.get("restarts", 0)
    if not seen.restarts <= restarts <= seen.boots:  # the ones that others ordered may be counted or not
        claims.append(f"The report says {name} was restarted {restarts} times; the world saw {seen.restarts}.")
    state = run[-1].after.nodes.get(name)
    if node.get("resumed") and state is not None and state.state == "Paused":
        claims.append(f"The report says {name} was resumed; it is Paused.")
    if outcome == "updated" and not seen.installed:
        claims.append(f"The report says {name} was updated; nothing was installed on it.")
    if outcome in ("nothing-to-install", "not-started", "skipped") and seen.ours:
        claims.append(f"The report says {outcome} of {name}; {len(seen.ours)} updates were installed on it.")
    if outcome == "not-started" and (seen.drained or seen.restarts):
        claims.append(f"The report says {name} was not started; it was drained or restarted.")
    if node.get("taken_out") is False and seen.drained and outcome != "not-started":
        claims.append(f"The report says {name} was not taken out of service; it was.")
    return claims


def _updates(seen: NodeFacts, node: Mapping[str, Any]) -> list[str]:
    name = node["name"]
    claimed = {str(each["update_id"]).lower(): each for each in node.get("updates", ())}
    claims = []
    for update_id, each in claimed.items():
        label, result = each.get("kb") or update_id, str(each["result"])
        if result.startswith("succeeded") and update_id not in seen.installed:
            claims.append(f"The report says {label} was installed on {name}; the world saw no such thing.")
        if not result.startswith("succeeded") and update_id in seen.ours:
            claims.append(f"The report says {label} {result} on {name}; the world saw it installed.")
        codes = seen.failures.get(update_id)
        if result == "failed" and each.get("hresult") and codes and code(each["hresult"]) not in codes:
            shown = ", ".join(sorted(codes))
            claims.append(f"The report says {label} failed on {name} with {each['hresult']}; the world saw {shown}.")
    claims += [
        f"The report leaves out {kb or update_id}, installed on {name}."
        for update_id, kb in seen.ours.items()
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
