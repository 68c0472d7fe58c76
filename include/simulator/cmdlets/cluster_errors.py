"""How the FailoverClusters cmdlets fail.

Their exception wraps the one that holds the Win32 code, and remoting writes an exception inside another as its text: a client
has the error's name and Windows's own words, no number (records in dpaulson45/HealthChecker issue 195).
"""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from include.simulator.cmdlets.registry import Call
from include.simulator.objects import SimError, TerminatingError
from include.simulator.world.machines import Node, Power

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXCEPTION = "Microsoft.FailoverClusters.PowerShell.ClusterCmdletException"
_TYPES = (_EXCEPTION, "System.InvalidOperationException", "System.SystemException", "System.Exception", "System.Object")


#: What Windows says to its error codes (win32, system error codes).
_SYSTEM_TEXTS = {
    2: "The system cannot find the file specified",
    5: "Access is denied",
    87: "The parameter is incorrect",
    1058: "The service cannot be started, either because it is disabled or because it has no enabled devices associated with it",
    1722: "The RPC server is unavailable",
    5005: "A cluster node is not available for this operation",
    5006: "The cluster resource is not available",
    5042: "The cluster node was not found",
    5050: "The cluster node is down",
    5058: "The cluster node is not paused",
    5070: "The cluster node is paused",
    5073: "The cluster node is shutting down",
    5908: "The group is currently being moved",
    5925: "A quorum of cluster nodes was not present to form a cluster",
    5960: "The resource is locked",
    5962: "A node drain is already in progress",
    5966: "The cluster shared volume is already in redirected access mode",
    5967: "The cluster shared volume is not in redirected access mode",
    5973: "The cluster functional level could not be increased because not all nodes support the updated version",
    5984: "The cluster node is isolated",
    5985: "The cluster node is quarantined",
    5987: "A clustered space is in a degraded condition and the requested action cannot be completed at this time",
}


def command_class(name: str) -> str:
    """Return the class of a cmdlet: Get-ClusterNode is GetNodeCommand, Get-Cluster is GetClusterCommand."""
    verb, _, noun = name.partition("-")
    short = noun.removeprefix("Cluster") or noun
    return f"Microsoft.FailoverClusters.PowerShell.{verb}{short}Command"


def win32_hresult(code: int) -> int:
    """Return the HRESULT of a Win32 error code as the signed number that .NET holds."""
    return (0x80070000 | code) - (1 << 32)


def cluster_error(call: Call, message: str, code: int, category: str) -> TerminatingError:
    """Return the error of a cluster API call that failed with Win32 error ``code``."""
    text = _SYSTEM_TEXTS.get(code, f"Error code: {code}")
    return TerminatingError(
        SimError(
            message=f"{message}\n    {text}",
            fully_qualified_error_id=f"{call.name},{command_class(call.name)}",
            category=category,
            exception_types=_TYPES,
            reason="ClusterCmdletException",
            activity=call.name,
            hresult=win32_hresult(code),
            native_error_code=code,
            properties={"InnerException": f"System.ComponentModel.Win32Exception (0x80004005): {text}"},
            code_inside=True,
        )
    )


def check_service(call: Call) -> None:
    """Raise what every cluster cmdlet raises while no cluster service answers.

    On a node that is its own one; from outside the cluster any member will do.
    """
    host = call.host
    joined = host.member if isinstance(host, Node) else any(node.member for node in call.world.nodes)
    if joined:
        return
    message = (
        "The cluster service is not running.  Make sure that the service is running on all nodes in the cluster.\n"
        "    There are no more endpoints available from the endpoint mapper"
    )
    error_id = f"ClusterEndpointNotRegistered,{command_class(call.name)}"
    raise TerminatingError(
        SimError(
            message,
            error_id,
            "ConnectionError",
            _TYPES,
            reason="ClusterCmdletException",
            activity=call.name,
            hresult=win32_hresult(1753),
            native_error_code=1753,
            code_inside=True,
        )
    )


def require_delegation(call: Call) -> None:
    """Raise what cmdlets do that go on to other nodes: they cannot be run remotely without CredSSP.

    Source: windows-powershell-docs, the note on the pages of these cmdlets.
    """
    if not call.session.delegated:
        text = f"You do not have administrative privileges on the cluster '{call.world.spec.cluster}'."
        raise cluster_error(call, text, 5, "PermissionDenied")


def not_available(call: Call, node: Node) -> TerminatingError:
    """Return the error of what needs a node that is away, with the code that tells why."""
    code = 5050
    if node.power is Power.SHUTTING_DOWN:
        code = 5073
    elif not call.world.variant("isolated-codes-are-generic"):
        code = 5984 if node.isolated else 5985 if node.quarantined else code
    return cluster_error(call, f"The cluster node {node.name} is not available.", code, "ResourceUnavailable")


def not_found(call: Call, kind: str, name: str) -> SimError:
    """Return the record that names a cluster object that does not exist."""
    codes = {"node": 5042, "group": 5013, "resource": 5007}
    return SimError(
        f"Unable to find cluster {kind} '{name}' on cluster '{call.world.spec.cluster}'.",
        f"ClusterObjectNotFound,{command_class(call.name)}",
        "ObjectNotFound",
        _TYPES,
        reason="ClusterCmdletException",
        activity=call.name,
        target=name,
        target_type="String",
        hresult=win32_hresult(codes[kind]),
        native_error_code=codes[kind],
        code_inside=True,
    )


def find_node(call: Call, name: str) -> Node:
    """Return the node called ``name``; raises the module's error where there is none."""
    try:
        return call.world.node(name)
    except KeyError:
        raise TerminatingError(not_found(call, "node", name)) from None


def matching(pattern: str, names: Iterable[str]) -> bool:
    """Tell whether one of ``names`` matches ``pattern`` with PowerShell's wildcards, whatever the case."""
    return any(fnmatch.fnmatchcase(name.lower(), pattern.lower()) for name in names)
