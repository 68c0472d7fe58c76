"""What CAU does for one node: scripts, maintenance mode, installing, restarting, again until nothing is left, and back.

Sources: windows-powershell-docs, Invoke-CauRun; windowsserverdocs, cluster-aware-updating.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from include.simulator.world.catalogue import UpdateSpec
from include.simulator.world.cau_maintenance import Failure, MaintenanceMode, Steps
from include.simulator.world.cau_options import PluginUse
from include.simulator.world.cau_plugins import HOTFIX, ROLLING_UPGRADE, PluginFailure
from include.simulator.world.cau_run import CANCELED, ErrorData, Stage, SummaryStatus
from include.simulator.world.firewall import REMOTE_SHUTDOWN
from include.simulator.world.locks import NODE, LockHeldError
from include.simulator.world.machines import Node
from include.simulator.world.power import ShutdownInProgressError
from include.simulator.world.process import Pause, Until
from include.simulator.world.updates import ANOTHER_INSTALL, FAILED, SUCCEEDED, UpdateResult

if TYPE_CHECKING:
    from include.simulator.world.cau_coordinator import Coordinator

#: What lies between two tries of a node.
BEFORE_RETRY = timedelta(minutes=1)
#: How long a canceled run goes on waiting for an installation, which cannot be broken off.
STILL_INSTALLING = timedelta(hours=1)
E_ACCESSDENIED = 0x80070005
RPC_UNAVAILABLE = 0x800706BA
#: What setup leaves where it went back to the version before (windows, resolve upgrade errors).
ROLLED_BACK = 0xC1900101
#: The variant in which a rolling upgrade installs whatever the next search finds, a version after the next one too.
GOES_ON = "cau-rolling-upgrade-goes-on-to-later-versions"


class NodeUpdate:
    """The work on one node, tries and all."""

    def __init__(self, coordinator: Coordinator, node: Node) -> None:
        self._coordinator = coordinator
        self._world = coordinator.world
        self._run = coordinator.run
        self._options = coordinator.run.options
        self._node = node
        self._result = coordinator.run.results[node.name]
        self._fatal = False
        self._upgraded = False

    def work(self) -> Generator[Pause, bool, None]:
        """Try until the node is through, its retries are used up, or nothing can make it good."""
        result = self._result
        error: Failure = None
        for attempt in range(self._options.max_retries_per_node + 1):
            if attempt:
                yield BEFORE_RETRY
            if self._coordinator.stopping:
                error = error or CANCELED
                break
            result.attempts += 1
            error = yield from self._attempt(attempt)
            self._coordinator.release(self._node, NODE)
            if error is None or self._fatal:
                break
        self._conclude(error)

    def scan(self) -> Generator[Pause, bool, dict[str, list[UpdateSpec]] | ErrorData]:
        """Ask every plug-in what is to be installed; the answer is by plug-in, or why there is none."""
        world, node = self._world, self._node
        yield world.spread(world.spec.timings.scan)
        if not node.member or not world.services.reachable(node):
            self._fatal = not node.member
            return ErrorData(
                "NodeUnreachable", f"The node {node.name} is not online or cannot be reached.", RPC_UNAVAILABLE
            )
        if self._coordinator.blocked(node):
            return ErrorData("AccessDenied", f"Access is denied on {node.name}.", E_ACCESSDENIED)
        condition = world.rig.take("scan-fails", node.name)
        if condition:
            hresult = int(condition.text("hresult"), 0)
            return ErrorData("ScanFailed", f"The scan of {node.name} failed with 0x{hresult:08X}.", hresult)
        found: dict[str, list[UpdateSpec]] = {}
        seen: set[str] = set()
        for use in self._options.plugins:
            try:
                updates = world.cau.plugins.search(self._coordinator.plugin_home(node), node, use)
            except PluginFailure as failure:
                if self._options.stop_on_plugin_failure or len(self._options.plugins) == 1:
                    return ErrorData("PluginFailed", str(failure), failure.hresult)
                continue
            if use.name == ROLLING_UPGRADE and self._upgraded and not world.variant(GOES_ON):
                updates = []
            found[use.name] = [each for each in updates if each.update_id not in seen]
            seen |= {each.update_id for each in updates}
        return found

    def stage(self, found: Mapping[str, list[UpdateSpec]]) -> Generator[Pause, bool, Failure]:
        """Download what was found."""
        for use in self._options.plugins:
            updates = [] if use.name == HOTFIX else found.get(use.name, [])
            if not updates:
                continue
            operation = self._world.updates.start(self._node, "download", updates, self._run.guid)
            yield Until(lambda operation=operation: operation.over)  # type: ignore[misc]
            self._coordinator.staged(self._node, use.name, operation.results)
            bad = [each for each in operation.results if each.code != SUCCEEDED]
            if bad:
                # What could not be staged counts as a failed update: it cannot be installed either.
                self._result.add(use.name, bad)
                return self._update_error("StagingFailed", bad[0].update, bad[0].hresult)
        return None

    def _attempt(self, attempt: int) -> Steps:
        node, coordinator = self._node, self._coordinator
        try:
            coordinator.take(node, NODE)
        except LockHeldError as held:
            return ErrorData("NodeLocked", f"Another coordinator works on {node.name}: {held}")
        found = coordinator.first_scan.get(node.name) if attempt == 0 else None
        if found is None:
            self._run.say(self._world, node.name, Stage.SCANNING)
            scanned = yield from self.scan()
            if isinstance(scanned, ErrorData):
                return scanned
            found = scanned
            if any(found.values()):
                self._run.say(self._world, node.name, Stage.STAGING)
                error = yield from self.stage(found)
                if error is not None:
                    return error
        if not any(found.values()) and not node.pending_restart and self._options.pause != "force-and-reboot":
            return None
        maintenance = MaintenanceMode(coordinator, node)
        error = yield from self._script(self._options.pre_update_script, Stage.PRE_SCRIPT, "PreUpdateScriptFailed")
        if error is None:
            error = yield from maintenance.enter()
        if error is None:
            error = yield from self._passes(found)
        self._fatal |= maintenance.hopeless
        if maintenance.entered:
            again = yield from maintenance.leave()
            error = error or again
        if error is None:
            stage = Stage.POST_SCRIPT
            error = yield from self._script(self._options.post_update_script, stage, "PostUpdateScriptFailed")
        return error

    def _script(self, path: str, stage: Stage, error_id: str) -> Steps:
        if not path:
            return None
        self._run.say(self._world, self._node.name, stage)
        script = self._world.cau.scripts.find(self._node.name, path)
        # CAU sets its scripts no time limit: one that hangs goes on until the run is stopped.
        scripts, name = self._world.cau.scripts, self._node.name
        yield Until(lambda: not scripts.hangs(name, path) or self._coordinator.stopping)
        yield script.takes if script else timedelta(seconds=2)
        problem = self._world.cau.scripts.problem(self._node, path)
        return ErrorData(error_id, f"{path} failed on {self._node.name}: {problem}") if problem else None

    def _passes(self, found: Mapping[str, list[UpdateSpec]]) -> Steps:
        """Install and restart until a scan finds nothing more. There is no limit: what never clears goes on for ever."""
        world, node = self._world, self._node
        restart_anyway = self._options.pause == "force-and-reboot"
        while any(found.values()) or node.pending_restart or restart_anyway:
            self._run.say(world, node.name, Stage.INSTALLING)
            error = yield from self._install(found)
            if self._coordinator.stopping and error is None:
                return CANCELED
            if node.pending_restart or restart_anyway:
                restart_anyway = False
                problem = yield from self._restart()
                error = error or problem or self._upgrade_missing(found)
            if error is not None:
                return error
            if self._coordinator.stopping:
                return CANCELED
            self._run.say(world, node.name, Stage.SCANNING)
            again = yield from self.scan()
            if isinstance(again, ErrorData):
                return again
            found = again
            if any(found.values()):
                self._run.say(world, node.name, Stage.STAGING)
                error = yield from self.stage(found)
                if error is not None:
                    return error
        return None

    def _install(self, found: Mapping[str, list[UpdateSpec]]) -> Steps:
        """Install what the plug-ins found, one plug-in after another."""
        options, first = self._options, None
        for position, use in enumerate(options.plugins):
            updates = found.get(use.name, [])
            if not updates:
                continue
            error = yield from self._install_one(use, updates)
            first = first or error
            if self._coordinator.stopping or (error is not None and options.stop_on_plugin_failure):
                break
            more = position < len(options.plugins) - 1
            if options.separate_reboots and more and self._node.pending_restart:
                problem = yield from self._restart()
                if problem is not None:
                    return problem
        return first

    def _install_one(self, use: PluginUse, updates: list[UpdateSpec]) -> Steps:
        world, node = self._world, self._node
        if self._coordinator.blocked(node):
            return ErrorData("AccessDenied", f"Access is denied on {node.name}.", E_ACCESSDENIED)
        if use.name == ROLLING_UPGRADE and use.flag("MockSetup"):
            self._upgraded = True
            return None
        if use.name == HOTFIX:
            results = yield from world.cau.hotfixes.install(node, use, updates, self._run.guid)
        else:
            # The agent itself waits for the work that goes on after a boot, but refuses beside another installation.
            yield Until(lambda: not world.servicing.busy(node))
            if world.updates.installing(node):
                text = f"Another installation is in progress on {node.name}."
                return ErrorData("InstallFailed", text, ANOTHER_INSTALL)
            operation = world.updates.start(node, "install", updates, self._run.guid)
            yield Until(lambda: operation.over or self._coordinator.stopping)
            if not (yield Until(lambda: operation.over, STILL_INSTALLING)):
                self._result.add(use.name, operation.results)
                return ErrorData(
                    "InstallCanceled", f"An installation that does not end was left behind on {node.name}."
                )
            results = operation.results
            if use.name == ROLLING_UPGRADE and all(each.code == SUCCEEDED for each in results):
                world.updates.commit(node)
                self._upgraded = True
        self._result.add(use.name, results)
        bad = [each for each in results if each.code != SUCCEEDED]
        return self._update_error("InstallFailed", bad[0].update, bad[0].hresult) if bad else None

    def _upgrade_missing(self, found: Mapping[str, list[UpdateSpec]]) -> Failure:
        """Check the version after the restart of a rolling upgrade: setup that fails while it boots goes back to the old one.

        Source: AzureLocal-Supportability, CauPostVersionCheck; windows, resolve upgrade errors: 0xC1900101.
        """
        node, error = self._node, None
        for update in found.get(ROLLING_UPGRADE, []):
            if update.build is None or node.build >= update.build:
                continue
            hresult = self._world.updates.record(node).rolled_back.get(update.update_id, 0) or ROLLED_BACK
            self._upgraded = False
            self._result.add(ROLLING_UPGRADE, [UpdateResult(update, FAILED, hresult, self._world.now)])
            gone = f"{update.title} was rolled back with 0x{hresult:08X}"
            text = f"{node.name} still runs build {node.build} after the restart: {gone}."
            error = ErrorData("UpgradeRolledBack", text, hresult)
        return error

    def _update_error(self, error_id: str, update: UpdateSpec, hresult: int) -> ErrorData:
        return ErrorData(error_id, f"{update.title} failed on {self._node.name} with 0x{hresult:08X}.", hresult)

    def _restart(self) -> Steps:
        """Restart and wait for the node with all its automatic services; too late is a failure that no retry makes good."""
        world, node = self._world, self._node
        self._run.say(world, node.name, Stage.RESTARTING)
        if not world.firewall.in_effect(node, REMOTE_SHUTDOWN):
            text = f"{node.name} could not be restarted: the RPC server is unavailable."
            return ErrorData("RestartFailed", text, RPC_UNAVAILABLE)
        boot = node.boot_time
        with suppress(ShutdownInProgressError):  # where somebody else restarts it, CAU waits for that one
            world.power.restart(node, "Cluster-Aware Updating")
        back = yield Until(
            lambda: node.up and node.boot_time > boot and node.member and _services_run(node),
            self._options.reboot_timeout,
        )
        if not back:
            self._fatal = True
            minutes = int(self._options.reboot_timeout.total_seconds() // 60)
            text = f"The node {node.name} did not come back within {minutes} minutes after the restart was ordered."
            return ErrorData("RestartTimedOut", text)
        self._result.restarts += 1
        return None

    def _conclude(self, error: Failure) -> None:
        result = self._result
        result.error = error
        if error is None:
            result.status, stage = SummaryStatus.Succeeded, Stage.SUCCEEDED
        elif error is CANCELED and result.attempts == 0:
            result.status, stage = SummaryStatus.Canceled, Stage.CANCELED
        elif result.succeeded:
            result.status, stage = SummaryStatus.PartiallyFailed, Stage.FAILED
        else:
            result.status, stage = SummaryStatus.Failed, Stage.FAILED
        self._run.say(self._world, self._node.name, stage)


def _services_run(node: Node) -> bool:
    return all(each.status == "Running" for each in node.services.values() if each.start_type == "Automatic")
