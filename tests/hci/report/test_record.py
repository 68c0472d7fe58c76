from __future__ import annotations

import json
import multiprocessing
import re
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.redact import Redactor
from include.hci.report.storage import LocalStorage, MemoryStorage
from include.hci.report.values import Problem

T0 = datetime(2026, 11, 3, 1, 12, 0, 123456, tzinfo=UTC)


def test_every_event_is_one_file_named_after_what_it_is():
    record = RunRecord(MemoryStorage())
    record.add(ev.Pausing(node="HCI-02", roles=("vm1",)), T0)
    record.add(ev.LockReleased(guid="g"), T0)
    first, second = record.storage.list("events/")
    assert re.fullmatch(r"events/20261103T011200\.123456Z-000001-[0-9a-f]{8}-HCI_02-drain-intent\.json", first)
    assert re.fullmatch(r"events/20261103T011200\.123456Z-000002-[0-9a-f]{8}-cluster-conclude-done\.json", second)
    document = json.loads(record.storage.read(first))
    assert document == {
        "schema": 1,
        "at": "2026-11-03T01:12:00.123456+00:00",
        "sequence": 1,
        "step": "drain",
        "node": "HCI-02",
        "kind": "intent",
        "event": "pausing",
        "data": {"state_before": "Up", "roles": ["vm1"], "seen": []},
    }


def test_another_process_reads_what_was_written_and_goes_on_after_it(tmp_path: Path):
    RunRecord(LocalStorage(tmp_path)).add(ev.Pausing(node="A"), T0)
    taken_over = RunRecord(LocalStorage(tmp_path))
    # The clock stands still: what the second process writes comes after all the same.
    taken_over.add(ev.Drained(node="A"), T0)
    reader = RunRecord(LocalStorage(tmp_path))
    assert [type(entry.event) for entry in reader.events()] == [ev.Pausing, ev.Drained]
    assert [entry.sequence for entry in reader.events()] == [1, 2]
    assert reader.events() == taken_over.events()


def test_events_of_others_show_up_at_the_next_reading(tmp_path: Path):
    reader, writer = RunRecord(LocalStorage(tmp_path)), RunRecord(LocalStorage(tmp_path))
    assert reader.events() == ()
    writer.add(ev.Pausing(node="A"), T0)
    assert len(reader.events()) == 1


def test_events_are_ordered_by_their_time_in_whatever_order_they_were_written():
    record = RunRecord(MemoryStorage())
    record.add(ev.Drained(node="A"), T0 + timedelta(seconds=1))
    record.add(ev.Pausing(node="A"), T0.astimezone(timezone(timedelta(hours=5))))
    assert [entry.name for entry in record.events()] == ["pausing", "drained"]
    assert record.events()[0].at == T0
    assert record.events()[0].at.utcoffset() == timedelta(0)


def test_events_are_found_by_node_step_kind_and_name():
    record = RunRecord(MemoryStorage())
    record.add(ev.Pausing(node="A"), T0)
    record.add(ev.Drained(node="A"), T0 + timedelta(seconds=1))
    record.add(ev.Pausing(node="B"), T0 + timedelta(seconds=2))
    record.add(ev.LockReleased(guid="g"), T0 + timedelta(seconds=3))
    assert [entry.name for entry in record.events(node="A")] == ["pausing", "drained"]
    assert [entry.node for entry in record.events(kind="intent")] == ["A", "B"]
    assert [entry.node for entry in record.events(step="drain", name="drained")] == ["A"]
    assert record.events(node="C") == ()
    latest = record.latest(step="drain")
    assert latest is not None
    assert latest.node == "B"
    assert record.latest(node="C") is None


def test_typed_events_are_found_by_their_type():
    record = RunRecord(MemoryStorage())
    for minute in (1, 2):
        boot = T0 - timedelta(minutes=minute)
        record.add(ev.RestartOrdered(node="A", boot_time_before=boot), T0 + timedelta(minutes=minute))
    last = record.last(ev.RestartOrdered, "A")
    assert last is not None
    assert (last.at, last.event.boot_time_before) == (T0 + timedelta(minutes=2), T0 - timedelta(minutes=2))
    assert len(record.all_of(ev.RestartOrdered)) == 2
    assert record.last(ev.Restarted, "A") is None
    assert record.last(ev.RestartOrdered, "B") is None


def test_a_free_note_is_kept_with_its_data():
    record = RunRecord(MemoryStorage())
    data = {"moment": T0, "took": timedelta(seconds=90), "names": ("a", "b"), "number": 1.5, "none": None}
    record.note(step="hardware", kind="outcome", node="A", data=data, at=T0, name="firmware_read")
    entry = RunRecord(record.storage).events()[0]
    assert entry.event is None
    assert entry.name == "firmware_read"
    assert entry.data == {
        "moment": "2026-11-03T01:12:00.123456Z", "took": "PT1M30S", "names": ["a", "b"], "number": 1.5, "none": None,
    }  # fmt: skip


def test_a_note_cannot_pretend_to_be_an_event_about_something_else():
    record = RunRecord(MemoryStorage())
    data = {"node": "B", "step": "resume", "event": "resumed", "reason": "x"}
    record.note(step="drain", kind="outcome", node="A", data=data, at=T0, name="skipped")
    assert record.events()[0].event == ev.Skipped(step="drain", node="A", reason="x")


def test_what_cannot_be_kept_is_refused_before_anything_is_written():
    record = RunRecord(MemoryStorage())
    with pytest.raises(ValueError, match="not JSON data"):
        record.note(step="drain", kind="outcome", data={"x": object()}, at=T0)
    with pytest.raises(ValueError, match="needs a time zone"):
        record.add(ev.Drained(node="A"), datetime(2026, 11, 3))
    with pytest.raises(ValueError, match="no kind of event"):
        record.note(step="drain", kind="rumour", data={}, at=T0)  # type: ignore[arg-type]
    assert record.storage.list("") == []


def test_an_event_that_could_not_be_made_durable_is_an_error_and_not_on_record(monkeypatch: pytest.MonkeyPatch):
    record = RunRecord(MemoryStorage())

    def broken(name: str, text: str) -> None:
        raise OSError("no space")

    monkeypatch.setattr(record.storage, "write", broken)
    with pytest.raises(OSError, match="no space"):
        record.add(ev.Pausing(node="A"), T0)
    assert record.events() == ()


@pytest.mark.parametrize("text", ["", "{", '{"schema": 1}', "[]", "null", '{"at": "never", "step": 1}', '{"data": 5}'])
def test_torn_and_foreign_files_are_reported_and_hide_nothing_else(tmp_path: Path, text: str):
    record = RunRecord(LocalStorage(tmp_path))
    record.add(ev.Pausing(node="A"), T0)
    (tmp_path / "events" / "20261103T010000.000000Z-000009-x.json").write_text(text)
    (tmp_path / "events" / "notes.txt").write_text("not an event")
    again = RunRecord(LocalStorage(tmp_path))
    assert [entry.name for entry in again.events()] == ["pausing"]
    assert [broken.file for broken in again.unreadable()] == ["events/20261103T010000.000000Z-000009-x.json"]
    assert again.unreadable()[0].reason


class Sick(MemoryStorage):
    """Does not give one of its texts while it is ``sick``."""

    sick = False

    def read(self, name: str) -> str:
        if self.sick and "pausing" in super().read(name):
            raise OSError("stale file handle")
        return super().read(name)


def test_an_event_that_the_storage_does_not_give_now_never_passes_for_one_that_is_not_there():
    storage = Sick()
    writer = RunRecord(storage)
    writer.add(ev.LockTaking(guid="g", nodes=("A",)), T0)
    writer.add(ev.Pausing(node="A"), T0)
    storage.sick = True
    reader = RunRecord(storage)
    for ask in (lambda: reader.facts, reader.events, lambda: reader.last(ev.Pausing), reader.unreadable):
        with pytest.raises(OSError, match="stale"):
            ask()
    storage.sick = False
    assert list(reader.facts.paused) == ["A"]
    assert reader.facts == writer.facts


def test_a_record_whose_events_have_vanished_is_not_an_empty_one():
    storage = MemoryStorage()
    record = RunRecord(storage)
    record.add(ev.Pausing(node="A"), T0)
    storage.remove(storage.list("events/")[0])
    with pytest.raises(FileNotFoundError, match="mounted"):
        _ = record.facts


def test_a_file_that_is_no_text_is_named_and_reading_goes_on(tmp_path: Path):
    record = RunRecord(LocalStorage(tmp_path))
    record.add(ev.Pausing(node="A"), T0)
    (tmp_path / "events" / "20261103T010000.000000Z-000009-x.json").write_bytes(b"\xff\xfe")
    again = RunRecord(LocalStorage(tmp_path))
    assert (list(again.facts.paused), len(again.unreadable())) == (["A"], 1)


def test_what_others_have_written_is_counted_by_what_it_is_about():
    storage = MemoryStorage()
    here, there = RunRecord(storage), RunRecord(storage)
    here.add(ev.Pausing(node="A"), T0)
    assert (here.heard(), here.heard("A")) == (0, 0)
    there.add(ev.Paused(node="A"), T0)
    there.add(ev.Pausing(node="B"), T0)
    there.add(ev.LockReleased(guid="g"), T0)
    there.add(ev.Decided(step="drain", node="A", decision="wait", why="x"), T0)
    assert (here.heard(), here.heard("A"), here.heard("B"), here.heard("C")) == (3, 2, 2, 1)


@pytest.mark.parametrize("behind", [timedelta(seconds=1), timedelta(hours=2)])
def test_what_takes_a_change_back_comes_after_it_on_a_clock_that_is_behind(behind: timedelta, caplog):
    storage = MemoryStorage()
    ahead, late = RunRecord(storage), RunRecord(storage)
    ahead.add(ev.LockTaking(guid="g", nodes=("A",)), T0)
    ahead.add(ev.Pausing(node="A"), T0)
    assert list(late.facts.paused) == ["A"]
    late.add(ev.Resumed(node="A", failback_mode="Immediate"), T0 - behind)
    late.add(ev.LockReleased(guid="g"), T0 - behind)
    for record in (ahead, late, RunRecord(storage)):
        assert (dict(record.facts.paused), record.facts.lock_nodes) == ({}, ())
    assert ("behind that of another one" in caplog.text) == (behind > timedelta(seconds=10))


def test_a_file_that_becomes_readable_is_read(tmp_path: Path):
    record = RunRecord(LocalStorage(tmp_path))
    record.add(ev.Pausing(node="A"), T0)
    file = next((tmp_path / "events").iterdir())
    text = file.read_text()
    file.write_text(text[:10])
    reader = RunRecord(LocalStorage(tmp_path))
    assert (reader.events(), len(reader.unreadable())) == ((), 1)
    file.write_text(text)
    assert (len(reader.events()), reader.unreadable()) == (1, ())


def test_secrets_never_reach_the_storage():
    record = RunRecord(MemoryStorage(), Redactor(["Str0ng!Pass"]))
    data = {
        "password": "one-secret",
        "nested": [{"client_secret": "two-secret"}],
        "why": "logon with Str0ng!Pass failed",
    }
    entry = record.note(step="drain", kind="outcome", data=data, at=T0)
    problem = Problem(title="refused: password=three-secret", meaning="Str0ng!Pass")
    record.add(ev.Failed(step="drain", node="A", problem=problem), T0)
    stored = "".join(record.storage.read(name) for name in record.storage.list(""))
    for text in (stored, repr(entry), repr(record.events())):
        assert not re.search("one-secret|two-secret|three-secret|Str0ng", text)


def _write_many(root: str, name: str, count: int) -> None:
    record = RunRecord(LocalStorage(root))
    for number in range(count):
        record.note(step="install", kind="decision", node=name, data={"number": number}, at=T0)


def test_several_processes_write_at_once_and_nothing_is_lost(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_write_many, args=(str(tmp_path), f"N{number}", 40)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    record = RunRecord(LocalStorage(tmp_path))
    assert record.unreadable() == ()
    for number in range(3):
        assert [entry.data["number"] for entry in record.events(node=f"N{number}")] == list(range(40))


def test_what_another_process_wrote_earlier_is_sorted_in_and_counts_from_then_on():
    storage = MemoryStorage()
    here, there = RunRecord(storage), RunRecord(storage)
    here.add(ev.Pausing(node="A"), T0 + timedelta(minutes=2))
    assert list(here.facts.paused) == ["A"]
    there.add(ev.Resumed(node="A", failback_mode="Immediate"), T0 + timedelta(minutes=3))
    there.add(ev.Pausing(node="B"), T0)
    assert [(entry.node, entry.name) for entry in here.events()] == [
        ("B", "pausing"),
        ("A", "pausing"),
        ("A", "resumed"),
    ]
    assert [entry.name for entry in here.events("A")] == ["pausing", "resumed"]
    assert list(here.facts.paused) == ["B"]
    assert here.facts == RunRecord(storage).facts
