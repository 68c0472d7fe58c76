"""Whether a node's task has anything to do at all, decided from the plan and the run's record before any cluster is asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from include.hci.policy.plan import Plan
from include.hci.report.events import Approved
from include.hci.report.facts import RunFacts


class Admission(Enum):
    """What a task does next."""

    GO = "go"
    SKIP = "skip"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Admitted:
    """The answer and its reason."""

    admission: Admission
    why: str = ""


GO = Admitted(Admission.GO)


def admit(
    step: str,
    node: str,
    plan: Plan | None,
    facts: RunFacts,
    turns_given: Mapping[str, bool],
    *,
    stage_only: bool = False,
) -> Admitted:
    """Return whether ``step`` of ``node`` may begin.

    ``turns_given`` tells which nodes have had their turn in this run. The cluster is read again by the step itself; this only
    keeps tasks apart that a person may have cleared or started out of order.
    """
    if step == "scan":
        return GO
    if facts.cancel is not None and step in ("stage", "turn") and node not in facts.paused:
        return Admitted(Admission.SKIP, f"the run was cancelled by {facts.cancel}")
    if plan is None:
        return Admitted(
            Admission.REFUSE, "There is no plan for this run. Clear the task 'readiness' with its downstream tasks."
        )
    planned = plan.node(node)
    if step == "resume":
        told = any(change.node == node for change in facts.open_changes("monitoring-silence"))
        return GO if node in facts.paused or told else Admitted(Admission.SKIP, f"this run has not paused {node}")
    if not planned.has_work:
        return Admitted(Admission.SKIP, planned.skip or f"nothing to install on {node}")
    if facts.lock_guid is None:
        return Admitted(
            Admission.REFUSE,
            f"This run does not hold the lock of cluster {plan.cluster}, so {node} is not touched. "
            "Clear the task 'take_lock' with its downstream tasks.",
        )
    if stage_only and step == "turn":
        return Admitted(Admission.SKIP, "this run ends with the downloads, as stage_only asks")
    if step in ("stage", "turn", "resync"):
        return GO
    if node in facts.skipped:
        return Admitted(Admission.SKIP, facts.skipped[node])
    if not turns_given.get(node, False):
        return Admitted(
            Admission.REFUSE,
            f"It has not been {node}'s turn in this run. Clear its task 'turn' with its downstream tasks.",
        )
    return GO


def missing_approval(wanted: bool, identity: str, answer: Approved | None) -> str:
    """Return why the plan with the hash ``identity`` may not be carried out for want of a person's yes; empty: it may."""
    if not wanted:
        return ""
    if answer is None:
        return "Nobody has approved the plan. Clear the task 'approve' with its downstream tasks and answer it."
    if not answer.accepted:
        return f"{answer.by} refused the plan."
    if answer.plan_id != identity:
        return f"{answer.by} approved another plan ({(answer.plan_id or 'none')[:12]}), not this one ({identity[:12]})."
    return ""


def admit_cluster_step(step: str, facts: RunFacts, *, stage_only: bool = False, missing_approval: str = "") -> Admitted:
    """Return whether a step about the whole cluster may begin: once a person has cancelled the run, only its end may."""
    if missing_approval and step in ("take_lock", "run_cau"):
        # Whoever marks the task 'approve' as done has approved nothing.
        return Admitted(Admission.REFUSE, missing_approval)
    if stage_only and step == "verify":
        return Admitted(Admission.SKIP, "Nothing was installed, so there is nothing to verify.")
    if facts.parked and step == "verify":
        return Admitted(Admission.SKIP, f"The run is parked: {facts.parked}.")
    if facts.cancel is None or step == "conclude":
        return GO
    if step in ("run_cau", "collect") and (step == "collect" or facts.open_changes("cau-run")):
        # CAU's run goes on whatever becomes of this one: it is told to stop there, and what came of it is collected.
        return GO
    why = f"The run was cancelled by {facts.cancel}."
    # What is verified is a finished run. Everything before the lock fails, so that the run does not count as done.
    return Admitted(Admission.SKIP if step == "verify" else Admission.REFUSE, why)
