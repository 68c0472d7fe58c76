"""Where runs keep their record and report: a folder or an object store, named by ``HCI_REPORTS``."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
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
    home = Path(environ.get("AIRFLOW_HOME", "~/airflow")).expanduser().resolve()
    return environ.get(VARIABLE) or (home / "reports").as_uri()


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
    """Texts in an object store; an object is replaced as a whole, which the store itself makes atomic."""

    def __init__(self, root: ObjectStoragePath) -> None:
        self._root = root

    def __repr__(self) -> str:
        return f"ObjectStorage({self._root})"

    def write(self, name: str, text: str) -> None:
        """Write the object."""
        with (self._root / checked_name(name)).open("w", encoding="utf-8") as stream:
            stream.write(text)

    def read(self, name: str) -> str:
        """Return the object's text; raises FileNotFoundError."""
        with (self._root / checked_name(name)).open("r", encoding="utf-8") as stream:
            text: str = stream.read()
        return text

    def list(self, prefix: str) -> list[str]:
        """Return the names that begin with ``prefix``."""
        folder = self._root / prefix.rpartition("/")[0]
        if not folder.exists():
            return []
        base = self._root.path.rstrip("/") + "/"
        names = (path.path.removeprefix(base) for path in folder.rglob("*") if path.is_file())
        return sorted(name for name in names if name.startswith(prefix))

    def remove(self, name: str) -> None:
        """Delete the object."""
        (self._root / checked_name(name)).unlink(missing_ok=True)


def _part(text: str) -> str:
    # Run ids hold colons and plus signs, which file names on some systems do not.
    return re.sub(r"[^A-Za-z0-9._-]+", "_", text).lstrip(".-") or "_"
