from __future__ import annotations

import pytest

from include.hci.powershell.policy import NO_RETRY, RetryPolicy


def test_pauses_grow_up_to_the_longest() -> None:
    policy = RetryPolicy(attempts=6, delay=0.5, factor=2, longest=3)
    assert [policy.pause(failures) for failures in range(1, 6)] == [0.5, 1, 2, 3, 3]
    assert NO_RETRY.attempts == 1


@pytest.mark.parametrize("wrong", [{"attempts": 0}, {"delay": -1}, {"factor": 0.5}, {"longest": -1}])
def test_a_policy_that_is_none_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="retry policy"):
        RetryPolicy(**wrong)  # type: ignore[arg-type]
