"""The CAU cmdlets for the self-updating role (windows-powershell-docs, Add-CauClusterRole and its siblings)."""

from __future__ import annotations

from zoneinfo import ZoneInfo

from include.simulator.cmdlets import cau_objects as shape
from include.simulator.cmdlets.cau_common import SPACE, error, reach, refusals, warn_single
from include.simulator.cmdlets.registry import Call, ask, cmdlet
from include.simulator.objects import SimEnum
from include.simulator.world.cau_options import DEFAULT_PLUGIN, RUN_OPTIONS
from include.simulator.world.cau_role import RoleError, schedule_of
from include.simulator.world.machines import Node

MEMBER_VARIANT = "cau-role-can-be-added-from-a-member"
EVERY_OPTION = "cau-role-lists-every-option"
_FAILBACK = {"NoFailback": 0, "Immediate": 1, "Policy": 2}
_SWITCHES = (
    "RequireAllNodesOnline",
    "SeparateReboots",
    "RunPluginsSerially",
    "StopOnPluginFailure",
    "EnableFirewallRules",
)


@cmdlet("Get-CauClusterRole")
async def get_cau_cluster_role(call: Call) -> None:
    """Write the settings of the CAU role as name and value pairs; without a role fail as Windows does.

    A switch is On, and the interval has a name of its own (windows-powershell-docs, Get- and Set-CauClusterRole: the examples).
    """
    reach(call)
    cau = call.world.cau
    group = cau.role_group
    try:
        role = cau.roles.require()
    except RoleError as missing:
        raise error(call, str(missing), "ObjectNotFound") from None
    if group is None:
        return
    pairs: dict[str, object] = {
        "ResourceGroupName": group.name,
        "Status": SimEnum(SPACE + "CauRoleStatus", int(group.state), group.state.name),
    }
    schedule = role.schedule
    if schedule is not None:
        # The role keeps times of day of its node.
        pairs["StartDate"] = schedule.start.replace(tzinfo=ZoneInfo(group.owner.time_zone))
        pairs["DaysOfWeek"] = SimEnum(SPACE + "Weekdays", int(schedule.days), schedule.days.text)
        if schedule.interval:
            pairs["WeeksInterval"] = schedule.interval
        else:
            pairs["WeeksOfMonth"] = list(schedule.weeks)
    else:
        pairs["RunOnce"] = True
    every = call.world.variant(EVERY_OPTION)
    pairs |= {"CauPluginName": [DEFAULT_PLUGIN], "MaxRetriesPerNode": 3}
    if every:
        pairs |= dict.fromkeys(_SWITCHES, "Off")
        pairs |= {"MaxFailedNodes": len(call.world.nodes) // 3, "RebootTimeoutMinutes": 15, "FailbackMode": "Immediate"}
        pairs |= {"ConfigurationName": "Microsoft.PowerShell", "NodeOrder": []}
    pairs |= {name: _shown(value) for name, value in role.options.items()}
    if "FailbackMode" in pairs:
        mode = str(pairs["FailbackMode"])
        pairs["FailbackMode"] = SimEnum(SPACE + "FailbackType", _FAILBACK[mode], mode)
    for name, value in pairs.items():
        call.sink.output(shape.pair(name, value))


@cmdlet("Add-CauClusterRole")
async def add_cau_cluster_role(call: Call) -> None:
    """Install the role; from a management host, not from a member of the cluster (azure-stack-docs, update-cluster)."""
    reach(call)
    ask(call)
    world = call.world
    if isinstance(call.host, Node) and not world.variant(MEMBER_VARIANT):
        text = "The clustered role cannot be added from a node of the cluster. Run the command on a computer outside of it."
        raise error(call, text, "InvalidOperation", "RunFromClusterNode")
    options = _options(call)
    owner = next(node for node in world.nodes if node.can_host) if any(node.can_host for node in world.nodes) else None
    if owner is None:
        raise error(call, "No node of the cluster can own the clustered role.", "ResourceUnavailable")
    with refusals(call):
        world.cau.roles.add(
            schedule_of(call.parameters),
            options,
            owner=owner,
            group_name=call.text("GroupName") or "",
            computer_name=call.text("VirtualComputerObjectName") or "",
        )


@cmdlet("Set-CauClusterRole")
async def set_cau_cluster_role(call: Call) -> None:
    """Change the role, or with -UpdateNow start a run. A call without a schedule leaves the third Tuesday at three behind."""
    reach(call)
    ask(call)
    with refusals(call):
        if call.has("UpdateNow"):
            call.world.cau.update_now(call.session.user)
            return
        call.world.cau.roles.require()
        options = _options(call)
        given = schedule_of(call.parameters)
        call.world.cau.roles.set(given, options, use_default=call.has("UseDefault"))


@cmdlet("Enable-CauClusterRole")
async def enable_cau_cluster_role(call: Call) -> None:
    """Bring the role online."""
    reach(call)
    ask(call)
    with refusals(call):
        call.world.cau.roles.enable(True)


@cmdlet("Disable-CauClusterRole")
async def disable_cau_cluster_role(call: Call) -> None:
    """Take the role offline; its settings stay."""
    reach(call)
    ask(call)
    with refusals(call):
        call.world.cau.roles.enable(False)


@cmdlet("Remove-CauClusterRole")
async def remove_cau_cluster_role(call: Call) -> None:
    """Take the role away."""
    reach(call)
    ask(call)
    with refusals(call):
        call.world.cau.roles.remove()


def _shown(value: object) -> object:
    return value if not isinstance(value, bool) else "On" if value else "Off"


def _options(call: Call) -> dict[str, object]:
    """Return the run options that the call gives, checked; what it gives as nothing is to be taken away."""
    given = {name: value for name, value in call.parameters.items() if name in RUN_OPTIONS}
    with refusals(call):
        options = call.world.cau.read_options(given)
        for use in options.plugins:
            call.world.cau.plugins.check(call.host, use)
    warn_single(call, len(options.plugins))
    return given
