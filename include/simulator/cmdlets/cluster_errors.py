"""How the FailoverClusters cmdlets fail."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

from include.simulator.cmdlets.registry import Call
from include.simulator.objects import SimError, TerminatingError
from include.simulator.world.machines import Node

if TYPE_CHECKING:
    from collections.abc import Iterable

_EXCEPTION = "Microsoft.FailoverClusters.PowerShell.ClusterCmdletException"
_TYPES = (_EXCEPTION, "System.InvalidOperationException", "System.SystemException", "System.Exception", "System.Object")


#: What Windows says to its error codes (win32, system error codes).
_SYSTEM_TEXTS = {
    1722: "The RPC server is unavailable",
    5005: "A cluster node is not available for this operation",
    5042: "The cluster node was not found",
    5050: "The cluster node is down",
    5058: "The cluster node is not paused",
    5962: "The cluster node is draining its roles",
    5987: "Clustered storage is in a degraded state",
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
    return TerminatingError(
        SimError(
            message=f"{message}\n    {_SYSTEM_TEXTS.get(code, f'Error code: {code}')}",
            fully_qualified_error_id=f"{call.name},{command_class(call.name)}",
            category=category,
            exception_types=_TYPES,
            reason="ClusterCmdletException",
            activity=call.name,
            hresult=win32_hresult(code),
            native_error_code=code,
            properties={"InnerException": f"System.ComponentModel.Win32Exception (0x{0x80070000 | code:08X})"},
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
        )
    )


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
