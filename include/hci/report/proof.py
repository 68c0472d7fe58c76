"""What the report says of other hands: what was compared before each node, and how everything was left."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from include.hci.report import events as ev
from include.hci.report.model import Section
from include.hci.report.proof_events import NodeFound
from include.hci.report.record import Entry

E = TypeVar("E", bound=ev.RunEvent)
#: Under this name a snapshot says why a node was not asked at all.
_ELSE = "everything else"

LEFT = "Left as it was found"
OTHERS = "Changed by somebody else meanwhile"
COMPARED = "Compared with the plan before each node"


def proof_sections(entries: Sequence[Entry]) -> tuple[Section, ...]:
    """Return the sections about other hands, as far as the record has anything about them."""
    return (*_left(entries), *_others(entries), *_compared(entries))


def _left(entries: Sequence[Entry]) -> tuple[Section, ...]:
    proved = _of(entries, ev.HygieneProved)
    if not proved:
        return ()
    _, proof = proved[-1]
    taken = _of(entries, ev.SnapshotTaken)
    before = next((event for _, event in taken if event.moment == "before"), None)
    after = next((event for _, event in reversed(taken) if event.moment == "after"), None)
    if proof.unproven or before is None or after is None:
        return (Section(LEFT, (f"Not proven: {proof.unproven or 'the nodes were not read'}.",)),)
    begun = next(at for at, event in taken if event is before)
    ended = next(at for at, event in taken if event is after)
    said = (
        f"Every node was read before anything was touched ({begun:%Y-%m-%d %H:%M} UTC) and again after everything was undone"
        f" ({ended:%Y-%m-%d %H:%M} UTC)."
    )
    rows = tuple(_row(_find(before.nodes, node.name), node) for node in after.nodes)
    gone = tuple(
        (node.name, "", "", "it is not in the cluster any more")
        for node in before.nodes
        if _find(after.nodes, node.name) is None
    )
    return (Section(LEFT, (said,), ("Node", "As found", "Not as found", "Not proven"), (*rows, *gone)),)


def _row(before: NodeFound | None, after: NodeFound) -> tuple[str, ...]:
    """Return the row of one node; a node that was not there before has nothing to be compared with."""
    if before is None:
        return after.name, "", "", "it was not in the cluster when everything was read"
    same, differing, unproven = [], [], [_because(node) for node in (before, after) if _ELSE in node.unread]
    for what, (then, now) in _subjects(before, after).items():
        why = next((node.unread[what] for node in (after, before) if what in node.unread), "")
        if why or then is None or now is None:
            unproven += [f"{what} ({why})"] if why else []
        elif then == now:
            same.append(what)
        else:
            differing.append(_differing(what, then, now))
    return after.name, ", ".join(same), "; ".join(differing), "; ".join(dict.fromkeys(unproven))


def _differing(what: str, then: object, now: object) -> str:
    """Return what differs in words; of many things only those that do."""
    if isinstance(then, dict) and isinstance(now, dict):
        names = sorted(name for name in then.keys() | now.keys() if then.get(name) != now.get(name))
        said = (f"{name} {_shown(now.get(name))}, it was {_shown(then.get(name))}" for name in names)
        return f"{what}: {'; '.join(said)}"
    return f"{what}: {_shown(now)}, it was {_shown(then)}"


def _subjects(before: NodeFound, after: NodeFound) -> dict[str, tuple[object, object]]:
    """Return by name what was compared, then and now; None was not read."""
    silent = _ELSE in before.unread or _ELSE in after.unread
    found: dict[str, tuple[object, object]] = {
        "state": (before.state, after.state),
        "maintenance mode": (before.in_maintenance, after.in_maintenance),
        "CredSSP": (_credssp(before), _credssp(after)),
        "service start types": (dict(before.services) or None, dict(after.services) or None),
        "firewall groups": (dict(before.firewall) or None, dict(after.firewall) or None),
        "scheduled tasks": (before.tasks, after.tasks),
        "session configurations": (before.endpoints, after.endpoints),
    }
    return found if silent else {**found, "run lock": ({}, dict(after.locks))}


def _credssp(node: NodeFound) -> dict[str, bool] | None:
    if node.credssp_server is None or node.credssp_client is None:
        return None
    return {"server role": node.credssp_server, "client role": node.credssp_client}


def _because(node: NodeFound) -> str:
    return f"everything else ({node.unread[_ELSE]})"


def _shown(value: object) -> str:
    match value:
        case bool():
            return "on" if value else "off"
        case None:
            return "absent"
        case tuple():
            return ", ".join(map(str, value)) or "none"
    return str(value)


def _find(nodes: Iterable[NodeFound], name: str) -> NodeFound | None:
    return next((node for node in nodes if node.name.lower() == name.lower()), None)


def _of(entries: Iterable[Entry], event_type: type[E]) -> list[tuple[datetime, E]]:
    return [(entry.at, entry.event) for entry in entries if isinstance(entry.event, event_type)]


def _others(entries: Sequence[Entry]) -> tuple[Section, ...]:
    proved = _of(entries, ev.HygieneProved)
    found = [item for item in proved[-1][1].remainders if not item.by_run] if proved else []
    if not found:
        return ()
    said = "This run's record does not say that it changed these, so it has left them alone."
    rows = tuple((item.node or "cluster", item.what, item.command) for item in found)
    return (Section(OTHERS, (said,), ("Node", "What", "To put it back"), rows),)


def _compared(entries: Sequence[Entry]) -> tuple[Section, ...]:
    found = _of(entries, ev.ClusterCompared)
    if not found:
        return ()
    said = (
        "Members, Cluster-Aware Updating and its role, foreign locks, builds and installed updates, against those of the plan."
        " What this run changed itself is not counted."
    )
    # A turn that was tried again and found the same is told once.
    rows = dict.fromkeys(
        (event.node, " ".join(event.changed) or "nothing", "; ".join(event.unread) or "nothing") for _, event in found
    )
    return (Section(COMPARED, (said,), ("Before", "Changed by somebody else", "Could not be compared"), tuple(rows)),)
