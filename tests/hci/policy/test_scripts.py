from __future__ import annotations

import pytest

from include.hci.policy.scripts import Next, ScriptState, after_resume, before_pause

RUN, GO_ON, GIVE_UP = Next.RUN, Next.GO_ON, Next.GIVE_UP


@pytest.mark.parametrize(
    ("starts", "result", "starts_before", "expected"),
    [
        (0, "", 0, RUN),
        (1, "succeeded", 0, GO_ON),
        (1, "succeeded", 1, GO_ON),
        (1, "failed", 0, GIVE_UP),  # it failed in this try
        (1, "failed", 1, RUN),  # it failed in an earlier one
        (2, "failed", 1, GIVE_UP),
        (1, "timed-out", 0, GIVE_UP),
        (1, "timed-out", 1, GIVE_UP),  # it may still go on
        (1, "unknown", 0, GIVE_UP),
        (1, "unknown", 1, GIVE_UP),
    ],
)
def test_a_first_script_is_run_once_and_again_only_when_it_is_known_to_have_failed(
    starts, result, starts_before, expected
):
    assert before_pause(ScriptState(starts, result), starts_before) is expected


@pytest.mark.parametrize(
    ("result", "expected"),
    [("", RUN), ("succeeded", GO_ON), ("failed", GIVE_UP), ("timed-out", GIVE_UP), ("unknown", GIVE_UP)],
)
def test_a_second_script_is_never_run_again(result, expected):
    assert after_resume(ScriptState(int(bool(result)), result)) is expected
