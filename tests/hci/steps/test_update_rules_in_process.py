"""The profile's rules for updates over a simulated cluster: what the world has installed in the end, and what the run says of it."""

from __future__ import annotations

import dataclasses
import json
from datetime import date, timedelta

import pytest

from include.hci.cluster.updates import Update
from include.hci.policy.outlook import make_outlook
from include.hci.policy.plan import Plan
from include.hci.report.html import render_html
from include.hci.report.plan_text import plan_markdown
from include.hci.report.storage import MemoryStorage
from include.hci.settings import RunOptions
from include.hci.settings.selection import UpdateSelection
from include.hci.steps.decisions import Act, Decision, Done
from include.hci.steps.first_seen import FirstSeenInMemory, StoredFirstSeen
from include.hci.steps.work import DownloadUpdates
from include.simulator.world.catalogue import FEATURE as FEATURES
from include.simulator.world.catalogue import UpdateSpec, update_id
from include.simulator.world.spec import demo_world
from tests.hci.steps.coordinator import Coordinator
from tests.hci.steps.judging import outcomes, report, violations

CUMULATIVE, NET, DEFENDER, SECOND = "KB5099101", "KB5099204", "KB2267602", "KB5099377"
PREVIEW = "KB5099555"
#: Its title names no article.
FEATURE = None
EVERYTHING = {CUMULATIVE, NET, DEFENDER, SECOND}


def under(simulate, rules: dict[str, object], **options: object) -> Coordinator:
    given = RunOptions(max_failed_nodes=0, updates=UpdateSelection.model_validate(rules), **options)
    return Coordinator(simulate(demo_world(2)), given)


def installed(run: Coordinator) -> set[str]:
    """Return the articles that the world saw installed on every node."""
    seen: dict[str, set[str]] = {}
    for entry in run.simulation.cluster.journal.entries:
        if entry.op == "update.installed":
            seen.setdefault(str(entry.node), set()).add(str(entry.detail["kb"]))
    assert len({frozenset(kbs) for kbs in seen.values()}) <= 1
    return next(iter(seen.values()), set())


RULES: list[tuple[dict[str, object], set[str]]] = [
    ({}, EVERYTHING),
    ({"accept_kbs": [NET]}, {NET}),
    ({"reject_kbs": [NET]}, EVERYTHING - {NET}),
    ({"accept_categories": ["SecurityUpdates"]}, {CUMULATIVE, NET, SECOND}),
    ({"reject_categories": ["DefinitionUpdates"]}, {CUMULATIVE, NET, SECOND}),
    ({"accept_categories": ["DefinitionUpdates"], "accept_kbs": [NET]}, {DEFENDER, NET}),
    ({"reject_titles": [r"\.NET Framework", "defender"]}, {CUMULATIVE, SECOND}),
    ({"accept_titles": ["cumulative update"], "reject_titles": [r"\.NET"]}, {CUMULATIVE}),
    ({"accept_titles": ["Feature update"]}, set()),
    ({"minimum_age_days": 7}, set()),
    ({"minimum_age_days": 7, "accept_kbs": [NET]}, {NET}),
]


@pytest.mark.parametrize(("rules", "kbs"), RULES, ids=lambda value: str(value)[:60])
def test_the_world_gets_what_the_rules_say_and_nothing_else(simulate, rules, kbs):
    run = under(simulate, rules)
    run.run()
    assert installed(run) == kbs
    assert violations(run) == []
    assert set(outcomes(run).values()) == {"updated" if kbs else "nothing-to-install"}


def test_every_update_is_named_as_in_or_out_with_the_reason(simulate):
    run = under(simulate, {"accept_categories": ["SecurityUpdates"], "reject_kbs": [NET]})
    run.run()
    for node in report(run).nodes:
        chosen = {update.kb: update.why for update in node.chosen}
        left = {update.kb: update.why for update in node.excluded}
        assert chosen.keys() == {CUMULATIVE, SECOND}
        assert chosen[CUMULATIVE] == "its category SecurityUpdates is accepted"
        assert left.keys() == {NET, DEFENDER, FEATURE}
        assert left[NET] == f"{NET} is rejected by its number"
        assert left[DEFENDER].startswith("no rule accepts it")
        assert "feature update" in left[FEATURE]


def test_categories_are_scanned_for_only_where_a_rule_names_them(simulate):
    run = under(simulate, {"reject_categories": ["DefinitionUpdates"]}, plan_only=True)
    run.prepare()
    scans = [line for _, pipeline in run.simulation.commands if "ScanUpdates" in (line := pipeline.describe())]
    asked = {line.lower().partition("categoryids contains ")[2].strip("'")[:8] for line in scans}
    assert asked == {"", "3689bdc8", "e0789628"}


def test_a_preview_that_a_later_month_replaces_stands_apart_in_report_and_plan(simulate):
    spec = demo_world(2)
    updates = [
        dataclasses.replace(
            each,
            title=each.title.replace("2026-11", "2026-10"),
            assigned=True,
            requires=(),
            deployment_action="Installation",
        )
        if each.kb == PREVIEW
        else each
        for each in spec.updates
    ]
    run = Coordinator(simulate(demo_world(2, updates=tuple(updates))), RunOptions(max_failed_nodes=0))
    run.prepare()
    node = report(run).nodes[0]
    assert {update.kb: update.superseded for update in node.excluded} == {PREVIEW: True, FEATURE: False}
    assert run.plan is not None
    plan = Plan.from_json(json.loads(json.dumps(run.plan.to_json())))
    text = plan_markdown(plan, make_outlook(plan, run.simulation.now()), "0" * 64)
    before, _, apart = text.partition("**Superseded**")
    assert "is a feature update" in before.partition("**Left out on purpose**")[2]
    assert f"{CUMULATIVE}: the query offers it and no rule rejects it" in before.partition("**Why they are in**")[2]
    assert PREVIEW in apart
    assert "is superseded by 2026-11 Cumulative Update for Microsoft" in apart
    page = render_html(report(run))
    assert PREVIEW in page.partition("<strong>Superseded</strong>")[2]
    assert f"{CUMULATIVE}" in page.partition("<strong>Chosen</strong>")[2]


# --- the age of updates --------------------------------------------------------------------------------------------------


def test_an_update_is_installed_once_the_cluster_has_been_offered_it_for_long_enough(simulate):
    seen = FirstSeenInMemory()
    simulation = simulate(demo_world(2))
    options = RunOptions(max_failed_nodes=0, updates=UpdateSelection(minimum_age_days=7))
    got = []
    for number, days in enumerate((0, 6, 1)):
        simulation.sleep(timedelta(days=days))
        run = Coordinator(simulation, options, run_id=f"run-{number}", first_seen=seen)
        run.run()
        got.append(installed(run))
    # What is offered only after the cumulative update has come is younger than it.
    assert got == [set(), set(), {CUMULATIVE, NET, DEFENDER}]
    why = {update.kb: update.why for update in report(run).nodes[0].excluded}
    assert "has to be 7 days old" in why[SECOND]


def test_what_a_task_says_of_the_day_of_publication_counts_at_the_first_sight(simulate):
    world = demo_world(2)
    days = {CUMULATIVE: "2026-01-05", NET: "2026-01-05"}
    world = dataclasses.replace(
        world, updates=tuple(dataclasses.replace(each, published=days.get(each.kb, "")) for each in world.updates)
    )
    rules = UpdateSelection(minimum_age_days=7)
    run = Coordinator(simulate(world), RunOptions(max_failed_nodes=0, updates=rules, node_updater="system_task"))
    assert run.simulation.now().date() > date(2026, 1, 12)
    run.run()
    assert installed(run) == {CUMULATIVE, NET}
    assert "published on 2026-01-05" in {each.kb: each.why for each in report(run).nodes[0].chosen}[NET]
    assert violations(run) == []


def test_the_first_sight_is_kept_and_never_moves():
    storage, day = MemoryStorage(), date(2026, 11, 3)
    update, other = Update("AAAA-1", "One"), Update("bbbb-2", "Two")
    assert StoredFirstSeen(storage).note((update,), day) == {"aaaa-1": day}
    later = StoredFirstSeen(storage).note((update, other), day + timedelta(days=9))
    assert later == {"aaaa-1": day, "bbbb-2": day + timedelta(days=9)}
    assert storage.list("first-seen+/") == ["first-seen+/aaaa-1.json", "first-seen+/bbbb-2.json"]


# --- what nobody has judged, and what wants a person -----------------------------------------------------------------------


@pytest.mark.parametrize("updater", ["cau_provider", "system_task"])
def test_an_update_that_is_published_between_scan_and_installation_is_left_until_it_was_judged(simulate, updater):
    run = Coordinator(simulate(demo_world(2)), RunOptions(max_failed_nodes=0, node_updater=updater))
    updates = run.simulation.cluster.world.updates
    upgrade = UpdateSpec(update_id("late"), "KB5999999", "Windows Server 2025 (KB5999999)", categories=(FEATURES,))
    published: list[str] = []

    def watch(name: str, node: str | None, decision: Decision) -> None:
        if name == "install" and isinstance(decision, Act) and isinstance(decision.action, DownloadUpdates):
            published.append(str(node))
            updates.catalogue[upgrade.update_id] = upgrade

    run.watch = watch
    assert isinstance(run.run(), Done)
    assert published
    assert installed(run) == EVERYTHING
    assert set(outcomes(run).values()) == {"updated"}
    left = {update.kb: update.why for update in report(run).nodes[0].excluded}
    assert "feature update" in left["KB5999999"]
    assert violations(run) == []


def test_an_update_whose_licence_terms_nobody_accepted_is_left_out_and_the_rest_is_installed(simulate):
    world = demo_world(2)
    asking = UpdateSpec(update_id("licence"), "KB5888888", "Update for a Tool (KB5888888)", needs_input=True)
    world = dataclasses.replace(world, updates=(asking, *world.updates))
    run = Coordinator(simulate(world), RunOptions(max_failed_nodes=0, node_updater="system_task"))
    assert isinstance(run.run(), Done)
    assert installed(run) == EVERYTHING
    assert set(outcomes(run).values()) == {"updated"}
    left = {update.kb: update.why for update in report(run).nodes[0].excluded}
    assert "licence terms are not accepted" in left["KB5888888"]
    assert violations(run) == []


@pytest.mark.parametrize("updater", ["cau_provider", "system_task"])
def test_an_update_that_is_published_after_a_node_was_finished_fails_nothing_and_is_named(simulate, updater):
    run = Coordinator(simulate(demo_world(2)), RunOptions(max_failed_nodes=0, node_updater=updater))
    updates = run.simulation.cluster.world.updates
    old = next(each for each in updates.catalogue.values() if each.kb == DEFENDER)
    newer = dataclasses.replace(
        old, update_id=update_id("newer"), title=old.title.replace("1.441.", "1.442."), supersedes=(old.update_id,)
    )
    first: list[str] = []

    def watch(name: str, node: str | None, decision: Decision) -> None:
        if name == "turn" and isinstance(decision, Done):
            first.append(str(node))
            if len(first) == 2:
                updates.catalogue[newer.update_id] = newer

    run.watch = watch
    end = run.run()
    assert isinstance(end, Done), end
    assert report(run).outcome == "succeeded"
    assert set(outcomes(run).values()) == {"updated"}
    left = {node.name: [update.update_id for update in node.remaining] for node in report(run).nodes}
    assert left == {first[0]: [newer.update_id], first[1]: []}
    (why,) = [decision.why for name, _, decision in run.said if name == "verify" and isinstance(decision, Done)]
    assert f"left to the next run: {first[0]} {DEFENDER}" in why
    assert violations(run) == []
