"""The report of a fast offline update, from records made by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.model import RunReport
from include.hci.report.offline_downtime import measure
from include.hci.report.offline_events import PhaseMinutes, PlannedVm
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage

BEGAN = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)


def planned() -> ev.OfflinePlanned:
    phases = ("stop_vms", "stop_cluster", "install_offline", "restart_offline", "start_cluster", "start_vms")
    return ev.OfflinePlanned(
        nodes=("HCI01", "HCI02"),
        vms=(
            PlannedVm(name="SQL01", node="HCI01", running=True),
            PlannedVm(name="WEB01", node="HCI02", running=True),
            PlannedVm(name="OLD01", node="HCI02", running=False),
        ),
        phases={name: PhaseMinutes(low=1, expected=5, high=10) for name in phases},
    )


def changing(change: ev.ChangeKind, subject: str, node: str | None = None, **more: Any) -> ev.Changing:
    step: Any = "stop_vms" if change == "vm-stopped" else "stop_cluster"
    return ev.Changing(step=step, node=node, change=change, subject=subject, **more)


def back(change: ev.ChangeKind, subject: str, node: str | None = None) -> ev.ChangeTakenBack:
    step: Any = "start_vms" if change == "vm-stopped" else "start_cluster"
    return ev.ChangeTakenBack(step=step, node=node, change=change, subject=subject)


DOWN: list[tuple[float, ev.RunEvent]] = [
    (0, planned()),
    (10, changing("vm-stopped", "SQL01", before="Running", after="Off")),
    (11, changing("vm-stopped", "WEB01", before="Running", after="Off")),
    (12, changing("vm-stopped", "WEB01", before="Running", after="Saved")),
    (15, changing("cluster-stopped", "ClusSvc", "HCI01")),
    (15, changing("cluster-stopped", "ClusSvc", "HCI02")),
    (17, ev.InstallStarted(step="install_offline", node="HCI01", install_pass=1)),
    (30, ev.InstallFinished(step="install_offline", node="HCI01", install_pass=1)),
    (31, ev.RestartOrdered(step="restart_offline", node="HCI01", boot_time_before=BEGAN)),
]
UP: list[tuple[float, ev.RunEvent]] = [
    (40, back("cluster-stopped", "ClusSvc", "HCI01")),
    (41, back("cluster-stopped", "ClusSvc", "HCI02")),
    (45, back("vm-stopped", "WEB01")),
    (46, back("vm-stopped", "SQL01")),
]


def record(events: list[tuple[float, ev.RunEvent]], *, ended: float | None = None) -> RunRecord:
    made = RunRecord(MemoryStorage())
    started = ev.RunStarted(run_id="r", cluster="c", nodes=("HCI01", "HCI02"), run_kind="offline-update")
    made.add(started, BEGAN)
    for minutes, event in events:
        made.add(event, BEGAN + timedelta(minutes=minutes))
    if ended is not None:
        made.add(ev.Concluded(), BEGAN + timedelta(minutes=ended))
    return made


def report(made: RunRecord, at: float) -> RunReport:
    return report_of(made, BEGAN + timedelta(minutes=at))


def section(found: RunReport, title: str) -> Any:
    return next(each for each in found.sections if each.title == title)


def test_the_downtime_is_measured_from_the_first_machine_down_to_the_last_one_up():
    down = measure(record([*DOWN, *UP]).events(), BEGAN)
    assert down is not None
    assert (down.is_over, down.seconds) == (True, 36 * 60)
    assert {step: seconds / 60 for step, seconds in down.parts} == {
        "stop_vms": 5,
        "stop_cluster": 2,
        "install_offline": 13,
        "restart_offline": 10,
        "start_cluster": 5,
        "start_vms": 1,
    }


def test_it_stands_beside_what_the_plan_expected():
    found = section(report(record([*DOWN, *UP], ended=50), 60), "Downtime")
    assert found.sentences == (
        "It took 36 min: from 01:10:00 UTC until 01:46:00 UTC.",
        "The plan expected 30 min (6 min to 1 h 00 min).",
    )
    assert found.rows[0] == ("Virtual machines stopped", "5 min", "5 min (1 min to 10 min)")
    assert found.rows[-1] == ("Together", "36 min", "")


def test_every_machine_has_its_own_downtime_and_those_that_were_off_are_said():
    found = section(report(record([*DOWN, *UP], ended=50), 60), "Virtual machines")
    assert [(row[0], row[1], row[2], row[5]) for row in found.rows] == [
        ("SQL01", "HCI01", "shut down", "36 min"),
        ("WEB01", "HCI02", "saved, it did not shut down in time", "34 min"),
    ]
    assert found.sentences == ("1 did not run and was left so.",)


def test_while_it_goes_on_the_report_says_since_when_and_what_is_down():
    found = report(record(DOWN), 33)
    assert found.outcome == "running"
    assert "The cluster has been down since 01:10:00 UTC." in found.headline
    assert "Still down: ClusSvc of HCI01, ClusSvc of HCI02, SQL01, WEB01." in found.headline
    assert section(found, "Virtual machines").rows[0][4] == "not yet"


def test_a_server_that_went_down_is_not_given_up_while_the_run_goes_on():
    found = report(record(DOWN), 33)
    assert {node.name: (node.outcome, node.error) for node in found.nodes} == {
        "HCI01": ("in-progress", None),
        "HCI02": ("in-progress", None),
    }
    assert found.headline.startswith("Of 2 nodes: 2 in progress. ")


def test_the_headline_does_not_name_hundreds_of_machines():
    stopped = [(10 + number, changing("vm-stopped", f"VM{number:03}")) for number in range(200)]
    found = report(record([(0, planned()), *stopped]), 300)
    assert found.headline.endswith("VM005, VM006, 193 other virtual machines.")
    assert len(section(found, "Virtual machines").rows) == 200


def test_what_is_down_at_the_end_is_in_the_headline():
    found = report(record([*DOWN, *UP[:-1]], ended=50), 60)
    assert found.outcome == "failed"
    assert "Still down: SQL01." in found.headline
    assert "The cluster has been down since" in found.headline


def test_servers_that_went_down_with_the_cluster_were_out_of_service():
    found = {node.name: node for node in report(record([*DOWN, *UP], ended=50), 60).nodes}
    assert all(node.taken_out and node.resumed for node in found.values())
    assert found["HCI02"].outcome == "skipped"


def test_before_anything_goes_down_the_plan_tells_what_will():
    found = report(record([(0, planned())]), 5)
    assert section(found, "Virtual machines").sentences[-1] == "2 are to be stopped: SQL01, WEB01."
    assert section(found, "Downtime").sentences == ("The plan expected 30 min (6 min to 1 h 00 min).",)


def test_builds_that_differ_before_the_cluster_starts_are_said():
    compared = ev.BuildsCompared(builds={"HCI01": "20348.2"}, silent={"HCI02": "no route"})
    assert section(report(record([(1, compared)]), 5), "Builds before the cluster was started").rows == (
        ("HCI01", "20348.2"),
        ("HCI02", "did not answer: no route"),
    )
