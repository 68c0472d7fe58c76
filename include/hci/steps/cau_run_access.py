"""Where a run that is left to CAU asks and acts: the management host, with credentials to pass on where that matters."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from include.hci.cluster.facade import Cluster
from include.hci.powershell.command import Command
from include.hci.powershell.errors import NodeUnreachable, RemotingError
from include.hci.powershell.shell import Shell
from include.hci.settings.cau_remote import CauRemoteRequest
from include.hci.settings.feature import FeatureUpdateRequest
from include.hci.steps.context import StepContext
from include.hci.steps.failures import is_unknown

T = TypeVar("T")


class NoCoordinator(RemotingError):
    """There is no machine on which the run could be coordinated."""

    title = "No management host"
    default_meaning = (
        "CAU's runs are coordinated from a machine outside the cluster, and there is none that can be used"
    )
    default_next_action = "Mend the cluster's management_host in the fleet file, or its connection."


def request_of(context: StepContext) -> CauRemoteRequest:
    """Return how this run reaches the nodes and what it may do about a lost coordinator, whatever else its kind was told."""
    given = context.request
    if context.kind == "feature-update":
        given = {key: value for key, value in given.items() if key in CauRemoteRequest.model_fields}
    return CauRemoteRequest.from_json(given)


def feature_request(context: StepContext) -> FeatureUpdateRequest:
    """Return what this feature update was told beyond its options."""
    return FeatureUpdateRequest.from_json(context.request)


def host_shell(cluster: Cluster) -> Shell:
    """Return the management host's ordinary shell; raises NoCoordinator."""
    host = cluster.management()
    if host is None or host.shell is None:
        raise NoCoordinator(host.problem if host is not None else "the cluster has no management_host")
    return host.shell


def delegating_shell(cluster: Cluster) -> Shell:
    """Return a shell on the management host whose session can log on to the nodes; raises NoCoordinator."""
    host = cluster.management()
    if host is not None and host.shell is not None:
        found = host.shell if host.passes_credentials else host.by_credssp
        if found is not None:
            return found
    raise NoCoordinator(
        (host.problem if host is not None else "") or "no connection to it passes credentials on to the nodes"
    )


def readers(cluster: Cluster, avoid: Sequence[str] = ()) -> tuple[Shell, ...]:
    """Return whom to ask about CAU, one after the other: the management host, then every node; those in ``avoid`` last."""
    host = cluster.management()
    found: list[Shell] = []
    if host is not None and host.shell is not None:
        if not host.passes_credentials and host.by_credssp is not None:
            found.append(host.by_credssp)
        found.append(host.shell)
    shunned = {name.lower() for name in avoid}
    names = sorted(cluster.nodes, key=lambda name: name.lower() in shunned)
    return (*found, *(cluster.on(name) for name in names))


def ask(shells: Sequence[Shell], read: Callable[[Shell], T]) -> T:
    """Return what ``read`` gives on the first of ``shells`` that answers.

    Where none does, what happened is not known as long as one of them could not be reached: a node that restarts answers again.
    Raises NodeUnreachable then, and otherwise what the first one answered.
    """
    errors: list[RemotingError] = []
    for shell in shells:
        try:
            return read(shell)
        except RemotingError as error:
            errors.append(error)
    if any(map(is_unknown, errors)):
        raise NodeUnreachable("; ".join(f"{error.node or 'it'}: {error.detail}" for error in errors))
    raise errors[0]


def get_computer_name(shell: Shell) -> str:
    """Return the name of the machine itself, whatever the connection calls it (Win32_OperatingSystem)."""
    item = shell.run(Command("Get-CimInstance", {"ClassName": "Win32_OperatingSystem"})).require().one()
    return item.string("CSName")
