"""What the coordinator and the worker on the node write for each other: the argument file and the answer file."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from include.hci.cluster.updates import Asks

FOLDER = r"C:\Windows\HciUpdate"
ARGUMENTS = rf"{FOLDER}\arguments.json"

Mode = Literal["scan", "download", "install"]
Search = Annotated[str, Field(min_length=1, max_length=120_000)]
Code = Annotated[int, Field(ge=-(2**31), lt=2**31)]
Count = Annotated[int, Field(ge=0)]
#: An answer holds a few hundred bytes per update; what is longer than this is none.
LONGEST_ANSWER = 4 * 1024 * 1024


def answer_path(job: UUID) -> str:
    """Return where the answer to ``job`` lies on the node."""
    return rf"{FOLDER}\answer-{job}.json"


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Arguments(_Message):
    """What a job is to do: ``searches`` are criteria of the Windows Update Agent, one of them unless it only scans."""

    format: Literal[1] = 1
    run: Annotated[UUID, Field(strict=False)]
    job: Annotated[UUID, Field(strict=False)]
    mode: Mode
    include_recommended: bool
    searches: Annotated[tuple[Search, ...], Field(min_length=1, max_length=32, strict=False)]
    answer: str

    @model_validator(mode="after")
    def _in_its_folder(self) -> Self:
        if self.answer != answer_path(self.job):
            raise ValueError(f"The answer to {self.job} lies in {answer_path(self.job)}, not in {self.answer}.")
        if self.mode != "scan" and len(self.searches) != 1:
            raise ValueError(f"A {self.mode} has one search, not {len(self.searches)}.")
        return self


class Found(_Message):
    """One update as the agent describes it.

    ``asks``: what it wants from a person before or while it is installed. ``published``: the day on which the server that deploys
    it has last published it, in UTC; empty where the agent tells none.
    """

    update_id: Annotated[str, Field(min_length=1, max_length=100)]
    title: str
    description: str
    asks: Asks = ""
    published: Annotated[str, Field(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = ""


class Outcome(Found):
    """How the download or installation of one update ended: OperationResultCode and HRESULT (signed, as Windows has it)."""

    result_code: Annotated[int, Field(ge=0, le=5)]
    hresult: Code
    restart_required: bool


class Searched(_Message):
    """What one search found."""

    criteria: str
    updates: Annotated[tuple[Found, ...], Field(strict=False)]


class Failure(_Message):
    """Why the job as a whole failed."""

    hresult: Code
    message: str


class Answer(_Message):
    """How far a job is, and what came of it: ``done`` of ``total`` searches or updates, the one it is at in ``doing``.

    ``heartbeat`` is when the worker last wrote, by the node's clock. While one update is being installed it writes nothing, so
    whether it is alive is for the task's own state to tell. ``incomplete``: a search succeeded with errors, so that updates may
    be missing in what it found.
    """

    format: Literal[1]
    run: Annotated[UUID, Field(strict=False)]
    job: Annotated[UUID, Field(strict=False)]
    mode: Mode
    state: Literal["working", "done", "failed"]
    heartbeat: str
    doing: str
    done: Count
    total: Count
    restart_pending: bool | None
    searches: Annotated[tuple[Searched, ...], Field(strict=False)]
    results: Annotated[tuple[Outcome, ...], Field(strict=False)]
    error: Failure | None
    incomplete: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.state == "done" and self.restart_pending is None:
            raise ValueError("An answer that is done says whether a restart is pending.")
        if (self.state == "failed") != (self.error is not None):
            raise ValueError("An answer names an error exactly when it has failed.")
        return self

    @property
    def is_final(self) -> bool:
        """Whether nothing will be added to it."""
        return self.state != "working"


def read_arguments(text: str) -> Arguments | None:
    """Return the arguments that ``text`` holds, or None where it is something else."""
    try:
        return Arguments.model_validate_json(_plain(text))
    except ValidationError:
        return None


def read_answer(text: str, job: UUID) -> Answer:
    """Return the answer to ``job`` that ``text`` holds; raises ValueError, saying what is wrong with it."""
    if len(text) > LONGEST_ANSWER:
        raise ValueError(f"the answer file has {len(text)} characters")
    try:
        answer = Answer.model_validate_json(_plain(text))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ValueError(
            f"the answer file holds no valid answer ({f'{where}: ' if where else ''}{first['msg']})"
        ) from None
    if answer.job != job:
        raise ValueError(f"the answer file is about {answer.job}")
    return answer


def _plain(text: str) -> str:
    return text.removeprefix("\ufeff")
