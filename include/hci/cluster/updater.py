"""The node updater: what scans, downloads and installs on one node, and CAU's WMI provider as the first of its kind."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID

from include.hci.cluster.cau import NAMESPACE, create_lock, get_lock_holders, lock_of, remove_lock
from include.hci.cluster.lock import LockHeld
from include.hci.cluster.updates import Update, UpdateResult, hresult_of
from include.hci.powershell.command import Command, Pipeline
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.psobject import PSObject
from include.hci.powershell.records import ErrorRecord
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH, Value

_METHODS = frozenset({"ScanUpdates", "DownloadUpdates", "InstallUpdates", "RebootRequired"})
_FEATURE_PARAMETER = "FeatureUpdatesOnly"
_SCAN_TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class UpdaterProbe:
    """Whether an updater can be used on a node, and why (not). ``feature_updates_only``: its methods take that parameter."""

    usable: bool
    why: str
    feature_updates_only: bool = False


class NodeUpdater(Protocol):
    """Scans, downloads and installs on one node; criteria are those of the Windows Update Agent."""

    name: str

    def probe(self) -> UpdaterProbe:
        """Return whether this updater can be used on the node."""
        ...

    def ahead(self, searches: Collection[str]) -> None:
        """Take note of the criteria that are going to be scanned for, one after the other."""
        ...

    def scan(self, criteria: str) -> tuple[Update, ...]:
        """Return the updates that fit ``criteria``."""
        ...

    def download(self, criteria: str, timeout: timedelta) -> tuple[UpdateResult, ...]:
        """Download them; one result per update."""
        ...

    def install(self, criteria: str, timeout: timedelta) -> tuple[UpdateResult, ...]:
        """Install them; one result per update."""
        ...

    def restart_needed(self) -> bool:
        """Return whether the node needs a restart to finish what was installed."""
        ...

    def release(self) -> None:
        """Take away what the updater left on the node to do its work."""
        ...


class CauProviderUpdater:
    """Updates one node through the methods of MSFT_CAUNode, which run as SYSTEM (MSFT_CAUNode class).

    The object is created under our ``guid`` when there is none, survives restarts and is dropped by the provider after an hour
    without activity. ``shell`` talks to the node itself. Every call raises LockHeld when another coordinator holds the node.
    """

    name = "cau_provider"

    def __init__(self, shell: Shell, node: str, guid: UUID, include_recommended: bool = False) -> None:
        self.shell = shell
        self.node = node
        self.guid = guid
        self.include_recommended = include_recommended
        self._probe: UpdaterProbe | None = None

    def probe(self) -> UpdaterProbe:
        """Ask the node for the class and its methods; which ones exist differs between versions of Windows."""
        # What stands inside a property crosses the wire as text only, and a parameter's text is the name of its .NET type
        # (PowerShell/MMI, CimMethodParameterDeclarationOfMethod): so the methods, and then parameters, are made the answer.
        methods = Command("Get-CimClass", {"Namespace": NAMESPACE, "ClassName": "MSFT_CAUNode"}) | Command(
            "Select-Object", {"ExpandProperty": "CimClassMethods"}
        )
        scan = Command("Where-Object", {"Property": "Name", "EQ": SWITCH, "Value": "ScanUpdates"})
        try:
            missing = sorted(_METHODS - self._names(methods))
            if missing:
                return UpdaterProbe(False, f"the node's CAU provider lacks {', '.join(missing)}")
            parameters = self._names(methods | scan | Command("Select-Object", {"ExpandProperty": "Parameters"}))
        except CommandFailed as error:
            return UpdaterProbe(False, f"the node has no CAU provider: {error.detail}")
        takes_feature = _FEATURE_PARAMETER in parameters
        self._probe = UpdaterProbe(True, "the node's CAU provider has every method", takes_feature)
        return self._probe

    def ahead(self, searches: Collection[str]) -> None:
        """Nothing: every scan is a call of its own."""

    def scan(self, criteria: str) -> tuple[Update, ...]:
        """Return what a scan with ``criteria`` offers."""
        info = self._call("ScanUpdates", criteria, _SCAN_TIMEOUT, changes=False)
        return tuple(map(_update, info))

    def download(self, criteria: str, timeout: timedelta) -> tuple[UpdateResult, ...]:
        """Download what fits ``criteria``; what is there already counts as downloaded."""
        return tuple(map(_result, self._call("DownloadUpdates", criteria, timeout, changes=True)))

    def install(self, criteria: str, timeout: timedelta) -> tuple[UpdateResult, ...]:
        """Install what fits ``criteria``."""
        return tuple(map(_result, self._call("InstallUpdates", criteria, timeout, changes=True)))

    def restart_needed(self) -> bool:
        """Return the answer of RebootRequired."""
        self._ensure()
        call = Command("Invoke-CimMethod", {"MethodName": "RebootRequired"}, changes=False)
        return self.shell.run(lock_of("MSFT_CAUNode", self.guid) | call).require().one().boolean("ReturnValue")

    def release(self) -> None:
        """Remove our MSFT_CAUNode; somebody else's stays."""
        remove_lock(self.shell, "MSFT_CAUNode", self.guid)

    def _names(self, pipeline: Pipeline) -> set[str]:
        return {item.string("Name") for item in self.shell.run(pipeline).require().output if isinstance(item, PSObject)}

    def _ensure(self) -> None:
        holders = get_lock_holders(self.shell, self.node, "MSFT_CAUNode")
        if not holders:
            create_lock(self.shell, "MSFT_CAUNode", self.guid)
        elif holders[0].guid != self.guid:
            raise LockHeld(f"{holders[0].guid} holds MSFT_CAUNode", node=self.node)

    def _call(self, method: str, criteria: str, timeout: timedelta, *, changes: bool) -> tuple[PSObject, ...]:
        self._ensure()
        probe = self._probe or self.probe()
        arguments: dict[str, Value | None] = {
            "QueryString": criteria,
            "IncludeRecommendedUpdates": self.include_recommended,
        }
        if probe.feature_updates_only:
            arguments[_FEATURE_PARAMETER] = False
        call = Command("Invoke-CimMethod", {"MethodName": method, "Arguments": arguments}, changes=changes)
        pipeline = lock_of("MSFT_CAUNode", self.guid) | call
        answer = self.shell.run(pipeline, timeout=timeout).require().one()
        info = answer.objects("Info", ())
        code = hresult_of(answer.integer("ReturnValue", 0))
        # A failed call that still names updates tells more through their own codes.
        if code & 0x80000000 and not info:
            record = ErrorRecord(f"{method} returned 0x{code:08X}", hresult=code, command="Invoke-CimMethod")
            raise CommandFailed([record], node=self.node, command=pipeline.describe())
        return info


def _update(item: PSObject) -> Update:
    return Update(item.string("UpdateId"), item.string("UpdateTitle", ""), item.string("UpdateDesc", ""))


def _result(item: PSObject) -> UpdateResult:
    return UpdateResult(
        update=_update(item),
        code=item.integer("UpdateResultCode", 0),
        hresult=hresult_of(item.integer("UpdateErrorCode", 0)),
        restart_required=item.boolean("RebootRequired", False),
    )
