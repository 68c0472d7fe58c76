"""Scanning, downloading and installing on one node, and what a step knows of it."""

from __future__ import annotations

import contextlib
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from include.hci.cluster.cau import remove_lock
from include.hci.cluster.machine import WindowsVersion, get_services, get_windows_version
from include.hci.cluster.system_task.job import JobState, StillAtWork
from include.hci.cluster.system_task.updater import Memory
from include.hci.cluster.updater import CauProviderUpdater, NodeUpdater
from include.hci.cluster.updates import Update, UpdateResult
from include.hci.policy.selection import Selection, installed_criteria
from include.hci.powershell.errors import CommandFailed, RemotingError
from include.hci.powershell.records import ErrorRecord
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.values import ExcludedUpdate, UpdateRef
from include.hci.report.values import UpdateResult as ReportedResult
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Scene
from include.hci.steps.offer import read_offer
from include.hci.steps.updaters import UpdaterUnusable, choose, chosen_name, is_denied, node_updater


@dataclass(frozen=True, slots=True)
class NodeScan:
    """What a scan of one node gave.

    ``servicing``: the node was installing or cleaning up at the time, whoever asked for it. ``incomplete``: its update agent says
    that the search had errors, so that updates may be missing.
    """

    selection: Selection
    restart_pending: bool
    version: WindowsVersion
    servicing: bool
    at: datetime
    incomplete: bool = False


@dataclass(slots=True)
class Work:
    """What one running step knows of the updates of its node; after a crash it begins with a scan again.

    ``passes`` are the installs of this step, ``results`` all their results, ``failed`` those of them that failed. ``job``: what a
    task does on the node, as it was last looked at; ``memory``: what its scans have answered; ``broken``: how many broke off.
    ``denied``: CAU's provider was tried, and kept from its work.
    """

    scan: NodeScan | None = None
    downloaded: bool = False
    passes: int = 0
    results: list[UpdateResult] = field(default_factory=list)
    job: JobState | None = None
    memory: Memory = field(default_factory=Memory)
    broken: int = 0
    broken_why: str = ""
    denied: bool = False

    @property
    def failed(self) -> tuple[UpdateResult, ...]:
        """The updates that failed in this step."""
        return tuple(result for result in self.results if result.is_failed)

    def forget(self) -> None:
        """Forget what was read: something has changed on the node."""
        self.scan, self.downloaded = None, False
        self.memory.clear()


@dataclass(frozen=True, slots=True)
class ScanNode:
    """Scan ``node``; what it gets of that is for the run's rules to say."""

    context: StepContext
    node: str
    work: Work
    step: ev.StepName = "scan"
    release: bool = False

    def describe(self) -> str:
        """Return it as one line."""
        return f"scan {self.node} for updates"

    def perform(self, scene: Scene) -> None:
        """Scan; the result is in ``work``, unless a task is at it now."""
        begins = not self.work.memory.searches
        if self.step == "scan" and begins:
            self._choose(scene)
        try:
            self._scan(scene, begins=begins)
        except StillAtWork:
            return
        except CommandFailed as error:
            if not self._is_blocked(error):
                if self.release:
                    # Nothing may come after a scan that would take it back, and it would keep every other run out for an hour.
                    with contextlib.suppress(RemotingError):
                        remove_lock(scene.cluster.on(self.node), "MSFT_CAUNode", self.context.guid)
                raise
            remove_lock(scene.cluster.on(self.node), "MSFT_CAUNode", self.context.guid)
            self.work.denied = True
            self._choose(scene)

    def _choose(self, scene: Scene) -> None:
        choice = choose(scene.cluster, self.context, self.node, denied=self.work.denied)
        if choice.name is None:
            raise UpdaterUnusable(choice.why, node=self.node)
        chosen = ev.NodeUpdaterChosen(node=self.node, updater=choice.name, why=choice.why)
        last = scene.record.last(ev.NodeUpdaterChosen, self.node)
        if last is None or last.event != chosen:
            scene.record.add(chosen, scene.clock())

    def _is_blocked(self, error: CommandFailed) -> bool:
        """Tell whether another updater may be able to do what a security product keeps CAU's provider from."""
        is_free = self.step == "scan" and self.context.options.node_updater == "auto"
        return is_free and is_denied(error) and chosen_name(self.context, self.node) == CauProviderUpdater.name

    def _scan(self, scene: Scene, *, begins: bool) -> None:
        work = self.work
        updater = node_updater(scene.cluster, self.context, self.node, scene.clock, self.step, work.memory)
        if begins:
            probe = updater.probe()
            if not probe.usable:
                raise UpdaterUnusable(probe.why, node=self.node)
        today = scene.clock().date()
        offered, selection = read_offer(updater, self.context.options, self.context.first_seen, today)
        pending = updater.restart_needed()
        shell = scene.cluster.on(self.node)
        version = get_windows_version(shell)
        servicing = any(service.is_running for service in get_services(shell, ("TrustedInstaller",)))
        if self.step != "scan":
            settle_installs(scene, self.node, self.step, offered, updater)
        if self.release:
            updater.release()
        event = ev.Scanned(
            step=self.step,
            node=self.node,
            updates=refs(selection.updates),
            excluded=tuple(
                ExcludedUpdate(
                    update_id=item.update.update_id,
                    kb=item.update.kb,
                    title=item.update.title,
                    why=item.why,
                    superseded=item.is_superseded,
                )
                for item in selection.excluded
            ),
            reasons=dict(selection.reasons),
            build=str(version.build),
            restart_pending=pending,
        )
        scene.record.add(event, scene.clock())
        incomplete = work.memory.incomplete
        work.forget()
        work.scan = NodeScan(selection, pending, version, servicing, scene.clock(), incomplete)


@dataclass(frozen=True, slots=True)
class DownloadUpdates:
    """Download to ``node`` what its scan found."""

    context: StepContext
    node: str
    work: Work
    selection: Selection
    step: ev.StepName = "stage"
    release: bool = False

    def describe(self) -> str:
        """Return it as one line."""
        return f"download {len(self.selection.updates)} updates to {self.node}"

    def perform(self, scene: Scene) -> None:
        """Download; raises CommandFailed when an update could not be, naming it."""
        event = ev.Staging(step=self.step, node=self.node, updates=refs(self.selection.updates))
        scene.record.add(event, scene.clock())
        updater = node_updater(scene.cluster, self.context, self.node, scene.clock, self.step)
        timeout = timedelta(minutes=self.context.options.install_timeout_minutes)
        try:
            results = updater.download(self.selection.criteria, timeout)
        except StillAtWork:
            return
        if self.release:
            updater.release()
        finish_download(scene, self.node, self.step, self.work, results)


@dataclass(frozen=True, slots=True)
class InstallUpdates:
    """Install on ``node`` what its scan found."""

    context: StepContext
    node: str
    work: Work
    selection: Selection
    step: ev.StepName = "install"

    def describe(self) -> str:
        """Return it as one line."""
        return f"install {len(self.selection.updates)} updates on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Install; what was read before is forgotten in any case, because the node has changed."""
        number = len(scene.record.all_of(ev.InstallStarted, self.node)) + 1
        event = ev.InstallStarted(
            step=self.step, node=self.node, install_pass=number, updates=refs(self.selection.updates)
        )
        scene.record.add(event, scene.clock())
        updater = node_updater(scene.cluster, self.context, self.node, scene.clock, self.step)
        timeout = timedelta(minutes=self.context.options.install_timeout_minutes)
        self.work.forget()
        try:
            results = updater.install(self.selection.criteria, timeout)
        except StillAtWork:
            return
        finish_install(scene, self.node, self.step, self.work, number, results)


@dataclass(frozen=True, slots=True)
class ReleaseUpdater:
    """Take our MSFT_CAUNode away from ``node``."""

    context: StepContext
    node: str

    def describe(self) -> str:
        """Return it as one line."""
        return f"remove our MSFT_CAUNode from {self.node}"

    def perform(self, scene: Scene) -> None:
        """Remove it; somebody else's stays."""
        remove_lock(scene.cluster.on(self.node), "MSFT_CAUNode", self.context.guid)


def finish_download(scene: Scene, node: str, step: ev.StepName, work: Work, results: tuple[UpdateResult, ...]) -> None:
    """Put on record what was downloaded to ``node``; raises CommandFailed when an update could not be, naming it."""
    done = ev.Staged(step=step, node=node, results=tuple(map(reported, results)))
    scene.record.add(done, scene.clock())
    raise_unfinished(node, results, "download")
    work.downloaded = True


def finish_install(
    scene: Scene, node: str, step: ev.StepName, work: Work, number: int, results: tuple[UpdateResult, ...]
) -> None:
    """Put on record how install pass ``number`` on ``node`` ended; raises CommandFailed where something else is at work."""
    # What could not begin, or was not seen to end, is still open: another installation may be at just that.
    failed = any(result.is_failed for result in results)
    settled = tuple(result for result in results if failed or not result.is_busy)
    needed = any(result.restart_required for result in results)
    work.results.extend(settled)
    work.passes += 1
    done = ev.InstallFinished(
        step=step,
        node=node,
        install_pass=number,
        results=tuple(map(reported, settled)),
        restart_needed=needed if len(settled) == len(results) else None,
    )
    scene.record.add(done, scene.clock())
    raise_busy(node, results)


@dataclass(frozen=True, slots=True)
class LostInstall:
    """An install of which nobody heard how it ended: it may still be going on on the node."""

    number: int
    started_at: datetime
    updates: tuple[UpdateRef, ...]


def lost_installs(record: RunRecord, node: str) -> tuple[LostInstall, ...]:
    """Return the installs on ``node`` whose own answer is missing, with those of their updates that nothing is known of.

    What a later install answered about an update counts: the earlier one may never have reached the node.
    """
    started: dict[int, LostInstall] = {}
    known: dict[int, set[str]] = {}
    for entry in record.events(node):
        match entry.event:
            case ev.InstallStarted() as event:
                started[event.install_pass] = LostInstall(event.install_pass, entry.at, event.updates)
            case ev.InstallFinished(restart_needed=None) as event:
                known.setdefault(event.install_pass, set()).update(result.update_id for result in event.results)
            case ev.InstallFinished() as event:
                started.pop(event.install_pass, None)
                answered = {result.update_id for result in event.results}
                for number in started:
                    if number < event.install_pass:
                        known.setdefault(number, set()).update(answered)
    open_ones = []
    for install in started.values():
        left = tuple(update for update in install.updates if update.update_id not in known.get(install.number, set()))
        if left:
            open_ones.append(LostInstall(install.number, install.started_at, left))
    return tuple(open_ones)


def settle_installs(
    scene: Scene, node: str, step: ev.StepName, offered: tuple[Update, ...], updater: NodeUpdater
) -> None:
    """Put on record what the node tells of lost installs: an update that it has installed and offers no longer.

    That an update is no longer offered proves nothing by itself: another one may have replaced it meanwhile. Such an event has no
    ``restart_needed``, which only the install's own answer can tell.
    """
    still = {update.update_id.lower() for update in offered}
    lost = lost_installs(scene.record, node)
    gone = {update.update_id.lower() for install in lost for update in install.updates} - still
    there = _installed(updater, gone) if gone else frozenset()
    for install in lost:
        results = tuple(
            ReportedResult(
                update_id=update.update_id,
                kb=update.kb,
                title=update.title,
                result="succeeded",
                meaning="its own answer was lost; a later scan finds it installed",
            )
            for update in install.updates
            if update.update_id.lower() in there
        )
        if results:
            done = ev.InstallFinished(step=step, node=node, install_pass=install.number, results=results)
            scene.record.add(done, scene.clock())


def _installed(updater: NodeUpdater, update_ids: Collection[str]) -> frozenset[str]:
    """Return which of the updates are installed; what the node does not say stays unknown."""
    try:
        found = updater.scan(installed_criteria(update_ids))
    except (CommandFailed, ValueError):
        return frozenset()
    return frozenset(update.update_id.lower() for update in found) & frozenset(update_ids)


def raise_busy(node: str, results: tuple[UpdateResult, ...]) -> None:
    """Raise CommandFailed, safe to be tried again, when something else is being installed on ``node``."""
    busy = [result for result in results if result.is_busy]
    if busy and not any(result.is_failed for result in results):
        records = [ErrorRecord(result.describe(), hresult=result.hresult or 0x80240009) for result in busy]
        raise CommandFailed(records, node=node)


def raise_unfinished(node: str, results: tuple[UpdateResult, ...], what: str) -> None:
    """Raise CommandFailed when an update could not be downloaded, or something else is at work."""
    raise_busy(node, results)
    failed = [result for result in results if result.is_failed]
    if failed:
        records = [ErrorRecord(f"{what} of {result.describe()}", hresult=result.hresult) for result in failed]
        raise CommandFailed(records, node=node)


def refs(updates: tuple[Update, ...]) -> tuple[UpdateRef, ...]:
    """Return updates as the report has them."""
    return tuple(UpdateRef(update_id=item.update_id, kb=item.kb, title=item.title) for item in updates)


_NAMES = ("not-started", "in-progress", "succeeded", "succeeded-with-errors", "failed", "aborted")


def reported(result: UpdateResult) -> ReportedResult:
    """Return one result as the report has it."""
    code = 2 if result.is_good else result.code
    if result.is_superfluous:
        code = 0
    return ReportedResult.model_validate(
        {
            "update_id": result.update.update_id,
            "kb": result.update.kb,
            "title": result.update.title,
            "result": _NAMES[code] if 0 <= code < len(_NAMES) else "failed",
            "hresult": result.hresult_text if result.hresult else None,
            "reboot_required": result.restart_required,
            "meaning": result.meaning or None,
            "next_action": result.next_action if result.is_failed else None,
        }
    )
