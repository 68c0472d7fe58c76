"""The functional level and the pool after a feature update, over a simulated cluster: allowed, refused, by hand, unknown."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from include.hci.cluster.catalogue import outside
from include.hci.cluster.levels import READY, Level
from include.hci.powershell.command import Pipeline
from include.hci.powershell.errors import OutcomeUnknown
from include.hci.report import events as ev
from include.hci.report.post_sections import left_sentences, post_sections
from include.hci.steps.decisions import Done, Stop
from include.simulator.world.spec import NodeSpec, demo_world
from tests.hci.steps.judging import locks, violations
from tests.hci.steps.post_coordinator import PostCoordinator, Reaction, permitted, request, upgraded

ASK: dict[str, Any] = {"functional_level": "ask", "pool_version": "ask", "vm_versions": "no", "verify_move": False}
YES: dict[str, Any] = {**ASK, "functional_level": "yes", "pool_version": "yes"}
RAISE, POOL = "Update-ClusterFunctionalLevel -Force", "Update-StoragePool"


def level(run: PostCoordinator) -> Level:
    world = run.simulation.cluster.world
    return Level(world.functional_level, world.levels.upgrade_version)


def pool(run: PostCoordinator) -> str:
    return run.simulation.cluster.world.storage.pool_version


def sent(run: PostCoordinator, words: str) -> int:
    return sum(words in pipeline.describe() for _, pipeline in run.simulation.commands)


def is_well(run: PostCoordinator) -> bool:
    return violations(run) == [] and locks(run) == []


# --- as it should be -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("os", "formed_with", "after"),
    [
        ("21H2", "20H2", "12.1"),
        ("22H2", "21H2", "12.4"),
        ("WS2022", "WS2019", "11.4"),
        ("WS2025", "WS2022", "12.32776"),
    ],
)
def test_level_and_pool_rise_once_to_what_the_nodes_support(os: str, formed_with: str, after: str) -> None:
    run = PostCoordinator(permitted(upgraded(3, os, formed_with)), feature=request(**YES))
    assert isinstance(run.run(), Done)
    assert (run.outcome("functional_level"), str(level(run))) == ("raised", after)
    settled = [entry.event for entry in run.record.all_of(ev.VersionSettled)]
    assert [each.step for each in settled] == ["functional_level", "pool_version"]
    assert settled[1].after == pool(run)
    assert sent(run, RAISE) == 1
    assert is_well(run)


def test_nothing_is_sent_that_the_catalogue_does_not_have() -> None:
    run = PostCoordinator(permitted(upgraded(2)), feature=request(**YES))
    run.run()
    assert [outside(pipeline) for _, pipeline in run.simulation.commands if outside(pipeline)] == []


def test_the_cluster_itself_is_asked_first_and_what_it_says_is_on_record() -> None:
    run = PostCoordinator(permitted(upgraded(2)), feature=request(**YES))
    run.run()
    lines = [pipeline.describe() for _, pipeline in run.simulation.commands]
    assert lines.index("Update-ClusterFunctionalLevel -WhatIf") < lines.index(RAISE)
    tried = run.record.last(ev.RaiseTried)
    assert tried is not None
    assert tried.event.said == READY


def test_what_this_run_raised_is_nothing_to_do_for_the_next_one() -> None:
    simulation = permitted(upgraded(2))
    PostCoordinator(simulation, feature=request(**YES)).run()
    again = PostCoordinator(simulation, feature=request(**ASK), run_id="run-2")
    again.run()
    assert [again.outcome(name) for name in ("functional_level", "pool_version")] == ["already", "already"]
    assert all(asking.question is None for asking in again.asked.values())
    assert (sent(again, RAISE), sent(again, POOL)) == (1, 1)
    assert is_well(again)


def test_a_pool_is_known_by_what_it_is_and_not_by_its_name() -> None:
    simulation = permitted(upgraded(2))
    simulation.cluster.world.storage.pool_name = "Cluster [Pool] *"
    run = PostCoordinator(simulation, feature=request(**YES))
    run.run()
    assert (run.outcome("pool_version"), pool(run)) == ("raised", "Windows Server 2022")
    assert is_well(run)


@pytest.mark.parametrize(
    ("variant", "after"),
    [("functional-level-of-21h2-is-11", "11.4"), ("functional-level-of-2019-is-11", "12.1")],
)
def test_the_pair_is_compared_whatever_numbers_a_release_has(variant: str, after: str) -> None:
    spec = dataclasses.replace(upgraded(2), variants=frozenset({variant}))
    run = PostCoordinator(permitted(spec), feature=request(**YES))
    assert isinstance(run.run(), Done)
    assert (run.outcome("functional_level"), str(level(run))) == ("raised", after)
    assert is_well(run)


# --- asked -----------------------------------------------------------------------------------------------------------------


def test_a_yes_to_each_question_raises_both() -> None:
    run = PostCoordinator(permitted(upgraded(2)), feature=request(**ASK))
    run.reactions = {"functional_level": "yes", "pool_version": "yes"}
    assert isinstance(run.run(), Done)
    assert (str(level(run)), pool(run)) == ("12.1", "Windows Server 2022")
    question = run.asked["functional_level"].question
    assert question is not None
    shown = question.markdown()
    assert "10.2" in shown
    assert "12.1" in shown
    assert "20348.2113" in shown
    assert "cannot be undone" in shown
    assert is_well(run)


@pytest.mark.parametrize(("reaction", "says"), [("no", "refused by bob"), ("silence", "nobody approved it in time")])
def test_a_no_leaves_the_level_and_all_that_needs_it_and_the_run_ends_well(reaction: Reaction, says: str) -> None:
    run = PostCoordinator(
        permitted(upgraded(2)), feature=request(**{**ASK, "pool_version": "yes", "vm_versions": "yes"})
    )
    run.reactions = {"functional_level": reaction}
    assert isinstance(run.run(), Done)
    assert [run.outcome(name) for name in ("functional_level", "pool_version", "vm_versions")] == ["left"] * 3
    assert (str(level(run)), pool(run)) == ("10.2", "Windows Server 2019")
    assert sent(run, RAISE) == sent(run, POOL) == sent(run, "Update-VMVersion") == 0
    first = left_sentences(run.record.events())[0]
    assert first.startswith("The functional level is left at 10.2: ")
    assert says in first
    assert is_well(run)


def test_a_later_run_does_just_what_was_refused() -> None:
    simulation = permitted(upgraded(2))
    refused = PostCoordinator(simulation, feature=request(**ASK))
    refused.reactions = {"functional_level": "no"}
    refused.run()
    later = PostCoordinator(simulation, feature=request(**YES), run_id="run-2")
    later.run()
    assert (str(level(later)), pool(later)) == ("12.1", "Windows Server 2022")
    assert is_well(later)


def test_who_only_marks_the_question_as_answered_has_approved_nothing() -> None:
    run = PostCoordinator(permitted(upgraded(2)), feature=request(**ASK))
    run.reactions = {"functional_level": "mark"}
    end = run.run()
    assert isinstance(end, Stop)
    assert "nobody has answered" in end.problem.title
    assert str(level(run)) == "10.2"
    assert is_well(run)


def test_a_yes_to_another_state_of_the_cluster_is_none() -> None:
    run = PostCoordinator(permitted(upgraded(2)), feature=request(**ASK))
    run.reactions = {"functional_level": "yes"}

    def update(name: str) -> None:
        for node in run.simulation.cluster.world.nodes:
            node.ubr += 7

    run.between = update
    end = run.run()
    assert isinstance(end, Stop)
    assert "bob said yes to another state of the cluster" in end.problem.title
    assert str(level(run)) == "10.2"
    assert is_well(run)


def test_a_lock_that_was_dropped_while_the_question_waited_is_taken_again() -> None:
    run = PostCoordinator(permitted(upgraded(2)), feature=request(**ASK))
    run.reactions = {"functional_level": "yes", "pool_version": "yes"}
    run.between = lambda name: run.simulation.sleep(timedelta(hours=3))
    assert isinstance(run.run(), Done)
    assert (str(level(run)), pool(run)) == ("12.1", "Windows Server 2022")
    assert any("functional_level  Act: take the run lock" in line for line in run.words())
    assert is_well(run)


def test_another_coordinator_that_came_meanwhile_keeps_the_level() -> None:
    run = PostCoordinator(permitted(upgraded(2)), feature=request(**ASK))
    run.reactions = {"functional_level": "yes"}

    def taken(name: str) -> None:
        run.simulation.sleep(timedelta(hours=3))
        run.simulation.cluster.world.inject("foreign-lock", node="HCI02")

    run.between = taken
    end = run.run()
    assert isinstance(end, Stop)
    assert "Another coordinator holds the cluster" in end.problem.title
    assert str(level(run)) == "10.2"


# --- by hand, and the state of the nodes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("reaction", ["yes", "no"])
def test_a_level_that_somebody_raised_between_question_and_act_is_already_raised(reaction: Reaction) -> None:
    run = PostCoordinator(permitted(upgraded(2)), feature=request(**ASK))
    run.reactions = {"functional_level": reaction, "pool_version": "yes"}
    world = run.simulation.cluster.world
    run.between = lambda name: world.levels.update() if name == "functional_level" else None  # type: ignore[assignment,return-value,func-returns-value]
    assert isinstance(run.run(), Done)
    assert (run.outcome("functional_level"), run.outcome("pool_version")) == ("already", "raised")
    assert sent(run, RAISE) == 0
    assert pool(run) == "Windows Server 2022"
    assert is_well(run)


def test_a_pool_that_somebody_raised_between_question_and_act_is_already_raised() -> None:
    run = PostCoordinator(permitted(upgraded(2)), feature=request(**{**ASK, "functional_level": "yes"}))
    run.reactions = {"pool_version": "no"}
    storage = run.simulation.cluster.world.storage

    def by_hand(name: str) -> None:
        if name == "pool_version":
            storage.upgrade_pool()

    run.between = by_hand
    assert isinstance(run.run(), Done)
    assert run.outcome("pool_version") == "already"
    assert sent(run, POOL) == 0
    assert is_well(run)


def test_a_node_that_is_down_keeps_the_level() -> None:
    simulation = permitted(upgraded(3))
    world = simulation.cluster.world
    world.power.crash(world.node("HCI02"), stay_down=True)
    simulation.sleep(timedelta(minutes=10))
    run = PostCoordinator(simulation, feature=request(**YES))
    end = run.run()
    assert isinstance(end, Stop)
    assert "HCI02 is Down" in end.problem.title
    assert str(level(run)) == "10.2"
    assert sent(run, RAISE) == 0


def test_a_paused_node_keeps_the_level_until_it_is_back() -> None:
    spec = upgraded(3)
    nodes = (spec.nodes[0], NodeSpec("HCI02", paused=True), spec.nodes[2])
    run = PostCoordinator(permitted(dataclasses.replace(spec, nodes=nodes)), feature=request(**ASK))
    end = run.run()
    problem = run.asked["functional_level"].problem
    assert problem is not None
    assert "HCI02 is Paused" in problem.title
    assert isinstance(end, Stop)
    assert str(level(run)) == "10.2"
    assert violations(run) == []


def test_different_builds_keep_the_level() -> None:
    spec = demo_world(3, "20H2")
    nodes = (NodeSpec("HCI01", os="21H2"), NodeSpec("HCI02", os="21H2"), spec.nodes[2])
    run = PostCoordinator(
        permitted(dataclasses.replace(spec, nodes=nodes)), feature=request(**{**YES, "pool_version": "no"})
    )
    end = run.run()
    # The nodes together support no more than the cluster has: there is nothing that could be raised.
    assert isinstance(end, Done)
    assert run.outcome("functional_level") == "already"
    assert sent(run, RAISE) == 0


def test_nodes_that_are_not_all_on_the_last_build_keep_the_level_although_it_could_rise_a_little() -> None:
    spec = upgraded(2, "22H2")
    spec = dataclasses.replace(spec, nodes=(spec.nodes[0], NodeSpec("HCI02", os="21H2")))
    run = PostCoordinator(permitted(spec), feature=request(**ASK))
    run.reactions = {"functional_level": "yes"}
    end = run.run()
    assert isinstance(end, Stop)
    problem = run.asked["functional_level"].problem
    assert problem is not None
    assert "HCI01 is on 20349.2340, HCI02 is on 20348.2113" in problem.title
    assert sent(run, RAISE) == 0
    assert is_well(run)


# --- unknown, refused, and unhelpful ----------------------------------------------------------------------------------------


def struck(run: PostCoordinator, words: str, *, arrived: bool) -> None:
    """Let the answer to a command get lost, once, and the command with it unless it ``arrived``."""
    lost: list[str] = []

    def strike(node: str, pipeline: Pipeline) -> None:
        if words in pipeline.describe() and not lost:
            lost.append(node)
            raise OutcomeUnknown("the connection broke", node=node, command=pipeline.describe())

    if arrived:
        run.simulation.after_command = strike
    else:
        run.simulation.before_command = strike


@pytest.mark.parametrize(("words", "step"), [(RAISE, "functional_level"), (POOL, "pool_version")])
def test_an_unknown_outcome_is_found_out_by_reading(words: str, step: Any) -> None:
    run = PostCoordinator(permitted(upgraded(2)), feature=request(**YES))
    struck(run, words, arrived=True)
    assert isinstance(run.run(), Done)
    assert run.outcome(step) == "raised"
    assert sent(run, words) == 1
    assert is_well(run)


@pytest.mark.parametrize(("words", "step"), [(RAISE, "functional_level"), (POOL, "pool_version")])
def test_an_order_that_shows_no_effect_is_not_given_again(words: str, step: Any) -> None:
    run = PostCoordinator(permitted(upgraded(2)), feature=request(**YES), retries=3)
    struck(run, words, arrived=False)
    end = run.run()
    assert isinstance(end, Stop)
    assert "an outcome that nobody knows" in end.problem.meaning
    assert sent(run, words) == 1
    assert is_well(run)


def test_a_pool_that_is_not_well_is_waited_for() -> None:
    run = PostCoordinator(permitted(upgraded(2)), feature=request(**YES))
    storage = run.simulation.cluster.world.storage

    def harm(name: str) -> None:
        if name == "pool_version":
            storage.pool_read_only = "Policy"
            run.simulation.cluster.world.after(timedelta(minutes=20), lambda: setattr(storage, "pool_read_only", ""))

    run.before_step = harm
    assert isinstance(run.run(), Done)
    assert run.outcome("pool_version") == "raised"
    assert any("S2D on HCI-CL01 is read-only" in line for line in run.words())
    assert is_well(run)


def test_the_report_tells_who_wanted_what_and_what_came_of_it() -> None:
    run = PostCoordinator(permitted(upgraded(2)), feature=request(**ASK))
    run.reactions = {"functional_level": "yes", "pool_version": "no"}
    run.run()
    sections = {section.title: section for section in post_sections(run.record.events())}
    level_section, pool_section = sections["Cluster functional level"], sections["Version of the storage pool"]
    assert level_section.rows == (("Cluster functional level", "10.2", "12.1", "raised"),)
    assert level_section.sentences[0].endswith(" was approved by bob.")
    assert READY.capitalize() in level_section.sentences[1]
    assert pool_section.sentences[1] == "The version of the storage pool stays Windows Server 2019: refused by bob."
