"""Where cmdlets are registered by name, and what each of them gets to work with."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from include.simulator.clock import Clock
from include.simulator.host import Session, Sink
from include.simulator.host_interaction import interactive
from include.simulator.objects import SimError, TerminatingError

if TYPE_CHECKING:
    from include.simulator.world.machines import Machine
    from include.simulator.world.world import World

#: Modules whose import registers cmdlets.
MODULES = (
    "cluster",
    "storage",
    "cim",
    "cau",
    "cau_role",
    "cau_run",
    "cau_setup",
    "cau_plugin",
    "cau_report",
    "system",
    "generic",
    "cluster_nodes",
    "cluster_roles",
    "cluster_volumes",
    "cluster_whole",
    "cluster_validation",
    "hyperv",
    "hyperv_media",
    "services",
    "item_properties",
    "files",
    "firewall",
    "wsman",
    "bitlocker",
    "features",
    "preview",
    "tasks",
    "hotfixes",
    "storage_control",
    "storage_health",
    "storage_places",
    "processes",
)


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


Handler = Callable[[Call], Coroutine[Any, Any, None]]

_HANDLERS: dict[str, tuple[str, Handler]] = {}
_ANSWER_WHAT_IF: set[str] = set()


def cmdlet(name: str, *, answers_what_if: bool = False) -> Callable[[Handler], Handler]:
    """Register the decorated function as what ``name`` does; a second registration raises ValueError.

    With ``answers_what_if`` it is called for -WhatIf as well, with the parameter WhatIf, because it checks something then.
    """

    def register(handler: Handler) -> Handler:
        if name.lower() in _HANDLERS:
            raise ValueError(f"The cmdlet {name} is registered twice.")
        _HANDLERS[name.lower()] = (name, handler)
        if answers_what_if:
            _ANSWER_WHAT_IF.add(name.lower())
        return handler

    return register


@functools.cache
def load() -> None:
    """Import every module that registers cmdlets."""
    for module in MODULES:
        importlib.import_module(f"include.simulator.cmdlets.{module}")


def find(name: str) -> Handler | None:
    """Return what ``name`` (any case, its module before it or not) does, or None where nothing is registered."""
    load()
    found = _HANDLERS.get(name.rpartition("\\")[2].lower())
    return found[1] if found else None


def answers_what_if(name: str) -> bool:
    """Tell whether ``name`` does something of its own for -WhatIf."""
    return name.lower() in _ANSWER_WHAT_IF


def names() -> list[str]:
    """Return the names of every registered cmdlet, sorted."""
    load()
    return sorted(name for name, _ in _HANDLERS.values())


def fail(message: str, error_id: str, category: str = "NotSpecified", **details: object) -> TerminatingError:
    """Return a terminating error to raise; ``details`` are further fields of SimError."""
    return TerminatingError(SimError(message, error_id, category, **details))  # type: ignore[arg-type]


def cannot_ask() -> TerminatingError:
    """Return what a command that asks for confirmation ends with where nobody can answer."""
    return fail(
        "Windows PowerShell is in NonInteractive mode. Read and Prompt functionality is not available.",
        "InvalidOperation",
        "InvalidOperation",
        exception_types=(
            "System.Management.Automation.PSInvalidOperationException",
            "System.InvalidOperationException",
            "System.SystemException",
            "System.Exception",
        ),
    )


def say_what_if(text: str) -> None:
    """Tell the client's host what would be done: it stands in no stream, so that a client without a host hears nothing.

    Source: PowerShell, MshCommandRuntime: the message of ShouldProcess is written to the host's user interface.
    """
    client = interactive.get()
    if client is not None:
        client.tell("WriteLine2", f"What if: {text}")


def ask(call: Call) -> None:
    """Do what a command does that asks unless -Force or -Confirm:$false was given: over the wire nobody can answer."""
    if not call.has("Force") and call.parameters.get("Confirm") is not False:
        raise cannot_ask()
