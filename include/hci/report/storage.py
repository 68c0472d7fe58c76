"""Where a run's record lives: a tiny storage protocol, kept in files or in memory.

An object store (through Airflow's object storage path) fits the same protocol: nothing is ever appended or renamed by a
caller, and a name is written once or replaced as a whole.
"""

from __future__ import annotations

import bisect
import os
import re
import sys
import threading
import uuid
from pathlib import Path
from typing import Protocol

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+-]*(/[A-Za-z0-9_][A-Za-z0-9._+-]*)*")
_TEMPORARY = ".tmp-"


class Storage(Protocol):
    """Keeps texts under names like ``events/20261103T011200.000000Z-000001.json``."""

    def write(self, name: str, text: str) -> None:
        """Keep ``text`` under ``name``: a reader sees the old text or the new one, never a part; raises OSError."""
        ...

    def read(self, name: str) -> str:
        """Return the text of ``name``; raises FileNotFoundError when there is none, OSError when it cannot be read."""
        ...

    def list(self, prefix: str) -> list[str]:
        """Return the names that begin with ``prefix``, sorted; raises OSError when they cannot be told."""
        ...

    def remove(self, name: str) -> None:
        """Forget ``name``; nothing happens when there is no such text."""
        ...


def checked_name(name: str) -> str:
    """Return ``name`` when it may be used as a storage name; raises ValueError, so that no name leaves the storage."""
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be the name of a stored text. Use letters, digits and . _ + - in parts separated by '/', "
            "each part beginning with a letter, a digit or '_'."
        )
    return name


class LocalStorage:
    """Texts as files below ``root``; safe for concurrent writers in several processes."""

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root)

    def __repr__(self) -> str:
        return f"LocalStorage({str(self.root)!r})"

    def write(self, name: str, text: str) -> None:
        """Write a temporary file beside the target, flush it to the disk and rename it into place."""
        target = self.root / checked_name(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f"{_TEMPORARY}{uuid.uuid4().hex}"
        try:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                # An intent must survive a crash of this machine, because the change it announces will.
                os.fsync(file.fileno())
            temporary.replace(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        _flush_directory(target.parent)

    def read(self, name: str) -> str:
        """Return the file's text."""
        return (self.root / checked_name(name)).read_text(encoding="utf-8")

    def list(self, prefix: str) -> list[str]:
        """Return the files whose path below the root begins with ``prefix``."""
        names: list[str] = []
        # A run's record has a file per event and is listed at every poll: nothing is asked of each file by itself.
        for folder, _, files in os.walk(self.root / prefix.rpartition("/")[0], onerror=_unless_missing):
            at = Path(folder).relative_to(self.root).as_posix()
            names += (file if at == "." else f"{at}/{file}" for file in files if not file.startswith(_TEMPORARY))
        return sorted(name for name in names if name.startswith(prefix))

    def remove(self, name: str) -> None:
        """Delete the file."""
        (self.root / checked_name(name)).unlink(missing_ok=True)


class MemoryStorage:
    """Texts in memory, for scripts and simulated runs; safe for threads."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._names: list[str] = []
        self._lock = threading.Lock()

    def write(self, name: str, text: str) -> None:
        """Keep the text."""
        with self._lock:
            if checked_name(name) not in self._texts:
                bisect.insort(self._names, name)
            self._texts[name] = text

    def read(self, name: str) -> str:
        """Return the text."""
        with self._lock:
            if name not in self._texts:
                raise FileNotFoundError(f"Nothing is stored under {name!r}.")
            return self._texts[name]

    def list(self, prefix: str) -> list[str]:
        """Return the names."""
        with self._lock:
            first = bisect.bisect_left(self._names, prefix)
            return self._names[first : bisect.bisect_left(self._names, prefix + chr(sys.maxunicode), first)]

    def remove(self, name: str) -> None:
        """Forget the text."""
        with self._lock:
            if self._texts.pop(checked_name(name), None) is not None:
                self._names.remove(name)


def _flush_directory(folder: Path) -> None:
    """Make a rename in ``folder`` durable where the platform can (POSIX)."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unless_missing(error: OSError) -> None:
    # A folder that was never written to is empty; one that cannot be read is not.
    if not isinstance(error, FileNotFoundError):
        raise error
