"""What a fault itself does to the world, which the journal alone does not tell from what the run did.

Every row is as narrow as it can be: an invariant, what its sentence must say, and the faults that bring exactly that about.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from include.simulator.referee import Violation
from tests.chaos.scenario import Scenario


@dataclass(frozen=True, slots=True)
class Excuse:
    """A sentence of the referee that is no fault of the run where one of ``faults`` (beginnings of ids) was in the world."""

    invariant: str
    says: str
    faults: tuple[str, ...]
    why: str


_UNSEEN = (
    "access-to-cluster",
    "asr-blocks",
    "black-hole",
    "boot-time-unchanged",
    "cluster-service",
    "connection-refused",
    "credentials-rotated",
    "domain-join",
    "name-not-resolved",
    "network-partition",
    "node-clock",
    "node-evicted",
    "node-isolated",
    "node-quarantined",
    "provider-class",
    "silent-node",
    "wua-denies",
    "winrm",
)
_STORAGE = ("virtual-disk", "storage-deg", "single-copy", "disk-fails", "pool-read")
EXCUSES = (
    Excuse("I8", "installed again", ("installed-but", "update-rolls-back", "hand-patched", "node-already"), "it was not there, or a person had it"),
    Excuse("I8", "nothing on it waited", ("restart-needs", "restart-pending", "boot-time-unchanged", "no-restart"), "the node said that it waited"),
    Excuse("I12", "leaves out|not-started|nothing-to-install", ("hand-patched", "node-already"), "a person installed it"),
    Excuse("I12", "saw no such thing", ("update-rolls-back", "installed-but", "hand-patched"), "the node said that it was installed"),
    Excuse("I12", "was restarted", ("node-restart", "automatic-updates", "restart-needs", "node-crashes", *_UNSEEN), "nobody could see it, or nobody here ordered it"),
    Excuse("I12", "build after", _UNSEEN, "nobody could read it"),
    Excuse("I12", "resumed; it is Paused", ("node-paused",), "a person paused it later"),
    Excuse("I12", "", ("lock-holder", "foreign-", "lock-refused"), "the referee's run ends where another coordinator begins"),
    Excuse("I7", "took the run lock", ("lock-holder", "foreign-"), "the other coordinator takes it"),
    Excuse("I7", "automatic updates installed", ("automatic-updates",), "Windows installs by itself"),
    Excuse("I12", "not-started", ("automatic-updates", "node-restarted"), "somebody else was at work on it"),
    Excuse("I12", "was not started", ("node-restarted", "automatic-updates", "node-crashes"), "somebody else restarted it"),
    Excuse("I12", "build after", ("automatic-updates", "hand-patched", "node-restart"), "somebody else updated it later"),
    Excuse("I10", "storage maintenance mode", ("maintenance-left-on",), "an operator set it"),
    Excuse("I11", "storage maintenance mode", ("maintenance-left-on",), "the system's own resume ends it from 2022 on"),
    Excuse("I10", "start type of ClusSvc", ("node-evicted", "cluster-service"), "an evicted node's service is disabled"),
    Excuse("I10", "storage maintenance mode", ("node-evicted",), "an evicted node joins again with its disks as they were"),
    Excuse("I2", "1 of 1 votes", ("witness", "boot-time-unchanged"), "of two nodes the last vote is that of the one that stays"),
    Excuse("I3", "told to restart", ("node-restarted",), "somebody else told it to"),
    Excuse("I7", "restarted by somebody", ("node-restarted",), "somebody else told it to"),
    Excuse("I8", "told to restart", ("node-restarted",), "somebody else told it to"),
    Excuse("I4", "virtual disk Scratch01", ("single-copy",), "the fault takes its volume away again"),
    Excuse("I12", "saw no such thing", ("preview-hides", "superseded"), "it was replaced before its answer was lost"),
    Excuse("I5", "virtual disk", ("maintenance-left-on",), "an operator takes the copies away"),
    Excuse("I12", "in-progress on", ("",), "the report says that nobody heard how it ended"),
    Excuse("I11", "Virtual machine", _STORAGE, "the fault takes the volume away"),
    Excuse("I5", "virtual disk", _STORAGE, "the fault takes the volume away"),
)  # fmt: skip


def is_excused(scenario: Scenario, found: Violation, report: Mapping[str, Any]) -> bool:
    """Tell whether what the referee found is a fault's own doing, or said in the report with what a person has to do."""
    named = {
        str(left.get("node")) for left in report.get("left") or () if left.get("command") and "lock" in left["what"]
    }
    if found.invariant == "I10" and "MSFT_CAU" in found.sentence and found.node in named:
        return True
    if found.invariant == "I12" and "lock is not released; no node" in found.sentence and named:
        return True  # it said what it knew: whether it stood there nobody could read
    faults = [trouble.fault for trouble in scenario.troubles]
    return any(
        each.invariant == found.invariant
        and re.search(each.says, found.sentence)
        and any(fault.startswith(each.faults) for fault in faults)
        for each in EXCUSES
    )
