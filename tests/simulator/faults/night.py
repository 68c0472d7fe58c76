"""One night of maintenance by a tolerant operator, taken down command by command, so that two worlds can be compared."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta

from include.simulator.cmdlets.runtime import MachineWentDownError
from include.simulator.objects import SimEnum, SimObject, TerminatingError
from include.simulator.world.cau_scripts import Script
from include.simulator.world.own_commands import OwnCommand
from include.simulator.world.spec import WorldSpec, demo_world
from tests.simulator.world.careful import GUID, without_feature_updates
from tests.simulator.world.console import Console
from tests.simulator.world.driver import CAU, Command, cmd
from tests.simulator.world.worker import FOLDER, WORKER_TASK, answer_path, arguments_json, worker_xml

#: What the simulator says about its faults; it is no effect of theirs.
ABOUT_FAULTS = ("fault.", "wire.fault", "scenario.", "command", "world.snapshot", "journal.opened")
LIMIT = timedelta(hours=4)


def world_of_the_night() -> WorldSpec:
    return demo_world(4, "21H2", vms_per_node=2)


class Night:
    """Drains, updates, restarts and resumes the second node, and looks at everything in between; nothing stops it."""

    def __init__(self, seed: int = 7, spec: WorldSpec | None = None) -> None:
        self.console = Console(spec or world_of_the_night(), seed=seed)
        self.world = self.console.world
        self.answers: list[tuple[str, str]] = []
        self.world.cau.scripts.put(r"C:\Scripts\drain.ps1", Script())
        told = OwnCommand("Set-Maintenance", {"Node": "String"})
        self.world.own_commands.put(self.world.management_host.name, "Microsoft.PowerShell", told)
        self._first = self.console.clock.now()
        self._names = [node.name for node in self.world.nodes]

    async def pass_by(self) -> Night:
        """Live through the night."""
        node = self.world.nodes[1]
        first = self.world.nodes[0].name
        await self.console.wait(timedelta(minutes=1))
        await self.look("before")
        for name in self._names:
            await self.attempt(name, "lock", self._take("MSFT_CAURun"))
        await self.attempt(node.name, "lock", self._take("MSFT_CAUNode"))
        await self.attempt(node.name, "scan", *self._method("ScanUpdates"))
        await self.search_by_task(node.name)
        await self.attempt(first, "drain", cmd("Suspend-ClusterNode", Name=[node.name], Drain=True))
        await self.until(lambda: node.drain_status.name != "InProgress", timedelta(minutes=90))
        await self.console.wait(timedelta(minutes=4))
        await self.look("drained")
        for method in ("DownloadUpdates", "InstallUpdates"):
            await self.attempt(node.name, method, *self._method(method, await self._query(node.name)))
        await self.look("installed")
        boot = node.restarts
        await self.attempt(node.name, "restart", cmd("Restart-Computer", Force=True))
        await self.console.wait(timedelta(seconds=5))
        await self.attempt(node.name, "going down", cmd("Get-ClusterNode"))
        await self.console.wait(timedelta(minutes=2))
        await self.attempt(first, "restarting", cmd("Get-ClusterNode"))
        await self.attempt(node.name, "restarting", cmd("Get-ClusterNode"))
        await self.until(lambda: node.restarts > boot and node.member, timedelta(hours=3))
        await self.look("restarted")
        for method in ("ScanUpdates", "InstallUpdates", "RebootRequired"):
            await self.attempt(node.name, f"again {method}", *self._method(method))
        await self.attempt(node.name, "resume", cmd("Resume-ClusterNode", Name=[node.name], Failback="Immediate"))
        await self.console.wait(timedelta(minutes=3))
        await self.look("resumed")
        await self.until(lambda: not self.world.repairs.jobs and self.world.storage.healthy(), timedelta(hours=2))
        await self.look("resynced")
        for name in self._names:
            for cls in ("MSFT_CAURun", "MSFT_CAUNode"):
                await self.attempt(name, "release", *self._release(cls))
        await self.console.wait(timedelta(hours=2))
        await self.look("after")
        await self.attempt(node.name, "script:", cmd(r"C:\Scripts\drain.ps1"))
        await self.attempt(self.world.management_host.name, "monitoring:", cmd("Set-Maintenance", Node=node.name))
        return self

    async def search_by_task(self, name: str) -> None:
        """Let a SYSTEM task search for updates, as coordinators do that must not or cannot use the provider."""
        task = {"TaskName": WORKER_TASK, "TaskPath": "\\"}
        for command in (
            cmd("New-Item", Path=FOLDER, ItemType="Directory"),
            cmd("Set-Content", LiteralPath=FOLDER + "\\arguments.json", Value=arguments_json(), Encoding="UTF8"),
            cmd("Register-ScheduledTask", **task, Xml=worker_xml()),
            cmd("Start-ScheduledTask", **task),
        ):
            await self.attempt(name, "task", command)
        await self.console.wait(timedelta(minutes=3))
        for command in (
            cmd("Get-ScheduledTask", **task),
            cmd("Get-ScheduledTaskInfo", **task),
            cmd("Get-Content", LiteralPath=answer_path(), Raw=True, Encoding="UTF8"),
            cmd("Unregister-ScheduledTask", **task, Confirm=False),
            cmd("Remove-Item", LiteralPath=FOLDER, Recurse=True),
        ):
            await self.attempt(name, "task", command)

    async def look(self, when: str) -> None:
        """Ask what an operator would ask."""
        first, host = self.world.nodes[0].name, self.world.management_host.name
        for command in (
            cmd("Get-Cluster"),
            cmd("Get-ClusterNode"),
            cmd("Get-ClusterGroup"),
            cmd("Get-ClusterResource"),
            cmd("Get-ClusterSharedVolume"),
            cmd("Get-ClusterSharedVolumeState"),
            cmd("Get-VirtualDisk"),
            cmd("Get-StoragePool", IsPrimordial=False),
            cmd("Get-StorageJob"),
            cmd("Get-PhysicalDisk"),
        ):
            await self.attempt(first, when, command)
        name = self.world.spec.cluster
        for command in (cmd("Get-CauRun", ClusterName=name), cmd("Get-CauClusterRole", ClusterName=name)):
            await self.attempt(host, when, command)
        for node in (self.world.machines[name] for name in self._names):
            await self.attempt(node.name, when, cmd("Get-ClusterNode", Name=[node.name]))
            await self.attempt(node.name, when, cmd("Get-StorageJob"))
            await self.attempt(node.name, when, cmd("Get-CimInstance", ClassName="Win32_OperatingSystem"))
            await self.attempt(node.name, when, cmd("Get-Service"))
            await self.attempt(
                node.name,
                when,
                cmd("Get-ItemProperty", LiteralPath="HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"),
            )
            await self.attempt(node.name, when, cmd("Get-CimInstance", Namespace=CAU, ClassName="MSFT_CAURun"))
            await self.attempt(node.name, when, cmd("Get-VM"))
            await self.attempt(node.name, when, cmd("Get-WSManCredSSP"))
            await self.attempt(node.name, when, cmd("Start-ScheduledTask", TaskName="Nightly"))

    async def attempt(self, machine: str, when: str, *commands: Command) -> None:
        """Run a pipeline and take down what comes of it, also where it fails or does not end in time."""
        began = self.console.clock.now()
        label = f"{when}: {machine} {commands[-1][0]}"
        task = self.console.start(machine, *commands)
        await self.console.breathe()
        while not task.done() and self.console.clock.now() - began < LIMIT:
            await self.console.step(self.console.clock.now() + timedelta(minutes=5))
        if not task.done():  # an operator's patience is not endless
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            self.answers.append((label, "no answer"))
            return
        took = f"after {(self.console.clock.now() - began).total_seconds():.0f} s"
        try:
            output = task.result()
            said = [_text(value) for value in output.values] + [f"error {each.message}" for each in output.errors]
        except TerminatingError as refusal:
            said = [f"error {refusal.record.message}"]
        except MachineWentDownError:
            said = ["lost"]
        self.answers.append((label, " | ".join([*said, took])))

    async def until(self, condition: Callable[[], bool], within: timedelta) -> None:
        """Wait for something, at most for a while."""
        limit = self.console.clock.now() + within
        while not condition() and self.console.clock.now() < limit:
            await self.console.step(min(limit, self.console.clock.now() + timedelta(minutes=5)))

    def events(self) -> Counter[tuple[str, str]]:
        """Count what the journal tells: kind of event, and everything about it."""
        found: Counter[tuple[str, str]] = Counter()
        for entry in self.console.journal.entries:
            if not entry.op.startswith(ABOUT_FAULTS):
                at = int((entry.at - self._first).total_seconds())
                found[entry.op, json.dumps([at, entry.node, dict(entry.detail)], default=str, sort_keys=True)] += 1
        return found

    def differences(self, twin: Night) -> set[str]:
        """Return the events and cmdlets in which the two nights differ."""
        mine, theirs = self.events(), twin.events()
        found = {op for op, _ in (mine - theirs) + (theirs - mine)}
        return found | {label.rpartition(" ")[2].rpartition("\\")[2] for label in _changed(self.answers, twin.answers)}

    async def _query(self, name: str) -> str:
        try:
            return await without_feature_updates(self.console, self.world.node(name))
        except (TerminatingError, AssertionError, KeyError):
            return "IsInstalled=0 and Type='Software' and IsHidden=0 and IsAssigned=1"

    def _release(self, cls: str) -> tuple[Command, ...]:
        found = cmd("Get-CimInstance", Namespace=CAU, ClassName=cls, Filter=f"OrchestratorGuid='{GUID}'")
        return found, cmd("Remove-CimInstance")

    def _take(self, cls: str) -> Command:
        return cmd("New-CimInstance", Namespace=CAU, ClassName=cls, Property={"OrchestratorGuid": GUID})

    def _method(
        self, name: str, query: str = "IsInstalled=0 and Type='Software' and IsHidden=0 and IsAssigned=1"
    ) -> tuple[Command, ...]:
        arguments = {} if name == "RebootRequired" else {"QueryString": query, "IncludeRecommendedUpdates": False}
        return (
            cmd("Get-CimInstance", Namespace=CAU, ClassName="MSFT_CAUNode", Filter=f"OrchestratorGuid='{GUID}'"),
            cmd("Invoke-CimMethod", MethodName=name, Arguments=arguments),
        )


def _changed(mine: Iterable[tuple[str, str]], theirs: Iterable[tuple[str, str]]) -> set[str]:
    return {label for label, _ in (Counter(mine) - Counter(theirs)) + (Counter(theirs) - Counter(mine))}


def _text(value: object) -> str:
    if isinstance(value, SimEnum):
        return value.name
    if isinstance(value, SimObject):
        members = {**value.properties, **value.notes}
        return "{" + ", ".join(f"{name}={_text(each)}" for name, each in sorted(members.items())) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_text(each) for each in value) + "]"
    return str(value)
