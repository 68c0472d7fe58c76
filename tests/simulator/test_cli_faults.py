"""The list of faults, scenarios, effects and open facts on the command line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.simulator import cli
from include.simulator.faults.catalogue import catalogue, not_faults
from include.simulator.faults.registry import effects
from include.simulator.faults.scenarios import scenarios
from include.simulator.world.variants import VARIANTS


def listed(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, Any]]:
    assert cli.main(["faults", *arguments, "--json"]) == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), set(catalogue())),
        (("--scenarios",), set(scenarios())),
        (("--effects",), set(effects())),
        (("--variants",), set(VARIANTS)),
        (("--theme", "wire"), {row.id for row in catalogue().values() if row.theme == "wire"}),
        (("--demand", "B-6"), {row.id for row in catalogue().values() if "B-6" in row.demands}),
        (("--demand", "34"), {"credentials-rotated", "credentials-rotated-during-install"}),
        (("--demand", "b-8", "--demand", "B-62"), {"single-copy-volume", "servicing-stack-first"}),
        (("--demand", "B-34", "--theme", "storage"), set()),
        (("--scenarios", "--demand", "B-38"), {"ghost-lock"}),
    ],
)
def test_what_is_listed(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], expected: set[str]) -> None:
    assert {row["id"] for row in listed(capsys, *arguments)} == expected


def test_a_row_tells_everything_that_one_may_say_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    [row] = [each for each in listed(capsys) if each["id"] == "install-takes-three-hours"]
    assert row["details"] == ["minutes", "times", "title"]
    assert (row["heals"], row["node"], row["theme"], row["demands"]) == (True, "optional", "software", ["B-31", "B-44"])
    assert row["shows"] == ["update.installed", "install.finished"]


@pytest.mark.parametrize("arguments", [(), ("--scenarios",), ("--effects",), ("--variants",)])
def test_a_table_for_people_holds_every_row(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    assert cli.main(["faults", *arguments]) == 0
    table = capsys.readouterr().out
    assert all(row["id"] in table for row in listed(capsys, *arguments))


def test_a_demand_that_no_fault_plays_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["faults", "--demand", "B-66"]) == 0
    assert not_faults()["B-66"] in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--demand", "B-99"), "There is no demand B-99; there are B-1 to B-68"),
        (("--theme", "cooking"), "There is no theme 'cooking'; there are coordination"),
    ],
)
def test_what_is_not_there_is_an_error(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], complaint: str
) -> None:
    assert cli.main(["faults", *arguments]) == 2
    assert complaint in capsys.readouterr().err
