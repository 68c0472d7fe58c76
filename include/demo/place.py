"""Where the demonstration keeps its files, and the guard that only one copy runs in a checkout."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil


class DemoRefused(Exception):
    """The demonstration cannot start; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """The folders of one checkout's demonstration.

    ``root`` is the checkout, ``home`` Airflow's own folder inside it, ``work`` logs, journal and the note of running processes,
    ``reports`` what the runs leave behind.
    """

    root: Path

    @property
    def home(self) -> Path:
        """Airflow's home of the embedded default."""
        return self.root / ".airflow"

    @property
    def work(self) -> Path:
        """Logs, journal and process notes."""
        return self.root / ".demo"

    @property
    def reports(self) -> Path:
        """Where runs leave their record and report."""
        return self.work / "reports"

    @property
    def journal(self) -> Path:
        """The simulated cluster's journal."""
        return self.work / "journal.jsonl"

    @property
    def ready_file(self) -> Path:
        """Written by the simulated cluster once its ports are open."""
        return self.work / "cluster.json"

    @property
    def processes_file(self) -> Path:
        """Which processes this demonstration has started."""
        return self.work / "processes.json"

    def log(self, name: str) -> Path:
        """Return where the process ``name`` writes its output."""
        return self.work / "logs" / f"{name}.log"

    def begin_afresh(self) -> None:
        """Remove what an earlier demonstration left: its database, logs, journal and record of runs."""
        for folder in (self.home, self.work / "logs", self.reports):
            shutil.rmtree(folder, ignore_errors=True)
        for file in (self.journal, self.ready_file):
            file.unlink(missing_ok=True)
        for folder in (self.home, self.work / "logs", self.reports):
            folder.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def only_copy(self) -> Iterator[None]:
        """Hold this checkout's demonstration for the time of the block.

        Raises DemoRefused when another copy holds it. What a copy that was killed left running is stopped first.
        """
        self.work.mkdir(parents=True, exist_ok=True)
        with (self.work / "lock").open("a+") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                handle.seek(0)
                raise DemoRefused(
                    f"A demonstration is already running in {self.root} (process {handle.read().strip() or 'unknown'}). "
                    "Stop it with Ctrl-C there, or wait for its end. "
                    "Two copies need two checkouts and other ports (PORT=, SIMULATOR_PORT=)."
                ) from error
            handle.truncate(0)
            handle.write(str(os.getpid()))
            handle.flush()
            stop_leftovers(self.processes_file)
            yield
            handle.truncate(0)


def note_processes(file: Path, processes: list[psutil.Process]) -> None:
    """Write down which ``processes`` run, so that a later copy can stop them if this one is killed."""
    rows = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            rows.append({"pid": process.pid, "started": process.create_time()})
    file.write_text(json.dumps(rows))


def stop_leftovers(file: Path) -> None:
    """Stop the processes noted in ``file`` that still run, with all their children."""
    try:
        rows = json.loads(file.read_text())
    except (OSError, ValueError):
        return
    for row in rows:
        with contextlib.suppress(psutil.Error, KeyError, TypeError):
            process = psutil.Process(row["pid"])
            # A number may have been given to a stranger since: only the same start time is the same process.
            if abs(process.create_time() - row["started"]) < 1.0:
                stop_tree(process, patience=5.0)
    file.unlink(missing_ok=True)


def stop_tree(process: psutil.Process, *, patience: float) -> None:
    """Ask ``process`` and its children to end, and after ``patience`` seconds make them."""
    with contextlib.suppress(psutil.Error):
        family = [*process.children(recursive=True), process]
        for member in reversed(family):
            with contextlib.suppress(psutil.Error):
                member.terminate()
        _, alive = psutil.wait_procs(family, timeout=patience)
        for member in alive:
            with contextlib.suppress(psutil.Error):
                member.kill()
        psutil.wait_procs(alive, timeout=5.0)
