"""Starts, watches and stops the processes of a demonstration."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import psutil

from include.demo.place import DemoRefused, Place, note_processes, stop_tree

#: The scheduler waits for running tasks when asked to end; at the end of a demonstration there is nothing worth waiting for.
PATIENCE_SECONDS = 8.0


class Processes:
    """The processes of one demonstration, each with its own log file, all stopped together."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start ``python -m arguments...`` under ``name``; its output goes to its log file."""
        log = self._place.log(name)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            # A session of its own: Ctrl-C in the terminal reaches this program alone, which then stops the rest in order.
            process = subprocess.Popen(
                [sys.executable, "-m", *arguments],
                cwd=self._place.root,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running[name] = process
        note_processes(self._place.processes_file, self._family())

    def run(self, name: str, arguments: Sequence[str], environment: Mapping[str, str], *, seconds: float) -> None:
        """Run ``python -m arguments...`` to its end; raises DemoRefused with the end of its output when it fails."""
        self.start(name, arguments, environment)
        process = self._running[name]
        try:
            code = process.wait(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            raise DemoRefused(f"{name} took longer than {seconds:.0f} s.\n{tail(self._place.log(name))}") from error
        del self._running[name]
        if code != 0:
            raise DemoRefused(f"{name} failed with exit status {code}.\n{tail(self._place.log(name))}")

    def require_alive(self) -> None:
        """Raise DemoRefused when one of the processes has ended by itself."""
        for name, process in self._running.items():
            code = process.poll()
            if code is not None:
                raise DemoRefused(
                    f"{name} ended by itself with exit status {code}. Its log, {self._place.log(name)}, ends with:\n"
                    f"{tail(self._place.log(name))}"
                )

    def stop(self, name: str, *, patience: float = PATIENCE_SECONDS) -> None:
        """Stop one process and its children."""
        process = self._running.pop(name, None)
        if process is None:
            return
        with contextlib.suppress(psutil.Error):
            stop_tree(psutil.Process(process.pid), patience=patience)
        process.wait(timeout=10)

    def stop_all(self) -> None:
        """Stop everything, the newest first."""
        trees = []
        for process in self._running.values():
            with contextlib.suppress(psutil.Error):
                root = psutil.Process(process.pid)
                trees.append((root, root.children(recursive=True)))
                root.terminate()
        deadline = time.monotonic() + PATIENCE_SECONDS
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=max(0.1, deadline - time.monotonic()))
        for root, children in trees:
            for member in (*children, root):
                with contextlib.suppress(psutil.Error):
                    member.kill()
        for process in self._running.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=5)
        self._running.clear()
        self._place.processes_file.unlink(missing_ok=True)

    def _family(self) -> list[psutil.Process]:
        found = []
        for process in self._running.values():
            with contextlib.suppress(psutil.Error):
                found.append(psutil.Process(process.pid))
        return found


def tail(file: Path, lines: int = 15) -> str:
    """Return the last ``lines`` of ``file``, or why they cannot be read."""
    try:
        text = file.read_text(errors="replace").splitlines()
    except OSError as error:
        return f"({error})"
    return "\n".join(text[-lines:])
