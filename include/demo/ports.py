"""Checks that the ports a demonstration needs are free, before anything is started."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from include.demo.place import DemoRefused


def require_free(ports: Iterable[tuple[int, str, str]], host: str = "127.0.0.1") -> None:
    """Raise DemoRefused naming every port of ``ports`` that is in use.

    Each row is (port, what it is for, the make variable that moves it).
    """
    busy = [row for row in ports if not is_free(row[0], host)]
    if busy:
        lines = "\n".join(f"  port {port} on {host} is in use; it is needed for {purpose}" for port, purpose, _ in busy)
        moves = " ".join(dict.fromkeys(f"{variable}=<another port>" for _, _, variable in busy))
        raise DemoRefused(f"The demonstration cannot start:\n{lines}\nFree it, or choose others: make demo {moves}")


def is_free(port: int, host: str) -> bool:
    """Return whether a server could listen on ``host``:``port`` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
        return True
