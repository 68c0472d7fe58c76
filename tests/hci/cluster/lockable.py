"""A fake node that keeps the provider's lock objects as Windows does: one per class."""

from __future__ import annotations

from uuid import UUID

from include.hci.powershell.command import Pipeline
from include.hci.powershell.errors import CommandFailed, NodeUnreachable
from include.hci.powershell.records import ErrorRecord
from tests.hci.cluster.fakes import FakeShell, obj


class LockableShell(FakeShell):
    """Keeps at most one MSFT_CAURun and one MSFT_CAUNode; ``dead`` lets it not answer, ``stubborn`` refuses removals."""

    def __init__(self, node: str, held: dict[str, UUID] | None = None) -> None:
        super().__init__({}, node)
        self.held = dict(held or {})
        self.dead = False
        self.stubborn = False
        self.replies = {
            "Get-CimInstance": self._get,
            "New-CimInstance": self._new,
            "Remove-CimInstance": self._remove,
        }

    def _get(self, pipeline: Pipeline) -> object:
        if self.dead:
            return NodeUnreachable("no route", node=self.node)
        command = pipeline.commands[0]
        guid = self.held.get(str(command.parameters["ClassName"]))
        wanted = command.parameters.get("Filter")
        if guid is None or (wanted is not None and str(guid) not in str(wanted)):
            return []
        return [obj(OrchestratorGuid=str(guid))]

    def _new(self, pipeline: Pipeline) -> object:
        if self.dead:
            return NodeUnreachable("no route", node=self.node)
        command = pipeline.commands[0]
        kind, given = str(command.parameters["ClassName"]), command.parameters["Property"]
        if kind in self.held:
            return CommandFailed(
                [ErrorRecord("An instance of the class already exists.", "MI RESULT 11")], node=self.node
            )
        self.held[kind] = UUID(str(given["OrchestratorGuid"]))  # type: ignore[index,call-overload]
        return []

    def _remove(self, pipeline: Pipeline) -> object:
        if self.dead:
            return NodeUnreachable("no route", node=self.node)
        if self.stubborn:
            return CommandFailed([ErrorRecord("Access is denied", hresult=0x80070005)], node=self.node)
        if self._get(pipeline):
            del self.held[str(pipeline.commands[0].parameters["ClassName"])]
        return []
