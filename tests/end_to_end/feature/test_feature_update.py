"""Feature updates over the wire: to the next version and to raised levels, with every answer that a person may give."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from include.hci.airflow.names import feature_update_dag_id, rolling_update_dag_id
from tests.end_to_end.harness import wait_for
from tests.end_to_end.stack import Stack, World

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(1500)]

LARGE = bool(os.environ.get("HCI_LARGE_RUNS"))
takes_long = pytest.mark.skipif(not LARGE, reason="takes minutes more: set HCI_LARGE_RUNS=1")

PLAYED = ("leap", "hush", "hand", "mixed", "flunk", *(("span",) if LARGE else ()))
DAG = {name: feature_update_dag_id(name) for name in PLAYED}
LEVEL, POOL, VMS = "approve_functional_level", "approve_pool_version", "approve_vm_versions"
RAISED, POOL_RAISED = "cluster.functional_level", "pool.version"
ONLY_POST = {"post_steps_only": True, "verify_move": False}
#: The builds of the versions.
V21H2, V22H2 = 20348, 20349


@dataclass
class Runs:
    """The worlds and the first run on each, by cluster."""

    worlds: dict[str, World]
    runs: dict[str, str]


@pytest.fixture(scope="module")
def begun(stack: Stack) -> Iterator[Runs]:
    with contextlib.ExitStack() as down:

        def world(name: str, *arguments: str, version: str) -> World:
            return down.enter_context(stack.world(name, *arguments, os=version))

        worlds = {
            "leap": world("leap", version="20H2"),
            "hush": world("hush", "--formed-with", "21H2", version="22H2"),
            "hand": world("hand", "--formed-with", "21H2", version="22H2"),
            "mixed": world("mixed", "--node-os", "MIXED02=20H2.1500", version="20H2"),
            "flunk": world("flunk", "--fault", "feature-update-rolls-back-on-node-2", version="21H2"),
        }
        if LARGE:
            worlds["span"] = world("span", version="21H2")
        wanted: dict[str, dict[str, Any]] = {
            "leap": {"vm_versions": "ask", "running_vms": "restart"},
            "span": {"vm_versions": "yes"},
            "hush": {**ONLY_POST, "approval_timeout_minutes": 1},
            "hand": {**ONLY_POST, "pool_version": "no"},
            "mixed": {},
            "flunk": {"functional_level": "no", "pool_version": "no"},
        }
        for name in DAG:
            allow_further_updates(stack, name)
        yield Runs(worlds, {name: stack.begin(DAG[name], wanted[name]) for name in DAG})


def allow_further_updates(stack: Stack, name: str) -> None:
    """Switch on the rolling update of the cluster, which a feature update begins and waits for."""
    rolling = rolling_update_dag_id(name)
    stack.api.wait_for_dag(rolling, stack.processes.require_alive, 120)
    stack.api.unpause(rolling)


def allow(world: World, *things: str) -> None:
    """Tell the referee what the operator of the simulated cluster has allowed."""
    for thing in things:
        world.tell("/rules", kind="permission", what=thing)


def end_of(stack: Stack, name: str, run: str, seconds: float = 900) -> dict[str, Any]:
    """Return the report of the run when it has ended well."""
    state = stack.wait(feature_update_dag_id(name), run, seconds)
    report = stack.report(name, run)
    assert state == "success", (report["headline"], stack.task_states(feature_update_dag_id(name), run))
    return report


def builds(world: World) -> set[int]:
    return {node["build"] for node in world.state()["nodes"]}


def test_servers_at_different_patch_levels_are_refused_with_who_is_where(stack: Stack, begun: Runs):
    run, world = begun.runs["mixed"], begun.worlds["mixed"]
    assert stack.wait(DAG["mixed"], run) == "failed"
    told = str(stack.report("mixed", run))
    assert "17784.1500" in told
    assert "MIXED02" in told
    assert world.commands("Invoke-CauRun") == []
    assert world.judge(stack.report_file("mixed", run)) == []


def test_no_answer_in_time_leaves_the_level_as_it_is(stack: Stack, begun: Runs):
    run, world = begun.runs["hush"], begun.worlds["hush"]
    report = end_of(stack, "hush", run)
    assert report["outcome"] == "succeeded"
    assert "nobody" in str(report).lower()
    assert world.events(RAISED, POOL_RAISED) == []
    assert world.judge(stack.report_file("hush", run)) == []


def test_a_level_that_a_person_raises_meanwhile_is_not_raised_again(stack: Stack, begun: Runs):
    run, world = begun.runs["hand"], begun.worlds["hand"]
    stack.wait_for_task(DAG["hand"], run, LEVEL, "awaiting_input", seconds=600)
    world.tell("/fault", id="functional-level-raised-by-hand")
    wait_for(lambda: bool(world.events(RAISED)), 60)
    stack.answer(DAG["hand"], run, LEVEL, "Approve", "go on")
    report = end_of(stack, "hand", run)
    assert report["outcome"] in ("succeeded", "nothing-to-do")
    assert len(world.events(RAISED)) == 1
    given = [each["detail"] for each in world.events("command") if each["status"] == "invoke"]
    raising = [each for each in given if each["command"] == "Update-ClusterFunctionalLevel"]
    assert raising
    assert all(each.get("what_if") for each in raising)
    assert world.judge(stack.report_file("hand", run)) == []


def test_two_servers_go_from_20h2_to_21h2_and_everything_is_raised_after_a_yes(stack: Stack, begun: Runs):
    run, world = begun.runs["leap"], begun.worlds["leap"]
    stack.wait_for_task(DAG["leap"], run, LEVEL, "awaiting_input", seconds=1200)
    assert world.events(RAISED) == []
    allow(world, "functional-level", "pool-version", "vm-power", "vm-version")
    stack.answer(DAG["leap"], run, LEVEL, "Approve", "tonight")
    stack.answer(DAG["leap"], run, POOL, "Approve")
    stack.answer(DAG["leap"], run, VMS, "Approve")
    report = end_of(stack, "leap", run)
    assert (report["outcome"], report["left"]) == ("succeeded", [])
    assert builds(world) == {V21H2}
    assert len(world.events(RAISED)) == 1
    assert len(world.events(POOL_RAISED)) == 1
    assert {vm["state"] for vm in world.state()["vms"]} == {"Running"}
    assert report["nodes"][0]["build_after"] != f"{V21H2}.1", "no further updates"
    plugins = [run["CauPluginName"] for run in world.commands("Invoke-CauRun")]
    assert len(plugins) == 1
    assert "Microsoft.RollingUpgradePlugin" in plugins[0]
    assert world.judge(stack.report_file("leap", run)) == []


def test_a_version_that_a_server_gives_back_is_named_and_tried_again_by_the_next_run(stack: Stack, begun: Runs):
    run, world = begun.runs["flunk"], begun.worlds["flunk"]
    assert stack.wait(DAG["flunk"], run, 1200) == "failed"
    failed = stack.report("flunk", run)
    assert "FLUNK02" in str(failed["problems"]) + str([node for node in failed["nodes"] if node["outcome"] == "failed"])
    assert builds(world) == {V21H2, V22H2}
    assert world.judge(stack.report_file("flunk", run)) == []
    world.tell("/heal")
    again = stack.begin(DAG["flunk"], {"functional_level": "no", "pool_version": "no", "further_updates": False})
    report = end_of(stack, "flunk", again)
    assert report["outcome"] == "succeeded"
    assert builds(world) == {V22H2}
    assert world.events(RAISED) == []
    assert world.judge(stack.report_file("flunk", again)) == []


@takes_long
def test_four_servers_stay_at_their_level_after_a_no_and_rise_in_a_later_run(stack: Stack, begun: Runs):
    run, world = begun.runs["span"], begun.worlds["span"]
    stack.answer(DAG["span"], run, LEVEL, "Refuse", "not this year", seconds=1200)
    report = end_of(stack, "span", run)
    assert report["outcome"] == "succeeded"
    assert "not this year" in str(report)
    assert builds(world) == {V22H2}
    assert world.events(RAISED, POOL_RAISED) == []
    assert world.judge(stack.report_file("span", run)) == []
    allow(world, "functional-level", "pool-version")
    later = stack.begin(DAG["span"], {"post_steps_only": True, "functional_level": "yes", "pool_version": "yes"})
    report = end_of(stack, "span", later)
    assert report["outcome"] == "succeeded"
    # 21H2 and 22H2 differ in the upgrade version of the cluster, not in the version of their pools.
    assert (len(world.events(RAISED)), world.events(POOL_RAISED)) == (1, [])
    assert world.judge(stack.report_file("span", later)) == []


@takes_long
def test_four_servers_go_from_20h2_to_21h2_with_every_yes_given_beforehand(stack: Stack):
    yes = {"functional_level": "yes", "pool_version": "yes", "vm_versions": "yes"}
    allow_further_updates(stack, "vast")
    with stack.world("vast", os="20H2") as world:
        allow(world, "functional-level", "pool-version", "vm-version")
        run = stack.begin(feature_update_dag_id("vast"), yes)
        report = end_of(stack, "vast", run)
        assert report["outcome"] == "succeeded"
        assert builds(world) == {V21H2}
        assert len(world.events(RAISED)) == len(world.events(POOL_RAISED)) == 1
        assert world.judge(stack.report_file("vast", run)) == []
