from __future__ import annotations

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction

from include.hci.airflow.retry import RetriesPerNode


@pytest.mark.parametrize(
    ("allowed", "try_number", "action"),
    [(0, 1, RetryAction.FAIL), (2, 1, RetryAction.RETRY), (2, 2, RetryAction.RETRY), (2, 3, RetryAction.FAIL)],
)
def test_the_runs_own_number_decides(allowed, try_number, action):
    context = {"params": {"max_retries_per_node": allowed}}
    decision = RetriesPerNode(30).evaluate(RuntimeError("no"), try_number, 64, context)
    assert decision.action is action


@pytest.mark.parametrize(
    ("try_number", "max_tries", "action"),
    [(4, 67, RetryAction.RETRY), (5, 67, RetryAction.RETRY), (6, 67, RetryAction.FAIL), (3, 3, RetryAction.FAIL)],
)
def test_a_task_that_a_person_cleared_has_all_its_attempts_again(try_number, max_tries, action):
    # Cleared after its third attempt: Airflow counts on from there and lets the ceiling begin anew.
    context = {"params": {"max_retries_per_node": 2}}
    assert RetriesPerNode(30).evaluate(RuntimeError("no"), try_number, max_tries, context).action is action


def test_an_outage_of_the_storage_is_given_time():
    policy = RetriesPerNode(2)
    assert policy.evaluate(OSError("stale file handle"), 1, 64, {"params": {}}).retry_delay.total_seconds() == 60
    assert RetriesPerNode(90).evaluate(OSError(), 1, 64, {"params": {}}).retry_delay.total_seconds() == 90


def test_the_delay_is_kept_and_serialised():
    policy = RetriesPerNode(2)
    assert policy.evaluate(RuntimeError(), 1, 64, {"params": {}}).retry_delay.total_seconds() == 2
    assert policy.serialize() == {"__type": "RetriesPerNode", "delay_seconds": 2}
