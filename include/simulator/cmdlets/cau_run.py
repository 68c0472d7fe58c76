"""The CAU cmdlets that update and scan: Invoke-CauRun, Invoke-CauScan."""

from __future__ import annotations

import asyncio

from include.simulator.cmdlets import cau_objects as shape
from include.simulator.cmdlets.cau_common import cross_second_hop, error, reach, record, refusals, warn_single
from include.simulator.cmdlets.cluster_errors import find_node
from include.simulator.cmdlets.registry import Call, ask, cmdlet
from include.simulator.objects import SimObject
from include.simulator.world.cau_maintenance import resume_node
from include.simulator.world.cau_options import RUN_OPTIONS, PluginUse
from include.simulator.world.cau_plugins import ROLLING_UPGRADE, PluginFailure, from_windows_update
from include.simulator.world.cau_run import CauRun, SummaryStatus
from include.simulator.world.locks import NODE, LockHeldError
from include.simulator.world.machines import DrainStatus, Node

CONSOLE_VARIANT = "cau-run-ends-with-its-console"


@cmdlet("Invoke-CauRun")
async def invoke_cau_run(call: Call) -> None:
    """Update the cluster from here and write what happens; with -ForceRecovery override what an earlier run left instead."""
    reach(call)
    ask(call)
    if isinstance(call.host, Node):
        text = f"{call.host.name} is a node of the cluster; the Update Coordinator must be a computer outside of it."
        raise error(call, text, "InvalidOperation", "RunFromClusterNode")
    cross_second_hop(call)
    cau = call.world.cau
    if call.has("ForceRecovery"):
        cau.recover()
        if call.has("ClearCorruptReports"):
            cau.reports = [each for each in cau.reports if each.id not in cau.corrupt]
            cau.corrupt.clear()
        return
    if call.has("SuspendNode") or call.has("ResumeNode"):
        await _one_node(call)
        return
    values = {name: value for name, value in call.parameters.items() if name in RUN_OPTIONS}
    with refusals(call):
        options = cau.read_options(values)
        warn_single(call, len(options.plugins))
        run = cau.update_from(call.host, values, call.session.user)
    call.sink.output(shape.activity_ids(call.world, f"run:{run.id}"))
    try:
        await _stream(call, run)
    except asyncio.CancelledError:
        if call.world.variant(CONSOLE_VARIANT) and cau.run is run:
            cau.lose_coordinator()
        raise
    call.sink.output(shape.cluster_result(call.world, run))
    if run.status is not SummaryStatus.Succeeded:
        text = run.error.text if run.error else "Not every node was updated."
        call.sink.error(record(call, text, "OperationStopped", run.error.id if run.error else "RunFailed"))


async def _stream(call: Call, run: CauRun) -> None:
    """Write statuses and results as they come until the run is over."""
    told: set[str] = set()
    seen = staged = 0
    while True:
        await call.world.until(lambda seen=seen: len(run.history) > seen or run.ended is not None, call.clock)  # type: ignore[misc]
        for each in run.history[seen:]:
            call.sink.progress("Invoke-CauRun", f"{each.node}: {each.name}")
            call.sink.output(shape.status(each))
        seen = len(run.history)
        for name, result in run.staging[staged:]:
            call.sink.output(shape.staging_result(name, result))
        staged = len(run.staging)
        for outcome in run.results.values():
            if outcome.status is None or outcome.node in told:
                continue
            told.add(outcome.node)
            for installed in outcome.installs:
                call.sink.output(shape.install_result(outcome.node, installed))
            call.sink.output(shape.node_result(outcome))
        if run.ended is not None and seen == len(run.history):
            return


async def _one_node(call: Call) -> None:
    """Suspend or resume one node as a run would, without updating it."""
    world = call.world
    suspend = call.text("SuspendNode")
    node = find_node(call, suspend or str(call.text("ResumeNode")))
    if world.cau.run is not None:
        raise error(call, "A Cluster-Aware Updating run is in progress.", "InvalidOperation", "RunInProgress")
    if not suspend:
        if node.paused:
            resume_node(world, node, "Immediate")
        return
    if not world.storage.healthy():
        raise error(
            call, f"Clustered storage is degraded; {node.name} stays in service.", "ResourceBusy", "SuspendNodeFailed"
        )
    world.drains.start(node)
    await world.until(lambda: node.drain_status is not DrainStatus.InProgress, call.clock)
    if node.drain_status is DrainStatus.Failed:
        raise error(call, f"The drain of node {node.name} failed.", "OperationStopped", "SuspendNodeFailed")


@cmdlet("Invoke-CauScan")
async def invoke_cau_scan(call: Call) -> None:
    """Write what every node would be given at first; what becomes applicable later is missing."""
    reach(call)
    cross_second_hop(call)
    world = call.world
    values = {name: value for name, value in call.parameters.items() if name in RUN_OPTIONS}
    with refusals(call):
        options = world.cau.read_options(values)
        warn_single(call, len(options.plugins))
        for use in options.plugins:
            world.cau.plugins.check(call.host, use)
    call.sink.output(shape.activity_ids(world, f"scan:{world.now}"))
    guid = str(world.guid(f"scan:{world.now}:{call.host.name}"))
    nodes = [node for node in world.nodes if _may_scan(call, node, guid)]
    try:
        await call.clock.sleep(world.spread(world.spec.timings.scan))
        world.advance()
        for node in nodes:
            _scan(call, node, options.plugins, stop=options.stop_on_plugin_failure)
    finally:
        for node in nodes:
            lock = node.locks.get(NODE)
            if lock and lock.guid == guid:
                world.locks.remove(node, NODE, guid)


def _may_scan(call: Call, node: Node, guid: str) -> bool:
    """Take the node's lock for the scan; write an error and return False where the node cannot be scanned."""
    if not node.member or not call.world.services.reachable(node):
        text = f"The node {node.name} is not online or cannot be reached."
        call.sink.error(record(call, text, "ConnectionError", "NodeUnreachable", 0x800706BA))
        return False
    try:
        call.world.locks.create(node, NODE, guid)
    except LockHeldError as held:
        text = f"Another coordinator works on {node.name}: {held}"
        call.sink.error(record(call, text, "ResourceBusy", "NodeLocked"))
        return False
    return True


def _scan(call: Call, node: Node, uses: tuple[PluginUse, ...], *, stop: bool) -> None:
    world = call.world
    condition = world.rig.take("scan-fails", node.name)
    if condition or not node.up:
        hresult = int(condition.text("hresult"), 0) if condition else 0x800706BA
        text = f"The scan of {node.name} failed with 0x{hresult:08X}."
        call.sink.error(record(call, text, "OperationStopped", "ScanFailed", hresult))
        return
    for use in uses:
        try:
            found = world.cau.plugins.search(call.host, node, use)
        except PluginFailure as failure:
            call.sink.error(record(call, str(failure), "OperationStopped", "PluginFailed", failure.hresult))
            if stop:
                return
            continue
        objects: list[SimObject] = [shape.update_info(node.name, each, use.name) for each in found]
        if use.name.lower() == ROLLING_UPGRADE.lower():
            media = "" if from_windows_update(use) else use.argument("PathToSetupMedia")
            objects = [shape.upgrade_info(node.name, found, use.name, media)] if found else []
        for each in objects:
            call.sink.output(each)
