"""Which node updater installs on a node: CAU's provider where it can be used, else a task that runs as SYSTEM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

UpdaterName = Literal["cau_provider", "system_task"]


@dataclass(frozen=True, slots=True)
class NodeProbe:
    """What a node was asked before anything is installed on it.

    ``provider_usable`` and ``provider_why``: CAU's provider (UpdaterProbe). ``wmi_blocked``: Defender blocks the processes that
    WMI starts, None: not asked. ``tasks_usable`` and ``tasks_why``: whether scheduled tasks can be registered there.
    """

    provider_usable: bool
    provider_why: str
    wmi_blocked: bool | None = None
    tasks_usable: bool = False
    tasks_why: str = "it was not asked for"


@dataclass(frozen=True, slots=True)
class UpdaterChoice:
    """The updater of a node and why it is that one; ``name`` is None when none can be used."""

    name: UpdaterName | None
    why: str


def choose_updater(probe: NodeProbe, wanted: Literal["auto", "cau_provider", "system_task"] = "auto") -> UpdaterChoice:
    """Return the updater of a node: the ``wanted`` one or none, or with ``auto`` the first that can be used.

    CAU's provider comes first: it leaves nothing on the node to be cleaned away.
    """
    provider = _provider_problem(probe)
    task = "" if probe.tasks_usable else f"scheduled tasks cannot be used: {probe.tasks_why}"
    if wanted == "cau_provider":
        return UpdaterChoice(None, provider) if provider else UpdaterChoice("cau_provider", probe.provider_why)
    if wanted == "system_task":
        return UpdaterChoice(None, task) if task else UpdaterChoice("system_task", probe.tasks_why)
    if not provider:
        return UpdaterChoice("cau_provider", probe.provider_why)
    if not task:
        return UpdaterChoice("system_task", f"{provider}; {probe.tasks_why}")
    return UpdaterChoice(None, f"{provider}; {task}")


def _provider_problem(probe: NodeProbe) -> str:
    if not probe.provider_usable:
        return probe.provider_why
    # azure-stack-docs, updating troubleshooting: with the rule in Block mode the provider's calls end with 0x80070005.
    return "Defender blocks the processes that WMI starts (0x80070005)" if probe.wmi_blocked else ""
