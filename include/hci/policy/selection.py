"""Which of the offered updates are installed: search criteria of the Windows Update Agent, and what is left out of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from include.hci.cluster.updates import Update

#: Category of feature updates, by which SConfig keeps them out of quality updates.
FEATURE_UPDATES = UUID("3689bdc8-b205-4af4-8d4a-a63924c5e9d5")
FEATURE_REASON = "it is a feature update: a new version of Windows is not part of an updating run"

_OR = re.compile(r"or\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ExcludedUpdate:
    """An update that is left out, and why; ``is_superseded``: another one that is installed replaces it."""

    update: Update
    why: str
    is_superseded: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """What is installed, what is left out, and the criteria that say so to the Windows Update Agent.

    ``reasons`` say by update id why what is installed is.
    """

    updates: tuple[Update, ...]
    excluded: tuple[ExcludedUpdate, ...]
    criteria: str
    reasons: Mapping[str, str] = field(default_factory=dict)


def split_clauses(criteria: str) -> tuple[str, ...]:
    """Return the clauses of ``criteria`` that are joined by OR at its top level.

    An OR inside quotes or parentheses is part of its clause. Raises ValueError when a quote or parenthesis is not closed, or a
    clause is empty. Grammar: win32, IUpdateSearcher::Search (OR only at the top level).
    """
    clauses: list[str] = []
    start = 0
    for position in _top_level(criteria):
        found = _OR.match(criteria, position)
        if found and (position == 0 or not _is_word(criteria[position - 1])):
            clauses.append(criteria[start:position].strip())
            start = found.end()
    clauses.append(criteria[start:].strip())
    if not all(clauses):
        raise ValueError(
            f"The search criteria {criteria!r} have an empty clause. Remove the 'or' without a condition beside it."
        )
    return tuple(clauses)


def with_conditions(criteria: str, conditions: Sequence[str]) -> str:
    """Return ``criteria`` with every one of ``conditions`` added to every top-level clause."""
    if not conditions:
        return criteria
    return " or ".join(" and ".join((clause, *conditions)) for clause in split_clauses(criteria))


def feature_criteria(criteria: str) -> str:
    """Return the criteria that find the feature updates among what ``criteria`` finds."""
    return with_conditions(criteria, (f"CategoryIDs contains '{FEATURE_UPDATES}'",))


def installed_criteria(update_ids: Iterable[str]) -> str:
    """Return the criteria that find which of the updates with these ids are installed, or installed but for a restart."""
    ids = sorted({str(UUID(update_id)) for update_id in update_ids})
    states = ("IsInstalled=1", "RebootRequired=1")
    return " or ".join(f"UpdateID='{update_id}' and {state}" for update_id in ids for state in states)


def without_updates(criteria: str, update_ids: Iterable[str]) -> str:
    """Return ``criteria`` that leave out the updates with these ids; raises ValueError when an id is no GUID."""
    ids = sorted({str(UUID(update_id)) for update_id in update_ids})
    return with_conditions(criteria, tuple(f"UpdateID!='{update_id}'" for update_id in ids))


def select_updates(criteria: str, offered: Sequence[Update], feature_updates: Sequence[Update]) -> Selection:
    """Return what of ``offered`` is installed when ``feature_updates`` are left out."""
    barred = {update.update_id.lower() for update in feature_updates}
    excluded = tuple(ExcludedUpdate(update, FEATURE_REASON) for update in offered if update.update_id.lower() in barred)
    return Selection(
        updates=tuple(update for update in offered if update.update_id.lower() not in barred),
        excluded=excluded,
        criteria=without_updates(criteria, (update.update_id for update in feature_updates)),
    )


def _top_level(text: str) -> Iterator[int]:
    """Give the positions of ``text`` that stand outside quotes and parentheses."""
    depth, quoted = 0, False
    for position, character in enumerate(text):
        if character == "'":
            quoted = not quoted
        elif not quoted and character in "()":
            depth += 1 if character == "(" else -1
        elif not quoted and depth == 0:
            yield position
        if depth < 0:
            break
    if quoted or depth:
        raise ValueError(f"The search criteria {text!r} have a quote or parenthesis that is not closed.")


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
