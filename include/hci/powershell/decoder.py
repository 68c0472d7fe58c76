"""A pypsrp session that decodes what a pipeline sends with our own reader.

pypsrp's deserializer does not look into arrays and hashtables inside an ``Object[]``: it hands them out as raw XML and, because
it skipped the type names declared there, fails with KeyError on the next object that refers to them. Dates stay text and
enumerable collections come out empty. The protocol around the objects stays pypsrp's.
"""

from __future__ import annotations

from typing import Any, Final
from xml.etree.ElementTree import Element

from pypsrp.messages import (
    DebugRecord,
    ErrorRecordMessage,
    InformationRecord,
    PipelineState,
    ProgressRecord,
    VerboseRecord,
    WarningRecord,
)
from pypsrp.powershell import Fragment, RunspacePool
from pypsrp.serializer import Serializer

from include.hci.powershell.clixml import read_clixml
from include.hci.powershell.psobject import PSObject

_RECORDS: Final = (ErrorRecordMessage, ProgressRecord, WarningRecord, VerboseRecord, DebugRecord, InformationRecord)


class Received:
    """A record that a pipeline sent: ``value`` is what it says; the rest is what pypsrp wants to know of it."""

    __slots__ = ("MESSAGE_TYPE", "error_record", "state", "value")

    def __init__(self, message_type: int, value: PSObject) -> None:
        self.MESSAGE_TYPE = message_type
        self.value = value
        self.state: int | None = None
        self.error_record: Received | None = None


class OutputSerializer(Serializer):
    """Serializes as pypsrp does, and reads output and records on its own; ``source`` and ``node`` go into what it reads."""

    def __init__(self, node: str) -> None:
        super().__init__()
        self.node = node
        self.source = ""

    def deserialize(self, element: Element | str, metadata: Any = None, clear: bool = True) -> Any:
        """Return what ``element`` stands for; raises ValueError where it is not CLIXML."""
        kind = getattr(metadata, "object", None)
        if not isinstance(element, str) or not clear:
            return super().deserialize(element, metadata, clear)
        if metadata is None:
            return read_clixml(element, source=self.source, node=self.node)
        if kind in _RECORDS:
            return Received(kind.MESSAGE_TYPE, self._object(element))
        if kind is PipelineState:
            value = self._object(element)
            received = Received(PipelineState.MESSAGE_TYPE, value)
            received.state = value.integer("PipelineState")
            if record := value.child("ExceptionAsErrorRecord", None):
                received.error_record = Received(ErrorRecordMessage.MESSAGE_TYPE, record)
            return received
        return super().deserialize(element, metadata, clear)

    def _object(self, xml: str) -> PSObject:
        value = read_clixml(xml, source=self.source, node=self.node)
        if not isinstance(value, PSObject):
            raise ValueError(f"a {type(value).__name__} where a record belongs")
        return value


class Sequence:
    """The order in which a session sends: its messages are numbered, and so are the fragments of each (MS-PSRP 2.2.4)."""

    def __init__(self) -> None:
        self._next: tuple[int, int] | None = (1, 0)

    def follows(self, data: bytes) -> bool:
        """Take what was received; return whether nothing is missing before it or in it."""
        is_whole = True
        while data:
            fragment, data = Fragment.unpack(data)
            number, part = fragment.object_id, fragment.fragment_id
            is_whole = is_whole and self._next == (number, part)
            self._next = (number + 1, 0) if fragment.end else (number, part + 1)
        return is_whole

    def lose_track(self) -> None:
        """Expect nothing certain any more: what was sent last was not waited for."""
        self._next = None


class OutputRunspacePool(RunspacePool):
    """pypsrp's session with an ``OutputSerializer``, which notices when a part of an answer is missing.

    A Receive whose answer was lost with its connection is sent again, but Windows keeps no answer for a client that names no
    OperationID, as pypsrp does not (MS-WSMV 3.1.4.1.39): what was in it is gone, and everything after it would look complete.
    ``lost`` says so of what was received since ``begin_answer``.
    """

    def __init__(self, connection: Any, node: str, **options: Any) -> None:
        super().__init__(connection, **options)
        self.serializer = OutputSerializer(node)
        self._serializer = self.serializer
        self._fragmenter.serializer = self.serializer
        self.sequence = Sequence()
        self.lost = False
        self._mends_before = self._mends

    @property
    def _mends(self) -> int:
        return int(getattr(self.connection.transport, "mends", 0))

    def begin_answer(self) -> None:
        """Forget what happened to the connection before: another pipeline begins."""
        self.lost = False
        self._mends_before = self._mends

    def _parse_responses(self, responses: bytes, pipeline: Any = None) -> list[tuple[int, Any]]:
        if not self.sequence.follows(responses) and self._mends != self._mends_before:
            self.lost = True
        found: list[tuple[int, Any]] = super()._parse_responses(responses, pipeline)
        return found
