from __future__ import annotations

import json
from dataclasses import replace

import pytest

from include.hci.cluster.cau import CauRunState, LockHolder
from include.hci.cluster.nodes import ClusterGroup
from include.hci.cluster.values import GroupState
from include.hci.policy.interference import Fingerprint, OurChanges, compare, fingerprint
from tests.hci.policy.readiness_facts import FINE, OURS, THEIRS, but

BEFORE = Fingerprint(
    ("HCI01", "HCI02"),
    cau_run="RunNotInProgress",
    role={"DaysOfWeek": "Saturday", "WeeksOfMonth": "2", "MaxFailedNodes": "1"},
    role_enabled=False,
    builds={"HCI01": "20348.1", "HCI02": "20348.1"},
    installed={"HCI01": 12, "HCI02": 12},
)
NOTHING = OurChanges(OURS)


def test_a_cluster_that_nobody_touched_is_the_same():
    assert compare(BEFORE, BEFORE, NOTHING) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"members": ("HCI01", "HCI02", "HCI03")}, "HCI03 was added to the cluster."),
        ({"members": ("hci02",)}, "HCI01 was evicted from the cluster."),
        (
            {"cau_run": "RunInProgress", "cau_run_id": "77"},
            "A Cluster-Aware Updating run (77) has begun: CAU reports RunInProgress, it was RunNotInProgress.",
        ),
        (
            {"locks": {"HCI01/MSFT_CAURun": str(THEIRS), "HCI02/MSFT_CAURun": str(THEIRS)}},
            f"Another coordinator ({THEIRS}) has taken MSFT_CAURun on HCI01, HCI02.",
        ),
        ({"role": None, "role_enabled": None}, "The self-updating role was removed."),
        (
            {"role": BEFORE.role | {"DaysOfWeek": "Tuesday", "WeeksOfMonth": "3"}},
            "The schedule of the self-updating role has changed: DaysOfWeek Tuesday, WeeksOfMonth 3; it was DaysOfWeek Saturday,"
            " WeeksOfMonth 2.",
        ),
        (
            {"role": BEFORE.role | {"MaxFailedNodes": "2"}},
            "The options of the self-updating role have changed: MaxFailedNodes.",
        ),
        ({"role_enabled": True}, "The self-updating role was enabled."),
        (
            {"builds": {"HCI02": "20348.9"}},
            "HCI02 was updated by somebody else: its build is 20348.9, it was 20348.1.",
        ),
        (
            {"installed": {"HCI02": 13}},
            "HCI02 was updated by somebody else: it has 13 updates installed, it had 12.",
        ),
    ],
)
def test_what_somebody_else_changed_is_one_sentence(changes, said):
    assert compare(BEFORE, replace(BEFORE, **changes), NOTHING) == (said,)


def test_a_schedule_that_appears_is_told():
    (said,) = compare(replace(BEFORE, role=None), replace(BEFORE, role={"DaysOfWeek": "Tuesday"}), NOTHING)
    assert said == "A self-updating role has appeared: DaysOfWeek Tuesday."


@pytest.mark.parametrize(
    ("changes", "ours"),
    [
        ({"locks": {"HCI01/MSFT_CAURun": str(OURS)}}, NOTHING),
        ({"builds": {"HCI02": "20348.9"}, "installed": {"HCI02": 13}}, OurChanges(OURS, updated=("hci02",))),
        ({"role_enabled": True}, OurChanges(OURS, role_changed=True)),
        ({"cau_run": ""}, NOTHING),
        ({"builds": {}, "installed": {}}, NOTHING),
        ({"members": ("HCI02", "HCI01")}, NOTHING),
        ({"cau_run": "", "role": None, "role_enabled": None, "role_known": False}, NOTHING),
    ],
)
def test_our_own_changes_and_what_was_not_read_are_no_interference(changes, ours):
    assert compare(BEFORE, replace(BEFORE, **changes), ours) == ()


def test_a_lock_that_stood_already_when_the_plan_was_made_is_not_news():
    held = replace(BEFORE, locks={"HCI01/MSFT_CAURun": str(THEIRS)})
    assert compare(held, held, NOTHING) == ()


def test_a_hand_patched_node_is_told_once_not_by_build_and_count():
    after = replace(BEFORE, builds={**BEFORE.builds, "HCI02": "20348.9"}, installed={"HCI02": 14})
    assert len(compare(BEFORE, after, NOTHING)) == 1


def test_a_fingerprint_is_taken_from_what_readiness_read_and_survives_json():
    facts = but(
        cau_run=CauRunState("RunInProgress", "HCI03", "77"),
        cau_role={"DaysOfWeek": "Tuesday"},
        holders=(LockHolder("HCI02", "MSFT_CAURun", THEIRS),),
    )
    found = fingerprint(facts, {"HCI01": 12})
    assert (found.cau_run, found.cau_run_id, found.members) == ("RunInProgress", "77", ("HCI01", "HCI02", "HCI03"))
    assert found.locks == {"HCI02/MSFT_CAURun": str(THEIRS)}
    assert found.builds["HCI02"] == "20348.2113"
    said = replace(found, unread=("the build of HCI03 (no route)",))
    assert Fingerprint.from_json(json.loads(json.dumps(said.to_json()))) == said


def test_who_owns_a_role_is_no_part_of_it():
    moved = replace(FINE, groups=(ClusterGroup("VM1", "HCI02", GroupState.ONLINE, "VirtualMachine"),))
    assert fingerprint(moved) == fingerprint(FINE)
