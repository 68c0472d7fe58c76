"""Which nodes of a cluster are meant: some by name, or all of them."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BeforeValidator

ALL_NODES: Final = "all"


def _choice(value: object) -> object:
    """Return ``value`` as names or 'all'; a form can only give a list, so a list with 'all' alone means all as well."""
    if value is None:
        return ()
    if isinstance(value, str):
        if value.strip().casefold() == ALL_NODES:
            return ALL_NODES
        raise ValueError(f"{value!r} is no list of node names; give a list, or '{ALL_NODES}'.")
    if not isinstance(value, list | tuple):
        return value
    seen: set[str] = set()
    for name in value:
        key = str(name).casefold()
        if key in seen:
            raise ValueError(f"{name} is named twice.")
        seen.add(key)
    if ALL_NODES in seen:
        if len(seen) > 1:
            raise ValueError(f"names nodes beside '{ALL_NODES}': give the one or the other.")
        return ALL_NODES
    return tuple(value)


NodeChoice: TypeAlias = Annotated[tuple[str, ...] | Literal["all"], BeforeValidator(_choice)]


def is_chosen(choice: tuple[str, ...] | Literal["all"], name: str) -> bool:
    """Return whether the node ``name`` is meant, whatever the case."""
    return choice == ALL_NODES or name.casefold() in {each.casefold() for each in choice}


def strangers(choice: tuple[str, ...] | Literal["all"], names: tuple[str, ...]) -> tuple[str, ...]:
    """Return what ``choice`` names that is none of ``names``."""
    known = {name.casefold() for name in names}
    return () if choice == ALL_NODES else tuple(each for each in choice if each.casefold() not in known)
