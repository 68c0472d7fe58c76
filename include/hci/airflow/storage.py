"""Where runs keep their record and report: a folder or an object store, named by ``HCI_REPORTS``."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from airflow.sdk import ObjectStoragePath

from include.hci.report.record import RunRecord
from include.hci.report.storage import LocalStorage, Storage, checked_name

VARIABLE = "HCI_REPORTS"
#: The report's page beside the record.
REPORT_PAGE = "report.html"


def reports_location(environ: Mapping[str, str] = os.environ) -> str:
    """Return the base address of all records: ``HCI_REPORTS``, or the folder ``reports`` in Airflow's home."""
    return environ.get(VARIABLE) or (airflow_home(environ) / "reports").as_uri()


def airflow_home(environ: Mapping[str, str] = os.environ) -> Path:
    """Return Airflow's home, as Airflow itself finds it."""
    return Path(environ.get("AIRFLOW_HOME", "~/airflow")).expanduser().resolve()


def run_address(cluster: str, run_id: str, environ: Mapping[str, str] = os.environ) -> str:
    """Return the address of one run's record; parts that a file name cannot hold are replaced."""
    return "/".join((reports_location(environ).rstrip("/"), _part(cluster), _part(run_id)))


def open_storage(address: str) -> Storage:
    """Return the storage at ``address``: plain files for ``file://``, else Airflow's object storage (``s3://`` ...)."""
    parts = urlsplit(address)
    if parts.scheme in ("", "file"):
        return LocalStorage(Path(unquote(parts.path)))
    return ObjectStorage(ObjectStoragePath(address))


def open_cluster_storage(cluster: str, environ: Mapping[str, str] = os.environ) -> Storage:
    """Return the storage of what concerns a cluster beyond one run."""
    return open_storage(f"{reports_location(environ).rstrip('/')}/{_part(cluster)}")


def open_record(cluster: str, run_id: str) -> RunRecord:
    """Return the record of one run."""
    return RunRecord(open_storage(run_address(cluster, run_id)))


class ObjectStorage:
    """Texts in an object store; an object is replaced as a whole, which the store itself makes atomic.

    What the store's own library raises comes out as OSError, as ``Storage`` says. Everything is asked of the file system that
    Airflow has made: a path's own methods may ask another one, which does not know what was written through the first.
    """

    def __init__(self, root: ObjectStoragePath) -> None:
        self._root = root

    def __repr__(self) -> str:
        return f"ObjectStorage({self._root})"

    def write(self, name: str, text: str) -> None:
        """Write the object."""
        path = self._root / checked_name(name)
        with self._asking(), path.open("w", encoding="utf-8") as stream:
            stream.write(text)

    def read(self, name: str) -> str:
        """Return the object's text; raises FileNotFoundError."""
        path = self._root / checked_name(name)
        with self._asking(), path.open("r", encoding="utf-8") as stream:
            text: str = stream.read()
        return text

    def list(self, prefix: str) -> list[str]:
        """Return the names that begin with ``prefix``."""
        folder = self._root / prefix.rpartition("/")[0]
        base = self._root.path.rstrip("/") + "/"
        with self._asking():
            names = [path.removeprefix(base) for path in self._files(folder.path.rstrip("/"))]
        return sorted(name for name in names if name.startswith(prefix))

    def _files(self, folder: str) -> Iterator[str]:
        """Give the objects below ``folder``: by listing, because what finds or walks passes over what cannot be read."""
        try:
            entries = self._root.fs.ls(folder, detail=True)
        except FileNotFoundError:
            return
        for entry in entries:
            name = str(entry["name"]).rstrip("/")
            if name == folder:  # a folder's own object, as some tools make them
                continue
            if entry["type"] == "directory":
                yield from self._files(name)
            else:
                yield name

    def remove(self, name: str) -> None:
        """Delete the object."""
        path = self._root / checked_name(name)
        with self._asking(), contextlib.suppress(FileNotFoundError):
            self._root.fs.rm_file(path.path)

    @contextlib.contextmanager
    def _asking(self) -> Iterator[None]:
        """Ask the store itself: its library remembers listings for good, and other processes write to the same record."""
        try:
            self._root.fs.invalidate_cache()
            yield
        except (OSError, ValueError):
            raise
        except Exception as error:
            raise OSError(f"{self._root} cannot be reached: {type(error).__name__}: {error}") from error


def _part(text: str) -> str:
    # Run ids hold colons and plus signs, which file names on some systems do not.
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip(".-") or "_"
