"""The FailoverClusters cmdlets that move, start and stop roles and resources."""

from __future__ import annotations

from include.simulator.cmdlets import cluster_objects as shape
from include.simulator.cmdlets.cluster_errors import (
    check_service,
    cluster_error,
    find_node,
    matching,
    not_found,
    require_delegation,
)
from include.simulator.cmdlets.cluster_nodes import until
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimObject, TerminatingError
from include.simulator.world.groups import Group, GroupState
from include.simulator.world.moves import Move, MoveRefusedError
from include.simulator.world.resources import Resource, ResourceRefusedError
from include.simulator.world.storage import Storage, VirtualDisk

RESOURCE_LOCKED = 5960
#: What a failed live migration ends with (win32, system error codes).
MOVE_FAILED = 5005


@cmdlet("Move-ClusterGroup")
async def move_cluster_group(call: Call) -> None:
    """Move roles to a node or to the best one, and wait until they are there.

    How a virtual machine moves is not documented; it is taken to be saved on the way unless the variant says otherwise.
    """
    check_service(call)
    kind = "Live" if call.world.variant("move-clustergroup-migrates-live") else "Quick"
    for group in _groups(call):
        await _move(call, group, kind)


@cmdlet("Move-ClusterVirtualMachineRole")
async def move_cluster_virtual_machine_role(call: Call) -> None:
    """Move clustered virtual machines, live unless -MigrationType says otherwise; -Cancel breaks a move off."""
    require_delegation(call)
    check_service(call)
    kind = next(
        each
        for each in ("Live", "Quick", "TurnOff", "ShutdownForce", "Shutdown")
        if each.lower() == (call.text("MigrationType") or "Live").lower()
    )
    for group in _groups(call):
        if group.vm is None:
            raise TerminatingError(not_found(call, "group", group.name))
        if call.has("Cancel"):
            call.world.moves.cancel(group)
            call.sink.output(shape.group(call.world, group))
        else:
            await _move(call, group, kind)


async def _move(call: Call, group: Group, kind: str) -> None:
    target = find_node(call, str(call.parameters["Node"])) if call.has("Node") else None
    try:
        move = call.world.moves.start(group, target, kind, ignore_locked=call.has("IgnoreLocked"))
    except MoveRefusedError as why:
        raise _refused(call, group, str(why), why.code) from None
    if await until(call, lambda: move.over):
        _check(call, move)
    call.sink.output(shape.group(call.world, group))


def _check(call: Call, move: Move) -> None:
    if move.problem:
        raise _refused(call, move.group, move.problem, MOVE_FAILED)


def _refused(call: Call, group: Group, reason: str, code: int) -> TerminatingError:
    text = f"An error occurred while moving the clustered role '{group.name}'. {reason}"
    return cluster_error(call, text, code, "NotSpecified")


@cmdlet("Stop-ClusterGroup")
async def stop_cluster_group(call: Call) -> None:
    """Take roles offline; a virtual machine is saved."""
    check_service(call)
    for group in _groups(call):
        _check_lock(call, group.name, locked=group.locked)
        group.wanted = False
        call.world.groups.save(group, f"Stop-ClusterGroup by {call.session.user}")
        call.sink.output(shape.group(call.world, group))


@cmdlet("Start-ClusterGroup")
async def start_cluster_group(call: Call) -> None:
    """Bring roles online where they are, with -ChooseBestNode on the best node, and wait for it."""
    check_service(call)
    world = call.world
    for group in _groups(call):
        _check_lock(call, group.name, locked=group.locked)
        if group.state is not GroupState.Online:
            best = world.groups.destination(group, group.owner) if call.has("ChooseBestNode") else None
            if best is not None and world.groups.free_memory(best) > world.groups.free_memory(group.owner):
                world.groups.move(group, best, "best node")
            if group.vm and not world.storage.serves(group.vm.disk):
                text = f"The clustered role '{group.name}' could not be started: its storage is offline."
                raise cluster_error(call, text, 5006, "NotSpecified")
            group.wanted, group.configuration_failed = True, False
            world.groups.start(group, f"Start-ClusterGroup by {call.session.user}")
            await until(call, lambda group=group: group.state is not GroupState.Pending)  # type: ignore[misc]
        call.sink.output(shape.group(world, group))


@cmdlet("Stop-ClusterResource")
async def stop_cluster_resource(call: Call) -> None:
    """Take resources offline: virtual disks, the pool, the virtual machine of a role; they stay so until they are started."""
    check_service(call)
    for each in named_resources(call):
        _check_lock(call, each.name, locked=each.locked)
        call.world.resources.stop(each, f"Stop-ClusterResource by {call.session.user}")
        await _report(call, each)


@cmdlet("Start-ClusterResource")
async def start_cluster_resource(call: Call) -> None:
    """Bring resources online and wait for it."""
    check_service(call)
    for each in named_resources(call):
        _check_lock(call, each.name, locked=each.locked)
        try:
            call.world.resources.start(each, f"Start-ClusterResource by {call.session.user}")
        except ResourceRefusedError as why:
            raise cluster_error(call, str(why), why.code, "NotSpecified") from None
        await _report(call, each)


async def _report(call: Call, each: Resource) -> None:
    await until(call, lambda: call.world.resources.settled(each.name))
    now = call.world.resources.find(each.name)
    if now is not None:
        call.sink.output(shape.resource(call.world, now))


def _check_lock(call: Call, name: str, *, locked: bool) -> None:
    if locked and not call.has("IgnoreLocked"):
        raise cluster_error(call, f"'{name}' is locked from moving.", RESOURCE_LOCKED, "NotSpecified")


def _groups(call: Call) -> list[Group]:
    found = [item.source for item in piped(call) if isinstance(item.source, Group)]
    vm_id = (call.text("VMId") or "").lower()
    for name in call.texts("Name"):
        named = [group for group in call.world.groups.all if matching(name, [group.name])]
        if not named:
            raise TerminatingError(not_found(call, "group", name))
        found += named
    if vm_id:
        found += [group for group in call.world.groups.all if group.vm and str(group.vm.id) == vm_id]
    if not found:
        raise TerminatingError(not_found(call, "group", ""))
    return found


def named_resources(call: Call) -> list[Resource]:
    """Return the resources that were piped or named; raises the module's error where a name is unknown."""
    every = call.world.resources.all()
    names = [str(item.to_string) for item in piped(call) if isinstance(item.source, Group | VirtualDisk | Storage)]
    for name in call.texts("Name"):
        if not matching(name, [each.name for each in every]):
            raise TerminatingError(not_found(call, "resource", name))
    names += call.texts("Name")
    found = [each for each in every if any(matching(name, [each.name]) for name in names)]
    if not found:
        raise TerminatingError(not_found(call, "resource", ""))
    return found


def piped(call: Call) -> list[SimObject]:
    """Return the objects that came down the pipeline or were given as InputObject."""
    return [item for item in (*call.input, call.parameters.get("InputObject")) if isinstance(item, SimObject)]
