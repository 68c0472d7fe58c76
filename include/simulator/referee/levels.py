"""I9: functional level and pool version rise once, only when all nodes run the new build, after approval."""

from __future__ import annotations

from collections.abc import Iterator

from include.simulator.referee.history import Frame, History
from include.simulator.referee.rules import FUNCTIONAL_LEVEL, POOL_VERSION
from include.simulator.referee.violation import Violation, violation

NAME = "I9"
SENTENCE = "functional level and pool version rise once, only when all nodes run the new build, after approval"
_OPS = {"cluster.functional_level": FUNCTIONAL_LEVEL, "pool.version": POOL_VERSION}


def check(history: History) -> list[Violation]:
    """Return every rise that came twice, too early or without a permission, and every fall.

    Neither can be taken back, and both need every node on the new version and in the cluster (windowsserverdocs,
    cluster-operating-system-rolling-upgrade; Update-StoragePool).
    """
    found = []
    risen: set[str] = set()
    for frame in history.of(*_OPS):
        if frame.detail.get("what_if") or frame.is_fault or not history.blames(frame.by):
            continue
        thing = _thing(frame)
        for sentence in _broken(frame, thing, thing in risen):
            found.append(violation(NAME, frame.entry, None, sentence))
        risen.add(thing)
    return found + list(_silent_rise(history))


def _thing(frame: Frame) -> str:
    pool = frame.detail.get("pool")
    return f"The version of pool {pool}" if frame.entry.op == "pool.version" else "The functional level"


def _broken(frame: Frame, thing: str, again: bool) -> Iterator[str]:
    before, after = frame.detail.get("before"), frame.detail.get("after")
    rise = f"{before} to {after}"
    if isinstance(before, int) and isinstance(after, int) and after < before:
        yield f"{thing} fell from {rise}."
    if again:
        yield f"{thing} was raised again, from {rise}."
    permission = _OPS[frame.entry.op]
    if permission not in frame.before.rules.permissions:
        yield f"{thing} was raised from {rise} without a permission for it ({permission})."
    builds: dict[str, list[str]] = {}
    for node in frame.before.nodes.values():
        builds.setdefault(node.build.split(".")[0], []).append(node.name)
    if len(builds) > 1:
        shown = "; ".join(f"{', '.join(sorted(names))} on {build or '?'}" for build, names in sorted(builds.items()))
        yield f"{thing} was raised from {rise} before all nodes ran the same build: {shown}."
    away = [node.name for node in frame.before.nodes.values() if node.state not in ("Up", "Paused") or not node.up]
    if away:
        yield f"{thing} was raised from {rise} while {', '.join(sorted(away))} took no part in the cluster."


def _silent_rise(history: History) -> Iterator[Violation]:
    """A level that differs between snapshots although nothing says that it was raised."""
    snapshots = history.of("world.snapshot")
    if not snapshots:
        return
    for op, key, name in (
        ("cluster.functional_level", "functional_level", "The functional level"),
        ("pool.version", "pool_version", "The pool version"),
    ):
        first, last = snapshots[0].detail.get(key), snapshots[-1].detail.get(key)
        if first is not None and last is not None and first != last and not history.of(op):
            yield violation(NAME, snapshots[-1].entry, None, f"{name} went from {first} to {last} unseen.")
