"""A cluster as the steps see it: a shell on a given node, or on any node that answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from include.hci.powershell.command import Command, Pipeline, as_pipeline
from include.hci.powershell.errors import (
    AuthenticationRefused,
    CertificateRefused,
    CommandFailed,
    ConnectionLost,
    DeadlineExceeded,
    EndpointRefused,
    NodeUnreachable,
    RemotingError,
)
from include.hci.powershell.result import Result
from include.hci.powershell.shell import OnProgress, Shell

#: ERROR_ACCESS_DENIED (see below), ERROR_CLUSTER_NODE_SHUTTING_DOWN, ERROR_CLUSTER_NODE_DOWN, ERROR_CLUSTER_NODE_NOT_AVAILABLE,
#: RPC_S_SERVER_UNAVAILABLE, EPT_S_NOT_REGISTERED (its cluster service does not run) and ERROR_SHUTDOWN_IN_PROGRESS: another node
#: can answer.
_ASK_ANOTHER = frozenset({5, 5073, 5050, 5036, 1722, 1753, 1115})


@dataclass(frozen=True, slots=True)
class ManagementHost:
    """The machine beside the cluster that has the failover clustering tools; ``shell`` is None for ``problem``.

    ``passes_credentials``: what runs there can log on to the nodes, because the session carries its credentials on.
    ``by_credssp`` is a shell on the same machine whose session would do so, once the machine accepts delegated credentials; None
    where ``shell`` does already, or where there is no password to delegate. ``name`` is what messages call the machine.
    """

    shell: Shell | None
    passes_credentials: bool = False
    problem: str = ""
    by_credssp: Shell | None = None
    name: str = "the management host"


#: ERROR_ACCESS_DENIED: one node alone may lack what gives the account its rights, as one that was not restarted after its join.
_DENIED = 5
#: EPT_S_NOT_REGISTERED: the cluster service of the node that was asked does not run, so nothing has come of a change either.
_NOT_BEGUN = frozenset({1753, _DENIED})


class Cluster(Protocol):
    """What a step may ask for."""

    name: str
    nodes: tuple[str, ...]

    def on(self, node: str, configuration: str = "") -> Shell:
        """Return a shell on ``node`` itself, in the session configuration of that name where one is given."""
        ...

    def endpoint(self, connection: str) -> Shell:
        """Return a shell on the endpoint behind an Airflow connection that the run's hooks name."""
        ...

    def any(self, avoid: Collection[str] = ()) -> Shell:
        """Return a shell that runs each pipeline on the first node that answers, those in ``avoid`` last."""
        ...

    def management(self) -> ManagementHost | None:
        """Return the management host, where the cluster has one."""
        ...


class UnknownNode(RemotingError, ValueError):
    """The cluster has a node that the settings do not know, or the other way round."""

    title = "Node unknown"
    default_meaning = "the nodes of the cluster are not those of the fleet file: one was added, evicted or renamed"
    default_next_action = "Compare Get-ClusterNode with the cluster's nodes in the fleet file, then start another run."


class EndpointUnknown(RemotingError):
    """A shell was asked for that this step was not given; the text says why."""

    title = "No such connection"
    default_meaning = "there is no usable connection, so nothing was sent"
    default_next_action = "Mend the Airflow connection that is named, then try again."


class FleetCluster:
    """A cluster whose shells come from ``lend``, which returns the shell of one node (and may wait for it).

    ``lend_in`` returns the shell of a node in a session configuration of its own, ``lend_endpoint`` the one behind an Airflow
    connection.
    """

    def __init__(
        self,
        name: str,
        nodes: Sequence[str],
        lend: Callable[[str], Shell],
        management: ManagementHost | None = None,
        *,
        lend_in: Callable[[str, str], Shell] | None = None,
        lend_endpoint: Callable[[str], Shell] | None = None,
    ) -> None:
        if not nodes:
            raise ValueError(f"Cluster {name} has no nodes to talk to.")
        self.name = name
        self.nodes = tuple(nodes)
        self._lend = lend
        self._management = management
        self._lend_in = lend_in
        self._lend_endpoint = lend_endpoint

    def on(self, node: str, configuration: str = "") -> Shell:
        """Return the shell of ``node``; raises UnknownNode, a ValueError, when the cluster has no such node."""
        known = next((name for name in self.nodes if name.lower() == node.lower()), None)
        if known is None:
            raise UnknownNode(f"Cluster {self.name} has no node {node} (it has {', '.join(self.nodes)}).", node=node)
        if not configuration:
            return self._lend(known)
        if self._lend_in is None:
            raise EndpointUnknown(f"this step has no way into the session configuration {configuration}", node=known)
        return self._lend_in(known, configuration)

    def endpoint(self, connection: str) -> Shell:
        """Return the shell behind ``connection``; raises EndpointUnknown, with the reason, where there is none."""
        if self._lend_endpoint is None:
            raise EndpointUnknown(f"this step was given no connection {connection}")
        return self._lend_endpoint(connection)

    def any(self, avoid: Collection[str] = ()) -> Shell:
        """Return a shell that falls over from node to node."""
        shunned = {name.lower() for name in avoid}
        order = sorted(self.nodes, key=lambda name: name.lower() in shunned)
        return FailoverShell(self.name, tuple(order), self._lend)

    def management(self) -> ManagementHost | None:
        """Return the management host, where the cluster has one."""
        return self._management


@dataclass(frozen=True, slots=True)
class FailoverShell:
    """Runs a pipeline on the first of ``nodes`` that answers.

    A pipeline that changes something moves on only from a node that was never reached, or whose cluster service does not run; one
    that may have begun is not repeated.
    """

    cluster: str
    nodes: tuple[str, ...]
    lend: Callable[[str], Shell]

    def run(
        self,
        pipeline: Command | Pipeline,
        *,
        timeout: timedelta | None = None,
        on_progress: OnProgress | None = None,
    ) -> Result:
        """Run it; raises NodeUnreachable, naming every node and its reason, when none of them could.

        Where one of them denied access and none did it, that is what is raised: waiting does not help.
        """
        changes = as_pipeline(pipeline).is_change
        reasons: list[str] = []
        denied: RemotingError | None = None
        logins = False
        for node in self.nodes:
            try:
                return self.lend(node).run(pipeline, timeout=timeout, on_progress=on_progress)
            except RemotingError as error:
                if not may_ask_another(error, changes, logins=logins):
                    raise
                logins = logins or isinstance(error, AuthenticationRefused)
                denied = denied or (error if is_denied(error) else None)
                reasons.append(f"{node}: {error.detail}")
        if denied is not None:
            raise denied
        raise NodeUnreachable(
            f"no node of {self.cluster} could answer ({'; '.join(reasons)})", command=as_pipeline(pipeline).describe()
        )


def may_ask_another(error: RemotingError, changes: bool, *, logins: bool = False) -> bool:
    """Return whether another node may be asked after ``error``; a change only when nothing can have come of it.

    A node that was just restarted may refuse everybody by itself, for its clock, its account in the domain or its certificate.
    ``logins``: one has refused the login before, so that a second refusal is believed: each may count towards a lockout.
    """
    if isinstance(error, AuthenticationRefused):
        return not logins
    if isinstance(error, NodeUnreachable | CertificateRefused | EndpointRefused):
        return True
    if not changes and isinstance(error, ConnectionLost | DeadlineExceeded):
        return True
    codes = _NOT_BEGUN if changes else _ASK_ANOTHER
    return isinstance(error, CommandFailed) and any(error.has_code(number) for number in codes)


def is_denied(error: RemotingError) -> bool:
    """Return whether the node that was asked let nobody in, or denied access to the cluster (ERROR_ACCESS_DENIED)."""
    if isinstance(error, AuthenticationRefused | CertificateRefused | EndpointRefused):
        return True
    return isinstance(error, CommandFailed) and error.has_code(_DENIED)
