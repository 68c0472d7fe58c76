"""The values that events and reports are made of: problems, progress, updates and their results, disks and jobs."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

ResultName = Literal["not-started", "in-progress", "succeeded", "succeeded-with-errors", "failed", "aborted"]


class Frozen(BaseModel):
    """Base of everything that is stored in a record."""

    # A record written by a newer version stays readable: keys that this version does not know are passed over.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Problem(Frozen):
    """What went wrong, said for the person who has to deal with it at night.

    ``title`` one line, ``meaning`` what it means for the cluster, ``next_action`` what to do now, ``code`` the vendor's code
    (``0x80240016``, ``5987``) where there is one, ``retry_is_safe`` None when nobody can tell.
    """

    title: str
    meaning: str = ""
    next_action: str = ""
    code: str | None = None
    retry_is_safe: bool | None = None


class Progress(Frozen):
    """How far a wait is: ``done`` of ``total`` ``unit`` (GiB, bytes, roles ...), ``per_second`` in the same unit."""

    subject: str
    done: float | None = None
    total: float | None = None
    unit: str = ""
    per_second: float | None = None
    seconds_left: float | None = None


class UpdateRef(Frozen):
    """One update as a scan names it; ``kb`` like ``KB5044288``."""

    update_id: str
    kb: str | None = None
    title: str = ""


class ExcludedUpdate(UpdateRef):
    """An update that was found but is left out, and why (a feature update, for example)."""

    why: str


class UpdateResult(UpdateRef):
    """How one update ended; ``hresult`` like ``0x80070643``, ``meaning`` and ``next_action`` in words when it failed."""

    result: ResultName
    hresult: str | None = None
    reboot_required: bool = False
    meaning: str | None = None
    next_action: str | None = None


class Check(Frozen):
    """One readiness or verification check: what was looked at and what was found."""

    name: str
    status: Literal["passed", "warning", "refused"]
    message: str
    next_action: str = ""


class DiskState(Frozen):
    """A virtual disk as Storage Spaces Direct shows it."""

    name: str
    health: str
    operational_status: tuple[str, ...] = ()
    copies: int | None = None
    size_gib: float | None = None


class JobState(Frozen):
    """A storage job as it was read; ``gib_*`` are GiB."""

    name: str
    state: str
    virtual_disk: str | None = None
    gib_processed: float | None = None
    gib_total: float | None = None
