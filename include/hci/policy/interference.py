"""Whether somebody else has worked on the cluster since the plan was made: fingerprints, and what differs between two."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from include.hci.policy.checks.coordination import role_is_enabled
from include.hci.policy.checks.facts import ReadinessFacts

#: Parameters of CAU's role that say when it updates the cluster.
SCHEDULE = ("startdate", "daysofweek", "weeksofmonth", "intervalweeks")
_FREE = "RunNotInProgress"


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What nobody but this run should change while it goes on. Who owns which role is no part of it: roles move by themselves.

    ``cau_run`` is CAU's state (empty: not known), ``role`` the self-updating role's parameters (None: no role, or not known where
    ``role_known`` is false), ``locks`` who holds which lock object (``guid`` by ``node/class``). ``builds`` and ``installed``
    (how many updates) go by the node's name; a node that was not asked is left out. ``unread`` says what was asked for and not
    answered, and why: that is never taken for a change.
    """

    members: tuple[str, ...]
    cau_run: str = ""
    cau_run_id: str = ""
    role: Mapping[str, str] | None = None
    role_enabled: bool | None = None
    role_known: bool = True
    locks: Mapping[str, str] = field(default_factory=dict)
    builds: Mapping[str, str] = field(default_factory=dict)
    installed: Mapping[str, int] = field(default_factory=dict)
    unread: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the fingerprint as JSON data."""
        return {
            "members": list(self.members),
            "cau_run": self.cau_run,
            "cau_run_id": self.cau_run_id,
            "role": None if self.role is None else dict(self.role),
            "role_enabled": self.role_enabled,
            "role_known": self.role_known,
            "locks": dict(self.locks),
            "builds": dict(self.builds),
            "installed": dict(self.installed),
            "unread": list(self.unread),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Fingerprint:
        """Return the fingerprint that ``to_json`` gave."""
        return cls(**{**data, "members": tuple(data["members"]), "unread": tuple(data["unread"])})


@dataclass(frozen=True, slots=True)
class OurChanges:
    """What this run does by itself: its lock id, the nodes that it has begun to update, and whether it changed the CAU role."""

    guid: UUID
    updated: Collection[str] = ()
    role_changed: bool = False


def fingerprint(facts: ReadinessFacts, installed: Mapping[str, int] | None = None) -> Fingerprint:
    """Return the fingerprint of what was read; ``installed`` counts the updates per node where that was asked."""
    run = facts.cau_run
    return Fingerprint(
        members=tuple(sorted((node.name for node in facts.nodes), key=str.lower)),
        cau_run="" if run is None else run.state,
        cau_run_id="" if run is None else run.run_id,
        role=None if facts.cau_role is None else dict(facts.cau_role),
        role_enabled=role_is_enabled(facts),
        # The role is asked of the same tools as the run: where these are missing, no answer is not "no role".
        role_known=run is not None,
        locks={f"{holder.node}/{holder.kind}": str(holder.guid) for holder in facts.holders},
        builds={node: str(version.build) for node, version in facts.versions.items()},
        installed=dict(installed or {}),
    )


def compare(before: Fingerprint, after: Fingerprint, ours: OurChanges) -> tuple[str, ...]:
    """Return what somebody else has changed between the two, as sentences; empty when it was only this run."""
    return (
        *_members(before, after),
        *_cau_run(before, after),
        *_locks(before, after, ours),
        *(() if ours.role_changed else _role(before, after)),
        *_software(before, after, ours),
    )


def _members(before: Fingerprint, after: Fingerprint) -> list[str]:
    then, now = ({name.lower(): name for name in side.members} for side in (before, after))
    return [
        *(f"{now[key]} was added to the cluster." for key in sorted(now.keys() - then.keys())),
        *(f"{then[key]} was evicted from the cluster." for key in sorted(then.keys() - now.keys())),
    ]


def _cau_run(before: Fingerprint, after: Fingerprint) -> list[str]:
    if after.cau_run in ("", _FREE) or (after.cau_run, after.cau_run_id) == (before.cau_run, before.cau_run_id):
        return []
    named = f" ({after.cau_run_id})" if after.cau_run_id else ""
    was = f", it was {before.cau_run}" if before.cau_run else ""
    return [f"A Cluster-Aware Updating run{named} has begun: CAU reports {after.cau_run}{was}."]


def _locks(before: Fingerprint, after: Fingerprint, ours: OurChanges) -> list[str]:
    found: dict[tuple[str, str], list[str]] = {}
    for place, guid in sorted(after.locks.items()):
        node, _, kind = place.partition("/")
        if guid != str(ours.guid) and before.locks.get(place) != guid:
            found.setdefault((guid, kind), []).append(node)
    return [
        f"Another coordinator ({guid}) has taken {kind} on {', '.join(nodes)}." for (guid, kind), nodes in found.items()
    ]


def _role(before: Fingerprint, after: Fingerprint) -> list[str]:
    if not (before.role_known and after.role_known):
        return []
    if before.role is None and after.role is not None:
        return [f"A self-updating role has appeared: {_schedule(after.role)}."]
    if before.role is not None and after.role is None:
        return ["The self-updating role was removed."]
    found = []
    if before.role is not None and after.role is not None:
        then, now = _schedule(before.role), _schedule(after.role)
        if then != now:
            found.append(f"The schedule of the self-updating role has changed: {now}; it was {then}.")
        elif dict(before.role) != dict(after.role):
            keys = sorted(
                key for key in before.role.keys() | after.role.keys() if before.role.get(key) != after.role.get(key)
            )
            found.append(f"The options of the self-updating role have changed: {', '.join(keys)}.")
    if before.role_enabled is False and after.role_enabled is True:
        found.append("The self-updating role was enabled.")
    return found


def _software(before: Fingerprint, after: Fingerprint, ours: OurChanges) -> list[str]:
    updated = {name.lower() for name in ours.updated}
    found = []
    for node, build in sorted(after.builds.items()):
        then = before.builds.get(node)
        if then is not None and then != build and node.lower() not in updated:
            found.append(f"{node} was updated by somebody else: its build is {build}, it was {then}.")
    for node, count in sorted(after.installed.items()):
        was = before.installed.get(node)
        same_build = before.builds.get(node) == after.builds.get(node)
        if was is not None and was != count and same_build and node.lower() not in updated:
            found.append(f"{node} was updated by somebody else: it has {count} updates installed, it had {was}.")
    return found


def _schedule(role: Mapping[str, str]) -> str:
    parts = [f"{name} {value}" for name, value in sorted(role.items()) if name.lower() in SCHEDULE and value]
    return ", ".join(parts) or "without a schedule that is known"
