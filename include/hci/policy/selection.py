"""Which of the offered updates are installed: search criteria of the Windows Update Agent, and what is left out of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from include.hci.cluster.updates import Update
from include.hci.settings.query import split_clauses

#: Category of feature updates, by which SConfig keeps them out of quality updates.
FEATURE_UPDATES = UUID("3689bdc8-b205-4af4-8d4a-a63924c5e9d5")
FEATURE_REASON = "it is a feature update: a new version of Windows is not part of an updating run"

#: Finds nothing, where nothing is to be installed.
_NO_UPDATE = str(UUID(int=0))
_ID = re.compile(r"\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?(?:[.:]\d+)?", re.IGNORECASE)


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
    ids = sorted(set(map(_guid, update_ids)))
    states = ("IsInstalled=1", "RebootRequired=1")
    return " or ".join(f"UpdateID='{update_id}' and {state}" for update_id in ids for state in states)


def only_updates(criteria: str, update_ids: Iterable[str]) -> str:
    """Return the criteria that find the updates with these ids among what ``criteria`` finds, and nothing else.

    An update that is published between the scan and the installation was judged by nobody: it is not found. Raises ValueError
    when an id is no GUID.
    """
    ids = sorted(set(map(_guid, update_ids))) or [_NO_UPDATE]
    return " or ".join(with_conditions(criteria, (f"UpdateID='{update_id}'",)) for update_id in ids)


def _guid(update_id: str) -> str:
    # How CAU's provider writes an id is not documented: braces, and a revision behind it, are none of the criteria's.
    found = _ID.fullmatch(update_id.strip())
    if not found:
        raise ValueError(f"{update_id!r} is not the id of an update, which is a GUID.")
    return found[1].lower()
