"""Commands and pipelines as data: a cmdlet's name and its parameters, never a line of PowerShell text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

from include.hci.powershell.values import SWITCH, Secret, SizedInteger, Switch, Value
from include.hci.settings.script_path import script_path_problem

_COMMAND_NAME: Final = re.compile(r"[A-Za-z]+-[A-Za-z][A-Za-z0-9]*")
_PARAMETER_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_LONGEST_TEXT: Final = 200

#: Verbs whose commands leave the node as it is. Everything else changes something unless ``Command.changes`` says no.
READING_VERBS: Final = frozenset({"get", "test", "where", "select", "measure", "sort", "group", "debug"})


@dataclass(frozen=True, slots=True)
class Command:
    """One cmdlet with its parameters.

    ``name`` is a verb and a noun joined by a dash, or the absolute path of a script on the node; ``parameters`` map parameter
    names to values, with ``SWITCH`` for a bare switch. ``changes`` says whether the command changes anything on the node; None
    leaves it to the verb. Raises ValueError for a name that is none and TypeError for a value that cannot be sent.
    """

    name: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    changes: bool | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not (_COMMAND_NAME.fullmatch(self.name) or self.is_script_file):
            raise ValueError(
                f"{self.name!r} is not the name of a command: it takes a verb and a noun, like Get-ClusterNode."
            )
        seen: set[str] = set()
        for name, value in self.parameters.items():
            if not isinstance(name, str) or not _PARAMETER_NAME.fullmatch(name):
                raise ValueError(f"{self.name}: {name!r} is not the name of a parameter.")
            if name.lower() in seen:
                raise ValueError(f"{self.name}: the parameter {name} is given twice.")
            seen.add(name.lower())
            if value is None:
                raise TypeError(f"{self.name} -{name}: None is not a value; a parameter without one is SWITCH.")
            _check(value, f"{self.name} -{name}", top=True)
        object.__setattr__(self, "parameters", MappingProxyType(dict(self.parameters)))

    def __reduce__(self) -> tuple[object, ...]:
        return (Command, (self.name, dict(self.parameters), self.changes))

    def __or__(self, other: Command | Pipeline) -> Pipeline:
        """Return the pipeline that hands this command's output to ``other``."""
        return Pipeline((self,)) | other

    @property
    def verb(self) -> str:
        """The part of the name in front of the dash."""
        return self.name.partition("-")[0]

    @property
    def is_script_file(self) -> bool:
        """Whether it is a script that lies on the node, named by its path."""
        return "\\" in self.name and not script_path_problem(self.name)

    @property
    def is_change(self) -> bool:
        """Whether running it may change something on the node."""
        return self.changes if self.changes is not None else self.verb.lower() not in READING_VERBS

    @property
    def has_secret(self) -> bool:
        """Whether a parameter holds a secret, which needs a session key before it can be sent."""
        return any(_has_secret(value) for value in self.parameters.values())

    def marked(self, *, changes: bool) -> Command:
        """Return the same command marked as one that changes something or does not."""
        return replace(self, changes=changes)

    def describe(self) -> str:
        """Return the command as one readable line for logs, with secrets as ``***``. It is not meant to be run."""
        words = [self.name]
        for name, value in self.parameters.items():
            words.append(f"-{name}")
            if value is not SWITCH:
                words.append(_shown(value))
        return " ".join(words)

    def __str__(self) -> str:
        return self.describe()


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands of which each takes the output of the one before; build it with ``|``."""

    commands: tuple[Command, ...]

    def __post_init__(self) -> None:
        if not self.commands:
            raise ValueError("A pipeline needs at least one command.")

    def __or__(self, other: Command | Pipeline) -> Pipeline:
        """Return this pipeline with ``other`` behind it."""
        if isinstance(other, Command):
            return Pipeline((*self.commands, other))
        if isinstance(other, Pipeline):
            return Pipeline(self.commands + other.commands)
        return NotImplemented

    def __iter__(self) -> Iterator[Command]:
        return iter(self.commands)

    @property
    def is_change(self) -> bool:
        """Whether any of its commands may change something on the node."""
        return any(command.is_change for command in self.commands)

    @property
    def has_secret(self) -> bool:
        """Whether any of its commands carries a secret."""
        return any(command.has_secret for command in self.commands)

    def describe(self) -> str:
        """Return the pipeline as one readable line for logs, with secrets as ``***``."""
        return " | ".join(command.describe() for command in self.commands)

    def __str__(self) -> str:
        return self.describe()


def as_pipeline(what: Command | Pipeline) -> Pipeline:
    """Return ``what`` as a pipeline."""
    return what if isinstance(what, Pipeline) else Pipeline((what,))


def _check(value: object, where: str, *, top: bool = False) -> None:
    if isinstance(value, Switch):
        if not top:
            raise TypeError(f"{where}: SWITCH stands for a whole parameter, not for a value inside one.")
    elif isinstance(value, datetime):
        if value.tzinfo is None:
            raise TypeError(f"{where}: the time {value.isoformat()} has no time zone.")
    elif isinstance(value, int) and not isinstance(value, bool | SizedInteger):
        if not -(2**63) <= value < 2**63:
            raise TypeError(f"{where}: {value} needs more than 64 bits; use UInt64 for large unsigned numbers.")
    elif isinstance(value, str | Secret):
        text = value.reveal() if isinstance(value, Secret) else value
        if not text.isascii() and any("\ud800" <= letter <= "\udfff" for letter in text):
            raise TypeError(f"{where}: a text with half a character (a lone surrogate) cannot be sent.")
    elif isinstance(value, bool | int | float | bytes | timedelta | UUID):
        return
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if not isinstance(key, str):
                raise TypeError(f"{where}: the key {key!r} of a hashtable is not a text.")
            if item is not None:
                _check(item, f"{where} [{key}]")
    elif isinstance(value, Sequence):
        for index, item in enumerate(value):
            if item is not None:
                _check(item, f"{where} [{index}]")
    else:
        raise TypeError(f"{where}: a value of type {type(value).__name__} cannot be sent.")


def _has_secret(value: object) -> bool:
    if isinstance(value, Secret):
        return True
    if isinstance(value, Mapping):
        return any(_has_secret(item) for item in value.values())
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return any(_has_secret(item) for item in value)
    return False


def _shown(value: object) -> str:
    match value:
        case None:
            return "$null"
        case bool():
            return "$true" if value else "$false"
        case Secret():
            return "***"
        case str():
            text = value if len(value) <= _LONGEST_TEXT else f"{value[:_LONGEST_TEXT]}…"
            visible = _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
            return "'" + visible.replace("'", "''") + "'"
        case bytes():
            return f"<{len(value)} bytes>"
        case datetime():
            return f"'{value.isoformat()}'"
        case timedelta() | UUID():
            return f"'{value}'"
        case Mapping():
            return "@{" + "; ".join(f"{key} = {_shown(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return ", ".join(_shown(item) for item in value) or "@()"
        case _:
            return str(value)
