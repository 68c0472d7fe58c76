"""Whether a task of a feature update has anything to do at all, decided from request and record before anything is asked."""

from __future__ import annotations

from dataclasses import dataclass

from include.hci.policy.plan import Plan
from include.hci.report.facts import RunFacts
from include.hci.settings.feature import FeatureUpdateRequest

#: What is done before the nodes have the new version, and is left out where only the steps after it are asked for.
UPGRADING = (
    "remoting",
    "cau_setup",
    "validate",
    "preview_channel",
    "restart_for_preview",
    "prepare",
    "preview",
    "approve",
    "run_cau",
    "collect",
    "builds",
    "further_updates",
)
#: What is done once they have it.
AFTERWARDS = (
    "take_lock",
    "approve_functional_level",
    "functional_level",
    "approve_pool_version",
    "pool_version",
    "approve_vm_versions",
    "vm_versions",
    "move_role",
    "validate_after",
)
#: Of the former, those that a run that ends with its preview leaves out: they change the nodes, or come after it.
_NOT_PREVIEWED = frozenset(
    {"remoting", "preview_channel", "restart_for_preview", "approve", "run_cau", "builds", "further_updates"}
)


@dataclass(frozen=True, slots=True)
class FeatureAdmission:
    """Whether the task goes on; ``refused``: that it does not is a failure and no skip."""

    goes: bool
    why: str = ""
    refused: bool = False


GOES = FeatureAdmission(True)


def admit_feature(
    step: str,
    request: FeatureUpdateRequest,
    facts: RunFacts,
    plan: Plan | None = None,
    *,
    plan_only: bool = False,
    missing_approval: str = "",
) -> FeatureAdmission:
    """Return whether ``step`` may begin; ``missing_approval`` is why the preview may not be carried out."""
    if step == "conclude":
        return GOES
    if facts.cancel is not None and not (step == "collect" or (step == "run_cau" and facts.open_changes("cau-run"))):
        # CAU's run goes on whatever becomes of this one: it is told to stop there, and what came of it is collected.
        return FeatureAdmission(False, f"The run was cancelled by {facts.cancel}.", refused=True)
    if why := _left_out(step, request, facts, plan_only=plan_only):
        return FeatureAdmission(False, why)
    if step in ("approve", "run_cau") and plan is not None and not any(node.has_work for node in plan.nodes):
        return FeatureAdmission(False, "No node is offered a feature update: nothing is to be installed.")
    if step == "run_cau" and missing_approval:
        # Whoever marks the task 'approve' as done has approved nothing.
        return FeatureAdmission(False, missing_approval, refused=True)
    return GOES


def _left_out(step: str, request: FeatureUpdateRequest, facts: RunFacts, *, plan_only: bool) -> str:
    if request.post_steps_only and step in UPGRADING:
        return "Only what comes after the installation is asked for (post_steps_only)."
    if plan_only and step in (*_NOT_PREVIEWED, *AFTERWARDS):
        return "This run ends with its preview, as plan_only asks."
    if step in ("preview_channel", "restart_for_preview") and not request.preview_channel:
        return "The preview channel is not asked for (preview_channel)."
    if step == "further_updates" and not request.further_updates:
        return "Further updates are not asked for (further_updates)."
    if facts.parked and step in ("builds", "further_updates", *AFTERWARDS):
        return f"The run is parked: {facts.parked}."
    return ""
