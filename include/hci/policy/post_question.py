"""The question that a person answers before something is raised for good: what it is about, and the hash that identifies it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|])")
_TITLES = {
    "approve_functional_level": "Raise the cluster functional level",
    "approve_pool_version": "Raise the version of the storage pool",
    "approve_vm_versions": "Raise the configuration version of virtual machines",
}
#: What can never be done again afterwards (windowsserverdocs, cluster-operating-system-rolling-upgrade and
#: upgrade-virtual-machine-version; azure-stack-docs, update-cluster).
_FOR_GOOD = {
    "approve_functional_level": "No node of the former version can join the cluster afterwards, and the nodes cannot go back.",
    "approve_pool_version": "No server of the former version can use the pool afterwards.",
    "approve_vm_versions": "These machines cannot run on a host of the former version afterwards.",
}


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be raised: ``subjects`` with the version that each was found with, up to ``target``, on nodes of ``builds``.

    ``step`` is the task that asks. ``terms`` is what else is agreed to. ``names`` are what people call the subjects, ``said`` is
    what the cluster itself says to it (-WhatIf): these two are shown and no part of the identity.
    """

    step: str
    cluster: str
    subjects: Mapping[str, str]
    target: str
    builds: Mapping[str, str]
    terms: str = ""
    said: str = ""
    names: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The question in one line."""
        return f"{_TITLES[self.step]} of {self.cluster}"

    @property
    def identity(self) -> str:
        """The hash of everything that an answer depends on."""
        parts = (self.step, self.cluster, sorted(self.subjects.items()), self.target, sorted(self.builds.items()))
        return hashlib.sha256(json.dumps((*parts, self.terms)).encode()).hexdigest()

    def markdown(self) -> str:
        """Return what the person reads."""
        lines = [f"**{self.title}**", "", "| What | Now | Afterwards |", "|---|---|---|"]
        lines += [
            f"| {_cell(self.names.get(key, key))} | {_cell(version)} | {_cell(self.target)} |"
            for key, version in self.subjects.items()
        ]
        lines += ["", "| Server | Build |", "|---|---|"]
        lines += [f"| {_cell(node)} | {_cell(build)} |" for node, build in sorted(self.builds.items())]
        if self.terms:
            lines += ["", f"{self.terms}"]
        if self.said:
            lines += ["", f"The cluster was asked with -WhatIf, and said: {_cell(self.said)}"]
        lines += [
            "",
            f"**This cannot be undone.** {_FOR_GOOD[self.step]}",
            "",
            f"A no leaves it as it is, and so does no answer: the run ends well without it. Question `{self.identity[:12]}`.",
        ]
        return "\n".join(lines)


def _cell(text: str) -> str:
    # Names and what the cluster says must not become markup.
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
