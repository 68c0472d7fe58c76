import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.simulator.clock import VirtualClock
from include.simulator.journal import Journal, read_journal

START = datetime(2026, 11, 3, tzinfo=UTC)


def test_entries_are_on_disk_before_the_journal_is_closed(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    journal = Journal(clock, tmp_path / "deep" / "journal.jsonl")
    clock.advance(START + timedelta(seconds=90))
    journal.event("node.state", "HCI01", {"state": "Paused"}, actor="alice")
    lines = [json.loads(line) for line in (tmp_path / "deep" / "journal.jsonl").read_text().splitlines()]
    assert [line["op"] for line in lines] == ["journal.opened", "node.state"]
    assert lines[1] == {
        "seq": 2,
        "t": "2026-11-03T00:01:30+00:00",
        "op": "node.state",
        "status": "event",
        "actor": "alice",
        "node": "HCI01",
        "detail": {"state": "Paused"},
    }
    assert read_journal(tmp_path / "deep" / "journal.jsonl") == journal.entries


def test_two_runs_never_share_a_file(tmp_path: Path) -> None:
    Journal(VirtualClock(START), tmp_path / "j").close()
    with pytest.raises(FileExistsError):
        Journal(VirtualClock(START), tmp_path / "j")


def _written(path: Path) -> str:
    journal = Journal(VirtualClock(START), path)
    for number in range(3):
        journal.event("x", None, {"number": number})
    journal.close()
    return path.read_text()


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "j"
    text = _written(path)
    for length in range(len(text) - 2, text.rindex("\n", 0, len(text) - 1), -1):
        path.write_text(text[:length])
        assert [entry.seq for entry in read_journal(path)] == [1, 2, 3]
    path.write_text(text[:-1])  # only the line break is missing: the entry is whole
    assert len(read_journal(path)) == 4


def test_damage_in_the_middle_and_missing_entries_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "j"
    lines = _written(path).splitlines(keepends=True)
    path.write_text(lines[0] + lines[1][:20] + "\n" + lines[2])
    with pytest.raises(ValueError, match="line 2 is not a journal entry"):
        read_journal(path)
    path.write_text(lines[0] + lines[2])
    with pytest.raises(ValueError, match="line 2 has number 3 where 2 was due"):
        read_journal(path)


def test_entries_since_a_number() -> None:
    journal = Journal(VirtualClock(START))
    journal.event("a", None, {})
    journal.event("b", None, {})
    assert [entry.op for entry in journal.since(1)] == ["a", "b"]
    assert journal.since(3) == []
    assert len(journal.since(0)) == 3
