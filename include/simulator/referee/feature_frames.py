"""Which part of a journal a feature update's report is about: CAU's run and what it did itself, not what it let others do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from include.simulator.referee.cau_claims import run_of
from include.simulator.referee.history import Frame, History
from include.simulator.referee.view import LOCK

KIND = "feature-update"


def of_feature_update(history: History, report: Mapping[str, Any]) -> Sequence[Frame]:
    """Return the frames from the start of CAU's run, or from the run's first lock, to the end.

    Rolling updates in between have a lock, and a report, of their own: while another one holds the lock, the frames are its.
    """
    own = {str((report.get("lock") or {}).get("guid") or "").lower(), run_of(history, report).lower()} - {""}
    begun = [
        place
        for place in (*history.places("cau.run"), *history.places("lock.taken"))
        if str(history.frames[place].detail.get("run_id") or history.frames[place].detail.get("guid")).lower() in own
    ]
    if not begun:
        return ()
    found, holding = [], set[tuple[str, str]]()
    for frame in history.frames[min(begun) :]:
        others = _is_others(frame, own)
        if others:
            held = (str(frame.detail["guid"]).lower(), str(frame.entry.node))
            (holding.add if frame.entry.op == "lock.taken" else holding.discard)(held)
        if not holding and not others:
            found.append(frame)
    return found


def _is_others(frame: Frame, own: set[str]) -> bool:
    return (
        frame.entry.op in ("lock.taken", "lock.released", "lock.expired")
        and frame.detail["class"] == LOCK
        and str(frame.detail["guid"]).lower() not in own
    )
