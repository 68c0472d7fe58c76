"""A coordinator that drives a simulated world in-process, careful unless told to be careless, to see what the referee says."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any

from include.simulator.clock import VirtualClock
from include.simulator.cluster import DEFAULT_START, SimulatedCluster, make_cluster
from include.simulator.cmdlets.runtime import MachineWentDownError
from include.simulator.host import Argument, CommandCall, Session
from include.simulator.objects import SimError, SimObject, TerminatingError
from include.simulator.world.spec import WorldSpec, demo_world

NAMESPACE = "root/Microsoft/Windows/ClusterUpdate"
QUERY = (
    "IsInstalled=0 and Type='Software' and IsHidden=0 and IsAssigned=1 and CategoryIDs contains "
    "'0FA1201D-4330-4FA8-8AE9-B877473B6441'"
)
ACCOUNT = "CONTOSO\\airflow"
PERSON = "CONTOSO\\alice"
SECURITY_ONLY = {"QueryString": QUERY, "IncludeRecommendedUpdates": False}


class Output:
    """What a command sent."""

    def __init__(self) -> None:
        self.objects: list[Any] = []
        self.errors: list[SimError] = []

    def output(self, value: object) -> None:
        self.objects.append(value)

    def error(self, record: SimError) -> None:
        self.errors.append(record)

    def warning(self, message: str) -> None: ...
    def verbose(self, message: str) -> None: ...
    def debug(self, message: str) -> None: ...
    def information(self, message: str, source: str = "") -> None: ...
    def progress(self, activity: str, status: str, percent: int = -1, **_: Any) -> None: ...


class Coordinator:
    """Sends commands to the machines of one cluster and waits in simulated time."""

    def __init__(self, nodes: int = 4, os: str = "22H2", seed: int = 1, spec: WorldSpec | None = None) -> None:
        self.clock = VirtualClock(DEFAULT_START)
        self.cluster: SimulatedCluster = make_cluster(spec or demo_world(nodes, os), self.clock, seed=seed)
        self.nodes = [node.name for node in self.cluster.world.nodes]
        self.guid = str(uuid.UUID(int=7))

    async def send(self, machine: str, *commands: tuple[str, dict[str, object]], user: str = ACCOUNT) -> Output:
        """Run one pipeline; raises TerminatingError, or the machine's death."""
        output = Output()
        calls = tuple(
            CommandCall(name, tuple(Argument(key, value) for key, value in given.items())) for name, given in commands
        )
        session = Session(user, "negotiate", "Microsoft.PowerShell", "127.0.0.1")
        await self.cluster.hosts[machine].invoke(session, (calls,), output)
        return output

    async def wait(self, minutes: float) -> None:
        await self.clock.sleep(timedelta(minutes=minutes))

    async def take_lock(self, nodes: list[str] | None = None, guid: str | None = None) -> None:
        properties: dict[str, object] = {"OrchestratorGuid": guid or self.guid}
        for node in nodes or self.nodes:
            await self.send(
                node, ("New-CimInstance", {"Namespace": NAMESPACE, "ClassName": "MSFT_CAURun", "Property": properties})
            )

    async def touch_lock(self) -> None:
        """Read the lock everywhere, which keeps it from expiring."""
        for node in self.nodes:
            if self.cluster.world.machines[node].up:
                await self.send(node, ("Get-CimInstance", self._mine("MSFT_CAURun")))

    async def release_lock(self) -> None:
        for node in self.nodes:
            await self.send(node, ("Get-CimInstance", self._mine("MSFT_CAURun")), ("Remove-CimInstance", {}))

    async def drain(self, node: str, *, wait: bool = True) -> None:
        await self.send(node, ("Suspend-ClusterNode", {"Name": node, "Drain": None}))
        while wait and (await self.node(node))["DrainStatus"] == "InProgress":
            await self.wait(0.5)

    async def install(self, node: str, guid: str | None = None) -> list[SimObject]:
        guid = guid or self.guid
        key: dict[str, object] = {"OrchestratorGuid": guid}
        await self.send(
            node, ("New-CimInstance", {"Namespace": NAMESPACE, "ClassName": "MSFT_CAUNode", "Property": key})
        )
        instance = ("Get-CimInstance", self._mine("MSFT_CAUNode", guid))
        for method in ("DownloadUpdates", "InstallUpdates"):
            answer = await self.send(
                node, instance, ("Invoke-CimMethod", {"MethodName": method, "Arguments": dict(SECURITY_ONLY)})
            )
        await self.touch_lock()
        await self.send(node, instance, ("Remove-CimInstance", {}))
        return list(answer.objects[0].get("Info"))

    async def restart(self, node: str) -> None:
        before = self.cluster.world.node(node).boot_time
        await self.send(node, ("Restart-Computer", {"Force": None}))
        machine = self.cluster.world.node(node)
        while machine.boot_time == before or not machine.up or not machine.member:
            await self.wait(0.5)
        await self.touch_lock()

    async def resume(self, node: str) -> None:
        await self.send(node, ("Resume-ClusterNode", {"Name": node, "Failback": "Immediate"}))

    async def resync(self, through: str) -> None:
        while True:
            jobs = (await self.send(through, ("Get-StorageJob", {}))).objects
            disks = [disk.health.name for disk in self.cluster.world.storage.virtual_disks]
            if not jobs and set(disks) == {"Healthy"}:
                return
            await self.wait(0.5)

    async def update(self, node: str) -> None:
        """One node, carefully."""
        await self.drain(node)
        await self.install(node)
        await self.restart(node)
        await self.resume(node)
        await self.resync(node)

    async def node(self, name: str) -> dict[str, str]:
        """What the cluster says of a node, asked from any node that is up."""
        through = next(each for each in self.nodes if self.cluster.world.machines[each].up)
        [found] = (await self.send(through, ("Get-ClusterNode", {"Name": name}))).objects
        return {key: str(value) for key, value in found.properties.items()}

    def _mine(self, cls: str, guid: str | None = None) -> dict[str, object]:
        return {"Namespace": NAMESPACE, "ClassName": cls, "Filter": f"OrchestratorGuid='{guid or self.guid}'"}


def play(coordinator: Coordinator, work: Coroutine[Any, Any, None], hours: float = 48) -> None:
    """Run ``work`` to its end, moving the clock whenever everybody sleeps; more than ``hours`` of simulated time is a failure."""

    async def run() -> None:
        task = asyncio.ensure_future(work)
        limit = coordinator.clock.now() + timedelta(hours=hours)
        for idle in range(100_000):
            for _ in range(50):  # let everybody who can run do so before time moves
                await asyncio.sleep(0)
            due = [
                each
                for each in (coordinator.clock.next_wake(), coordinator.cluster.world.next_event())
                if each is not None
            ]
            if task.done():
                break
            if due:
                coordinator.clock.advance(max(coordinator.clock.now(), min(due)))
                coordinator.cluster.world.advance()
            assert coordinator.clock.now() < limit, f"The coordinator waits for ever ({idle} steps)."
        await task
        coordinator.cluster.snapshot()

    asyncio.run(run())


__all__ = ["Coordinator", "MachineWentDownError", "TerminatingError", "play"]
