"""I5: no virtual machine lost or powered off without a policy saying so."""

from __future__ import annotations

from include.simulator.referee.history import Frame, History
from include.simulator.referee.orders import DRAIN
from include.simulator.referee.rules import VM_POWER
from include.simulator.referee.violation import Violation, violation

NAME = "I5"
SENTENCE = "no virtual machine lost or powered off without a policy saying so"
#: What the world says of virtual machines that it took down by itself.
_WORLDS_DOING = ("lost its power", "went offline")
_ALIVE = frozenset({"Running", "Paused", "PausedCritical", "Starting"})


def check(history: History) -> list[Violation]:
    """Return every virtual machine that stopped because of a command.

    That is one that was told to stop, one whose drain was forced, one whose node was told to go down, and one that went with the
    quorum or the storage when a node that was told to go down left last. What a crash takes down is the world's doing.
    """
    found = []
    for frame in history.of("vm.state"):
        detail = frame.detail
        if detail["state"] in _ALIVE or frame.before.vms.get(detail["vm"], "Running") not in _ALIVE:
            continue
        if VM_POWER in frame.before.rules.permissions or not is_ordered(history, frame):
            continue
        sentence = (
            f"Virtual machine {detail['vm']} on {detail['owner']} went {detail['state']}: {detail.get('reason', '?')}."
        )
        found.append(violation(NAME, frame.entry, detail["owner"], sentence))
    return found


def is_ordered(history: History, frame: Frame) -> bool:
    """Tell whether somebody who is judged made the virtual machine of ``frame`` stop."""
    if frame.is_fault:
        return False
    if frame.by is not None:
        return history.is_run(frame.by)
    before, reason = frame.before, str(frame.detail.get("reason", "")).lower()
    owner = before.ordered.get(str(frame.detail["owner"]))
    if "forced" in reason:
        return owner is None or history.blames(owner.actor)
    if any(words in reason for words in _WORLDS_DOING):
        return False
    goes = before.nodes.get(str(frame.detail["owner"]))
    if goes is None or goes.in_service:  # its own node stays: quorum or storage went with another one
        owner = before.ordered.get(before.last_out or "")
    return owner is not None and owner.kind != DRAIN and history.blames(owner.actor)
