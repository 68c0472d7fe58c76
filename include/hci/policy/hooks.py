"""Which commands tell the monitoring system about maintenance at a moment of a run, and which are still owed to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from include.hci.powershell.command import Command
from include.hci.powershell.values import SWITCH, Value
from include.hci.settings.hooks import ENDS, PLACEHOLDERS, HookCommand, HookMoment

_PLACEHOLDER = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")


@dataclass(frozen=True, slots=True)
class Occasion:
    """A moment of a run: ``node`` is empty where none is in question."""

    when: HookMoment
    cluster: str
    run_id: str
    node: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HookCall:
    """One command to give on the endpoint behind ``connection``; ``required``: its failure keeps the work from beginning.

    ``position`` is that of the hook in the settings, by which a run knows on its record what it has given.
    """

    connection: str
    command: Command
    timeout: timedelta
    required: bool
    position: int = 0


def due_hooks(hooks: Sequence[HookCommand], occasion: Occasion) -> tuple[HookCall, ...]:
    """Return the commands for ``occasion``, in the order of the settings.

    Placeholders are filled in inside the values of parameters, which are sent as values: nothing of it is ever read as script.
    A command that ends something is never required: the node is back whatever the monitoring system says.
    """
    return tuple(
        HookCall(
            hook.connection,
            Command(hook.command, _parameters(hook, occasion), changes=True),
            timedelta(seconds=hook.timeout_seconds),
            hook.required and hook.when in ENDS,
            position,
        )
        for position, hook in enumerate(hooks)
        if hook.when == occasion.when
    )


def owed(occasions: Iterable[Occasion]) -> tuple[Occasion, ...]:
    """Return what has to be ended yet after ``occasions`` (oldest first), the last begun first.

    A run that is cancelled or fails gives these, so that nothing stays silenced.
    """
    open_now: list[Occasion] = []
    for occasion in occasions:
        if occasion.when in ENDS:
            if not any(_same(entry, occasion) for entry in open_now):
                open_now.append(occasion)
        else:
            open_now = [entry for entry in open_now if ENDS[entry.when] != occasion.when or entry.node != occasion.node]
    return tuple(_end_of(entry) for entry in reversed(open_now))


def _same(one: Occasion, other: Occasion) -> bool:
    return (one.when, one.node) == (other.when, other.node)


def _end_of(begun: Occasion) -> Occasion:
    when: HookMoment = "run-ends" if begun.when == "run-begins" else "node-returns"
    return Occasion(when, begun.cluster, begun.run_id, begun.node, begun.reason)


def _parameters(hook: HookCommand, occasion: Occasion) -> dict[str, Value]:
    filled: dict[str, Value] = {}
    for name, value in hook.parameters.items():
        if value is True:
            filled[name] = SWITCH
        elif isinstance(value, str):
            # In one pass: what is filled in is not looked at for placeholders again.
            filled[name] = _PLACEHOLDER.sub(lambda found: str(getattr(occasion, found[1])), value)
        else:
            filled[name] = value
    return filled
