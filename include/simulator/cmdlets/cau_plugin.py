"""The CAU cmdlets for plug-ins of this machine: Get-, Register-, Unregister-CauPlugin; and the files for feature updates."""

from __future__ import annotations

from include.simulator.cmdlets import cau_objects as shape
from include.simulator.cmdlets.cau_common import cross_second_hop, error, reach, record
from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.world.cau_plugins import PluginError


@cmdlet("Get-CauPlugin")
async def get_cau_plugin(call: Call) -> None:
    """Write the plug-ins that are registered on this machine."""
    name = call.text("Name")
    found = [each for each in call.world.cau.plugins.on(call.host) if not name or matching(name, [each.name])]
    if name and not found:
        call.sink.error(record(call, f"The plug-in {name} is not registered.", "ObjectNotFound", "PluginNotRegistered"))
    for each in found:
        call.sink.output(shape.plugin(each))


@cmdlet("Register-CauPlugin")
async def register_cau_plugin(call: Call) -> None:
    """Register the plug-in in a file on this machine."""
    try:
        plugin = call.world.cau.plugins.register(call.host, str(call.text("Path")))
    except PluginError as refusal:
        raise error(call, str(refusal), "InvalidArgument", "PluginNotRegistered") from None
    call.sink.output(shape.plugin(plugin))


@cmdlet("Unregister-CauPlugin")
async def unregister_cau_plugin(call: Call) -> None:
    """Take a plug-in away again; those that came with Windows stay."""
    try:
        plugin = call.world.cau.plugins.unregister(call.host, str(call.text("Name")))
    except PluginError as refusal:
        raise error(call, str(refusal), "InvalidOperation", "PluginNotUnregistered") from None
    call.sink.output(shape.plugin(plugin))


@cmdlet("Get-CauDeviceInfoForFeatureUpdates")
async def get_cau_device_info(call: Call) -> None:
    """Write a file with every node's device information into a directory; nodes whose provider cannot do it are errors."""
    reach(call)
    cross_second_hop(call)
    world = call.world
    call.sink.output(shape.activity_ids(world, f"device-info:{world.now}"))
    for node in world.nodes:
        if not node.member:
            text = f"The node {node.name} is not online or cannot be reached."
            call.sink.error(record(call, text, "ConnectionError", "NodeUnreachable", 0x800706BA))
        elif not node.os.cau_feature_updates:
            text = f"The update provider of {node.name} has no method GenerateDeviceInfoFilesFU."
            call.sink.error(record(call, text, "NotImplemented", "MethodNotFound"))
        else:
            path = f"{str(call.text('PathToDirectory')).rstrip(chr(92))}\\{node.name}.xml"
            content = f'<DeviceInfo Name="{node.name}" Build="{node.build}.{node.ubr}" Serial="{node.serial_number}"/>'
            world.cau.files[call.host.name, path.lower()] = content.encode()
            call.sink.output(path)
