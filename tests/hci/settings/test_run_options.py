from __future__ import annotations

import json

import pytest

from include.hci.settings import ClusterSettings, NodeSettings, RunOptions, SettingsError, UpdatingRunProfile


def cluster(**options: object) -> ClusterSettings:
    nodes = tuple(NodeSettings(name=f"N{number}", connection="hci") for number in range(1, 5))
    return ClusterSettings(name="CLU", nodes=nodes, options=UpdatingRunProfile.model_validate(options))


def test_the_profile_is_taken_where_nobody_says_otherwise_and_the_limit_is_settled():
    options = RunOptions.for_run(cluster(reboot_timeout_minutes=60), {"max_failed_nodes": None})
    assert (options.reboot_timeout_minutes, options.max_failed_nodes) == (60, 1)


def test_parameters_go_over_the_profile_and_may_be_texts_as_templates_give_them():
    given = {
        "max_failed_nodes": "0",
        "reboot_timeout_minutes": 45,
        "require_all_nodes_online": "true",
        "node_order": ["n3"],
    }
    options = RunOptions.for_run(cluster(max_failed_nodes=2, reboot_timeout_minutes=60), given)
    assert (options.max_failed_nodes, options.reboot_timeout_minutes) == (0, 45)
    assert (options.require_all_nodes_online, options.node_order) == (True, ("n3",))


def test_a_run_by_hand_can_be_told_to_keep_to_no_window():
    window = {"days_of_week": ["SAT"], "opens": "22:00", "duration": "06:00:00", "timezone": "UTC"}
    assert len(RunOptions.for_run(cluster(windows=[window])).windows) == 1
    assert RunOptions.for_run(cluster(windows=[window]), {"windows": []}).windows == ()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"max_failed_nodes": 4},
            "run parameters: max_failed_nodes: is 4, but the cluster has 4 nodes: at most 3 may fail.",
        ),
        ({"max_failed_nodes": "many"}, "run parameters: max_failed_nodes: must be a whole number, not 'many'."),
        ({"max_retries_per_node": 65}, "run parameters: max_retries_per_node: must be 64 or less, not 65."),
        ({"node_order": ["N9"]}, "run parameters: node_order: names N9, which the cluster does not have."),
        (
            {"max_failed_node": 1},
            "run parameters: max_failed_node: is not a known key. Did you mean 'max_failed_nodes'?",
        ),
        ({"separate_reboots": True}, "run parameters: separate_reboots: is not supported yet"),
        (
            {"failback_mode": "immediate"},
            "run parameters: failback_mode: must be 'Immediate', 'NoFailback' or 'Policy'",
        ),
    ],
)
def test_wrong_parameters_are_refused_by_name(given: dict[str, object], says: str):
    with pytest.raises(SettingsError) as caught:
        RunOptions.for_run(cluster(), given)
    assert says in str(caught.value)
    assert [problem.cluster for problem in caught.value.problems] == ["CLU"]


@pytest.mark.parametrize(
    ("given", "rolling", "cau"),
    [
        ({}, True, True),
        ({"warn_after": "01:00:00"}, True, True),
        ({"separate_reboots": True}, False, True),
        ({"cau_plugin_name": ["Microsoft.HotfixPlugin"]}, False, True),
        ({"stage_only": True}, True, False),
        ({"pause_points": ["before-drain"]}, True, False),
        ({"updates": {"reject_kbs": ["KB5044288"]}}, True, False),
    ],
)
def test_every_kind_of_run_refuses_the_options_on_which_it_does_not_act(
    given: dict[str, object], rolling: bool, cau: bool
):
    for resolve, accepted in ((RunOptions.for_run, rolling), (RunOptions.for_cau, cau)):
        for settings, parameters in ((cluster(**given), {}), (cluster(), given)):
            if accepted:
                resolve(settings, parameters)
            else:
                with pytest.raises(SettingsError, match="no effect"):
                    resolve(settings, parameters)
    assert RunOptions.as_given(cluster(**given)).max_failed_nodes == 1


def test_every_wrong_parameter_is_named_at_once():
    with pytest.raises(SettingsError) as caught:
        RunOptions.for_run(cluster(), {"max_retries_per_node": 65, "failback_mode": "x"})
    assert {problem.key for problem in caught.value.problems} == {"max_retries_per_node", "failback_mode"}


def test_options_travel_as_json():
    options = RunOptions.for_run(cluster(node_order=["N2", "N1"], max_failed_nodes=2))
    data = json.loads(json.dumps(options.to_json()))
    assert RunOptions.from_json(data) == options
    assert data["max_failed_nodes"] == 2


@pytest.mark.parametrize("data", [{}, {"max_failed_nodes": 1, "unknown": 1}, {"max_failed_nodes": None}])
def test_what_is_no_run_options_is_refused(data: dict[str, object]):
    with pytest.raises(SettingsError):
        RunOptions.from_json(data)


def test_options_cannot_be_changed():
    options = RunOptions.for_run(cluster())
    with pytest.raises(ValueError):
        options.max_failed_nodes = 5  # type: ignore[misc]
