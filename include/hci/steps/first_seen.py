"""On which day each update was first offered to a cluster: what an update's age goes by."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Protocol

from include.hci.cluster.updates import Update
from include.hci.policy.update_rules import first_sight
from include.hci.report.storage import Storage

#: With a sign that no folder of a run's record has in its name.
_FOLDER = "first-seen+"


class FirstSeen(Protocol):
    """Remembers the first sight of every update."""

    def note(self, offered: Sequence[Update], today: date) -> Mapping[str, date]:
        """Return the day on which each of ``offered`` was first offered, by its id; one never seen before is seen today."""
        ...


class FirstSeenInMemory:
    """Remembers for as long as it lives itself, for scripts and simulated runs."""

    def __init__(self, known: Mapping[str, date] | None = None) -> None:
        self.known: Mapping[str, date] = dict(known or {})

    def note(self, offered: Sequence[Update], today: date) -> Mapping[str, date]:
        """Return the days."""
        self.known = first_sight(self.known, offered, today)
        return self.known


class StoredFirstSeen:
    """Remembers in the storage of a cluster: one text per update, so that nodes that are scanned at the same time agree."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage

    def note(self, offered: Sequence[Update], today: date) -> Mapping[str, date]:
        """Return the days; raises OSError when the storage cannot be read or written."""
        return {update.update_id.lower(): self._day(update, today) for update in offered}

    def _day(self, update: Update, today: date) -> date:
        name = f"{_FOLDER}/{update.update_id.lower()}.json"
        try:
            return date.fromisoformat(json.loads(self.storage.read(name))["day"])
        except FileNotFoundError:
            self.storage.write(name, json.dumps({"day": today.isoformat(), "title": update.title}))
            return today
