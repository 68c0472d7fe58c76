from __future__ import annotations

from datetime import timedelta

import pytest

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.model import NodeReport, OutageReport, RunReport
from include.hci.report.moves import vm_sentence
from include.hci.report.record import RunRecord
from include.hci.report.values import RoleSeen
from tests.hci.report.example import START, Night, failed_night, quiet_night
from tests.hci.report.judging import check_report


def vm(name: str, owner: str, state: str = "Online") -> RoleSeen:
    return RoleSeen(name=name, kind="VirtualMachine", state=state, owner=owner)


def begun() -> Night:
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=("A", "B", "C")))
    night.after(10, ev.TurnGiven(node="A", position=1, total=3))
    return night


def told(night: Night) -> RunReport:
    found = report_of(night.record, night.now)
    check_report(found)
    return found


def node_a(night: Night) -> NodeReport:
    return next(node for node in told(night).nodes if node.name == "A")


def test_roles_are_told_with_where_they_went_and_whether_they_came_back():
    night = begun()
    seen = (
        vm("vm1", "A"),
        vm("vm2", "A"),
        vm("far", "B"),
        RoleSeen(name="fs", kind="FileServer", state="Online", owner="A"),
    )
    night.after(1, ev.Pausing(node="A", roles=("vm1", "vm2", "fs", "Cluster Group"), seen=seen))
    night.after(90, ev.Drained(node="A", seen=(vm("vm1", "B"), vm("vm2", "C"))))
    night.after(600, ev.Resuming(node="A"))
    night.after(30, ev.Resumed(node="A", seen=(vm("vm1", "A"), vm("vm2", "C"))))
    found = node_a(night)
    assert [(role.name, role.moved_to, role.is_back, role.not_online_seconds) for role in found.roles] == [
        ("vm1", "B", True, 0.0),
        ("vm2", "C", False, 0.0),
        ("fs", None, None, None),
    ]
    assert (found.drain_seconds, found.failback_seconds) == (90.0, 30.0)
    assert found.destinations == (("B", ("vm1",)), ("C", ("vm2",)))
    assert [role.name for role in found.vms] == ["vm1", "vm2"]
    assert told(night).vms_watched == 3


def test_only_the_last_turn_of_a_node_counts():
    night = begun()
    night.after(1, ev.Pausing(node="A", roles=("old",), seen=(vm("old", "A"),)))
    night.after(500, ev.Resumed(node="A"))
    night.after(1, ev.TurnGiven(node="A", position=1, total=3))
    night.after(1, ev.Pausing(node="A", roles=("new",), seen=(vm("new", "A"),)))
    night.after(60, ev.Drained(node="A", seen=(vm("new", "B"),)))
    found = node_a(night)
    assert ([role.name for role in found.roles], found.drain_seconds) == (["new"], 60.0)


def test_a_pause_that_was_refused_is_no_part_of_the_drain():
    night = begun()
    night.after(1, ev.Pausing(node="A", roles=("vm1",), seen=(vm("vm1", "A"),)))
    night.after(1, ev.PauseRefused(node="A", code="5987"))
    night.after(3000, ev.Pausing(node="A", roles=("vm1",), seen=(vm("vm1", "A"),)))
    night.after(40, ev.Drained(node="A", seen=(vm("vm1", "B"),)))
    assert node_a(night).drain_seconds == 40.0


def test_a_record_of_an_earlier_version_tells_the_roles_and_no_more():
    night = begun()
    night.after(1, ev.Pausing(node="A", roles=("vm1",)))
    night.after(40, ev.Drained(node="A", roles_moved=1))
    [role] = node_a(night).roles
    assert (role.name, role.kind, role.moved_to, role.not_online_seconds) == ("vm1", "", None, None)
    assert told(night).vms_watched is None
    assert "Online" not in told(night).headline


@pytest.mark.parametrize(("back_after", "seconds"), [(75, 75.0), (None, 100.0)])
def test_a_virtual_machine_is_out_until_it_is_read_as_online_or_the_run_ends(back_after, seconds):
    night = begun()
    night.after(1, ev.Pausing(node="A", roles=("vm1",), seen=(vm("vm1", "A"),)))
    night.after(5, ev.VmNotOnline(step="drain", node="A", vm="vm1", state="Failed", owner="B"))
    if back_after is None:
        night.after(100, ev.Concluded())
    else:
        night.after(back_after, ev.VmOnline(step="drain", node="A", vm="vm1", owner="B"))
        night.after(25, ev.Concluded())
    [outage] = told(night).outages
    assert (outage.vm, outage.state, outage.seconds) == ("vm1", "Failed", seconds)
    assert outage.began_at == START + timedelta(seconds=16)
    assert (outage.ended_at is None) is (back_after is None)
    [role] = node_a(night).roles
    assert role.not_online_seconds == seconds


def test_what_is_noticed_beside_a_step_ends_none_of_its_waits():
    night = begun()
    night.after(1, ev.Pausing(node="A", roles=("vm1",), seen=(vm("vm1", "A"),)))
    night.wait(1, "drain", "A", "A is being drained")
    night.after(100, ev.VmNotOnline(step="drain", node="A", vm="vm1", state="Offline"))
    night.after(100, ev.RanLong(why="late"))
    night.after(100, ev.Drained(node="A"))
    found = told(night)
    assert [(wait.why, wait.duration) for wait in found.waits] == [("A is being drained", timedelta(seconds=300))]
    phases = [(phase.step, phase.duration) for phase in node_a(night).timeline]
    assert phases == [("turn", timedelta(0)), ("drain", timedelta(seconds=301))]


def outage(name: str, *, lasting: bool = False) -> OutageReport:
    return OutageReport(name, "Failed", "A", "B", START, None if lasting else START, 0.0)


@pytest.mark.parametrize(
    ("vms", "moved", "out", "says"),
    [
        (None, 0, (), ""),
        (12, 0, (), ""),
        (12, 1, (), "1 VM moved, all Online at every reading."),
        (12, 5, (), "5 VMs moved, all Online at every reading."),
        (12, 5, (outage("a"),), "a was not Online for a while."),
        (12, 5, (outage("a"), outage("a"), outage("b")), "a, b were not Online for a while."),
        (12, 5, (outage("a"), outage("b", lasting=True)), "a, b are not Online."),
        (12, 5, tuple(map(outage, "abcde")), "a, b, c and 2 others were not Online for a while."),
    ],
)
def test_the_headline_says_what_came_of_the_virtual_machines(vms, moved, out, says):
    assert vm_sentence(vms, moved, out) == says


@pytest.mark.parametrize("make", [failed_night, quiet_night])
def test_a_record_folded_twice_gives_the_same_report_whoever_reads_it(make):
    night = make()
    entries = night.record.events()
    for length in range(0, len(entries) + 1, 7):
        part = Night()
        for entry in entries[:length]:
            part.record.add(entry.event, entry.at)
        now = entries[max(0, length - 1)].at
        mine = report_of(part.record, now)
        assert report_of(part.record, now) == mine
        assert report_of(RunRecord(part.record.storage), now).to_text() == mine.to_text()
        check_report(mine)
