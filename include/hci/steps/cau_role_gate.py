"""What keeps CAU's self-updating role from being set up or switched: asked before anything is touched, and again before it is."""

from __future__ import annotations

from datetime import datetime

from include.hci.policy.cau_options import too_new
from include.hci.policy.cau_role import clock_problem, wanted_role
from include.hci.report.values import Problem
from include.hci.settings import RunOptions
from include.hci.settings.cau_role import CauRoleRequest
from include.hci.steps import cau_role_problems as problems
from include.hci.steps.cau_role_place import RoleFacts

#: In these states of CAU's nothing is being updated; after a failed run the role can still be changed.
_QUIET = ("RunNotInProgress", "RunFailed")


def cadence_problem(cluster: str, asked: CauRoleRequest) -> Problem | None:
    """Return why the role must not be set up or enabled: somebody else has the cluster's cadence. None: nobody has."""
    if asked.action in ("configure", "enable") and not asked.is_run_by_cau:
        return problems.not_left_to_cau(cluster, asked.action, asked.schedule)
    return None


def role_problem(asked: CauRoleRequest, options: RunOptions, facts: RoleFacts, now: datetime) -> Problem | None:
    """Return what of the cluster and of CAU's version keeps the role as it is, or None."""
    if asked.action in ("configure", "enable", "disable", "remove") and facts.run.state not in _QUIET:
        return problems.cau_is_updating(facts.run)
    if asked.action not in ("configure", "enable") or asked.schedule is None:
        return None
    wanted = wanted_role(asked.schedule, options)
    if unknown := too_new(wanted.options, facts.build):
        return problems.too_new_for(unknown, facts.place, facts.build)
    if said := clock_problem(facts.state.zones, wanted, now):
        return problems.other_clocks(said)
    return None
