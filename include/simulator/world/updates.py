"""The Windows Update Agent of every node: what is offered, downloaded, installed, and with what result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from include.simulator.world.catalogue import UpdateSpec
from include.simulator.world.criteria import Criteria, Facts
from include.simulator.world.machines import Machine, Node

if TYPE_CHECKING:
    from include.simulator.world.agenda import Timer
    from include.simulator.world.rig import Condition
    from include.simulator.world.world import World

#: OperationResultCode (win32, Wua_Sdk).
SUCCEEDED, FAILED, ABORTED = 2, 4, 5
#: HRESULTs of the Windows Update Agent (win32, Wua_Sdk; SConfig).
ANOTHER_INSTALL = 0x80240016
NOT_DOWNLOADED = 0x80246007
ALREADY_INSTALLED = 0x00240006
NOT_APPLICABLE = 0x80240017
EULA_DECLINED = 0x80240023
INTERRUPTED = 0x80240018


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """What became of one update."""

    update: UpdateSpec
    code: int
    hresult: int
    at: datetime


@dataclass(slots=True, eq=False)
class Operation:
    """A download or an installation that is under way or over."""

    node: Node
    kind: str
    orchestrator: str
    waiting: list[UpdateSpec]
    results: list[UpdateResult] = field(default_factory=list)
    over: bool = False
    timer: Timer | None = None
    then: Callable[[Operation], None] | None = None


@dataclass(slots=True)
class Record:
    """What a node holds: ``installed`` says whether an update is already effective, ``downloaded`` what may be installed.

    ``rolled_back`` holds with what error updates were gone after a restart, the last time.
    """

    installed: dict[str, bool] = field(default_factory=dict)
    downloaded: set[str] = field(default_factory=set)
    committed: set[str] = field(default_factory=set)
    rolled_back: dict[str, int] = field(default_factory=dict)
    installing: Operation | None = None
    operations: list[Operation] = field(default_factory=list)
    installed_at: dict[str, datetime] = field(default_factory=dict)


class Updates:
    """Searches, downloads and installs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.catalogue = {update.update_id: update for update in world.spec.updates}
        self._records = {node.name: Record() for node in world.nodes}

    def add(self, node: Node) -> None:
        """Keep record of a node that joins later."""
        self._records.setdefault(node.name, Record())

    def record(self, node: Node) -> Record:
        """Return what ``node`` holds."""
        return self._records[node.name]

    def installed_kbs(self, node: Node) -> list[str]:
        """Return the KB numbers of everything installed on ``node``, effective or not."""
        return sorted({kb for each in self.record(node).installed if (kb := self.catalogue[each].kb)})

    def installing(self, node: Node) -> bool:
        """Tell whether an installation is under way."""
        return self.record(node).installing is not None

    def pending(self, node: Node) -> list[UpdateSpec]:
        """Return what takes effect with the next restart."""
        record = self.record(node)
        waiting = [self.catalogue[each] for each, effective in record.installed.items() if not effective]
        needs_commit = self.needs_commit(node)
        return [
            each
            for each in waiting
            if not (each.is_feature_update and needs_commit and each.update_id not in record.committed)
        ]

    def awaiting_restart(self, node: Node) -> bool:
        """Tell whether anything installed waits for a restart."""
        return not all(self.record(node).installed.values())

    def takes_feature_flag(self, machine: Machine) -> bool:
        """Tell whether the CAU provider's methods on ``machine`` take FeatureUpdatesOnly."""
        return machine.os.cau_feature_updates or self._world.variant("cau-node-takes-feature-updates-only")

    def has_newer_methods(self, machine: Machine) -> bool:
        """Tell whether the CAU provider on ``machine`` has CommitFUpdatesWua and the methods that came with it."""
        return machine.os.cau_feature_updates or self._world.variant("cau-node-has-the-newer-methods")

    def needs_commit(self, node: Node) -> bool:
        """Tell whether a staged feature update takes effect only after a commit."""
        return self.has_newer_methods(node) or self._world.variant("feature-updates-need-a-commit")

    def take_effect(self, node: Node) -> list[UpdateSpec]:
        """Note that the restart that pending updates waited for is done; return those that did not roll back."""
        record, kept = self.record(node), []
        for update in self.pending(node):
            condition = self._world.rig.find("rolls-back", node.name)
            if condition and condition.text("title").lower() in update.title.lower():
                self._world.rig.take("rolls-back", node.name)
                del record.installed[update.update_id]
                hresult = int(condition.text("hresult", "0"), 0)
                record.rolled_back[update.update_id] = hresult
                detail = {"node": node.name, "update_id": update.update_id, "kb": update.kb, "title": update.title}
                if hresult:
                    detail["hresult"] = f"0x{hresult:08X}"
                self._world.emit("update.rolled-back", node, detail)
            else:
                record.installed[update.update_id] = True
                kept.append(update)
        return kept

    def search(
        self, node: Node, criteria: Criteria, *, recommended: bool = False, features_only: bool = False
    ) -> list[UpdateSpec]:
        """Return the applicable updates that ``criteria`` find, in catalogue order."""
        found = [each for each in self.catalogue.values() if criteria.matches(self._facts(node, each))]
        return [
            each
            for each in found
            if self._applicable(node, each)
            and self._published(node, each)
            and (recommended or not each.recommended)
            and (each.is_feature_update or not features_only)
        ]

    def start(
        self,
        node: Node,
        kind: str,
        updates: list[UpdateSpec],
        orchestrator: str,
        then: Callable[[Operation], None] | None = None,
    ) -> Operation:
        """Begin to ``download`` or ``install`` what is not installed; the caller has seen to it that no other installation runs.

        What is there already downloads in no time, and what was never downloaded fails to install in no time. ``then`` is called
        once it is over.
        """
        record = self.record(node)
        operation = Operation(
            node, kind, orchestrator, [each for each in updates if each.update_id not in record.installed], then=then
        )
        record.operations.append(operation)
        if kind == "install":
            there = [each for each in updates if each.update_id in record.installed]
            operation.results += [UpdateResult(each, SUCCEEDED, ALREADY_INSTALLED, self._world.now) for each in there]
            record.installing = operation
            self._world.emit("install.started", node, {"node": node.name, "orchestrator": orchestrator})
            self._world.services.set(node, "TrustedInstaller", "Running")
        self._world.services.set(node, "wuauserv", "Running")
        self._next(operation)
        return operation

    def interrupt(self, node: Node) -> None:
        """End what runs on ``node`` because it goes down."""
        for operation in list(self.record(node).operations):
            if operation.timer:
                operation.timer.cancel()
            for update in operation.waiting:
                operation.results.append(UpdateResult(update, ABORTED, INTERRUPTED, self._world.now))
            operation.waiting.clear()
            self._finish(operation)
        self._world.services.set(node, "wuauserv", "Stopped")

    def foreign_install(self, node: Node, lasts: timedelta) -> None:
        """Let something else than a coordinator keep the installer busy for a while."""
        if self.installing(node):
            return
        operation = Operation(node, "install", "", [])
        record = self.record(node)
        record.operations.append(operation)
        record.installing = operation
        self._world.services.set(node, "TrustedInstaller", "Running")
        self._world.services.set(node, "wuauserv", "Running")
        operation.timer = self._world.after(lasts, lambda: self._finish(operation))

    def commit(self, node: Node) -> None:
        """Commit staged feature updates so that the next restart applies them."""
        self.record(node).committed |= {each.update_id for each in self.catalogue.values() if each.is_feature_update}

    def _facts(self, node: Node, update: UpdateSpec) -> Facts:
        record = self.record(node)
        installed = update.update_id in record.installed
        return {
            "isinstalled": installed,
            "ispresent": installed or update.update_id in record.downloaded,
            "rebootrequired": record.installed.get(update.update_id) is False,
            "ishidden": update.hidden,
            "isassigned": update.assigned,
            "browseonly": update.deployment_action == "OptionalInstallation",
            "autoselectonwebsites": update.auto_select,
            "type": update.type,
            "deploymentaction": update.deployment_action,
            "updateid": update.update_id,
            "revisionnumber": 200,
            "categoryids": update.categories,
        }

    def _applicable(self, node: Node, update: UpdateSpec) -> bool:
        record = self.record(node)
        if update.update_id in record.installed:
            return True
        if node.build != (update.for_build or self._world.spec.os.build):
            return False
        if not update.min_ubr <= node.ubr <= (update.max_ubr if update.max_ubr is not None else node.ubr):
            return False
        if not all(record.installed.get(each) for each in update.requires):
            return False
        newer = [each for each in self.catalogue.values() if update.update_id in each.supersedes]
        return not any(each.update_id in record.installed or self._applicable(node, each) for each in newer)

    def _published(self, node: Node, update: UpdateSpec) -> bool:
        """Tell whether the node's update source has the update; what is installed is known without asking it."""
        if update.update_id in self.record(node).installed:
            return True
        policy = self._world.policies.of(node)
        if update.type == "Driver" and self._world.policies.values(node).get("ExcludeWUDriversInQualityUpdate") == 1:
            return False
        if not update.on_windows_update:
            return False
        if update.preview_build and not self._world.preview.receives(node):
            return False
        return update.on_wsus if policy.wsus else True

    def _next(self, operation: Operation) -> None:
        if not operation.waiting:
            self._finish(operation)
            return
        update = operation.waiting[0]
        minutes = update.install_minutes if operation.kind == "install" else update.download_minutes
        downloaded = update.update_id in self.record(operation.node).downloaded
        if downloaded is (operation.kind == "download"):
            minutes = 0.05
        takes = self._world.spread(timedelta(minutes=minutes))
        if self._prepared(f"{operation.kind}-hangs", operation.node, update, keep=True):
            operation.timer = None
            return
        if slow := self._prepared(f"{operation.kind}-slow", operation.node, update):
            takes += timedelta(minutes=slow.number("minutes"))
        operation.timer = self._world.after(takes, lambda: self._done(operation, operation.waiting.pop(0)))

    def go_on(self, node: Node) -> None:
        """Begin again with what hangs on ``node``."""
        for operation in list(self.record(node).operations):
            if operation.timer is None and not operation.over and operation.waiting:
                self._next(operation)

    def _prepared(self, kind: str, node: Node, update: UpdateSpec, *, keep: bool = False) -> Condition | None:
        """Return a prepared condition that concerns ``update`` and count one use of it, unless it is to be kept."""
        condition = self._world.rig.find(kind, node.name)
        if condition is None or condition.text("title").lower() not in update.title.lower():
            return None
        return condition if keep else self._world.rig.take(kind, node.name)

    def _done(self, operation: Operation, update: UpdateSpec) -> None:
        node, record = operation.node, self.record(operation.node)
        hresult = self._failure(operation, update)
        code = FAILED if hresult else SUCCEEDED
        lies = code == SUCCEEDED and operation.kind == "install" and bool(self._prepared("install-lies", node, update))
        if code == SUCCEEDED and operation.kind == "install" and not lies:
            record.installed[update.update_id] = not update.needs_restart
            record.installed_at[update.update_id] = self._world.now
            if update.needs_restart:
                node.pending_restart = True
        elif code == SUCCEEDED and operation.kind == "download":
            record.downloaded.add(update.update_id)
        operation.results.append(UpdateResult(update, code, hresult, self._world.now))
        detail = {
            "node": node.name,
            "update_id": update.update_id,
            "kb": update.kb,
            "title": update.title,
            "result_code": code,
            "hresult": f"0x{hresult:08X}",
            "orchestrator": operation.orchestrator,
        }
        if update.is_feature_update:
            detail["feature"] = True
        if lies:
            detail["applied"] = False  # the node says that it is installed, and it is not
        self._world.emit("update.installed" if operation.kind == "install" else "update.downloaded", node, detail)
        self._next(operation)

    def _failure(self, operation: Operation, update: UpdateSpec) -> int:
        node = operation.node
        if not self._applicable(node, update):
            return NOT_APPLICABLE
        if operation.kind == "install" and update.needs_input:
            return EULA_DECLINED
        if operation.kind == "install" and update.update_id not in self.record(node).downloaded:
            return NOT_DOWNLOADED
        kind = f"{operation.kind}-fails"
        condition = self._world.rig.find(kind, node.name)
        if condition is None or condition.text("title").lower() not in update.title.lower():
            return 0
        self._world.rig.take(kind, node.name)
        return int(condition.text("hresult"), 0)

    def _finish(self, operation: Operation) -> None:
        operation.over, operation.timer = True, None
        record = self.record(operation.node)
        if operation in record.operations:
            record.operations.remove(operation)
        if record.installing is operation:
            record.installing = None
            self._world.services.set(operation.node, "TrustedInstaller", "Stopped")
            if operation.orchestrator:
                detail = {"node": operation.node.name, "orchestrator": operation.orchestrator}
                self._world.emit("install.finished", operation.node, detail)
        if not record.operations:
            self._world.services.set(operation.node, "wuauserv", "Stopped")
        if operation.then:
            then, operation.then = operation.then, None
            then(operation)
