"""The grammar of the Windows Update Agent's search criteria, as far as they are taken apart (win32, IUpdateSearcher::Search)."""

from __future__ import annotations

import re
from collections.abc import Iterator

_OR = re.compile(r"or\b", re.IGNORECASE)


def split_clauses(criteria: str) -> tuple[str, ...]:
    """Return the clauses of ``criteria`` that are joined by OR at its top level.

    An OR inside quotes or parentheses is part of its clause. Raises ValueError when a quote or parenthesis is not closed, or a
    clause is empty.
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
