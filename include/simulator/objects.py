"""Values that cross the border between the simulated world and the wire, free of any protocol library.

Plain Python values stand for themselves: ``str``, ``bool``, ``int`` (Int32 where it fits, else Int64), ``float``, ``None``,
``bytes``, aware ``datetime`` (DateTime), ``timedelta`` (TimeSpan), ``uuid.UUID`` (Guid), ``list`` and ``tuple`` (arrays),
``dict`` (Hashtable). Everything else a command takes or returns is one of the classes below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


class Byte(int):
    """An unsigned 8-bit integer."""


class UInt16(int):
    """An unsigned 16-bit integer."""


class UInt32(int):
    """An unsigned 32-bit integer."""


class Int64(int):
    """A signed 64-bit integer."""


class UInt64(int):
    """An unsigned 64-bit integer."""


class Version(str):
    """A .NET version such as ``10.0.20348.2400``."""


@dataclass(frozen=True, slots=True)
class SecureString:
    """A secret that Windows holds as a SecureString; its value is kept out of every representation."""

    value: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Credential:
    """A PSCredential."""

    user: str
    password: SecureString


@dataclass(frozen=True, slots=True)
class SimEnum:
    """One value of a .NET enumeration: its type, number and name."""

    type_name: str
    value: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(slots=True)
class SimObject:
    """An object as Windows would send it.

    ``type_names`` run from the most to the least derived. ``properties`` are the adapted ones, ``notes`` the extended ones that
    PowerShell adds (for example ``PSComputerName``). ``to_string`` is what the object prints as. ``source`` points back to the
    thing in the world that the object was read from, for commands that take it from the pipeline; it never crosses the wire.
    """

    type_names: tuple[str, ...]
    properties: dict[str, object]
    notes: dict[str, object] = field(default_factory=dict)
    to_string: str | None = None
    source: object = None

    def get(self, name: str) -> object:
        """Return the property or note called ``name`` whatever its case, or None."""
        for members in (self.properties, self.notes):
            for key, value in members.items():
                if key.lower() == name.lower():
                    return value
        return None


@dataclass(frozen=True, slots=True)
class SimError:
    """An error record before it is written to the wire.

    ``exception_types`` run from the most to the least derived exception class. ``category`` is a name of the ErrorCategory
    enumeration such as ``ObjectNotFound``. ``code_inside``: its codes belong to an exception inside the exception, of which
    remoting sends nothing but the text.
    """

    message: str
    fully_qualified_error_id: str
    category: str = "NotSpecified"
    exception_types: tuple[str, ...] = ("System.Exception",)
    reason: str = ""
    target: str | None = None
    target_type: str = ""
    activity: str = ""
    hresult: int = -2146233087
    native_error_code: int | None = None
    properties: Mapping[str, object] = field(default_factory=dict)
    code_inside: bool = False


class TerminatingError(Exception):
    """Ends the pipeline in state Failed with ``record``."""

    def __init__(self, record: SimError) -> None:
        super().__init__(record.message)
        self.record = record
