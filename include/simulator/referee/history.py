"""A whole journal as the referee reads it: every entry that matters with the cluster on both sides of it, and who is judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.simulator.journal import Entry
from include.simulator.referee.causes import Causes
from include.simulator.referee.changes import asked_guid, step
from include.simulator.referee.orders import is_looking
from include.simulator.referee.readings import Reading, Readings, what_is_read
from include.simulator.referee.view import ClusterView

#: What restarts nodes by itself; no coordinator answers for it.
_CAU = "Cluster-Aware Updating"
_WORLD = ("NT AUTHORITY\\", _CAU, "the server itself")
#: Who installs on a node beside the coordinators, as the world names it.
_OTHER_INSTALLERS = frozenset({"automatic updates", "by hand"})


@dataclass(frozen=True, slots=True)
class Frame:
    """One entry, the cluster on both sides of it, and the account whose command brought it about, where one did."""

    entry: Entry
    before: ClusterView
    after: ClusterView
    by: str | None = None

    @property
    def detail(self) -> Mapping[str, Any]:
        """What the entry says."""
        return self.entry.detail

    @property
    def is_fault(self) -> bool:
        """Whether a fault brought it about, or the end of one."""
        return bool(self.entry.detail.get("fault"))


@dataclass(frozen=True, slots=True)
class History:
    """The frames of a journal; commands that only look are left out, what they read is in ``readings``.

    ``actors`` are the accounts that are judged, none meaning everybody; ``guids`` the ids under which they asked for the lock.
    ``cau_runs`` maps CAU's runs to who answers for them: that of its self-updating role is the cluster's own, whoever ordered it.
    """

    frames: tuple[Frame, ...]
    actors: frozenset[str] = frozenset()
    guids: frozenset[str] = frozenset()
    readings: Readings = field(default_factory=Readings)
    cau_runs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    _by_op: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def of(self, *ops: str) -> list[Frame]:
        """Return the frames of events called ``ops``, in order."""
        places = [place for op in ops for place in self._by_op.get(op, ())]
        return [self.frames[place] for place in (sorted(places) if len(ops) > 1 else places)]

    def places(self, op: str) -> tuple[int, ...]:
        """Return where in ``frames`` the events called ``op`` are."""
        return self._by_op.get(op, ())

    def blames(self, actor: str | None) -> bool:
        """Tell whether what ``actor`` did is judged; what nobody can be named for is."""
        return actor is None or self.is_run(actor)

    def seen(self, machine: str, what: str) -> list[int]:
        """Return when those who are judged read ``what`` of ``machine``, as places in the journal."""
        return self.readings.of(machine, what, self.actors)

    def installs(self, frame: Frame) -> bool:
        """Tell whether the installation of ``frame`` is one that those who are judged began."""
        orchestrator = str(frame.detail.get("orchestrator") or "").lower()
        if frame.is_fault:
            return False
        askers = frame.before.guids.get(orchestrator) or self.cau_runs.get(orchestrator)
        return orchestrator not in _OTHER_INSTALLERS and (not askers or any(self.blames(asker) for asker in askers))

    def is_run(self, actor: str | None) -> bool:
        """Tell whether ``actor`` is known to be one of those judged."""
        if actor is None:
            return False
        return actor in self.actors or not (self.actors or actor.startswith(_WORLD))


def read(entries: Iterable[Entry], report: Mapping[str, Any] | None = None) -> History:
    """Return the history that ``entries`` tell.

    Judged are the accounts that asked for the run's lock: with a ``report`` that names its lock those that asked for that one,
    without any request for a lock all that changed anything, and else all that gave any command.
    """
    frames: list[Frame] = []
    by_op: dict[str, list[int]] = {}
    asked: dict[str, set[str]] = {}
    changing: set[str] = set()
    looking: set[str] = set()
    asks: dict[str, tuple[str, str]] = {}
    readings: list[Reading] = []
    cau_runs: dict[str, frozenset[str]] = {}
    view, causes = ClusterView(), Causes()
    for entry in entries:
        op = entry.op
        by = None
        if op == "command":
            if entry.status == "invoke":
                if is_looking(entry.detail):
                    looking.add(entry.actor)
                    if (what := what_is_read(entry.detail)) and entry.node:
                        asks[str(entry.detail.get("activity"))] = (entry.node, what)
                    continue
                causes.begin(entry)
                changing.add(entry.actor)
                guid = asked_guid(entry.detail)
                if guid:
                    asked.setdefault(guid, set()).add(entry.actor)
            elif causes.end(entry) is None:
                asked_for = asks.pop(str(entry.detail.get("activity")), None)
                if asked_for and entry.status == "ok":
                    readings.append(Reading(entry.seq, entry.actor, *asked_for))
                continue
        else:
            by = causes.of(entry)
            if op == "cau.run" and entry.detail.get("state") == "Started":
                whose = _CAU if entry.detail.get("self_updating") else by
                cau_runs[str(entry.detail.get("run_id")).lower()] = frozenset(filter(None, [whose]))
        following = step(view, entry)
        by_op.setdefault(op, []).append(len(frames))
        frames.append(Frame(entry, view, following, by))
        view = following
    named = str(((report or {}).get("lock") or {}).get("guid") or "").lower()
    guids = {named} if named in asked else set(asked)
    actors = frozenset(actor for guid in guids for actor in asked[guid]) or frozenset(changing or looking)
    places = {op: tuple(found) for op, found in by_op.items()}
    return History(tuple(frames), actors, frozenset(guids), Readings(tuple(readings)), cau_runs, places)
