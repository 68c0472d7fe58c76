"""What all ClusterAwareUpdating cmdlets share: reaching the cluster, crossing the second hop, prompting, failing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from include.simulator.cmdlets.registry import Call
from include.simulator.objects import SimError, TerminatingError
from include.simulator.world.cau_coordinator import RunRefusedError
from include.simulator.world.cau_plugins import PluginError
from include.simulator.world.cau_role import RoleError
from include.simulator.world.machines import Node, Power

SPACE = "Microsoft.ClusterAwareUpdating."
_EXCEPTION = (SPACE + "ClusterUpdateException", "System.Exception", "System.Object")
CREDENTIAL_VARIANT = "cau-credential-crosses-the-second-hop"


def reach(call: Call) -> None:
    """Raise what the CAU cmdlets raise where the cluster is not reached."""
    name, spec = call.text("ClusterName"), call.world.spec
    if name and name.split(".")[0].lower() != spec.cluster.lower():
        raise error(call, f"Unable to connect to cluster {name}.", "ObjectNotFound")
    if not name and not isinstance(call.host, Node) and call.name not in _FROM_OUTSIDE:
        raise error(
            call, "ClusterName must be given on a computer that is not a member of a cluster.", "InvalidArgument"
        )
    if call.host.power is Power.SHUTTING_DOWN:
        text = "Unable to receive cluster object notifications: (Win32Exception) The cluster node is shutting down"
        raise error(call, text, "ConnectionError")
    if not any(node.member for node in call.world.nodes):
        raise error(call, f"The Cluster service on {spec.cluster} is not running.", "ConnectionError")


#: Cmdlets that read only and find the one cluster of this world from the management host without its name.
_FROM_OUTSIDE = frozenset({"Get-CauRun", "Get-CauClusterRole", "Get-CauReport"})


def error(call: Call, message: str, category: str, id: str = "") -> TerminatingError:
    """Return a terminating error of the module; ``id`` stands before the class in its FullyQualifiedErrorId."""
    return TerminatingError(record(call, message, category, id))


def record(call: Call, message: str, category: str, id: str = "", hresult: int = 0) -> SimError:
    """Return an error record of the module."""
    verb, _, noun = call.name.partition("-")
    error_id = f"{id or _EXCEPTION[0].rpartition('.')[2]},{SPACE}Commands.{verb}{noun}Command"
    return SimError(
        message,
        error_id,
        category,
        exception_types=_EXCEPTION,
        reason="ClusterUpdateException",
        activity=call.name,
        hresult=hresult - (1 << 32) if hresult >= 1 << 31 else hresult or -2146233088,
    )


def cross_second_hop(call: Call) -> None:
    """Raise what a cmdlet meets that goes on to every node without credentials it could use there."""
    session = call.session
    if session.delegated or session.authentication.lower() == "basic":
        return
    if call.has("Credential") and call.world.variant(CREDENTIAL_VARIANT):
        return
    text = f"Access is denied. ({call.world.spec.cluster}) The session has no credentials that reach the cluster nodes."
    raise TerminatingError(record(call, text, "PermissionDenied", "AccessDenied", 0x80070005))


@contextmanager
def refusals(call: Call) -> Iterator[None]:
    """Turn what the world refuses into errors of the module."""
    try:
        yield
    except RoleError as refusal:
        category = "ObjectNotFound" if refusal.id == "ClusterRoleNotFound" else "InvalidOperation"
        raise error(call, str(refusal), category, refusal.id) from None
    except RunRefusedError as refusal:
        raise error(call, str(refusal), "InvalidOperation", refusal.id) from None
    except PluginError as refusal:
        raise error(call, str(refusal), "ObjectNotFound", "PluginNotRegistered") from None
    except ValueError as refusal:
        raise error(call, str(refusal), "InvalidArgument", "InvalidArgument") from None


def warn_single(call: Call, plugins: int) -> None:
    """Warn of options that mean nothing with one plug-in."""
    if plugins > 1:
        return
    for name in ("SeparateReboots", "RunPluginsSerially", "StopOnPluginFailure"):
        if call.has(name):
            call.sink.warning(f"The {name} parameter has no effect because only one plug-in is specified.")
