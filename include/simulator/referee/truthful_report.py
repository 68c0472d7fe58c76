"""I12: what the report claims is what the world saw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from include.simulator.referee import cau_claims, feature_frames
from include.simulator.referee.history import Frame, History
from include.simulator.referee.node_facts import NodeFacts, Sight, code, gather, sight
from include.simulator.referee.readings import BUILD
from include.simulator.referee.readings import LOCK as LOCK_READ
from include.simulator.referee.view import LOCK
from include.simulator.referee.violation import Violation, violation

NAME = "I12"
SENTENCE = "what the report claims is what the world saw"


def check(history: History, report: Mapping[str, Any]) -> list[Violation]:
    """Return every claim of ``report`` that the journal contradicts: nodes, updates, restarts, builds, the lock, the outcome."""
    run = _of_this_run(history, str((report.get("lock") or {}).get("guid") or "").lower())
    if report.get("run_kind") == feature_frames.KIND:
        run = feature_frames.of_feature_update(history, report)
    if not run:
        return []
    seen_by_run = sight(history)
    facts = gather(history, run, seen_by_run)
    found = [_lie(run, None, claim) for claim in (*_lock(history, run, report), *_outcome(history, run, facts, report))]
    for node in report.get("nodes", ()):
        seen = facts.get(node["name"]) or NodeFacts()
        for claim in (
            *_node(history, run, seen, node),
            *_updates(seen, node),
            *_builds(history, run, seen_by_run, node),
        ):
            found.append(_lie(run, node["name"], claim))
    found += [_lie(run, name, claim) for name, claim in cau_claims.check(history, report)]
    reported = {node["name"] for node in report.get("nodes", ())}
    touched = {name for name, seen in facts.items() if seen.worked_on}
    found += [
        _lie(run, name, f"The report leaves out {name}, which was worked on.") for name in sorted(touched - reported)
    ]
    return found


def _of_this_run(history: History, guid: str) -> Sequence[Frame]:
    """Return the part of the journal that belongs to the run: from its first lock to that of the same accounts' next run.

    It does not end with the lock, which may expire before the run is over, nor where somebody else takes one.
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
    others = [
        index
        for index, holder in taken
        if index > last and holder != guid and history.actors & frames[index].before.guids.get(holder, frozenset())
    ]
    return frames[own[0] : others[0] if others else len(frames)]


def _lie(run: Sequence[Frame], node: str | None, sentence: str) -> Violation:
    return violation(NAME, run[-1].entry, node, sentence)


def _lock(history: History, run: Sequence[Frame], report: Mapping[str, Any]) -> list[str]:
    lock = report.get("lock") or {}
    guid = str(lock.get("guid") or "").lower()
    holding = sorted(node for node, held in run[-1].after.locks.items() if held == guid)
    if lock.get("released") and holding:
        return [f"The report says the lock is released; {', '.join(holding)} still has it."]
    # On a node that is off nobody can see whether the lock is gone, so a report must not claim it.
    hidden = any(not node.up for node in run[-1].after.nodes.values())
    hidden |= any(not _saw_it_gone(history, run, guid, node) for node in _said_locked(report))
    if guid and lock.get("released") is False and not holding and not hidden:
        return ["The report says the lock is not released; no node has it any more."]
    return []


def _said_locked(report: Mapping[str, Any]) -> list[str]:
    """Return the nodes of which the report says what a person has to do to be rid of the run's lock there."""
    return [
        str(left["node"])
        for left in report.get("left") or ()
        if left.get("node") and LOCK.lower() in str(left.get("command")).lower()
    ]


def _saw_it_gone(history: History, run: Sequence[Frame], guid: str, node: str) -> bool:
    """Tell whether the run read the lock of ``node`` after its own was gone from there."""
    held = [
        frame.entry
        for frame in history.of("lock.taken", "lock.released", "lock.expired")
        if frame.entry.node == node and frame.detail["class"] == LOCK and str(frame.detail["guid"]).lower() == guid
    ]
    if held and held[-1].op == "lock.taken":
        return False  # it is still there, on a node that the cluster does not know any more
    gone = held[-1].seq if held else run[0].entry.seq
    return any(seq > gone for seq in history.seen(node, LOCK_READ))


def _outcome(
    history: History, run: Sequence[Frame], facts: Mapping[str, NodeFacts], report: Mapping[str, Any]
) -> list[str]:
    nodes = {node["name"]: node["outcome"] for node in report.get("nodes", ())}
    outcome = report.get("outcome")
    if outcome == "succeeded":
        bad = sorted(name for name, each in nodes.items() if each not in ("updated", "restarted", "nothing-to-install"))
        if bad:
            return [f"The report says the run succeeded, and of {', '.join(bad)} that it did not."]
        left = sorted(name for name in nodes if _paused_by_run(history, run, name))
        if left:
            return [
                f"The report says the run succeeded; {', '.join(left)} {'is' if len(left) == 1 else 'are'} still paused."
            ]
    if outcome == "nothing-to-do" and any(seen.worked_on for seen in facts.values()):
        return ["The report says there was nothing to do; the world saw installations or restarts."]
    return []


def _paused_by_run(history: History, run: Sequence[Frame], name: str) -> bool:
    """Tell whether the node is Paused at the end because those who are judged sent it away; others may pause it later."""
    end = run[-1].after
    node, order = end.nodes.get(name), end.ordered.get(name)
    return node is not None and node.state == "Paused" and order is not None and history.blames(order.actor)


def _node(history: History, run: Sequence[Frame], seen: NodeFacts, node: Mapping[str, Any]) -> list[str]:
    name, outcome = node["name"], node["outcome"]
    claims = []
    restarts = node.get("restarts", 0)
    if not seen.restarts <= restarts <= seen.boots:  # the ones that others ordered may be counted or not
        claims.append(f"The report says {name} was restarted {restarts} times; the world saw {seen.restarts}.")
    if node.get("resumed") and _paused_by_run(history, run, name):
        claims.append(f"The report says {name} was resumed; it is Paused.")
    if outcome == "updated" and not seen.installed:
        claims.append(f"The report says {name} was updated; nothing was installed on it.")
    if outcome == "restarted" and not seen.boots:
        claims.append(f"The report says {name} was restarted; it never was.")
    if outcome in ("restarted", "nothing-to-install", "not-started", "skipped") and seen.ours:
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
        there = update_id in seen.installed or update_id in seen.said
        if result.startswith("succeeded") and not there and not _takes_it_back(node, label, update_id):
            claims.append(f"The report says {label} was installed on {name}; the world saw no such thing.")
        # In progress is what nobody heard the end of: neither that it is there nor that it is not.
        if not result.startswith("succeeded") and result != "in-progress" and update_id in seen.ours:
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


def _takes_it_back(node: Mapping[str, Any], label: str, update_id: str) -> bool:
    """Tell whether the report itself says that the update, which the node called installed, is still to be installed."""
    left = {str(each.get("update_id")).lower() for each in node.get("remaining") or ()}
    return update_id in left or (node["outcome"] == "failed" and label in str(node.get("error") or ""))


def _builds(history: History, run: Sequence[Frame], seen: Sight, node: Mapping[str, Any]) -> list[str]:
    """Compare the builds with what they were, and with what they were when the run last read them: others change them later."""
    name = node["name"]
    readings = seen.of(name, BUILD)
    hidden = [frame.entry.seq for frame in history.of("node.power") if frame.detail["node"] == name]
    hidden = [seq for seq in hidden if seq in seen.hidden]
    last = [*readings[-1:]] + [max((seq for seq in readings if seq < boot), default=0) for boot in hidden]
    truth = {
        "build_before": (run[0].before.nodes.get(name), readings[:1]),
        "build_after": (run[-1].after.nodes.get(name), last),
    }
    claims = []
    for key, (view, read) in truth.items():
        claim = node.get(key)
        if not claim or view is None or not view.build or claim == view.build:
            continue
        if claim in {_build_at(history, name, seq) for seq in read}:
            continue
        claims.append(f"The report gives {claim} as {key.replace('_', ' ')} of {name}; the world says {view.build}.")
    return claims


def _build_at(history: History, name: str, seq: int) -> str:
    before = [frame for frame in history.of("world.snapshot", "build") if frame.entry.seq < seq]
    node = before[-1].after.nodes.get(name) if before else None
    return node.build if node else ""
