"""The restart that was asked for, decided by facts alone: after everything else, once, and under the same conditions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.hci.cluster.machine import Build
from include.hci.cluster.storage import VirtualDisk
from include.hci.policy.plan import PlannedNode
from include.hci.report import events as ev
from include.hci.report.facts import OpenRestart
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.steps.answer import NodeAnswer
from include.hci.steps.decisions import Act, Done
from include.hci.steps.restart import Restart, RestartFacts
from tests.hci.steps.facts import (
    DRAINED,
    ME,
    NOW,
    UPDATE,
    check,
    context,
    install,
    minutes,
    now,
    plan,
    scan,
    service,
)

BOOT, OUT = NOW - minutes(60 * 24), NOW - minutes(20)
ORDER = OpenRestart(NOW - minutes(3), BOOT)
IDLE = (service("ClusSvc"), service("TrustedInstaller", False))
BACK = NodeAnswer(NOW - minutes(1), IDLE, Build(20348, 2400))
DETACHED = VirtualDisk("V1", "Unhealthy", ("Detached",))


def facts(**changes: Any) -> RestartFacts:
    known = {"node": DRAINED, "answer": NodeAnswer(BOOT, build=Build(20348, 1)), "asked": True, "out_since": OUT}
    return RestartFacts(**{**known, "install": install(scan=scan()), **changes})


def step(record: RunRecord | None = None, **planned: Any) -> Restart:
    made = replace(plan(), nodes=(PlannedNode(ME, build="20348.2113", **{"restart_asked": True, **planned}),))
    return Restart(context(record, plan_=made), ME, now)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (facts(), f"act: Restart-Computer -Force on {ME}: a restart was asked for, and no role runs on it"),
        (facts(asked=False), "done skipped: needs no restart"),
        (facts(asked=False, restarts=1), "done restarted: was restarted once and has nothing left"),
        # first what is left to install; one restart does for both
        (facts(install=install(scan=scan(UPDATE))), "act: download"),
        (facts(install=install(scan=scan(pending=True))), "act: to finish what was installed"),
        (facts(install=install()), "act: scan"),
        # a restart since the node left service is the one, whoever gave the order
        (
            facts(answer=NodeAnswer(NOW - minutes(5))),
            "act: has restarted since it left service: it booted at 00:55 UTC",
        ),
        (facts(answer=NodeAnswer(OUT - minutes(1))), "act: Restart-Computer"),
        # an order that is open is watched, not repeated
        (facts(install=None, order=ORDER, orders=1), "wait: was told to restart and has not gone down yet"),
        (facts(install=None, order=ORDER, answer=BACK), f"act: note the restart of {ME}"),
        # under the conditions of any restart
        (facts(disks=(DETACHED,), unsafe_since=NOW), "wait: is not restarted while V1"),
        (facts(quorum_reason="1 of 3 votes is up"), "wait: is not restarted: 1 of 3 votes is up"),
        (facts(manual_maintenance=True), "act: Enable-StorageMaintenanceMode"),
        (facts(manual_maintenance=True, in_maintenance=True), "act: Restart-Computer"),
        (facts(install=install(paused_by_run=False, scan=scan())), "stop: this run has not paused the node"),
    ],
)
def test_a_restart_that_was_asked_for(found, expected):
    check(step().decide(found, NOW), expected)


def test_a_disk_that_stays_unsafe_keeps_the_node_from_a_restart_that_was_only_asked_for():
    decision = step().decide(facts(disks=(DETACHED,), unsafe_since=NOW), NOW)
    assert "It was only asked for." in decision.on_deadline.meaning  # type: ignore[union-attr]


def seen() -> ev.Restarted:
    return ev.Restarted(node=ME, boot_time=NOW)


@pytest.mark.parametrize(
    ("written", "planned", "owed"),
    [
        ((), {}, True),
        ((), {"restart_asked": False, "restart_pending": True}, False),
        ((seen(),), {}, False),
        # not even in another turn of the node, nor by the process that comes after one that died
        ((seen(), ev.Resumed(node=ME, failback_mode="Immediate")), {}, False),
        ((ev.RestartOrdered(node=ME, boot_time_before=BOOT), ev.Resumed(node=ME, failback_mode="Policy")), {}, True),
        ((ev.Restarted(node="HCI01", boot_time=NOW),), {}, True),
    ],
)
def test_it_is_owed_until_the_record_has_it(written, planned, owed):
    record = RunRecord(MemoryStorage())
    for event in written:
        record.add(event, NOW)
    assert step(record, **planned)._is_asked() is owed


@pytest.mark.parametrize(
    ("found", "installed", "may"),
    [
        (facts(), False, True),
        (facts(), True, False),
        (facts(asked=False), False, False),
        (facts(install=install(scan=scan(pending=True))), False, False),
        (facts(install=install()), False, False),
        (facts(restarts=1), False, False),
        (facts(install=None, order=ORDER), False, False),
    ],
)
def test_it_is_cancelled_as_long_as_nothing_is_half_done(found, installed, may):
    record = RunRecord(MemoryStorage())
    if installed:
        record.add(ev.InstallStarted(node=ME, install_pass=1, updates=()), NOW)
    own = step(record)
    decision = own.decide(found, NOW)
    assert isinstance(decision, Act | Done) or found.order is not None
    assert own.may_cancel(found, decision) is may
