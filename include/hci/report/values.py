"""The values that events and reports are made of: problems, progress, updates and their results, disks and jobs."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, computed_field, model_validator

#: The GroupType of virtual machines and the state of what runs, as the cluster names them.
VM, ONLINE = "VirtualMachine", "Online"
ResultName = Literal["not-started", "in-progress", "succeeded", "succeeded-with-errors", "failed", "aborted"]


class Frozen(BaseModel):
    """Base of everything that is stored in a record."""

    # A record written by a newer version stays readable: keys that this version does not know are passed over.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Reported(Frozen):
    """Base of the values that stand in a report; the text below each attribute is its description in the report's schema."""

    model_config = ConfigDict(use_attribute_docstrings=True, json_schema_serialization_defaults_required=True)


class Problem(Reported):
    """What went wrong, said for the person who has to deal with it at night."""

    title: str
    """The problem in one line."""
    meaning: str = ""
    """What it means for the cluster."""
    next_action: str = ""
    """What to do now."""
    code: str | None = None
    """The vendor's code, such as 0x80240016 or 5987, where there is one."""
    retry_is_safe: bool | None = None
    """Whether trying again is safe; null: nobody can tell."""


class Progress(Frozen):
    """How far a wait is: ``done`` of ``total`` ``unit`` (GiB, bytes, roles ...), ``per_second`` in the same unit."""

    subject: str
    done: float | None = None
    total: float | None = None
    unit: str = ""
    per_second: float | None = None
    seconds_left: float | None = None


class UpdateRef(Reported):
    """One update as a scan names it."""

    update_id: str
    """The update's id in Windows Update."""
    kb: str | None = None
    """Its knowledge base article, such as KB5044288."""
    title: str = ""
    """Its title."""


class ExcludedUpdate(UpdateRef):
    """An update that was found but is left out."""

    why: str
    """Why."""
    superseded: bool = False
    """Whether another one that is installed replaces it."""


class ChosenUpdate(UpdateRef):
    """An update that is installed."""

    why: str
    """Why; empty: it is what was asked for."""


class UpdateResult(UpdateRef):
    """How one update ended; ``hresult`` like ``0x80070643``, ``meaning`` and ``next_action`` in words when it failed."""

    result: ResultName
    hresult: str | None = None
    reboot_required: bool = False
    meaning: str | None = None
    next_action: str | None = None


class Check(Reported):
    """One readiness check; ``name``, ``message`` and ``next_action`` are what earlier versions called its parts."""

    id: str
    """The check's id, as accepted_warnings names it."""
    title: str = ""
    """What is so when it passes."""
    severity: Literal["critical", "warning", "information"] = "warning"
    """How grave it is when it does not pass."""
    status: Literal["passed", "failed", "unknown", "not-applicable"]
    """What came of it."""
    evidence: str = ""
    """What was found."""
    remediation: str = ""
    """What to do about it."""
    duration_seconds: float | None = None
    """How long the reading took; null: it was not measured."""
    refused: bool = False
    """Whether it kept the run from starting."""

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


class RoleSeen(Frozen):
    """A role as a step read it: its GroupType, its state, and the node that owned it."""

    name: str
    kind: str
    state: str
    owner: str

    @property
    def is_vm(self) -> bool:
        """Whether it is a virtual machine."""
        return self.kind == VM

    @property
    def is_online(self) -> bool:
        """Whether the cluster called it Online."""
        return self.state == ONLINE


class DiskState(Reported):
    """A virtual disk as Storage Spaces Direct shows it."""

    name: str
    """Its name."""
    health: str
    """Its HealthStatus."""
    operational_status: tuple[str, ...] = ()
    """Its OperationalStatus."""
    copies: int | None = None
    """How many copies it keeps of its data; null: unknown."""
    size_gib: float | None = None
    """Its size in GiB; null: unknown."""


class JobState(Reported):
    """A storage job as it was read."""

    name: str
    """Its name."""
    state: str
    """Its JobState."""
    virtual_disk: str | None = None
    """The virtual disk that it is about; null: unknown."""
    gib_processed: float | None = None
    """How many GiB are done; null: unknown."""
    gib_total: float | None = None
    """How many GiB there are to do; null: unknown."""
