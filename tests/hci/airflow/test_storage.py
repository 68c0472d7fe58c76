from __future__ import annotations

import pytest
from airflow.sdk import ObjectStoragePath
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from include.hci.airflow.storage import ObjectStorage, open_storage, reports_location, run_address
from include.hci.report.storage import LocalStorage


def test_location_comes_from_the_environment_or_airflows_home():
    assert reports_location({"HCI_REPORTS": "s3://bucket/hci"}) == "s3://bucket/hci"
    assert reports_location({"AIRFLOW_HOME": "/srv/airflow"}) == "file:///srv/airflow/reports"


def test_run_ids_become_safe_folder_names():
    environ = {"HCI_REPORTS": "file:///srv/reports/"}
    assert run_address("prod", "manual__2026-11-03T01:12:00+00:00", environ) == (
        "file:///srv/reports/prod/manual__2026-11-03T01_12_00_00_00"
    )
    assert run_address("prod", "../../etc", environ) == "file:///srv/reports/prod/_.._etc"


def test_files_are_plain_files(tmp_path):
    storage = open_storage((tmp_path / "a b").as_uri())
    assert isinstance(storage, LocalStorage)
    storage.write("events/one.json", "{}")
    assert (tmp_path / "a b" / "events" / "one.json").read_text() == "{}"


class Remembering(MemoryFileSystem):
    """Remembers what it has listed until it is told to forget, as the file systems of object stores do (s3fs, ``_ls``)."""

    cachable = False

    def __init__(self, **options):
        super().__init__(**options)
        self.known = {}
        self.down = False

    def ls(self, path, detail=True, **options):
        if self.down:
            raise RuntimeError("EndpointConnectionError")
        if path not in self.known:
            self.known[path] = super().ls(path, detail=True, **options)
        return self.known[path] if detail else [entry["name"] for entry in self.known[path]]

    def invalidate_cache(self, path=None):
        self.known.clear()


def test_what_another_process_has_written_to_an_object_store_is_seen_at_once():
    attach("memory", "mine", fs=Remembering())
    storage = ObjectStorage(ObjectStoragePath("memory://mine@reports/other"))
    storage.write("events/a.json", "mine")
    assert storage.list("events/") == ["events/a.json"]
    attach("memory", "another", fs=Remembering())
    another = ObjectStorage(ObjectStoragePath("memory://another@reports/other"))
    another.write("events/b.json", "another's")
    assert storage.list("events/") == ["events/a.json", "events/b.json"]
    assert storage.read("events/b.json") == "another's"


def test_an_object_store_that_cannot_be_reached_is_no_empty_one():
    store = Remembering()
    attach("memory", "down", fs=store)
    storage = ObjectStorage(ObjectStoragePath("memory://down@reports/down"))
    storage.write("events/a.json", "mine")
    store.down = True
    with pytest.raises(OSError, match="cannot be reached: RuntimeError: EndpointConnectionError"):
        storage.list("events/")


def test_object_stores_keep_the_same_promises():
    # An object store's file system in memory, attached as Airflow attaches those of its providers.
    attach("memory", fs=MemoryFileSystem())
    storage = ObjectStorage(ObjectStoragePath("memory://reports/run"))
    assert storage.list("events/") == []
    storage.write("events/b.json", "second")
    storage.write("events/a.json", "first")
    storage.write("report.json", "report")
    assert storage.list("events/") == ["events/a.json", "events/b.json"]
    assert storage.read("events/a.json") == "first"
    storage.write("events/a.json", "replaced")
    assert storage.read("events/a.json") == "replaced"
    storage.remove("events/b.json")
    storage.remove("events/b.json")
    assert storage.list("events/") == ["events/a.json"]
    with pytest.raises(FileNotFoundError):
        storage.read("events/none.json")
    with pytest.raises(ValueError, match="cannot be the name"):
        storage.write("../outside", "x")
