"""The cluster's fingerprint: what is read for it, and that what nobody answers is said and never taken for a change."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from include.hci.cluster.cau import LockHolder
from include.hci.cluster.facade import UnknownNode
from include.hci.cluster.nodes import ClusterResource
from include.hci.policy.interference import Fingerprint, OurChanges, compare
from include.hci.policy.plan import PlannedNode
from include.hci.powershell.errors import CommandFailed, NodeUnreachable
from include.hci.powershell.records import ErrorRecord
from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.steps.base import Members
from include.hci.steps.comparing import our_changes, read_fingerprint, touched_nodes
from tests.hci.cluster.fakes import FakeCluster, FakeShell, obj
from tests.hci.steps.facts import DOWN, NAMES, NOW, OURS, THEIRS, UPDATE, context, minutes, node, plan

FAILED = CommandFailed([ErrorRecord("access is denied")])
MEMBERS = Members(tuple(node(name=name) for name in NAMES), ())
NO_ROLE = CommandFailed(
    [ErrorRecord("The current cluster is not configured with a Cluster-Aware Updating clustered role.")]
)
ROLE = [ClusterResource("CAU", "ClusterAwareUpdatingResource", "Online", "CAU", "HCI01")]


def answers(holder: UUID | None = None, fixes: int = 3, **more: Any) -> dict[str, Any]:
    def cim(pipeline: Any) -> list[Any]:
        if "QuickFix" in pipeline.describe():
            return [obj(HotFixID=f"KB{number}") for number in range(fixes)]
        return [obj(OrchestratorGuid=str(holder))] if holder else []

    return {
        "Get-CimInstance": cim,
        "Get-ItemProperty": [obj(CurrentBuild="20348", UBR=2113)],
        "Get-CauRun": ["RunNotInProgress"],
        "Get-CauClusterRole": NO_ROLE,
        **more,
    }


def cluster(**of_first: Any) -> FakeCluster:
    shells = {name: FakeShell(answers(), name) for name in NAMES}
    shells["HCI01"].replies.update(of_first)
    return FakeCluster(shells)


def read(of: FakeCluster, **options: Any) -> Fingerprint:
    asked = {"members": MEMBERS, "resources": (), "software": NAMES, **options}
    return read_fingerprint(of, of.on("HCI01"), **asked)


FOUND = read(cluster())


def test_everything_that_nobody_else_should_change_is_read_and_nothing_is_changed():
    seen = cluster()
    found = read(seen, resources=ROLE)
    assert (found.cau_run, found.role, found.role_known, found.role_enabled) == ("RunNotInProgress", None, True, True)
    assert found.builds == dict.fromkeys(NAMES, "20348.2113")
    assert found.installed == dict.fromkeys(NAMES, 3)
    assert (found.locks, found.unread) == ({}, ())
    assert not any(each.is_change for shell in seen.shells.values() for each in shell.sent)


def test_locks_that_were_read_already_are_not_read_again_and_a_node_that_is_not_asked_for_costs_one_command():
    seen = cluster()
    found = read(seen, software=(), holders=[LockHolder("HCI02", "MSFT_CAURun", THEIRS)])
    assert found.locks == {"HCI02/MSFT_CAURun": str(THEIRS)}
    assert [len(seen.shells[name].sent) for name in NAMES] == [3, 1, 1]


def test_a_node_that_is_down_is_not_asked():
    seen = cluster()
    read(seen, members=Members((node(DOWN, name="HCI02"), *MEMBERS.nodes[:1]), ()))
    assert seen.shells["HCI02"].sent == []


@pytest.mark.parametrize(
    ("replies", "said"),
    [
        ({"Get-CauRun": FAILED}, "the state of Cluster-Aware Updating"),
        ({"Get-CauRun": []}, "it was not told"),
        ({"Get-CauRun": NodeUnreachable("no route")}, "Cluster-Aware Updating (no route)"),
        ({"Get-CauClusterRole": FAILED}, "the self-updating role"),
        ({"Get-CauClusterRole": NodeUnreachable("no route")}, "Cluster-Aware Updating (no route)"),
        ({"Get-CimInstance": FAILED}, "MSFT_CAURun on HCI01"),
        ({"Get-CimInstance": NodeUnreachable("no route")}, "HCI01 (no route)"),
        ({"Get-ItemProperty": FAILED}, "the build of HCI01"),
        ({"Get-CimInstance": UnknownNode("no such node")}, "HCI01 (no such node)"),
    ],
)  # fmt: skip
def test_what_is_not_answered_is_said_and_is_no_change(replies, said):
    found = read(cluster(**replies))
    assert any(said in text for text in found.unread), found.unread
    assert compare(FOUND, found, OurChanges(OURS)) == ()
    assert compare(found, FOUND, OurChanges(OURS)) == ()


@pytest.mark.parametrize("command", ["Get-CauRun", "Get-CauClusterRole"])
@pytest.mark.parametrize("error", [FAILED, NodeUnreachable("no route")])
def test_a_role_that_could_not_be_asked_for_was_not_removed(command, error):
    before = replace(FOUND, role={"DaysOfWeek": "Monday"})
    assert compare(before, FOUND, OurChanges(OURS)) == ("The self-updating role was removed.",)
    assert compare(before, read(cluster(**{command: error})), OurChanges(OURS)) == ()


def test_what_changes_on_nodes_that_the_run_has_begun_or_that_waited_for_a_restart_is_its_own():
    record = RunRecord(MemoryStorage())
    record.add(ev.TurnGiven(node="HCI03", position=3, total=3, why="x"), NOW)
    record.add(ev.Pausing(node="HCI01", state_before="Up"), NOW)
    record.add(ev.Resumed(node="HCI01", failback_mode="Immediate"), NOW + minutes(1))
    assert touched_nodes(record) == {"HCI01"}
    waiting = plan(nodes=(PlannedNode("HCI01", (UPDATE,)), PlannedNode("HCI02", restart_pending=True)))
    ours = our_changes(context(record), waiting)
    assert set(ours.updated) == {"HCI01", "HCI02"}
    changed = read(cluster(**{"Get-ItemProperty": [obj(CurrentBuild="20348", UBR=9)]}))
    assert compare(FOUND, changed, ours) == ()
    assert compare(FOUND, changed, OurChanges(OURS)) == (
        "HCI01 was updated by somebody else: its build is 20348.9, it was 20348.2113.",
    )


def test_another_number_of_installed_updates_is_somebody_elses_patch():
    changed = read(cluster(**answers(fixes=4)))
    assert compare(FOUND, changed, OurChanges(OURS)) == (
        "HCI01 was updated by somebody else: it has 4 updates installed, it had 3.",
    )
