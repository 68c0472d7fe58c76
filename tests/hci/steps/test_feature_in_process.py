"""Feature updates over a simulated cluster on a virtual clock, from readiness to the proof at the end."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from include.hci.cluster.catalogue import outside
from include.hci.report import events as ev
from include.hci.settings.feature import FeatureUpdateRequest
from include.hci.steps.decisions import Done, Stop
from include.simulator.referee.rules import FUNCTIONAL_LEVEL, POOL_VERSION, PREVIEW_CHANNEL, REMOTE_MANAGEMENT
from include.simulator.world.feature_catalogue import as_preview
from include.simulator.world.spec import CauRoleSpec, NodeSpec, WorldSpec, demo_world
from tests.hci.steps.coordinator import Killed
from tests.hci.steps.feature_coordinator import FeatureCoordinator, feature_options
from tests.hci.steps.judging import locks, outcomes, report, said, violations, world_nodes
from tests.hci.steps.simulated import Simulation

YES: dict[str, Any] = {"functional_level": "yes", "pool_version": "yes"}
ONE, TWO = "Feature update to the version after 20H2", "Feature update to the version after 21H2"


def make(spec: WorldSpec, request: dict[str, Any] | None = None, **more: Any) -> FeatureCoordinator:
    simulation = Simulation(spec, 0)
    for what in (FUNCTIONAL_LEVEL, POOL_VERSION, REMOTE_MANAGEMENT):
        simulation.cluster.rule("permission", what=what)
    return again(simulation, request or YES, **more)


def again(simulation: Simulation, request: dict[str, Any], **more: Any) -> FeatureCoordinator:
    wanted = FeatureUpdateRequest.model_validate(request)
    options = feature_options(len(simulation.cluster.world.nodes), wanted, **more.pop("options", {}))
    return FeatureCoordinator(simulation, options, wanted=wanted, **more)


def builds(run: FeatureCoordinator) -> dict[str, int]:
    return {node.name: node.build for node in run.simulation.cluster.world.nodes}


def given(run: FeatureCoordinator, words: str) -> int:
    return sum(words in pipeline.describe() for _, pipeline in run.simulation.commands)


def section(run: FeatureCoordinator, title: str) -> Any:
    return next(each for each in report(run).sections if each.title == title)


def cancel_when(run: FeatureCoordinator, words: str) -> None:
    def watch(name, node, decision):
        if run.record.facts.cancel is None and words in str(decision):
            run.record.add(ev.OperatorAsked(action="cancel", by="ada"), run.simulation.now())

    run.watch = watch


# --- a run as it should be ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("nodes", "os", "build", "level"),
    [(2, "20H2", 20348, "12.1"), (4, "20H2", 20348, "12.1"), (2, "21H2", 20349, "12.4"), (4, "21H2", 20349, "12.4")],
)
def test_a_whole_run_ends_with_every_node_and_the_cluster_on_the_new_version(nodes, os, build, level):
    run = make(demo_world(nodes, os))
    assert isinstance(run.run(), Done)
    found = report(run)
    assert set(builds(run).values()) == {build}
    assert (found.outcome, set(outcomes(run).values())) == ("succeeded", {"updated"})
    assert f"All {nodes} nodes have one version" in found.headline
    assert found.storage_after is not None
    assert {disk.health for disk in found.storage_after.virtual_disks} == {"Healthy"}
    assert f"to {level}." in found.headline
    world = run.simulation.cluster.world
    assert f"{world.functional_level}.{world.levels.upgrade_version}" == level
    assert (violations(run), locks(run)) == ([], [])
    assert set(world_nodes(run).values()) == {"Up"}
    # CAU never raises the level: that is a step of its own.
    assert given(run, "UpdateClusterFunctionalLevel'") == 0
    assert [row[2] for row in section(run, "What each node was offered").rows] == [ONE if os == "20H2" else TWO] * nodes


def test_everything_that_is_sent_is_in_the_catalogue():
    run = make(demo_world(2, "20H2"))
    run.run()
    assert [outside(pipeline) for _, pipeline in run.simulation.commands if outside(pipeline)] == []


def test_cau_gets_this_plug_in_alone_whatever_the_profile_says():
    run = make(
        demo_world(2, "21H2"), options={"cau_plugin_name": ("Microsoft.WindowsUpdatePlugin",), "plan_only": True}
    )
    run.run()
    [scan] = [pipeline.describe() for _, pipeline in run.simulation.commands if "Invoke-CauScan" in pipeline.describe()]
    assert "RollingUpgradePlugin" in scan
    assert "WindowsUpdatePlugin" not in scan
    assert (report(run).outcome, given(run, "Invoke-CauRun")) == ("planned", 0)


def test_the_nodes_get_further_updates_before_anything_is_raised():
    run = make(demo_world(2, "21H2"))
    run.run()
    order = [each.event.step for each in run.record.all_of(ev.Decided) if each.event.decision == "done"]
    assert (
        order.index("builds") < order.index("take_lock") < order.index("functional_level") < order.index("pool_version")
    )
    [row] = section(run, "Rolling updates in between").rows
    assert row[3] == "succeeded"
    assert all(build.endswith(".1") for build in (row[2] for row in section(run, "Builds").rows))


def test_nothing_is_raised_before_the_storage_has_made_up_for_the_last_node():
    run = make(demo_world(2, "21H2"), {**YES, "further_updates": False})
    run.run()
    assert said(run, "the storage is not whole yet")
    assert report(run).outcome == "succeeded"
    assert violations(run) == []


def test_a_preview_build_comes_to_nodes_that_have_joined_its_channel_and_restarted():
    spec = demo_world(2, "21H2")
    world = dataclasses.replace(spec, updates=as_preview(spec.updates))
    refused = make(world)
    refused.run()
    # Nothing is offered to servers that are not on the channel.
    assert given(refused, "Invoke-CauRun") == 0
    run = make(world, {**YES, "preview_channel": True})
    run.simulation.cluster.rule("permission", what="preview-channel")
    run.simulation.cluster.rule("restart", nodes="all")
    run.simulation.cluster.rule("permission", what=PREVIEW_CHANNEL)
    assert isinstance(run.run(), Done)
    assert set(builds(run).values()) == {20349}
    assert [row[0] for row in section(run, "Rolling updates in between").rows] == [
        "restart for preview",
        "further updates",
    ]
    assert len(section(run, "Preview channel").rows) == 2
    assert (report(run).outcome, violations(run)) == ("succeeded", [])


def test_setup_media_bring_their_version_and_no_other():
    share = r"\\files\media\22H2"
    # From media the upgrade needs CAU's role, which must not begin anything by itself meanwhile.
    spec = dataclasses.replace(demo_world(2, "21H2"), media=((share, "22H2"),), cau_role=CauRoleSpec(enabled=False))
    run = make(spec, {**YES, "source": "media", "media_path": share, "further_updates": False})
    assert isinstance(run.run(), Done)
    assert set(builds(run).values()) == {20349}
    assert (report(run).outcome, violations(run)) == ("succeeded", [])


def test_media_that_cannot_be_read_stop_it_before_anything_is_begun():
    spec = dataclasses.replace(demo_world(2, "21H2"), cau_role=CauRoleSpec(enabled=False))
    run = make(spec, {**YES, "source": "media", "media_path": r"\\files\nothing\here"})
    assert isinstance(run.run(), Stop)
    assert given(run, "Invoke-CauRun") == 0
    assert report(run).outcome == "failed"


# --- what may not begin -------------------------------------------------------------------------------------------------


def test_nodes_at_mixed_patch_levels_stop_it_and_it_says_who_is_offered_what():
    run = make(demo_world(2, "21H2"))

    def fall_behind(name, node, decision):
        if name == "prepare" and isinstance(decision, Done):
            run.simulation.cluster.world.nodes[1].ubr = 1000

    run.watch = fall_behind
    end = run.run()
    assert isinstance(end, Stop)
    assert f"HCI01 (20348.2113) is offered '{TWO}';" in end.problem.title
    assert f"HCI02 (20348.1000) is offered '{TWO} (earlier revision)'" in end.problem.title
    assert given(run, "Invoke-CauRun") == 0
    assert (report(run).outcome, set(outcomes(run).values())) == ("failed", {"not-started"})
    assert "not offered one and the same" in report(run).headline
    assert violations(run) == []


def test_where_the_builds_tell_already_it_is_refused_before_anything_is_asked():
    run = make(demo_world(2, "21H2"))
    run.simulation.cluster.world.nodes[1].ubr = 1000
    end = run.run()
    assert isinstance(end, Stop)
    assert "HCI01 20348.2113, HCI02 20348.1000" in end.problem.title
    assert given(run, "Invoke-CauScan") == 0
    assert "HCI02 20348.1000" in report(run).headline


def test_a_node_that_is_upgraded_and_offered_the_version_after_it_stops_it():
    spec = demo_world(2, "20H2", later_versions=True)
    half = dataclasses.replace(spec, nodes=(NodeSpec("HCI01", os="21H2"), NodeSpec("HCI02")))
    run = make(half)
    end = run.run()
    assert isinstance(end, Stop)
    assert "HCI01 already has a later version than HCI02" in end.problem.title
    assert "hide it on HCI01" in end.problem.next_action
    assert "bring HCI02 to the version of HCI01 by hand" in end.problem.next_action
    assert given(run, "Invoke-CauRun") == 0


# --- again after a failure ----------------------------------------------------------------------------------------------


def test_a_run_that_was_cancelled_half_way_is_gone_on_with_where_the_cluster_is():
    first = make(demo_world(2, "20H2"))
    cancel_when(first, "HCI01 Installing")
    first.run()
    assert sorted(builds(first).values()) == [17784, 20348]
    assert report(first).outcome == "cancelled"
    assert (given(first, "Update-ClusterFunctionalLevel"), locks(first)) == (0, [])
    first.simulation.sleep(timedelta(hours=3))  # until the storage is whole again

    second = again(first.simulation, YES, run_id="run-2")
    assert isinstance(second.run(), Done)
    assert set(builds(second).values()) == {20348}
    found = report(second)
    assert found.outcome == "succeeded"
    assert sorted(outcomes(second).values()) == ["nothing-to-install", "updated"]
    assert said(second, "have the new version already")
    assert violations(second) == []


def test_a_node_on_which_it_does_not_stay_keeps_everything_that_follows_from_being_done():
    run = make(demo_world(2, "20H2"), options={"max_retries_per_node": 0})
    run.simulation.cluster.world.inject("feature-update-rolls-back", node="HCI02")
    end = run.run()
    assert isinstance(end, Stop)
    assert "HCI02 is on 17784" in end.problem.title
    found = report(run)
    assert found.outcome == "failed"
    assert section(run, "Builds").rows
    assert given(run, "Update-ClusterFunctionalLevel") == given(run, "Update-StoragePool") == 0
    assert (violations(run), locks(run)) == ([], [])


def test_what_was_left_is_done_later_by_a_run_of_its_own():
    first = make(demo_world(2, "21H2"), {"functional_level": "ask", "pool_version": "ask"}, answers={})
    assert isinstance(first.run(), Done)
    found = report(first)
    assert found.outcome == "succeeded"
    assert "nobody approved it in time" in found.headline
    assert given(first, "Update-ClusterFunctionalLevel -Force") == 0
    assert violations(first) == []
    before = given(first, "Invoke-CauRun")

    later = again(first.simulation, {**YES, "post_steps_only": True}, run_id="run-2")
    assert isinstance(later.run(), Done)
    assert given(later, "Invoke-CauRun") == before
    found = report(later)
    assert (found.outcome, set(outcomes(later).values())) == ("succeeded", {"nothing-to-install"})
    assert "Functional level raised" in found.headline
    assert violations(later) == []

    third = again(first.simulation, {**YES, "post_steps_only": True}, run_id="run-3")
    assert isinstance(third.run(), Done)
    assert report(third).outcome == "nothing-to-do"
    assert violations(third) == []


def test_where_every_node_has_the_version_nothing_is_installed_and_the_rest_is_done():
    spec = dataclasses.replace(demo_world(2, "22H2", updates=()), formed_with="21H2")
    run = make(spec)
    assert isinstance(run.run(), Done)
    assert given(run, "Invoke-CauRun") == 0
    assert (report(run).outcome, violations(run)) == ("succeeded", [])
    assert "Functional level raised" in report(run).headline


def test_a_yes_is_put_on_record_with_who_gave_it():
    wish = {"functional_level": "ask", "pool_version": "no", "further_updates": False}
    run = make(demo_world(2, "21H2"), wish, answers={"functional_level": ("grace", True)})
    assert isinstance(run.run(), Done)
    assert any("was approved by grace" in sentence for sentence in section(run, "Cluster functional level").sentences)
    assert "Functional level raised" in report(run).headline
    assert violations(run) == []


def test_further_updates_that_go_wrong_end_it_before_anything_is_raised():
    run = make(demo_world(2, "21H2"))

    def strike(name, node, decision):
        if name == "builds" and isinstance(decision, Done):
            world = run.simulation.cluster.world
            world.locks.create(world.nodes[0], "MSFT_CAURun", "00000000-0000-0000-0000-000000000001")

    run.watch = strike
    assert isinstance(run.run(), Stop)
    found = report(run)
    assert found.outcome == "failed"
    assert given(run, "Update-ClusterFunctionalLevel") == 0
    assert section(run, "Rolling updates in between").rows[0][3] == "failed"


# --- who watches may die ------------------------------------------------------------------------------------------------


def test_a_process_that_dies_in_every_step_changes_nothing_about_the_end():
    run = make(demo_world(2, "20H2"))
    died: set[str] = set()

    def die(name, node, decision):
        if name not in died and name not in ("conclude",):
            died.add(name)
            raise Killed

    run.watch = die
    assert isinstance(run.run(), Done)
    assert {"preview", "run_cau", "builds", "functional_level"} <= died
    assert len(run.simulation.cluster.world.cau.reports) == 1
    assert (report(run).outcome, violations(run)) == ("succeeded", [])
    assert given(run, "Update-ClusterFunctionalLevel -Force") == 1
