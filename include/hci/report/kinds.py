"""What the report of each kind of run says beyond that of a rolling update: one verdict per kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from include.hci.report import events as ev
from include.hci.report.folded import Folded, Verdict
from include.hci.report.kind_cau_remote import cau_remote
from include.hci.report.kind_cau_self import cau_self
from include.hci.report.kind_feature import feature
from include.hci.report.kind_offline import offline
from include.hci.report.model import RunReport

VERDICTS: Mapping[ev.RunKind, Verdict] = {
    "cau-remote-updating": cau_remote,
    "cau-self-updating": cau_self,
    "feature-update": feature,
    "offline-update": offline,
}


def as_its_kind(folded: Folded, kind: ev.RunKind, verdicts: Mapping[ev.RunKind, Verdict] = VERDICTS) -> RunReport:
    """Return the report as its kind of run has it; a rolling update's is what it was folded to."""
    report = replace(folded.report, run_kind=kind)
    verdict = verdicts.get(kind)
    return report if verdict is None else verdict(replace(folded, report=report))
