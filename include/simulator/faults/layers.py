"""Values that several faults may hold at once and give back in any order."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TypeVar

Value = TypeVar("Value")


class Layers:
    """For every thing what it was without faults, and what the faults that hold it want of it; the last one has its way."""

    def __init__(self) -> None:
        self._held: dict[Hashable, list[tuple[object, object]]] = {}

    def put(self, key: Hashable, now: Value, value: Value, apply: Callable[[Value], None]) -> Callable[[], None]:
        """Let ``apply`` make the thing called ``key``, which is ``now``, be ``value``; return what takes that back."""
        mine = object()
        held = self._held.setdefault(key, [(None, now)])
        held.append((mine, value))
        apply(value)

        def take_back() -> None:
            was_last = held[-1][0] is mine
            held[:] = [each for each in held if each[0] is not mine]
            if was_last:
                apply(held[-1][1])  # type: ignore[arg-type]
            if len(held) == 1:
                self._held.pop(key, None)

        return take_back
