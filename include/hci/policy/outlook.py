"""What a plan means beforehand: how long each phase takes, when it should be over, and what could go wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.policy.estimates import FIRST_GUESS, Estimate, estimate_node_range, estimate_range
from include.hci.policy.local_time import show_moment
from include.hci.policy.plan import Plan
from include.hci.policy.progress import show_duration
from include.hci.policy.windows import may_begin
from include.hci.settings.calendar import Blackout, MaintenanceWindow

History = Mapping[str, Sequence[timedelta]]


@dataclass(frozen=True, slots=True)
class Outlook:
    """The estimate of a plan.

    ``phases`` are of one node, ``run`` of all nodes that have work. ``ends`` are the earliest, expected and latest end when it
    begins at the time asked about; ``closes`` is when the present window ends, None: never. ``nodes_in_window`` is how many nodes
    are begun before that, and before stop_after, when each takes what is expected.
    """

    phases: Mapping[str, Estimate]
    node: Estimate
    run: Estimate
    ends: tuple[datetime, datetime, datetime]
    closes: datetime | None
    nodes_in_window: int
    risks: tuple[str, ...]


def make_outlook(
    plan: Plan,
    now: datetime,
    seen: History | None = None,
    windows: Sequence[MaintenanceWindow] = (),
    blackouts: Sequence[Blackout] = (),
    stop_at: datetime | None = None,
) -> Outlook:
    """Return the outlook of ``plan`` when it begins at ``now``; ``seen`` are past durations per phase, oldest first.

    From ``stop_at`` on (stop_after) no node is begun any more.
    """
    phases = {step: estimate_range(step, (seen or {}).get(step, ())) for step in FIRST_GUESS}
    node = estimate_node_range(seen)
    working = [each for each in plan.nodes if each.has_work]
    run = node.times(len(working))
    ends = (now + run.low, now + run.expected, now + run.high)
    answer = may_begin(now, windows, blackouts, node.high, stop_at=stop_at)
    fitting = _fitting(now, answer.closes, node, len(working)) if answer.allowed else 0
    in_time = _fitting(now, stop_at, node, len(working), whole=False) if answer.allowed else 0
    risks = (
        *_window_risks(answer.allowed, answer.why, fitting, len(working), ends, answer.closes),
        *_stop_risks(in_time, fitting, len(working), stop_at),
        *_risks(plan, node),
    )
    return Outlook(phases, node, run, ends, answer.closes, min(fitting, in_time), risks)


def _fitting(now: datetime, end: datetime | None, node: Estimate, count: int, *, whole: bool = True) -> int:
    """Return how many nodes are begun before ``end``, each taking what is expected; ``whole``: its high end has to fit, too."""
    if end is None:
        return count
    last = end - node.high if whole else end - timedelta(microseconds=1)
    begun, at = 0, now
    while begun < count and at <= last:
        begun, at = begun + 1, at + node.expected
    return begun


def _stop_risks(in_time: int, fitting: int, count: int, stop_at: datetime | None) -> list[str]:
    if stop_at is None or in_time >= min(fitting, count):
        return []
    return [f"Only {in_time} of {count} nodes are begun before {show_moment(stop_at)} (stop_after); the others wait."]


def _window_risks(
    allowed: bool,
    why: str,
    fitting: int,
    count: int,
    ends: tuple[datetime, datetime, datetime],
    closes: datetime | None,
) -> list[str]:
    if not count:
        return []
    if not allowed:
        return [f"No node can be begun now: {why}."]
    if closes is None:
        return []
    found = []
    if fitting < count:
        found.append(f"Only {fitting} of {count} nodes are begun before {show_moment(closes)}; the others wait.")
    if ends[2] > closes >= ends[1]:
        found.append(f"If it is slow, it ends at {show_moment(ends[2])}, after {show_moment(closes)}.")
    return found


def _risks(plan: Plan, node: Estimate) -> list[str]:
    working = [each for each in plan.nodes if each.has_work]
    if not working:
        return []
    found = []
    if len(plan.members) == 2:
        found.append("The cluster has two nodes: while one is out, the loss of the other stops every role.")
    if plan.already_out:
        found.append(f"{', '.join(plan.already_out)} is out of service already, so there is less to fall back on.")
    if plan.max_failed_nodes == 0 and len(working) > 1:
        found.append("max_failed_nodes is 0: the first node that fails ends the run.")
    builds = {each.build for each in plan.nodes if each.build}
    if len(builds) > 1:
        found.append(
            f"The nodes have different builds ({', '.join(sorted(builds))}); later scans may find different updates."
        )
    if manual := [each.name for each in working if each.manual_maintenance]:
        found.append(
            f"Storage maintenance mode is entered by hand on {', '.join(manual)}; it is left again before the resume."
        )
    if waiting := [each.name for each in working if each.restart_pending]:
        found.append(f"{', '.join(waiting)} waits for a restart from before this run.")
    if idle := [each.name for each in working if each.restart_asked and not each.updates and not each.restart_pending]:
        found.append(f"{', '.join(idle)} leaves service only to be restarted, as asked for: nothing waits for it.")
    if any(each.updates for each in working):
        found.append("More updates may be offered after the first are installed: the plan names at least these.")
        found.append("Installed updates are not taken back by this coordinator.")
    if not node.from_history:
        found.append(
            f"There is no history of this cluster for every phase: {show_duration(node.expected)} per node is a general figure."
        )
    return found
