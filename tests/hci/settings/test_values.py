from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.hci.settings.values import computer_name, format_time_span, parse_time_span


@given(st.integers(min_value=0, max_value=999 * 86400))
def test_every_duration_is_read_back_as_it_was_written(seconds: int):
    span = timedelta(seconds=seconds)
    assert parse_time_span(format_time_span(span)) == span


@pytest.mark.parametrize(
    ("text", "seconds"), [("08:00:00", 28800), ("8:00", 28800), ("1.02:03:04", 93784), ("00:00:01", 1)]
)
def test_durations_are_dot_net_time_spans(text: str, seconds: int):
    assert parse_time_span(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("wrong", ["90", 90, "24:00:00", "1:60:00", "1:00:60", "8h", "", "-1:00:00", "١:٠٠:٠٠"])
def test_what_is_no_time_span_is_refused_with_the_right_form(wrong: object):
    with pytest.raises(ValueError, match=r"is not a duration"):
        parse_time_span(wrong)


@pytest.mark.parametrize("name", ["HCI01", "a", "0A", "A-B_C", "FIFTEENLETTERSX"])
def test_names_that_computers_may_have(name: str):
    assert computer_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "-A", "A-", "A B", "A.B", "A'B", "ä", "123", "SIXTEENLETTERSXX", "A\n", "A;B", "$(x)"]
)
def test_names_that_computers_may_not_have(name: str):
    with pytest.raises(ValueError):
        computer_name(name)
