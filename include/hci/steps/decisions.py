"""What a step can decide: it is done, it acts, it waits, or it stops with a problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Protocol, TypeAlias

from include.hci.cluster.facade import Cluster
from include.hci.policy.progress import Progress
from include.hci.report.record import RunRecord
from include.hci.report.values import Problem

#: Tells the time, aware and in UTC.
Clock: TypeAlias = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Scene:
    """What an action works with: the cluster, the run's record (for intents, before the change) and the clock."""

    cluster: Cluster
    record: RunRecord
    clock: Clock


class Action(Protocol):
    """One change, or one long piece of work, that a step asks for."""

    def describe(self) -> str:
        """Return the action as one line for the journal."""
        ...

    def perform(self, scene: Scene) -> None:
        """Do it; the intent is on record before anything is changed. Raises what the shell raises."""
        ...


@dataclass(frozen=True, slots=True)
class Done:
    """The step is over. ``outcome`` is a short fixed word, ``why`` a sentence, ``details`` JSON data for the report."""

    outcome: str
    why: str = ""
    details: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    def __str__(self) -> str:
        return self.why or self.outcome


@dataclass(frozen=True, slots=True)
class Act:
    """``action`` is to be done now, because ``why``."""

    action: Action
    why: str

    def __str__(self) -> str:
        return f"{self.action.describe()}: {self.why}"


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing can be done before something has happened.

    ``why`` says what is waited for and stays the same while it is the same thing; what moves is in ``progress``.
    ``deadline`` is when the wait gives up (None: the step's own deadline), ``on_deadline`` the problem that it then is.
    A ``patient`` wait never gives up: a person has asked for it, and a person ends it.
    """

    why: str
    progress: Progress | None = None
    deadline: datetime | None = None
    on_deadline: Problem | None = None
    patient: bool = False

    def __str__(self) -> str:
        return f"{self.why}. {self.progress}" if self.progress else self.why


@dataclass(frozen=True, slots=True)
class Stop:
    """Going on would be unsafe or has failed: ``problem`` says what, why and what to do next."""

    problem: Problem

    def __str__(self) -> str:
        return show_problem(self.problem)


Decision: TypeAlias = Done | Act | Wait | Stop


def show_problem(problem: Problem) -> str:
    """Return ``problem`` as one paragraph: what, why, next action."""
    return " ".join(part for part in (problem.title, problem.meaning, problem.next_action) if part)
