"""The ClusterAwareUpdating cmdlets, as far as another coordinator reads them."""

from __future__ import annotations

from include.simulator.cmdlets.registry import Call, cmdlet, fail
from include.simulator.objects import SimEnum, SimObject
from include.simulator.world.machines import Power

_SPACE = "Microsoft.ClusterAwareUpdating."
_EXCEPTION = (_SPACE + "ClusterUpdateException", "System.Exception", "System.Object")


def _reach(call: Call) -> None:
    """Raise what the CAU cmdlets raise where the cluster is not reached."""
    name, spec = call.text("ClusterName"), call.world.spec
    if name and name.split(".")[0].lower() != spec.cluster.lower():
        raise _error(call, f"Unable to connect to cluster {name}.", "ObjectNotFound")
    if call.host.power is Power.SHUTTING_DOWN:
        text = "Unable to receive cluster object notifications: (Win32Exception) The cluster node is shutting down"
        raise _error(call, text, "ConnectionError")
    if not any(node.member for node in call.world.nodes):
        raise _error(call, f"The Cluster service on {spec.cluster} is not running.", "ConnectionError")


def _error(call: Call, message: str, category: str) -> Exception:
    verb, _, noun = call.name.partition("-")
    error_id = f"{_EXCEPTION[0].rpartition('.')[2]},{_SPACE}Commands.{verb}{noun}Command"
    return fail(
        message, error_id, category, exception_types=_EXCEPTION, reason="ClusterUpdateException", activity=call.name
    )


@cmdlet("Get-CauRun")
async def get_cau_run(call: Call) -> None:
    """Write the state of CAU's run and, where there is one, the run itself."""
    _reach(call)
    cau = call.world.cau
    if call.has("WaitForCompletion"):
        await call.world.until(lambda: cau.run is None, call.clock)
    call.sink.output(SimEnum(_SPACE + "RunState", int(cau.state), cau.state.name))
    run = cau.run
    if run is None:
        return
    states: list[object] = [
        SimObject(
            (_SPACE + "NodeStatusNotification", "System.Object"),
            {"Node": node.name, "Status": run.status, "Timestamp": run.started},
            to_string=_SPACE + "NodeStatusNotification",
        )
        for node in call.world.nodes
    ]
    properties: dict[str, object] = {
        "RunId": run.id,
        "RunStartTime": run.started,
        "CurrentOrchestrator": run.orchestrator,
        "CancelPending": run.cancel_pending,
        "NodeStatusNotifications": states,
        "NodeResults": [],
    }
    call.sink.output(SimObject((_SPACE + "CauRun", "System.Object"), properties, to_string=_SPACE + "CauRun"))


@cmdlet("Get-CauClusterRole")
async def get_cau_cluster_role(call: Call) -> None:
    """Write the settings of the CAU role as name and value pairs; without a role fail as Windows does."""
    _reach(call)
    role, group = call.world.cau.role, call.world.cau.role_group
    if role is None or group is None:
        text = "The current cluster is not configured with a Cluster-Aware Updating clustered role."
        raise _error(call, text, "ObjectNotFound")
    pairs: dict[str, object] = {
        "ResourceGroupName": group.name,
        "Status": SimEnum(_SPACE + "CauRoleStatus", int(group.state), group.state.name),
        "DaysOfWeek": SimEnum(_SPACE + "Weekdays", 4, role.days_of_week),
        "WeeksOfMonth": list(role.weeks_of_month),
        "CauPluginName": ["Microsoft.WindowsUpdatePlugin"],
        "MaxRetriesPerNode": 3,
    }
    for name, value in pairs.items():
        types = (_SPACE + "CauParameter", "System.Object")
        call.sink.output(SimObject(types, {"Name": name, "Value": value}, to_string=types[0]))
