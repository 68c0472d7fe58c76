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
from pypsrp.powershell import RunspacePool
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


class OutputRunspacePool(RunspacePool):
    """pypsrp's session with an ``OutputSerializer``."""

    def __init__(self, connection: Any, node: str, **options: Any) -> None:
        super().__init__(connection, **options)
        self.serializer = OutputSerializer(node)
        self._serializer = self.serializer
        self._fragmenter.serializer = self.serializer
