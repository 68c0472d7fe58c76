"""Which nodes a run is told to restart: some by name, or all; of this one run, never of the fleet file."""

from __future__ import annotations

import pytest

from include.hci.settings import ClusterSettings, NodeSettings, RunOptions, SettingsError, UpdatingRunProfile
from include.hci.settings.node_choice import is_chosen, strangers


def cluster(**options: object) -> ClusterSettings:
    nodes = tuple(NodeSettings(name=f"N{number}", connection="hci") for number in range(1, 4))
    return ClusterSettings(name="CLU", nodes=nodes, options=UpdatingRunProfile.model_validate(options))


@pytest.mark.parametrize(
    ("given", "chosen"),
    [
        (None, ()),
        ([], ()),
        (["n1", "N3"], ("n1", "N3")),
        ("all", "all"),
        (" All ", "all"),
        (["all"], "all"),
    ],
)
def test_nodes_are_chosen_by_name_or_all_of_them(given, chosen):
    options = RunOptions.for_run(cluster(), {"restart_nodes": given})
    assert options.restart_nodes == chosen
    assert RunOptions.from_json(options.to_json()) == options
    assert options.max_failed_nodes == 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (["N1", "N9", "N8"], "restart_nodes: names N9, N8, which the cluster does not have. Its nodes are N1, N2, N3."),
        (["N1", "n1"], "restart_nodes: n1 is named twice."),
        (["N1", "all"], "restart_nodes: names nodes beside 'all': give the one or the other."),
        ("N1", "restart_nodes: 'N1' is no list of node names; give a list, or 'all'."),
        (3, "restart_nodes: "),
    ],
)
def test_a_choice_that_is_wrong_is_refused_by_name(given, says):
    with pytest.raises(SettingsError) as caught:
        RunOptions.for_run(cluster(), {"restart_nodes": given})
    assert f"run parameters: {says}" in str(caught.value)
    assert {problem.cluster for problem in caught.value.problems} == {"CLU"}


def test_a_run_that_takes_no_node_out_of_service_restarts_none():
    with pytest.raises(SettingsError, match="restart_nodes: would have no effect: stage_only"):
        RunOptions.for_run(cluster(stage_only=True), {"restart_nodes": "all"})
    assert RunOptions.for_run(cluster(), {"restart_nodes": "all", "plan_only": True}).plan_only


def test_a_run_that_is_left_to_cau_refuses_it():
    with pytest.raises(SettingsError, match="restart_nodes: has no effect on a run that is left to CAU"):
        RunOptions.for_cau(cluster(), {"restart_nodes": ["N1"]})
    assert RunOptions.for_cau(cluster(), {"restart_nodes": []}).restart_nodes == ()


def test_the_fleet_file_does_not_know_it():
    assert "restart_nodes" not in UpdatingRunProfile.model_fields


def test_a_name_is_found_whatever_the_case():
    assert is_chosen(("n1",), "N1")
    assert is_chosen("all", "N9")
    assert not is_chosen((), "N1")
    assert strangers(("n1", "N9"), ("N1",)) == ("N9",)
    assert strangers("all", ("N1",)) == ()
