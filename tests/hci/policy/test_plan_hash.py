from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from include.hci.cluster.nodes import ClusterNode
from include.hci.cluster.updates import Update
from include.hci.cluster.values import NodeState
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.policy.plan_hash import PATIENCE, NowFacts, changed_options, differences, plan_hash, short_hash
from include.hci.settings import UpdatingRunProfile

NOW = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
A, B = (
    Update("aaaaaaaa-0000-0000-0000-000000000000", "KB5044288"),
    Update("bbbbbbbb-0000-0000-0000-000000000000", "KB2"),
)
FIRST, SECOND = PlannedNode("HCI01", (A, B), build="20348.1"), PlannedNode("HCI02", (A,), build="20348.1")
PLAN = Plan("HCI-CL01", NOW, (FIRST, SECOND), ("HCI01", "HCI02"), max_failed_nodes=1)
OPTIONS = UpdatingRunProfile().model_dump(mode="json")
MEMBERS = tuple(ClusterNode(name, NodeState.UP) for name in ("HCI01", "HCI02"))
FITS = NowFacts(
    MEMBERS,
    builds={"hci01": "20348.1", "HCI02": "20348.1"},
    offered={"HCI01": (B.update_id.upper(), A.update_id), "HCI02": (A.update_id,)},
    options=OPTIONS,
)


@pytest.mark.parametrize(
    "same",
    [
        replace(PLAN, made_at=NOW + timedelta(days=1), per_node=timedelta(hours=1), order_reason="another"),
        replace(PLAN, cluster="hci-cl01", members=("hci02", "HCI01")),
        replace(
            PLAN, nodes=(replace(FIRST, updates=(B, replace(A, title="other", update_id=A.update_id.upper()))), SECOND)
        ),
        replace(PLAN, nodes=(replace(FIRST, excluded={"x": "because"}), SECOND)),
    ],
)
def test_times_titles_and_reasons_do_not_change_the_hash(same):
    assert plan_hash(same, OPTIONS) == plan_hash(PLAN, OPTIONS)


@pytest.mark.parametrize(
    "other",
    [
        replace(PLAN, nodes=(SECOND, FIRST)),
        replace(PLAN, nodes=(replace(FIRST, updates=(A,)), SECOND)),
        replace(PLAN, nodes=(replace(FIRST, build="20348.2"), SECOND)),
        replace(PLAN, nodes=(replace(FIRST, restart_pending=True), SECOND)),
        replace(PLAN, nodes=(replace(FIRST, manual_maintenance=True), SECOND)),
        replace(PLAN, nodes=(replace(FIRST, skip="it is Down"), SECOND)),
        replace(PLAN, members=("HCI01", "HCI02", "HCI03")),
        replace(PLAN, already_out=("HCI03",)),
        replace(PLAN, max_failed_nodes=0),
        replace(PLAN, cluster="HCI-CL02"),
    ],
)
def test_whatever_the_run_would_do_otherwise_changes_the_hash(other):
    assert plan_hash(other, OPTIONS) != plan_hash(PLAN, OPTIONS)


@pytest.mark.parametrize(
    ("option", "value", "changes"),
    [
        ("failback_mode", "NoFailback", True),
        ("query_string", "A=0", True),
        ("resync_timeout_minutes", 1, False),
        ("windows", [1], False),
    ],
)
def test_options_of_patience_are_no_part_of_the_plan(option, value, changes):
    assert (plan_hash(PLAN, OPTIONS | {option: value}) != plan_hash(PLAN, OPTIONS)) is changes


def test_every_option_of_patience_is_an_option():
    assert set(UpdatingRunProfile.model_fields) >= PATIENCE


def test_a_hash_is_the_same_tomorrow_and_on_another_machine():
    # Pinned: an approval given before an update of this program must not be void because of it.
    found = plan_hash(Plan.from_json(PLAN.to_json()), {"failback_mode": "Immediate"})
    assert found == "675dbfc42e66e40edbaa7b808252175de503da3557ed8c59229d541c813cb5d0"
    assert short_hash(found) == "675dbfc42e66"


def test_a_plan_that_fits_has_no_differences():
    assert differences(PLAN, FITS, OPTIONS) == ()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"nodes": (*MEMBERS, ClusterNode("HCI03", NodeState.UP))}, "HCI03 was added to the cluster"),
        ({"nodes": MEMBERS[:1]}, "HCI02 is no longer in the cluster"),
        ({"nodes": (MEMBERS[0], ClusterNode("HCI02", NodeState.PAUSED))}, "HCI02 is Paused, the plan found it Up"),
        ({"builds": {"HCI02": "20348.9"}}, "HCI02 has build 20348.9, the plan found 20348.1"),
        ({"offered": {"HCI01": (A.update_id,)}}, f"HCI01 is no longer offered {B.label}"),
        ({"offered": {"HCI02": (A.update_id, "new-one")}}, "HCI02 is offered what the plan does not know: new-one"),
        (
            {"options": OPTIONS | {"failback_mode": "Policy"}},
            "the option failback_mode is 'Policy', the plan was made with 'Immediate'",
        ),
    ],
)
def test_what_no_longer_fits_is_said(changes, said):
    assert differences(PLAN, replace(FITS, **changes), OPTIONS) == (said,)


@pytest.mark.parametrize(
    ("picked", "said"),
    [((A.update_id,), ()), (("CCCC",), ("HCI01 would get now what the plan leaves out (too young)",))],
)
def test_an_update_that_the_plan_leaves_out_must_stay_out(picked, said):
    plan = replace(PLAN, nodes=(replace(FIRST, excluded={"cccc": "too young"}), SECOND))
    offered = {"HCI01": (A.update_id, B.update_id, "cccc")}
    assert differences(plan, replace(FITS, offered=offered, selected={"HCI01": picked})) == said


EDITION = Update(B.update_id, "Update for Removal of Something (KB5011111)")
DEFINITIONS = Update(B.update_id, "Security Intelligence Update - KB2267602 (Version 1.441.212.0)")
GONE = "HCI01 is no longer offered KB5011111"


@pytest.mark.parametrize(
    ("selected", "articles", "said"),
    [
        # The same article in a newer edition, as Defender's definitions come.
        ((A.update_id, "dddd"), {"DDDD": "KB5011111"}, ()),
        (
            (A.update_id, "dddd"),
            {"dddd": "KB5999999"},
            (GONE, "HCI01 is offered what the plan does not know: KB5999999"),
        ),
        # What the rules leave out is not installed, whatever it is.
        ((A.update_id,), {"dddd": "KB5999999"}, (GONE,)),
        ((A.update_id,), {"dddd": "KB5011111"}, (GONE,)),
    ],
)
def test_a_newer_edition_of_the_same_article_is_no_other_plan(selected, articles, said):
    plan = replace(PLAN, nodes=(replace(FIRST, updates=(A, EDITION)), SECOND))
    now = replace(FITS, offered={"HCI01": (A.update_id, "DDDD")}, selected={"HCI01": selected}, articles=articles)
    assert differences(plan, now) == said


def test_definitions_that_defender_has_fetched_by_itself_are_no_difference():
    plan = replace(PLAN, nodes=(replace(FIRST, updates=(A, DEFINITIONS)), SECOND))
    assert differences(plan, replace(FITS, offered={"HCI01": (A.update_id,)})) == ()


def test_without_the_options_of_the_plan_they_are_not_compared():
    assert differences(PLAN, FITS) == ()


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (OPTIONS, ()),
        (
            OPTIONS | {"failback_mode": "Policy"},
            ("the option failback_mode is 'Policy', the plan was made with 'Immediate'",),
        ),
        # Patience may change while a run goes on, and a new version of this program may bring options of its own.
        (OPTIONS | {"windows": [1], "drain_timeout_minutes": 7}, ()),
        (OPTIONS | {"brand_new": True}, ()),
        ({}, ()),
    ],
)
def test_options_that_were_changed_in_mid_run_are_named(now, said):
    assert changed_options(replace(PLAN, options=OPTIONS), now) == said


def test_what_the_run_has_done_itself_is_no_difference():
    now = replace(FITS, builds={"HCI01": "20348.9"}, offered={"HCI01": ()}, done=("hci01",))
    assert differences(PLAN, now, OPTIONS) == ()


def test_a_node_that_the_plan_leaves_alone_may_be_anything():
    plan = replace(PLAN, nodes=(FIRST, replace(SECOND, skip="HCI02 is Paused")))
    now = replace(FITS, nodes=(MEMBERS[0], ClusterNode("HCI02", NodeState.DOWN)), builds={"HCI02": "1.1"})
    assert differences(plan, now, OPTIONS) == ()


def test_an_update_that_the_plan_leaves_out_is_no_news():
    plan = replace(PLAN, nodes=(replace(FIRST, excluded={"CCCC": "feature"}), SECOND))
    now = replace(FITS, offered={"HCI01": (A.update_id, B.update_id, "cccc")})
    assert differences(plan, now, OPTIONS) == ()
