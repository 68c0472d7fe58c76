"""Where cmdlets are registered by name, and what each of them gets to work with."""

from __future__ import annotations

import importlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.simulator.clock import Clock
from include.simulator.host import Session, Sink
from include.simulator.objects import SimError, TerminatingError

if TYPE_CHECKING:
    from include.simulator.world.machines import Machine
    from include.simulator.world.world import World

#: Modules whose import registers cmdlets.
MODULES = ("cluster", "storage", "cim", "cau", "system", "generic")


@dataclass(slots=True)
class Call:
    """One bound command of a pipeline.

    ``host`` is the machine it runs on. ``parameters`` carry the canonical names of the vendor's syntax and coerced values;
    a switch that is present is True. ``input`` is the output of the command before it, ``sink`` takes its own.
    """

    name: str
    host: Machine
    session: Session
    parameters: dict[str, object]
    input: list[object]
    sink: Sink
    world: World
    clock: Clock

    def has(self, name: str) -> bool:
        """Tell whether the parameter was given and is not a switch set to false."""
        return self.parameters.get(name, False) is not False

    def text(self, name: str) -> str | None:
        """Return a parameter as text, or None where it was not given."""
        value = self.parameters.get(name)
        return None if value is None else str(value)

    def texts(self, name: str) -> list[str]:
        """Return a parameter as a list of texts; one value counts as a list of one."""
        value = self.parameters.get(name)
        if value is None:
            return []
        return [str(each) for each in value] if isinstance(value, list | tuple) else [str(value)]


Handler = Callable[[Call], Awaitable[None]]

_HANDLERS: dict[str, tuple[str, Handler]] = {}


def cmdlet(name: str) -> Callable[[Handler], Handler]:
    """Register the decorated function as what ``name`` does; a second registration raises ValueError."""

    def register(handler: Handler) -> Handler:
        if name.lower() in _HANDLERS:
            raise ValueError(f"The cmdlet {name} is registered twice.")
        _HANDLERS[name.lower()] = (name, handler)
        return handler

    return register


def load() -> None:
    """Import every module that registers cmdlets."""
    for module in MODULES:
        importlib.import_module(f"include.simulator.cmdlets.{module}")


def find(name: str) -> Handler | None:
    """Return what ``name`` (any case, its module before it or not) does, or None where nothing is registered."""
    load()
    found = _HANDLERS.get(name.rpartition("\\")[2].lower())
    return found[1] if found else None


def names() -> list[str]:
    """Return the names of every registered cmdlet, sorted."""
    load()
    return sorted(name for name, _ in _HANDLERS.values())


def fail(message: str, error_id: str, category: str = "NotSpecified", **details: object) -> TerminatingError:
    """Return a terminating error to raise; ``details`` are further fields of SimError."""
    return TerminatingError(SimError(message, error_id, category, **details))  # type: ignore[arg-type]
