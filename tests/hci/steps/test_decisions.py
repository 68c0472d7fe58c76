"""The tables of decisions on the way out of service: lock, scan, stage, turn, drain, install."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from include.hci.cluster.cau import LockHolder
from include.hci.cluster.values import DrainStatus, NodeState
from include.hci.policy.gates import StorageFacts
from include.hci.policy.interference import Fingerprint, OurChanges
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.policy.plan_hash import NowFacts
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.records import ErrorRecord
from include.hci.steps.actions import SuspendNode
from include.hci.steps.decisions import Act, Stop, Wait
from include.hci.steps.drain import Drain, DrainFacts
from include.hci.steps.gates import lock_decision
from include.hci.steps.install import Install
from include.hci.steps.scan import Scan, ScanFacts
from include.hci.steps.stage import Stage, StageFacts
from include.hci.steps.take_lock import Offers, TakeLock, TakeLockFacts
from include.hci.steps.turn import Turn, TurnFacts
from include.hci.steps.work import ScanNode
from tests.hci.steps.facts import (
    DOWN,
    DRAINED,
    JOINING,
    ME,
    NAMES,
    NOW,
    OURS,
    PAUSED,
    QUARANTINED,
    RESYNCING,
    THEIRS,
    UPDATE,
    WELL,
    check,
    context,
    install,
    lock,
    minutes,
    node,
    now,
    others,
    plan,
    result,
    role,
    scan,
)

COMPLETED, IN_PROGRESS, FAILED = DrainStatus.COMPLETED, DrainStatus.IN_PROGRESS, DrainStatus.FAILED


# --- the lock ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("ours", "done taken: ours on HCI01, HCI02, HCI03"),
        ("missing", "act: take the run lock on HCI02, HCI03"),
        ("foreign", f"stop: {THEIRS} on HCI01"),
    ],
)
def test_the_lock_is_taken_where_it_is_free_and_never_where_it_is_anothers(state, expected):
    check(TakeLock(context()).decide(TakeLockFacts(lock(state)), NOW), expected)


@pytest.mark.parametrize("state", ["ours", "missing"])
def test_what_a_run_has_given_back_is_not_taken_again_for_another_server(state):
    ended = replace(lock(state), given_back=True)
    check(Drain(context(), ME).decide(drain(lock=ended), NOW), "stop: This run has ended")
    check(Install(context(), ME, now).decide(install(lock=ended), NOW), "stop: This run has ended")
    check(Turn(context(), ME).decide(turn(lock=ended), NOW), "stop: This run has ended")


def test_what_a_run_has_given_back_is_taken_again_by_its_beginning_and_by_what_changes_no_server():
    ended = replace(lock("missing"), given_back=True)
    check(TakeLock(context()).decide(TakeLockFacts(ended), NOW), "act: take the run lock on HCI02, HCI03")
    assert isinstance(lock_decision(ended, "verify"), Act)


FITS = NowFacts(tuple(node(name=name) for name in NAMES), builds=dict.fromkeys(NAMES, "20348.2113"))
OLD_PLAN = plan(made_at=NOW - minutes(31))


def locking(held: str = "missing", of: Plan = OLD_PLAN, **changes: Any) -> TakeLockFacts:
    return TakeLockFacts(lock(held), **{"plan": of, "now": FITS, "offers": Offers(), **changes})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (locking(), "act: take the run lock"),
        (locking(noted=False), "act: note how the nodes were found"),
        (locking("ours"), "done taken"),
        (locking("ours", unread={"HCI03": "no route"}), "done taken: HCI03 could not be compared with the plan (no route)"),
        (locking(offers=None), "act: ask HCI01, HCI02, HCI03 again what is offered: the plan is 31 minutes old"),
        (locking(offers=None, now=replace(FITS, done=("HCI01",))), "act: ask HCI02, HCI03 again"),
        (locking(of=plan(), offers=None), "act: take the run lock"),
        (
            locking(now=replace(FITS, builds={"HCI01": "20348.9", "HCI03": "20348.8"})),
            "stop: The plan is void: HCI01 has build 20348.9, the plan found 20348.2113; HCI03 has build 20348.8",
        ),
        (locking(of=plan(options={"failback_mode": "Policy"}), now=replace(FITS, options={"failback_mode": "Immediate"})),
         "stop: The plan is void: the option failback_mode is 'Immediate', the plan was made with 'Policy'"),
        # Whoever works on the cluster is told before what has become of the plan.
        (locking("foreign", now=replace(FITS, builds={"HCI01": "20348.9"})), "stop: Another coordinator"),
    ],
)  # fmt: skip
def test_only_a_plan_that_fits_the_cluster_is_locked_for(facts, expected):
    check(TakeLock(context()).decide(facts, NOW), expected)


def test_without_a_running_node_there_is_nothing_to_lock():
    decision = TakeLock(context()).decide(TakeLockFacts(replace(lock(), asked=(), holders=())), NOW)
    assert "nothing to lock" in str(decision)


# --- scan and stage ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (ScanFacts((), None), "act: scan HCI02 for updates"),
        (ScanFacts((LockHolder(ME, "MSFT_CAUNode", OURS),), None), "act: scan"),
        (ScanFacts((LockHolder(ME, "MSFT_CAUNode", THEIRS),), None), f"stop: {THEIRS}"),
        (ScanFacts((), scan(UPDATE)), "done updates-found: KB5044288"),
        (ScanFacts((), scan()), "done nothing-to-install: nothing to install"),
        (ScanFacts((), scan(pending=True)), "done restart-pending: waits for a restart"),
    ],
)
def test_a_scan_tells_what_the_node_needs(facts, expected):
    check(Scan(context(), ME).decide(facts, NOW), expected)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (StageFacts(lock("foreign"), None, False), "stop: Another coordinator"),
        (StageFacts(lock("missing"), None, False), "act: take the run lock"),
        (StageFacts(lock(), None, False), "act: scan"),
        (StageFacts(lock(), scan().selection, False), "done nothing-to-download"),
        (StageFacts(lock(), scan(UPDATE).selection, False), "act: download 1 updates"),
        (StageFacts(lock(), scan(UPDATE).selection, True), "done staged"),
    ],
)
def test_staging_downloads_once_what_a_fresh_scan_finds(facts, expected):
    check(Stage(context(), ME).decide(facts, NOW), expected)


# --- turn ----------------------------------------------------------------------------------------------------------------


def turn(**changes: Any) -> TurnFacts:
    well: dict[str, Any] = {
        "nodes": (node(), *others()),
        "storage": WELL,
        "quorum_reason": "",
        "lock": lock(),
        "ours": frozenset(),
        "plan": plan(),
        "planned": plan().node(ME),
    }
    return TurnFacts(**{**well, **changes})


ROLE = {"DaysOfWeek": "Tuesday"}
PRINT = Fingerprint(NAMES, cau_run="RunNotInProgress", builds=dict.fromkeys(NAMES, "20348.2113"))
PRINTED = plan(fingerprint=PRINT)
MINE = OurChanges(OURS, updated=("HCI01",))


def looked(**changes: Any) -> TurnFacts:
    """A turn that has looked at what nobody else should have changed."""
    return turn(plan=PRINTED, own=MINE, seen=replace(PRINT, **changes))


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (looked(), "done go: the storage is whole"),
        (looked(role=ROLE), "stop: A self-updating role has appeared: DaysOfWeek Tuesday."),
        (looked(builds={"HCI03": "20348.9"}), "stop: HCI03 was updated by somebody else"),
        (looked(builds={"HCI01": "20348.9"}), "done go"),
        (looked(locks={"HCI03/MSFT_CAURun": str(THEIRS)}), f"stop: Another coordinator ({THEIRS}) has taken MSFT_CAURun"),
        (looked(locks={"HCI03/MSFT_CAURun": str(OURS)}), "done go"),
        (looked(cau_run="", unread=("CAU (no route)",)), "done go: could not be compared with the plan: CAU (no route)"),
        # What somebody else does is told before anything is waited for, and also about a node that is out already.
        (replace(looked(role=ROLE), storage=RESYNCING), "stop: A self-updating role"),
        (replace(looked(role=ROLE), ours=frozenset({"hci02"}), nodes=(DRAINED, *others())), "stop: A self-updating"),
        (replace(looked(role=ROLE), seen=None), "done go"),
    ],
)  # fmt: skip
def test_other_hands_at_work_since_the_plan_stop_a_turn(facts, expected):
    decision = Turn(context(), ME).decide(facts, NOW)
    check(decision, expected)
    if isinstance(decision, Stop):
        assert decision.problem.retry_is_safe is False


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (turn(), "done go: may leave"),
        (turn(planned=PlannedNode(ME)), "done nothing-to-do: nothing to install"),
        (turn(planned=PlannedNode(ME, (UPDATE,), skip="it was down")), "done nothing-to-do: it was down"),
        (turn(planned=PlannedNode(ME, restart_pending=True)), "done go"),
        (turn(nodes=(node(), *others(), node(name="HCI09"))), "stop: hci09 was added"),
        (turn(nodes=others()), "stop: hci02 is gone"),
        (turn(nodes=(node(DOWN), *others())), "stop: HCI02 is Down"),
        (turn(nodes=(DRAINED, *others())), "stop: HCI02 is Paused"),
        (turn(nodes=(DRAINED, *others()), ours=frozenset({"hci02"})), "done go: goes on there"),
        (turn(nodes=(node(), *others()), ours=frozenset({"hci02"})), "done go: may leave"),
        (turn(lock=lock("foreign")), "stop: Another coordinator"),
        (turn(lock=lock("missing")), "act: take the run lock"),
        (turn(nodes=(node(), *others(DOWN))), "wait: HCI01 is Down"),
        (turn(nodes=(node(), *others(JOINING))), "wait: HCI01 is Joining"),
        (turn(nodes=(node(), *others(PAUSED))), "wait: HCI01 is Paused"),
        (turn(nodes=(node(), *others(PAUSED)), ours=frozenset({"hci01"})), "stop: HCI01 is Paused by this run"),
        (turn(nodes=(node(), *others(DOWN)), plan=plan(already_out=("HCI01",), max_failed_nodes=2)), "done go"),
        (turn(nodes=(node(), *others(DOWN)), plan=plan(already_out=("HCI01",))), "wait: HCI01 is Down"),
        (turn(nodes=(node(JOINING), *others())), "wait: HCI02 is Joining"),
        (turn(quorum_reason="no majority without it"), "wait: no majority"),
        (turn(storage=RESYNCING), "wait: 10 of 40 GiB"),
        (turn(storage=StorageFacts()), "wait: no virtual disk"),
    ],
)
def test_a_node_has_its_turn_when_nothing_speaks_against_it(facts, expected):
    check(Turn(context(), ME).decide(facts, NOW), expected)


# --- drain ---------------------------------------------------------------------------------------------------------------


def drain(**changes: Any) -> DrainFacts:
    well: dict[str, Any] = {
        "node": node(),
        "roles": (role(),),
        "roles_before": 3,
        "paused_by_run": False,
        "ordered": False,
        "others": (),
        "lock": lock(),
        "storage": WELL,
    }
    return DrainFacts(**{**well, **changes})


def ours(state: DrainStatus, *roles: Any, ordered: bool = True) -> DrainFacts:
    return drain(node=node(PAUSED, state), roles=roles, paused_by_run=True, ordered=ordered)


def unseen(since: float = 2, **changes: Any) -> DrainFacts:
    """Return facts of a node of which nobody has seen the order to pause it arrive, ``since`` minutes ago."""
    return drain(**{"paused_by_run": True, "unseen": True, "ordered_at": NOW - minutes(since), **changes})


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (drain(), "act: Suspend-ClusterNode -Name HCI02 -Drain"),
        (drain(node=None), "stop: not in the cluster"),
        (drain(node=node(DOWN)), "stop: it is Down"),
        (drain(node=node(status=QUARANTINED)), "stop: quarantined"),
        (drain(node=node(JOINING)), "wait: HCI02 is Joining"),
        (drain(node=node(NodeState.UNKNOWN)), "wait: HCI02 is Unknown"),
        (drain(node=DRAINED), "stop: paused by somebody else"),
        (drain(node=DRAINED, lock=lock("foreign")), "stop: paused by somebody else"),
        (drain(lock=lock("foreign")), "stop: Another coordinator"),
        (drain(lock=lock("missing")), "act: take the run lock"),
        (drain(others=(node(PAUSED, name="HCI01"),)), "stop: HCI01 is Paused"),
        (drain(others=(node(DOWN, name="HCI01"),)), "stop: HCI01 is Down"),
        (drain(others=(node(JOINING, name="HCI01"),)), "wait: HCI01 is Joining"),
        (drain(quorum_reason="without HCI02 the cluster has 1 of 3 votes"), "stop: 1 of 3 votes"),
        (drain(storage=RESYNCING), "wait: V1 is Warning (In Service)"),
        (drain(refused_at=NOW - minutes(0.5)), "wait: 5987"),
        (drain(backups=("VM1", "VM2")), "wait: VM1, VM2 on HCI02 are being backed up"),
        (drain(refused_at=NOW - minutes(2)), "act: Suspend-ClusterNode"),
        # The intent of a crashed try is on record, the node is still Up: the order is given again.
        (unseen(), "act: Suspend-ClusterNode"),
        # Long after it the order is known to be lost: whoever pauses the node then is not this run.
        (unseen(since=5), "act: note that the order to pause HCI02 was lost"),
        (unseen(since=5, storage=RESYNCING), "act: note that the order to pause HCI02 was lost"),
        (unseen(since=4, storage=RESYNCING), "wait: V1 is Warning (In Service)"),
        # Nobody saw it arrive, and the node is paused: without a drain it was somebody else.
        (unseen(node=node(PAUSED)), "stop: paused by somebody else"),
        (unseen(node=node(PAUSED), since=0.5), "wait: its drain is not to be seen yet"),
        (unseen(node=node(PAUSED, IN_PROGRESS)), "act: note that the order to pause HCI02 arrived"),
        (unseen(node=DRAINED, roles=(), since=14), "act: note that the order to pause HCI02 arrived"),
        (unseen(node=DRAINED, roles=(), since=15), "stop: HCI02 was paused by somebody else, or so it seems"),
        (unseen(node=DRAINED, lock=lock("foreign")), "stop: Another coordinator"),
        # The pause was seen, and the node is Up again: nobody fights whoever has resumed it, but for this run itself.
        (drain(paused_by_run=True, ordered_at=NOW - minutes(2)), "stop: HCI02 was resumed by somebody else"),
        (drain(paused_by_run=True, ordered_at=NOW - minutes(0.5)), "wait: the cluster has just taken the order"),
        (drain(paused_by_run=True, ordered_at=NOW - minutes(2), resuming=True), "act: Suspend-ClusterNode"),
        (ours(IN_PROGRESS, role()), "wait: 2 of 3 roles"),
        (ours(COMPLETED), "done drained: no role runs on it"),
        (ours(COMPLETED, role()), "wait: VM1 (VirtualMachine, Online)"),
        (ours(FAILED, role()), "stop: VM1 (VirtualMachine, Online)"),
        (ours(FAILED, role(), ordered=False), "act: Suspend-ClusterNode"),
        (ours(DrainStatus.NOT_INITIATED), "act: Suspend-ClusterNode"),
        (ours(DrainStatus.UNKNOWN, role()), "wait: being drained"),
    ],
)
def test_a_drain_is_paused_and_completed_and_empty(facts, expected):
    check(Drain(context(), ME).decide(facts, NOW), expected)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (5987, "wait: storage is degraded (5987)"),
        (0x80071763, "wait: 5987"),
        (5070, "wait: already"),
        (5962, "wait: already"),
    ],
)
def test_a_refused_pause_is_waited_for(code, expected):
    error = CommandFailed([ErrorRecord("no", native_code=code)])
    step = Drain(context(), ME)
    decision = step.refused(SuspendNode(ME, (), "Up"), error, drain(), NOW)
    assert decision is not None
    check(decision, expected)


def test_other_refusals_are_left_to_the_engine():
    error = CommandFailed([ErrorRecord("no", native_code=5042)])
    assert Drain(context(), ME).refused(SuspendNode(ME, (), "Up"), error, drain(), NOW) is None


def test_a_drain_that_never_ends_names_who_blocks_it():
    decision = Drain(context(), ME).decide(ours(IN_PROGRESS, role("SQL01")), NOW)
    assert isinstance(decision, Wait)
    assert decision.on_deadline is not None
    assert "SQL01 (VirtualMachine, Online)" in decision.on_deadline.title
    assert "Resume-ClusterNode -Name HCI02" in decision.on_deadline.next_action


# --- install -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (install(), "act: scan HCI02"),
        (install(node=None), "stop: no such node"),
        (install(node=node(PAUSED, COMPLETED, QUARANTINED)), "stop: quarantined"),
        (install(paused_by_run=False), "stop: has not paused the node"),
        (install(node=node()), "stop: is Up and its drain is NotInitiated"),
        (install(node=node(PAUSED, IN_PROGRESS)), "stop: its drain is InProgress"),
        (install(node=node(PAUSED)), "stop: its drain is NotInitiated"),
        (install(node=node(PAUSED), restarted=True), "act: scan"),
        (install(node=node(PAUSED, FAILED), restarted=True), "stop: its drain is Failed"),
        (install(roles=(role(),)), "stop: still runs VM1"),
        (install(others=(node(DOWN, name="HCI01"),)), "stop: HCI01 is Down"),
        (install(others=(node(JOINING, name="HCI01"),)), "wait: HCI01 is Joining"),
        (install(lock=lock("foreign")), "stop: Another coordinator"),
        (install(lock=lock("missing")), "act: take the run lock"),
        (install(holders=(LockHolder(ME, "MSFT_CAUNode", THEIRS),)), f"stop: {THEIRS}"),
        (install(holders=(LockHolder(ME, "MSFT_CAUNode", OURS),)), "act: scan"),
        (install(scan=scan(UPDATE)), "act: download 1 updates"),
        (install(scan=scan(UPDATE), downloaded=True), "act: install 1 updates"),
        (install(scan=scan()), "done nothing-to-install"),
        (install(scan=scan(), passes=1, results=(result(),)), "done installed: 1 updates were installed"),
        (install(scan=scan(pending=True)), "done restart-needed"),
        (install(scan=scan(UPDATE, pending=True)), "done restart-needed"),
        (
            install(scan=scan(UPDATE), passes=4, results=(result(),)),
            "stop: After 4 install passes HCI02 is still offered KB5044288",
        ),
        (install(results=(result(4, 0x800F0922),), passes=1), "stop: KB5044288 failed with 0x800F0922"),
        (install(results=(result(3),), passes=1), "act: scan"),
        (install(scan=scan(UPDATE, pending=True), lost_since=NOW - minutes(1)), "wait: may still be going on"),
        (install(scan=scan(UPDATE, pending=True, servicing=True), lost_since=NOW - minutes(30)), "wait: may still"),
        (install(scan=scan(UPDATE, pending=True), lost_since=NOW - minutes(30)), "done restart-needed"),
        (
            install(scan=scan(UPDATE, pending=True, servicing=True), lost_since=NOW - minutes(180)),
            "done restart-needed",
        ),
        (install(scan=scan(pending=True), lost_since=NOW), "done restart-needed"),
    ],
)
def test_only_a_node_in_this_runs_custody_is_installed_on(facts, expected):
    check(Install(context(), ME, now).decide(facts, NOW), expected)


def test_the_cap_on_passes_is_an_option():
    facts = install(scan=scan(UPDATE), downloaded=True, passes=4)
    check(Install(context(max_passes_per_node=5), ME, now).decide(facts, NOW), "act: install")


@pytest.mark.parametrize(("code", "waits"), [(0x80240016, True), (0x80240009, True), (0x80240044, False)])
def test_another_installation_in_progress_is_waited_for(code, waits):
    step = Install(context(), ME, now)
    step.work.scan = scan(UPDATE)
    error = CommandFailed([ErrorRecord("no", hresult=code)])
    decision = step.refused(ScanNode(step.context, ME, step.work), error, install(), NOW)
    assert isinstance(decision, Wait) is waits
    assert (step.work.scan is None) is waits
