"""Whether a task of a fast offline update has anything to do at all, decided from plan and record before anything is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.hci.policy.plan import Plan
from include.hci.report import events as ev
from include.hci.report.facts import RunFacts

#: What takes the cluster back, whatever has happened before, and which changes there have to be for that.
_BACK: Mapping[str, frozenset[ev.ChangeKind]] = {
    "start_cluster": frozenset({"service-start-type", "cluster-stopped", "virtual-disk-offline"}),
    "start_vms": frozenset({"vm-stopped"}),
}


@dataclass(frozen=True, slots=True)
class OfflineAdmission:
    """Whether the task goes on; ``refused``: that it does not is a failure and no skip."""

    goes: bool
    why: str = ""
    refused: bool = False


GOES = OfflineAdmission(True)


def admit_offline(
    step: str,
    node: str | None,
    plan: Plan | None,
    facts: RunFacts,
    *,
    is_down: bool = False,
    missing_approval: str = "",
) -> OfflineAdmission:
    """Return whether ``step`` (of ``node``, or of the whole cluster) may begin; ``is_down``: this run has stopped the cluster."""
    if step in _BACK:
        is_open = any(change.kind in _BACK[step] for change in facts.changes)
        return GOES if is_open else OfflineAdmission(False, "Nothing of it is down.")
    if step == "conclude":
        return GOES
    if step == "verify":
        return _verify(plan, facts)
    if facts.cancel is not None and step not in ("install_offline", "restart_offline"):
        return OfflineAdmission(False, f"The run was cancelled by {facts.cancel}.", refused=True)
    if step in ("readiness", "scan"):
        return GOES
    if missing_approval:
        return OfflineAdmission(False, missing_approval, refused=True)
    if plan is None:
        return OfflineAdmission(False, "There is no plan for this run.", refused=True)
    if step == "take_lock":
        return GOES
    if facts.lock_guid is None:
        return OfflineAdmission(False, "This run has not taken the lock, so nothing is touched.")
    if facts.parked and step != "downtime_gate":
        return OfflineAdmission(False, f"The run is parked: {facts.parked}.")
    return GOES if node is None else _of_node(step, node, plan, facts, is_down)


def _of_node(step: str, node: str, plan: Plan, facts: RunFacts, is_down: bool) -> OfflineAdmission:
    if step in ("install_offline", "restart_offline"):
        if not is_down or not any(change.node == node for change in facts.open_changes("cluster-stopped")):
            return OfflineAdmission(False, f"This run has not stopped the cluster service of {node}.")
        begun = node in facts.installing or node in facts.passes
        if facts.cancel is not None and not begun:
            return OfflineAdmission(False, f"The run was cancelled by {facts.cancel}.")
        if step == "install_offline" and node in facts.failed:
            return OfflineAdmission(False, f"{node} has failed before: {facts.failed[node]}")
    if step != "stop_vms" and not plan.node(node).has_work:
        return OfflineAdmission(False, f"{node} has nothing to install.")
    return GOES


def _verify(plan: Plan | None, facts: RunFacts) -> OfflineAdmission:
    if plan is None or facts.parked or facts.cancel is not None or not (facts.passes or facts.restarts):
        why = (
            f"The run is parked: {facts.parked}."
            if facts.parked
            else "Nothing was updated, so there is nothing to verify."
        )
        return OfflineAdmission(False, why)
    if facts.open_changes("cluster-stopped"):
        return OfflineAdmission(False, "Not every server is back: what is left is named at the end of the run.")
    return GOES
