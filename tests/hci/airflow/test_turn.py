from __future__ import annotations

import pytest

from include.hci.airflow.turn import Turn, group_states, verdict

ORDER = ("HCI01", "HCI02", "HCI03")
DONE = {"turn": "success", "drain": "success", "resume": "success"}
FAILED = {"turn": "success", "drain": "failed", "resume": "success"}
BUSY = {"turn": "success", "drain": "deferred", "resume": None}
RETRYING = {"turn": "success", "drain": "up_for_retry", "resume": None}
WAITING = {"turn": "deferred", "drain": None, "resume": None}
NO_TURN = {"turn": "failed", "drain": "upstream_failed", "resume": "skipped"}
SKIPPED = {"turn": "skipped", "drain": "skipped", "resume": "skipped"}


@pytest.mark.parametrize(
    ("states", "position", "on_record", "budget", "turn", "says"),
    [
        pytest.param({0: WAITING, 1: WAITING, 2: WAITING}, 0, (), 1, Turn.GO, "", id="the first one goes"),
        pytest.param(
            {0: BUSY, 1: WAITING, 2: WAITING}, 1, (), 1, Turn.WAIT, "HCI01 is first", id="an earlier one is busy"
        ),
        pytest.param({0: RETRYING, 1: WAITING}, 1, (), 1, Turn.WAIT, "up_for_retry", id="a retry is not an end"),
        pytest.param({0: WAITING, 1: WAITING}, 1, (), 1, Turn.WAIT, "HCI01", id="an earlier one has not begun"),
        pytest.param({0: DONE, 1: WAITING, 2: WAITING}, 1, (), 1, Turn.GO, "", id="the earlier one ended well"),
        pytest.param({0: SKIPPED, 1: WAITING}, 1, (), 0, Turn.GO, "", id="skipped is not failed"),
        pytest.param(
            {0: NO_TURN, 1: WAITING}, 1, (), 1, Turn.STOP, "HCI01 could not", id="a turn that failed ends the run"
        ),
        pytest.param({0: FAILED, 1: WAITING}, 1, (), 1, Turn.GO, "", id="one failure is within a budget of one"),
        pytest.param(
            {0: FAILED, 1: WAITING}, 1, (), 0, Turn.STOP, "HCI01", id="one failure is beyond a budget of none"
        ),
        pytest.param(
            {0: DONE, 1: WAITING},
            1,
            ("HCI01",),
            0,
            Turn.STOP,
            "HCI01",
            id="the record counts where states were rewritten",
        ),
        pytest.param(
            {0: FAILED, 1: FAILED, 2: WAITING}, 2, ("HCI01",), 1, Turn.STOP, "2 nodes", id="nobody counts twice"
        ),
        pytest.param(
            {0: WAITING, 1: BUSY, 2: WAITING},
            0,
            (),
            1,
            Turn.WAIT,
            "HCI02",
            id="a cleared first one waits for a later one",
        ),
        pytest.param(
            {0: WAITING, 1: WAITING, 2: DONE}, 0, (), 1, Turn.GO, "", id="a later one that ended is no reason to wait"
        ),
        pytest.param(
            {0: DONE, 1: FAILED, 2: DONE}, 1, ("HCI02",), 0, Turn.GO, "", id="its own failure does not stop its retry"
        ),
    ],
)
def test_verdict(states, position, on_record, budget, turn, says):
    answer = verdict(states, position, ORDER, on_record, budget)
    assert answer.turn is turn
    assert says in answer.why


def test_states_are_read_by_step_and_map_index():
    flat = {"update_node.turn_0": "success", "update_node.drain_0": None, "update_node.turn_11": "deferred"}
    assert group_states(flat) == {0: {"turn": "success", "drain": None}, 11: {"turn": "deferred"}}


def test_nodes_that_were_out_before_count_against_the_budget():
    states = {0: FAILED, 1: WAITING}
    assert verdict(states, 1, ORDER, (), 1).turn is Turn.GO
    answer = verdict(states, 1, ORDER, (), 1, broken=("HCI04",))
    assert answer.turn is Turn.STOP
    assert "HCI04 was out of service before" in answer.why
    only = verdict({0: WAITING}, 0, ORDER, (), 1, broken=("HCI04", "HCI03"))
    assert only.why == "HCI03, HCI04 were out of service before and max_failed_nodes is 1: this node is left alone"
