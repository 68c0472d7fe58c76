"""What the end-to-end tests share: free ports, waiting, and looking for processes that were left behind."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from include.demo.place import Place

ROOT = Path(__file__).resolve().parents[2]


def free_ports() -> tuple[int, int]:
    """Return a port for the UI with two free ones after it, and one for the simulated cluster with five after it."""
    for base in range(20000, 30000, 50):
        wanted = [base, base + 1, base + 2, *range(base + 10, base + 16)]
        if all(is_free(port) for port in wanted):
            return base, base + 10
    raise RuntimeError("No free ports were found.")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def wait_for(condition: Callable[[], bool], seconds: float, poll: float = 0.3) -> None:
    """Return once ``condition`` holds; files that are not there yet count as no."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if condition():
                return
        except (OSError, ValueError):
            pass
        time.sleep(poll)
    raise AssertionError(f"It did not happen within {seconds:.0f} s.")


def nothing_runs() -> bool:
    """Return whether no process of a demonstration of this checkout is left; other tests have an Airflow of their own."""
    home = str(Place(ROOT).home)
    for process in psutil.process_iter(["cmdline", "environ"]):
        words, environment = process.info["cmdline"] or [], process.info["environ"] or {}
        if environment.get("AIRFLOW_HOME") == home and any(
            "include.simulator" in word or "airflow" in word for word in words
        ):
            return False
    return True
