"""What the end of a run counts and leaves to a person, and the actions that keep those books."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from include.hci.cluster.cau import NAMESPACE, LockClass
from include.hci.policy import hygiene as policy
from include.hci.report import events as ev
from include.hci.steps.decisions import Action, Scene


@dataclass(frozen=True, slots=True)
class Remainder:
    """Something that could not be undone: what, why, and the command to type."""

    what: str
    why: str
    command: str


class Books(Protocol):
    """How often each thing was tried and when last, what was undone and what was given up, by subject."""

    tries: dict[str, int]
    tried: dict[str, datetime]
    undone: list[str]
    given_up: dict[str, Remainder]


@dataclass(frozen=True, slots=True)
class Try:
    """Counts a try, then does ``action``."""

    books: Books
    subject: str
    action: Action

    def describe(self) -> str:
        """Return what the action says of itself."""
        return self.action.describe()

    def perform(self, scene: Scene) -> None:
        """Count, then do it: a try that fails is one."""
        self.books.tries[self.subject] = self.books.tries.get(self.subject, 0) + 1
        try:
            self.action.perform(scene)
        finally:
            self.books.tried[self.subject] = scene.clock()


@dataclass(frozen=True, slots=True)
class Remember:
    """Does ``action`` and remembers what it undid."""

    books: Books
    undone: str
    action: Action

    def describe(self) -> str:
        """Return what the action says of itself."""
        return self.action.describe()

    def perform(self, scene: Scene) -> None:
        """Do it, then remember it."""
        self.action.perform(scene)
        self.books.undone.append(self.undone)


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Puts on record what is left for a person."""

    books: Books
    subject: str
    left: Remainder

    def describe(self) -> str:
        """Return what is left."""
        return f"leave to a person: {self.left.what}"

    def perform(self, scene: Scene) -> None:
        """Write it down."""
        kind, _, rest = self.subject.partition(" ")
        node = (rest.split(" ")[1] if kind == "change" else rest) or None
        event = ev.Left(node=node, what=self.left.what, why=self.left.why, command=self.left.command)
        scene.record.add(event, scene.clock())
        key = self.subject if kind != "proof" else f"{self.subject} {self.left.what}"
        self.books.given_up[key] = self.left


def is_said(item: policy.Remainder, given_up: Mapping[str, Remainder]) -> bool:
    """Return whether what is left is among what was given up before, which says why as well."""
    subjects = [subject for word, of in _SUBJECTS.items() if word in item.command for subject in of]
    return any(
        key == f"{subject} {item.node}" or key.startswith(f"{subject} {item.node} ")
        for key in given_up
        for subject in subjects
    )


#: By what a remainder's command contains, the subjects under which the same was given up.
_SUBJECTS: Mapping[str, tuple[str, ...]] = {
    "Resume-ClusterNode": ("node",),
    "StorageMaintenanceMode": ("node",),
    "MSFT_CAU": ("lock", "updater"),
    "WSManCredSSP": ("change credssp-server", "change credssp-client"),
    "Set-Service": ("change service-start-type",),
    "NetFirewallRule": ("change firewall-group",),
    "ScheduledTask": ("change scheduled-task",),
}


def remove_command(kind: LockClass, guid: str, node: str) -> str:
    """Return what a person types to take a lock object of ``guid`` away from ``node``."""
    return (
        f"On {node}: Get-CimInstance -Namespace {NAMESPACE} -ClassName {kind}"
        f" -Filter \"OrchestratorGuid='{guid}'\" | Remove-CimInstance"
    )
