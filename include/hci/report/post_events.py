"""What a feature update writes down once every node has the new version: questions, answers, what was raised, and the proof."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from include.hci.report.event import RunEvent

#: How raising a version ended: raised by this run, found raised, left as it is on purpose, or not to be raised.
RaiseResult = Literal["raised", "already", "left", "failed"]


class PostAsked(RunEvent):
    """A person is asked whether something may be raised for good. ``subjects``: what, and the version that it has.

    ``identity`` is the hash of the question: an answer is good for this state of the cluster and no other. ``said`` is what the
    cluster itself says to it (-WhatIf).
    """

    kind = "outcome"
    event: Literal["post_asked"] = "post_asked"
    identity: str
    subjects: Mapping[str, str] = Field(default_factory=dict)
    target: str = ""
    builds: Mapping[str, str] = Field(default_factory=dict)
    said: str = ""


class PostAnswered(RunEvent):
    """The answer to the question with that ``identity``; silence is an answer of nobody's, and a no."""

    kind = "outcome"
    event: Literal["post_answered"] = "post_answered"
    identity: str
    by: str
    accepted: bool = False
    comment: str = ""


class PostSkipped(RunEvent):
    """The step was left out on purpose, and what needs it with it."""

    kind = "outcome"
    event: Literal["post_skipped"] = "post_skipped"
    why: str


class RaiseTried(RunEvent):
    """What the cluster says to being raised, without anything being changed (-WhatIf)."""

    kind = "outcome"
    event: Literal["raise_tried"] = "raise_tried"
    said: str = ""


class VersionRaising(RunEvent):
    """The version of ``subject`` is about to be raised, for good; ``allowed_by`` says who wanted it."""

    kind = "intent"
    event: Literal["version_raising"] = "version_raising"
    subject: str
    before: str = ""
    target: str = ""
    allowed_by: str = ""


class RaiseRefused(RunEvent):
    """The command that was to raise the version of ``subject`` was refused: nothing has come of it."""

    kind = "problem"
    event: Literal["raise_refused"] = "raise_refused"
    subject: str
    why: str


class RaiseTaken(RunEvent):
    """The command that raises the version of ``subject`` ended without an error."""

    kind = "done"
    event: Literal["raise_taken"] = "raise_taken"
    subject: str


class VersionSettled(RunEvent):
    """How it stands with the version of ``subject`` now; ``name`` is what people call it."""

    kind = "outcome"
    event: Literal["version_settled"] = "version_settled"
    subject: str
    result: RaiseResult
    name: str = ""
    before: str = ""
    after: str = ""
    why: str = ""


class RoleMoving(RunEvent):
    """``role`` is about to be moved from ``source`` to ``target``; ``how`` is the cmdlet's word for it."""

    kind = "intent"
    event: Literal["role_moving"] = "role_moving"
    role: str
    source: str
    target: str
    how: str = ""


class RoleMoved(RunEvent):
    """``role`` was seen on ``target``, ``seconds`` after it was told to go there at the latest.

    ``readings``: how often it was read on the way.
    """

    kind = "done"
    event: Literal["role_moved"] = "role_moved"
    role: str
    source: str
    target: str
    seconds: float = 0.0
    readings: int = 0


class RoleMoveEnded(RunEvent):
    """The move that was ordered last came to nothing: refused, or broken off."""

    kind = "problem"
    event: Literal["role_move_ended"] = "role_move_ended"
    role: str
    why: str


class RoleInterrupted(RunEvent):
    """``role`` was read in another state than Online while it was moved."""

    kind = "outcome"
    event: Literal["role_interrupted"] = "role_interrupted"
    role: str
    state: str
