"""The CAU cmdlets that watch a run and stop it: Get-CauRun, Stop-CauRun."""

from __future__ import annotations

from include.simulator.cmdlets import cau_objects as shape
from include.simulator.cmdlets.cau_common import reach
from include.simulator.cmdlets.registry import Call, ask, cmdlet
from include.simulator.world.locks import NODE


@cmdlet("Get-CauRun")
async def get_cau_run(call: Call) -> None:
    """Write the state of CAU's run and, where there is one, the run itself.

    -ShowClusterNodeState writes the status of the WMI object on each node instead, which is its lock and not what a run does
    there (windows-powershell-docs, Get-CauRun). -WaitForStart waits for a run, and -WaitForCompletion writes what happens until
    it is over.
    """
    reach(call)
    cau = call.world.cau
    if call.has("WaitForStart"):
        await call.world.until(lambda: cau.run is not None, call.clock)
    elif call.has("WaitForCompletion"):
        await _follow(call)
    reach(call)
    call.sink.output(shape.enum("RunState", cau.state))
    if call.has("ShowClusterNodeState"):
        for node in call.world.nodes:
            lock = node.locks.get(NODE)
            call.sink.output(shape.lock_state(node.name, lock.guid if lock else None))
    elif cau.run is not None:
        call.sink.output(shape.run(cau.run))


@cmdlet("Stop-CauRun")
async def stop_cau_run(call: Call) -> None:
    """Ask the run that is on to stop, with -Wait until it has; write whether there was one."""
    reach(call)
    ask(call)
    cau = call.world.cau
    run = cau.run
    cau.cancel()
    if call.has("Wait") and run is not None:
        await call.world.until(lambda: run.ended is not None, call.clock)
    call.sink.output(run is not None)


async def _follow(call: Call) -> None:
    """Write every change of the run that is on as progress until it is over."""
    run = call.world.cau.run
    seen = 0
    while run is not None and run.ended is None:
        await call.world.until(lambda seen=seen: len(run.history) > seen or run.ended is not None, call.clock)  # type: ignore[misc]
        for each in run.history[seen:]:
            call.sink.progress("Cluster-Aware Updating", f"{each.node}: {each.name}")
        seen = len(run.history)
