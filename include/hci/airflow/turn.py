"""Whose turn is it: one node at a time inside a mapped task group, decided from the task states of the run.

Airflow has no concurrency limit for mapped task groups, so each node's first task waits here. The states only order the nodes.
They are never trusted for safety: a person may clear or mark anything, so every step reads the cluster again before it acts.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from include.hci.policy.budget import failure_budget

#: Task states after which Airflow does nothing more by itself.
TERMINAL = frozenset({"success", "failed", "skipped", "upstream_failed", "removed"})

GroupStates = Mapping[int, Mapping[str, str | None]]


class Turn(Enum):
    """What a node may do now."""

    WAIT = "wait"
    GO = "go"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class TurnVerdict:
    """A turn and the reason for it."""

    turn: Turn
    why: str


def group_states(flat: Mapping[str, str | None]) -> dict[int, dict[str, str | None]]:
    """Return {map index: {step: state}} from Airflow's answer, whose keys are ``<group>.<step>_<map index>``."""
    found: dict[int, dict[str, str | None]] = {}
    for key, state in flat.items():
        task_id, _, index = key.rpartition("_")
        if index.isdigit():
            found.setdefault(int(index), {})[task_id.rsplit(".", 1)[-1]] = state
    return found


def verdict(
    states: GroupStates,
    position: int,
    order: Sequence[str],
    failed_on_record: Collection[str],
    max_failed_nodes: int,
    broken: Collection[str] = (),
) -> TurnVerdict:
    """Return whether the node at ``position`` of ``order`` may start.

    It waits for every earlier node to end and, because a person may have cleared an earlier node, for a later one that is under
    way. The nodes that failed are counted from the task states and from the run's own record, since marking a run failed in the
    UI rewrites task states. They and the ``broken`` ones, which the plan found out of service, stop the run when the failure
    budget does not allow for them.
    """
    names = dict(enumerate(order))
    for index in sorted(states):
        if index == position:
            continue
        steps = states[index]
        if all(state in TERMINAL for state in steps.values()):
            continue
        if index < position:
            return TurnVerdict(Turn.WAIT, f"{names.get(index, index)} is first: {_under_way(steps)}")
        if steps.get("turn") == "success":
            return TurnVerdict(Turn.WAIT, f"{names.get(index, index)} is still under way: {_under_way(steps)}")
    for index, steps in states.items():
        if index < position and steps.get("turn") == "failed":
            why = f"{names.get(index, index)} could not have its turn, so the cluster is not ready for another node either"
            return TurnVerdict(Turn.STOP, why)
    me = names.get(position)
    failed = {names.get(index, str(index)) for index, steps in states.items() if "failed" in steps.values()}
    failed = (failed | set(failed_on_record)) - {me}
    if not failure_budget(max_failed_nodes, failed, broken).allows:
        return TurnVerdict(
            Turn.STOP, f"{_lost(failed, broken)} and max_failed_nodes is {max_failed_nodes}: this node is left alone"
        )
    return TurnVerdict(Turn.GO, "every earlier node has ended")


def _lost(failed: Collection[str], broken: Collection[str]) -> str:
    before = f"{', '.join(sorted(broken))} {'was' if len(broken) == 1 else 'were'} out of service before"
    if not failed:
        return before
    count = "1 node has" if len(failed) == 1 else f"{len(failed)} nodes have"
    return f"{count} failed ({', '.join(sorted(failed))}){f', {before},' if broken else ''}"


def _under_way(steps: Mapping[str, str | None]) -> str:
    for step, state in steps.items():
        if state is not None and state not in TERMINAL:
            return f"its {step} is {state}"
    return "its next step begins soon" if any(state in TERMINAL for state in steps.values()) else "it has not started"
