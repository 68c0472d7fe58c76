from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.chaos.play import Endless, Played, Verdict, play
from tests.chaos.scenario import Scenario, Trouble, scenario
from tests.chaos.shrink import shrink

GUILTY = Trouble("witness-lost", 5.0)
BIG = Scenario(
    1, 2, "21H2", (Trouble("cau-role-schedule", 0.0), GUILTY, Trouble("csv-redirected", 3.0)), (40, 900), 700
)


def verdict(given: Scenario, *broken: str) -> Verdict:
    return Verdict(given, "failed", broken, 100, timedelta(hours=1))


def fails_with_the_guilty(given: Scenario) -> Verdict:
    is_broken = GUILTY in given.troubles and any(kill >= 100 for kill in given.kills)
    return verdict(given, "I4: something") if is_broken else verdict(given)


def test_what_does_not_matter_is_dropped_and_what_kills_comes_early() -> None:
    smallest = shrink(fails_with_the_guilty(BIG), fails_with_the_guilty).scenario
    assert smallest.troubles == (GUILTY,)
    assert smallest.cancel is None
    assert len(smallest.kills) == 1
    assert 100 <= smallest.kills[0] < 200


def test_a_run_that_fails_in_another_way_is_not_taken_for_the_same() -> None:
    def other(given: Scenario) -> Verdict:
        return verdict(given, "I1: something else")

    assert shrink(verdict(BIG, "I4: something"), other).scenario == BIG


def test_a_seed_always_stands_for_the_same_run() -> None:
    assert [scenario(seed) for seed in range(50)] == [scenario(seed) for seed in range(50)]
    assert len({scenario(seed).describe().partition(";")[2] for seed in range(50)}) > 45


@pytest.mark.parametrize("limit", [timedelta(minutes=1), timedelta(minutes=30)])
def test_a_run_that_takes_too_long_is_a_violation(monkeypatch: pytest.MonkeyPatch, limit: timedelta) -> None:
    monkeypatch.setattr(Scenario, "limit", limit)
    found = play(Scenario(1, 2, "21H2"))
    assert any(line.startswith("END:") for line in found.broken)
    assert issubclass(Endless, BaseException)


def test_a_node_that_stays_paused_without_a_word_is_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(replace(Scenario(1, 2, "21H2"), cancel=None))
    # The run's end is forgotten, and so are the resume and the release of the lock.
    monkeypatch.setattr(played.coordinator, "conclude", lambda: None)
    monkeypatch.setattr(type(played.coordinator), "update", _drain_only)
    found = played.play()
    assert any("HCI01" in line for line in found.broken)


def _drain_only(run: object, node: str) -> None:
    run.step("turn", node)  # type: ignore[attr-defined]
    run.step("drain", node)  # type: ignore[attr-defined]
