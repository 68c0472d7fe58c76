"""The values that events and reports are made of: problems, progress, updates and their results, disks and jobs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, computed_field, model_validator

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
    """An update that was found but is left out, and why; ``superseded``: another one that is installed replaces it."""

    why: str
    superseded: bool = False


class ChosenUpdate(UpdateRef):
    """An update that is installed, and why."""

    why: str


class UpdateResult(UpdateRef):
    """How one update ended; ``hresult`` like ``0x80070643``, ``meaning`` and ``next_action`` in words when it failed."""

    result: ResultName
    hresult: str | None = None
    reboot_required: bool = False
    meaning: str | None = None
    next_action: str | None = None


class Check(Frozen):
    """One readiness check: what was looked at, what was found, what to do about it and how long the reading took.

    ``refused``: it keeps the run from starting. ``name``, ``message`` and ``next_action`` are what earlier versions called it.
    """

    id: str
    title: str = ""
    severity: Literal["critical", "warning", "information"] = "warning"
    status: Literal["passed", "failed", "unknown", "not-applicable"]
    evidence: str = ""
    remediation: str = ""
    duration_seconds: float | None = None
    refused: bool = False

    @model_validator(mode="before")
    @classmethod
    def _earlier(cls, data: Any) -> Any:
        """Take a check of an earlier version, which had a status of passed, warning or refused."""
        if not isinstance(data, dict) or "id" in data:
            return data
        status = data.get("status")
        return {
            "id": data.get("name"),
            "status": "passed" if status == "passed" else "failed",
            "severity": "critical" if status == "refused" else "warning",
            "evidence": data.get("message", ""),
            "remediation": data.get("next_action", ""),
            "refused": status == "refused",
        }

    @computed_field  # type: ignore[prop-decorator]
    @property
    def name(self) -> str:
        """The check's id."""
        return self.id

    @computed_field  # type: ignore[prop-decorator]
    @property
    def message(self) -> str:
        """What was found, after the title."""
        return ": ".join(filter(None, (self.title, self.evidence)))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def next_action(self) -> str:
        """What to do about it."""
        return self.remediation


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
