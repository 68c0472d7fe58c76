"""What a person can ask of a run that goes on, and the page that makes sure of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from include.hci.report.event import RunKind
from include.hci.report.facts import RunFacts
from include.hci.report.html import Control, environment

Wish = Literal["pause", "continue", "cancel"]
WISHES: tuple[Wish, ...] = get_args(Wish)


@dataclass(frozen=True, slots=True)
class _Words:
    title: str
    meaning: str


_WORDS: dict[Wish, _Words] = {
    "pause": _Words(
        "Pause this run",
        "It goes on to its next pause point and is held there until somebody presses Continue: before a server is drained, "
        "before it restarts, or after it is back and the storage is whole. What has begun is not interrupted.",
    ),
    "continue": _Words(
        "Continue this run", "It goes on where it is held. Everything is read from the cluster again first."
    ),
    "cancel": _Words(
        "Cancel this run",
        "The server that is being worked on is brought to a safe end: untouched if nothing was installed yet, otherwise with "
        "its installation and restart finished. It is resumed, no other server is begun, and the lock is released.",
    ),
}


#: A run that has taken its whole cluster down.
_CANCEL_OFFLINE = _Words(
    "Cancel this run",
    "Installations and restarts that have begun are finished; then everything that is down is brought back: the cluster service, "
    "the virtual disks, the virtual machines. The lock is released.",
)
#: A run that brings a new version: CAU works for the longest part of it.
_CANCEL_FEATURE = _Words(
    "Cancel this run",
    "CAU is told to stop: it brings the server that it works on to an end and begins no other one. A rolling update that this "
    "run waits for is cancelled as well. Nothing else is begun; what was raised stays raised.",
)
_CANCEL: Mapping[RunKind, _Words] = {"offline-update": _CANCEL_OFFLINE, "feature-update": _CANCEL_FEATURE}


def possible(facts: RunFacts, *, over: bool, kind: RunKind = "rolling-update") -> tuple[Wish, ...]:
    """Return what can be asked of a run now; nothing of one that is ``over`` or being cancelled.

    An offline update cannot be held: its machines would only be down for longer. Nor can CAU, which works in a feature update.
    """
    if over or facts.cancel is not None:
        return ()
    if kind in _CANCEL:
        return ("cancel",)
    if facts.held:
        return ("continue", "cancel") if facts.pause is not None else ("continue", "pause", "cancel")
    return ("continue" if facts.pause is not None else "pause", "cancel")


def controls(wishes: tuple[Wish, ...], base: str) -> tuple[Control, ...]:
    """Return the buttons for ``wishes``; each leads to ``base``/ask/<wish>."""
    return tuple(Control(wish.capitalize(), f"{base}/ask/{wish}", grave=wish == "cancel") for wish in wishes)


def render_ask(wish: Wish, back: str, kind: RunKind = "rolling-update", about: str = "") -> str:
    """Return the page on which a person confirms ``wish``; ``back`` is the address of the report, ``about`` names the run."""
    words = _CANCEL.get(kind, _WORDS[wish]) if wish == "cancel" else _WORDS[wish]
    return (
        environment().get_template("ask.html").render(title=words.title, meaning=words.meaning, back=back, about=about)
    )
