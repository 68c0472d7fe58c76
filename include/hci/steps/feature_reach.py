"""Where the vendor's tests are run, so that they reach every node: the management host, with credentials to go on with."""

from __future__ import annotations

from dataclasses import dataclass

from include.hci.cluster.as_found import get_credssp
from include.hci.cluster.facade import Cluster
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.settings.feature import FeatureUpdateRequest
from include.hci.steps.cau_run_access import get_computer_name
from include.hci.steps.cau_run_actions import EnableCredSsp
from include.hci.steps.decisions import Act


@dataclass(frozen=True, slots=True)
class Reach:
    """The management host ``host`` and the ``shell`` there that reaches every node; None for the reason in ``why``.

    ``switch``: it would, once the host accepts delegated credentials.
    """

    host: str = ""
    shell: Shell | None = None
    why: str = ""
    switch: bool = False


def read_reach(cluster: Cluster) -> Reach:
    """Read the management host; raises what the shell raises."""
    host = cluster.management()
    if host is None:
        return Reach(why="the cluster has no management_host")
    if host.shell is None:
        return Reach(why=host.problem or "the management host cannot be reached")
    name = get_computer_name(host.shell)
    if host.passes_credentials:
        return Reach(name, host.shell)
    if host.by_credssp is None:
        return Reach(name, why=f"the connection of {name} passes no credentials on and has no password to delegate")
    accepts, _ = get_credssp(host.shell)
    if accepts:
        return Reach(name, host.by_credssp)
    return Reach(name, why=f"{name} accepts no delegated credentials", switch=True)


def open_reach(reach: Reach, request: FeatureUpdateRequest, step: ev.StepName) -> Act | None:
    """Return what makes the tests reach the nodes where that is lacking and may be done; the end of the run takes it back."""
    if not reach.switch or request.credssp == "never":
        return None
    return Act(EnableCredSsp(reach.host, step), f"{reach.why}, and the tests go on from it to every node")


def no_reach(reach: Reach, test: str) -> Problem:
    """Return why ``test`` cannot be run."""
    return Problem(
        title=f"{test} cannot reach the nodes: {reach.why}.",
        meaning="It goes on from where it runs to every node of the cluster, and needs credentials for that.",
        next_action="Give the connection of the management host auth credssp (or negotiate_delegate), or let the run switch "
        "CredSSP on there for its time (credssp: when_needed).",
        retry_is_safe=True,
    )
