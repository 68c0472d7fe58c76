from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from include.hci.airflow.history import RUNS, keep_history, read_history
from include.hci.policy.estimates import estimate_node_range
from include.hci.report.build import report_of
from include.hci.report.history import phase_seconds
from tests.hci.report.example import NODES, Night, begin, failed_night, quiet_night, update_well


@pytest.fixture(autouse=True)
def reports(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())


def night(run: int = 0):
    made = Night()
    begin(made)
    for position, name in enumerate(NODES, 1):
        update_well(made, name, position, 10 + run)
    return report_of(made.record, made.now, f"run-{run}", "demo")


def test_only_nodes_that_were_updated_teach_how_long_a_phase_takes():
    seconds = phase_seconds(night(), ("drain", "install"))
    assert len(seconds["drain"]) == len(NODES)
    assert all(value > 0 for value in seconds["install"])
    unfinished = failed_night()
    found = phase_seconds(report_of(unfinished.record, unfinished.now), ("install",))
    assert len(found["install"]) < len(NODES)


def test_the_last_runs_are_remembered_oldest_first_and_empty_ones_are_not():
    first = night()
    idle = quiet_night()
    keep_history("demo", report_of(idle.record, idle.now))
    assert read_history("demo") == {}
    for run in range(RUNS + 2):
        moved = {"run_id": f"run-{run}", "started_at": first.started_at + timedelta(days=run)}
        keep_history("demo", _with(night(run), moved))
    seen = read_history("demo")
    assert len(seen["install"]) == RUNS * len(NODES)
    assert estimate_node_range(seen).from_history
    assert read_history("other") == {}


def _with(report, changes: dict[str, str | datetime]):
    from dataclasses import replace

    return replace(report, **changes)
