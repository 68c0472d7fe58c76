"""The durable record of a run: one small file per event, so that whoever goes on after a crash knows what was changed.

An intent is written before the change that it announces. A restarted trigger, a retried task and the end of the run read it
and know what this run may have changed, even when nobody lived to write down that it was done. One file per event needs no
appending, so several processes and object stores are safe.
"""

from __future__ import annotations

import bisect
import itertools
import json
import logging
import re
import threading
import uuid
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar, cast, get_args

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError, to_jsonable_python

from include.hci.report.events import AnyEvent, Kind, RunEvent, StepName, parse_event
from include.hci.report.facts import FactsFold, RunFacts
from include.hci.report.redact import Redactor
from include.hci.report.storage import Storage

FORMAT = 1
#: How far the clocks of two writers may be apart before that is worth a warning.
CLOCKS_APART = timedelta(seconds=10)
_log = logging.getLogger(__name__)
E = TypeVar("E", bound=RunEvent)
_SEQUENCE = re.compile(r"\d{8}T\d{6}\.\d{6}Z-(\d+)-")


@dataclass(frozen=True, slots=True)
class Entry:
    """One event as it stands in the record; ``event`` is None when it is a free note or of an unknown vocabulary."""

    at: datetime
    sequence: int
    file: str
    step: str
    node: str | None
    kind: str
    name: str
    data: Mapping[str, Any]
    event: AnyEvent | None


@dataclass(frozen=True, slots=True)
class Stamped(Generic[E]):
    """A typed event and when it happened (aware, UTC)."""

    at: datetime
    event: E


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A file of the record that is no event as this program knows them, and why."""

    file: str
    reason: str


class RunRecord:
    """The record of one run in ``storage``, shared by every process that works on the run.

    Events are ordered by their time, then by the order of writing: the machines that write need clocks that agree
    (any time service will do). Where they do not, an event still comes after everything that its writer had read of others.
    ``redactor`` keeps secrets out of everything that is written.
    """

    def __init__(self, storage: Storage, redactor: Redactor | None = None) -> None:
        self.storage = storage
        self._redactor = redactor or Redactor()
        self._entries: dict[str, Entry] = {}
        self._unreadable: dict[str, Unreadable] = {}
        self._sequence: itertools.count[int] | None = None
        # What is derived from the entries and grows with them, because a step asks for it many times between two of them.
        self._listed: list[str] = []
        self._ordered: list[Entry] = []
        self._of_node: dict[str | None, list[Entry]] = {}
        self._fold: FactsFold | None = FactsFold()
        #: How many events that change something others have written, by the node that they are about.
        self._heard: Counter[str | None] = Counter()
        self._heard_until: datetime | None = None
        self._lock = threading.RLock()

    def __repr__(self) -> str:
        return f"RunRecord({self.storage!r})"

    def add(self, event: RunEvent, at: datetime) -> Entry:
        """Write a typed ``event`` that happened at ``at`` (aware); raises OSError when it could not be made durable."""
        data = event.model_dump(mode="json", exclude={"event", "step", "node"})
        return self._write(event.step, event.node, event.kind, event.event, data, at)

    def note(
        self,
        *,
        step: StepName,
        kind: Kind,
        data: Mapping[str, object],
        at: datetime,
        node: str | None = None,
        name: str = "note",
    ) -> Entry:
        """Write something for which the vocabulary has no event; ``data`` must be JSON data, raises ValueError else."""
        if kind not in get_args(Kind):
            raise ValueError(f"{kind!r} is no kind of event. Use one of {', '.join(get_args(Kind))}.")
        return self._write(step, node, kind, name, data, at)

    def events(
        self, node: str | None = None, step: str | None = None, kind: str | None = None, name: str | None = None
    ) -> tuple[Entry, ...]:
        """Return what is on record, oldest first; None leaves that side open."""
        with self._lock:
            self._refresh()
            found = tuple(self._ordered if node is None else self._of_node.get(node, ()))
        if step is kind is name is None:
            return found
        return tuple(
            entry
            for entry in found
            if (step is None or entry.step == step)
            and (kind is None or entry.kind == kind)
            and (name is None or entry.name == name)
        )

    def latest(
        self, node: str | None = None, step: str | None = None, kind: str | None = None, name: str | None = None
    ) -> Entry | None:
        """Return the last of ``events`` with the same arguments, or None."""
        found = self.events(node, step, kind, name)
        return found[-1] if found else None

    def all_of(self, event_type: type[E], node: str | None = None) -> tuple[Stamped[E], ...]:
        """Return every event of one type, oldest first, of one node or of all."""
        return tuple(
            Stamped(entry.at, cast(E, entry.event))
            for entry in self.events(node)
            if isinstance(entry.event, event_type)
        )

    def last(self, event_type: type[E], node: str | None = None) -> Stamped[E] | None:
        """Return the newest event of one type, of one node or of all, or None."""
        found = self.all_of(event_type, node)
        return found[-1] if found else None

    def keep(self, name: str, text: str) -> None:
        """Keep ``text`` beside the events under ``name``, without secrets; raises OSError when it could not be made durable."""
        self.storage.write(name, str(self._redactor.clean(text)))

    @property
    def facts(self) -> RunFacts:
        """What this run changed (or was about to change) and has not taken back yet."""
        with self._lock:
            self._refresh()
            if self._fold is None:
                self._fold = FactsFold()
                for entry in self._ordered:
                    if entry.event is not None:
                        self._fold.take(entry.at, entry.event)
            return self._fold.facts

    def heard(self, node: str | None = None) -> int:
        """Return how many events others have written so far about ``node`` or the whole cluster, None for about anything.

        Decisions, which change nothing by themselves, do not count.
        """
        with self._lock:
            self._refresh()
            return self._heard.total() if node is None else self._heard[None] + self._heard[node]

    def unreadable(self) -> tuple[Unreadable, ...]:
        """Return the files that are no events; reading goes on without them."""
        with self._lock:
            self._refresh()
            return tuple(self._unreadable[file] for file in sorted(self._unreadable))

    def _write(
        self, step: str, node: str | None, kind: str, name: str, data: Mapping[str, object], at: datetime
    ) -> Entry:
        moment = _utc(at)
        try:
            plain = to_jsonable_python(data)
        except PydanticSerializationError as error:
            raise ValueError(
                f"The note {name!r} of step {step} holds something that is not JSON data: {error}"
            ) from None
        clean = cast(dict[str, Any], self._redactor.clean(plain))
        with self._lock:
            moment = self._after_others(moment)
            sequence = self._next_sequence()
            file = "events/" + "-".join(
                (
                    moment.strftime("%Y%m%dT%H%M%S.%fZ"),
                    f"{sequence:06d}",
                    uuid.uuid4().hex[:8],
                    _part(node or "cluster"),
                    _part(step),
                    kind + ".json",
                )
            )
            document = {
                "schema": FORMAT,
                "at": moment.isoformat(),
                "sequence": sequence,
                "step": step,
                "node": node,
                "kind": kind,
                "event": name,
                "data": clean,
            }
            self.storage.write(file, json.dumps(document, ensure_ascii=False, indent=1))
            return self._keep(_entry(file, document))

    def _after_others(self, moment: datetime) -> datetime:
        """Return ``moment``, or what comes right after the last that others are known to have written where that is later.

        What takes a change back must not sort before the change, whichever machine's clock is wrong.
        """
        if self._heard_until is None or moment > self._heard_until:
            return moment
        behind = self._heard_until - moment
        if behind >= CLOCKS_APART:
            _log.warning(
                "This machine's clock is %.0f s behind that of another one that writes to %r: set them right.",
                behind.total_seconds(),
                self.storage,
            )
        return self._heard_until + timedelta(microseconds=1)

    def _keep(self, entry: Entry) -> Entry:
        self._entries[entry.file] = entry
        own = self._of_node.setdefault(entry.node, [])
        if not self._ordered or _order(self._ordered[-1]) < _order(entry):
            self._ordered.append(entry)
            own.append(entry)
            if self._fold is not None and entry.event is not None:
                self._fold.take(entry.at, entry.event)
        else:  # another process wrote it a little earlier
            bisect.insort(self._ordered, entry, key=_order)
            bisect.insort(own, entry, key=_order)
            self._fold = None
        return entry

    def _next_sequence(self) -> int:
        if self._sequence is None:
            # A process that takes a run over goes on counting after what it can see, so that its events sort later
            # even when the clock stands still.
            seen = (_SEQUENCE.search(name) for name in self.storage.list("events/"))
            self._sequence = itertools.count(1 + max((int(match.group(1)) for match in seen if match), default=0))
        return next(self._sequence)

    def _refresh(self) -> None:
        """Read what is new; raises OSError when the storage does not give it.

        What this run is about to change stands in events: one that cannot be read now must not pass for one that is not there.
        """
        # An event never changes once it is written: only files not yet read are read, unreadable ones every time again.
        listed = self.storage.list("events/")
        if listed == self._listed and not self._unreadable and len(listed) >= len(self._entries):
            return
        if lost := self._entries.keys() - set(listed):
            raise FileNotFoundError(
                f"{len(lost)} of the {len(self._entries)} events of this run are not in {self.storage!r} any more. Nothing ever"
                " removes one: see whether it is still the same storage, and mounted."
            )
        self._listed, self._unreadable = [], {}
        for file in listed:
            if file in self._entries or not file.endswith(".json"):
                continue
            try:
                entry = self._keep(_entry(file, json.loads(self.storage.read(file))))
            except (ValueError, TypeError, KeyError, AttributeError) as error:
                self._unreadable[file] = Unreadable(file, f"{type(error).__name__}: {error}")
                continue
            self._heard_until = max(self._heard_until or entry.at, entry.at)
            if entry.event is not None and entry.name != "decided":
                self._heard[entry.node] += 1
        self._listed = listed


def _order(entry: Entry) -> tuple[datetime, int, str]:
    return entry.at, entry.sequence, entry.file


def _entry(file: str, document: Mapping[str, Any]) -> Entry:
    name, data = str(document["event"]), dict(document["data"])
    try:
        # The surrounding keys come last: they are the event's identity and no data may stand in for them.
        event: AnyEvent | None = parse_event(
            {**data, "event": name, "step": document["step"], "node": document["node"]}
        )
    except ValidationError:
        event = None
    return Entry(
        at=_utc(datetime.fromisoformat(document["at"])),
        sequence=int(document["sequence"]),
        file=file,
        step=str(document["step"]),
        node=None if document["node"] is None else str(document["node"]),
        kind=str(document["kind"]),
        name=name,
        data=data,
        event=event,
    )


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"The time of an event needs a time zone, {moment.isoformat()} has none.")
    return moment.astimezone(UTC)


def _part(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "_", text)
