"""``judge`` on the command line: what it prints, in words and as JSON, and how it exits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from include.simulator import cli
from include.simulator.referee import INVARIANTS
from tests.simulator.referee.journals import Script, careful_run, make_snapshot, true_report

#: Every invariant can be judged by this snapshot and these rules.
VOTES = {"votes": 3, "up_votes": 3, "witness": ""}


def write(path: Path, script: Script) -> str:
    path.write_text("".join(entry.to_json() + "\n" for entry in script.entries))
    return str(path)


def report_file(tmp_path: Path, **more: Any) -> str:
    path = tmp_path / "report.json"
    path.write_text(json.dumps(true_report() | more))
    return str(path)


def full_run() -> Script:
    """A careful run of which everything can be judged."""
    script = Script(quorum=VOTES)
    script.add("rule", None, kind="window", opens="2026-11-03T00:00:00+00:00", closes="2026-11-04T00:00:00+00:00")
    script.add("rule", None, kind="approval", plan_hash="a1")
    script.take_lock()
    for node in ("HCI01", "HCI02", "HCI03"):
        script.update(node)
    nodes = [node | {"ubr": 2322} for node in make_snapshot()["nodes"]]
    return script.release_lock().add("world.snapshot", **(make_snapshot() | {"nodes": nodes, "quorum": VOTES}))


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    code = cli.main(["judge", *arguments, "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_run_of_which_everything_is_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_file(tmp_path, plan_hash="a1")
    code, answer = asked(capsys, write(tmp_path / "j", full_run()), "--report", report)
    assert (code, answer["violations"]) == (0, [])
    assert answer["judged"] == list(INVARIANTS)
    assert {(verdict["verdict"], verdict["reason"]) for verdict in answer["verdicts"]} == {("held", "")}


def test_what_is_not_judged_is_told_with_the_reason(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    journal = write(tmp_path / "j", careful_run())
    code, answer = asked(capsys, journal)
    assert (code, answer["judged"]) == (0, ["I1", "I3", "I4", "I5", "I7", "I8", "I9"])
    reasons = {verdict["invariant"]: verdict["reason"] for verdict in answer["verdicts"]}
    assert reasons["I6"] == "there is no window and no blackout; there is no approval"
    assert reasons["I12"] == "there is no report"
    code, answer = asked(capsys, journal, "--ended")
    assert (code, "I10" in answer["judged"]) == (0, True)


def test_the_table_shows_all_twelve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "220")
    journal = write(tmp_path / "j", Script().take_lock().drain("HCI01").drain("HCI02").drain("HCI03"))
    assert cli.main(["judge", journal]) == 1
    table = capsys.readouterr().out
    rows = {line.split("│")[1].strip(): line for line in table.splitlines() if line.startswith("│ I")}
    assert list(rows)[:12] == list(INVARIANTS)
    assert "broken 2 times" in table
    assert "there is no report" in rows["I12"]
    assert "HCI03 was taken out of service while HCI01, HCI02 were out already; the budget is 1." in table


@pytest.mark.parametrize(
    ("rule", "arguments", "code"), [(None, (), 1), (None, ("--budget", "2"), 0), (2, (), 0), (2, ("--budget", "1"), 1)]
)
def test_the_budget_is_an_argument_a_rule_or_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rule: int | None, arguments: tuple[str, ...], code: int
) -> None:
    script = Script().add("rule", None, kind="budget", nodes_out=rule) if rule else Script()
    journal = write(tmp_path / "j", script.take_lock().drain("HCI01").drain("HCI02"))
    found, answer = asked(capsys, journal, *arguments)
    assert (found, [each["node"] for each in answer["violations"]]) == (code, ["HCI02"] if code else [])


def test_a_report_about_another_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = report_file(tmp_path, plan_hash="b2")
    code, answer = asked(capsys, write(tmp_path / "j", full_run()), "--report", report)
    assert code == 1
    assert [each["sentence"] for each in answer["violations"]] == ["The run followed plan b2; approved was a1."]


def test_a_torn_last_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "j"
    write(path, careful_run())
    path.write_text(path.read_text()[:-25])
    code, answer = asked(capsys, str(path))
    assert (code, answer["entries"]) == (0, len(careful_run().entries) - 1)


def test_what_cannot_be_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["judge", str(tmp_path / "nowhere")]) == 2
    assert "Cannot judge" in capsys.readouterr().err
    (tmp_path / "r").write_text("[]")
    assert cli.main(["judge", write(tmp_path / "j", careful_run()), "--report", str(tmp_path / "r")]) == 2
    assert "is not a run report" in capsys.readouterr().err
