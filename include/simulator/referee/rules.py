"""What the operator allows and asks for, as the rules of the journal have it: windows, a budget, approvals, restarts ..."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

#: What a permission may be for.
FUNCTIONAL_LEVEL, POOL_VERSION = "functional-level", "pool-version"
VM_POWER, RESTART_WITH_ROLES = "vm-power", "restart-with-roles"
CLUSTER_STOP, CAU_ROLE, VM_VERSION = "cluster-stop", "cau-role", "vm-version"
REMOTE_MANAGEMENT, PREVIEW_CHANNEL = "remote-management", "preview-channel"
PERMISSIONS = frozenset(
    {
        FUNCTIONAL_LEVEL,
        POOL_VERSION,
        VM_POWER,
        RESTART_WITH_ROLES,
        CLUSTER_STOP,
        CAU_ROLE,
        VM_VERSION,
        REMOTE_MANAGEMENT,
        PREVIEW_CHANNEL,
    }
)


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of simulated time; None is open-ended. ``end`` does not belong to it."""

    begin: datetime | None
    end: datetime | None

    def __contains__(self, moment: datetime) -> bool:
        return (self.begin is None or self.begin <= moment) and (self.end is None or moment < self.end)


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules that are known at a moment; ``unreadable`` are the ones that nobody can make sense of."""

    windows: tuple[Span, ...] = ()
    blackouts: tuple[Span, ...] = ()
    approvals: tuple[str, ...] = ()
    permissions: frozenset[str] = frozenset()
    budget: int | None = None
    unreadable: tuple[str, ...] = ()

    @property
    def limit_time(self) -> bool:
        """Whether there is any window or blackout."""
        return bool(self.windows or self.blackouts)

    def closed(self, moment: datetime) -> str:
        """Return why nothing may begin at ``moment``, or nothing where it may."""
        for blackout in self.blackouts:
            if moment in blackout:
                return f"during a blackout that {_until(blackout.end)}"
        if self.windows and not any(moment in window for window in self.windows):
            return f"outside every window ({'; '.join(_shown(window) for window in self.windows)})"
        return ""

    def with_rule(self, detail: Mapping[str, Any]) -> Rules:
        """Return these rules and the one that ``detail`` describes."""
        try:
            return self._with(str(detail["kind"]), detail)
        except (KeyError, TypeError, ValueError) as reason:
            return replace(self, unreadable=(*self.unreadable, f"{dict(detail)} ({reason!r})"))

    def _with(self, kind: str, detail: Mapping[str, Any]) -> Rules:
        match kind:
            case "window":
                return replace(self, windows=(*self.windows, _span(detail, "opens", "closes")))
            case "blackout":
                return replace(self, blackouts=(*self.blackouts, _span(detail, "begins", "ends")))
            case "budget":
                return replace(self, budget=int(detail["nodes_out"]))
            case "approval":
                return replace(self, approvals=(*self.approvals, str(detail["plan_hash"])))
            case "restart":
                # What it changes is the nodes, which wait for a restart from then on.
                asked_nodes(detail)
                return self
            case "permission":
                return replace(self, permissions=self.permissions | {str(detail["what"])})
        raise ValueError(f"there is no rule of kind {kind!r}")


NO_RULES = Rules()


def make_rule(kind: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    """Return the rule as the journal has it; raises ValueError where nobody could make sense of it."""
    rule = {"kind": kind, **detail}
    if kind == "permission" and detail.get("what") not in PERMISSIONS:
        raise ValueError(f"A permission is for one of {', '.join(sorted(PERMISSIONS))}, not {detail.get('what')!r}.")
    unreadable = NO_RULES.with_rule(rule).unreadable
    if unreadable:
        raise ValueError(f"That is no rule: {unreadable[0]}.")
    return rule


def asked_nodes(detail: Mapping[str, Any]) -> tuple[str, ...] | None:
    """Return the nodes that the operator wants to have restarted, None for all of them; raises where none are named."""
    nodes = detail["nodes"]
    if nodes == "all":
        return None
    if isinstance(nodes, str) or not nodes:
        raise ValueError("nodes is a list of names, or 'all'")
    return tuple(map(str, nodes))


def moment(text: object) -> datetime:
    """Return the moment that ISO 8601 ``text`` means, in UTC where it does not say; raises ValueError."""
    made = text if isinstance(text, datetime) else datetime.fromisoformat(str(text))
    return made if made.tzinfo else made.replace(tzinfo=UTC)


def _span(detail: Mapping[str, Any], begin: str, end: str) -> Span:
    if begin not in detail and end not in detail:
        raise KeyError(begin)
    first, last = (moment(detail[key]) if detail.get(key) else None for key in (begin, end))
    if first is not None and last is not None and last <= first:
        raise ValueError(f"it ends at {last.isoformat()}, before it begins")
    return Span(first, last)


def _shown(span: Span) -> str:
    return f"{span.begin or 'ever'} to {span.end or 'ever'}"


def _until(end: datetime | None) -> str:
    return f"lasts until {end}" if end else "has no end"
