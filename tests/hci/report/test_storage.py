from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from include.hci.report.storage import LocalStorage, MemoryStorage, Storage


@pytest.fixture(params=["local", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    return LocalStorage(tmp_path / "run") if request.param == "local" else MemoryStorage()


def test_what_is_written_is_read_replaced_and_listed_by_prefix(storage: Storage):
    assert storage.list("events/") == []
    storage.write("events/b.json", "ä\n")
    storage.write("events/a.json", "1")
    storage.write("report.json", "{}")
    storage.write("events/a.json", "2")
    assert (storage.read("events/a.json"), storage.read("events/b.json")) == ("2", "ä\n")
    assert storage.list("events/") == ["events/a.json", "events/b.json"]
    assert storage.list("events/a") == ["events/a.json"]
    assert storage.list("") == ["events/a.json", "events/b.json", "report.json"]


def test_what_is_removed_is_gone_and_removing_it_again_does_no_harm(storage: Storage):
    storage.write("open/a.json", "1")
    storage.remove("open/a.json")
    storage.remove("open/a.json")
    assert storage.list("open/") == []


def test_what_is_not_there_is_said_to_be_not_there(storage: Storage):
    with pytest.raises(FileNotFoundError):
        storage.read("events/none.json")


@pytest.mark.parametrize("name", ["../x", "/x", "a//b", "a/../b", "a/./b", ".hidden", "", "a\\b", "a b", "a/", "C:x"])
def test_no_name_leaves_the_storage(storage: Storage, name: str):
    with pytest.raises(ValueError, match="cannot be the name"):
        storage.write(name, "x")


def test_a_write_that_fails_leaves_the_old_text_and_no_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    storage = LocalStorage(tmp_path)
    storage.write("events/a.json", "old")

    def broken(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", broken)
    with pytest.raises(OSError, match="disk full"):
        storage.write("events/a.json", "new")
    monkeypatch.undo()
    assert storage.read("events/a.json") == "old"
    assert [path.name for path in (tmp_path / "events").iterdir()] == ["a.json"]


def test_a_folder_that_cannot_be_read_is_not_an_empty_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    storage = LocalStorage(tmp_path)
    storage.write("events/a.json", "x")

    def broken(path: object) -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "scandir", broken)
    with pytest.raises(OSError, match="Input/output error"):
        storage.list("events/")


def test_the_rest_of_a_killed_writer_is_not_listed(tmp_path: Path):
    storage = LocalStorage(tmp_path)
    storage.write("events/a.json", "x")
    (tmp_path / "events" / ".tmp-0123").write_text("half of")
    assert storage.list("events/") == ["events/a.json"]


def test_a_reader_never_sees_half_a_text(tmp_path: Path):
    storage = LocalStorage(tmp_path)
    texts = ["a" * 200_000, "b" * 200_000]
    storage.write("x", texts[0])
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for text in texts:
                storage.write("x", text)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert all(storage.read("x") in texts for _ in range(200))
    finally:
        stop.set()
        writer.join()
