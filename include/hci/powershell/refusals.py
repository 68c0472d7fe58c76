"""What a login was told by servers that refused it, and a folder in which processes tell each other.

A run's tasks are processes of their own, and the clusters of a fleet begin in the same minute with the same account.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets as random
import threading
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from include.hci.powershell.values import Secret

_SALT: Final = "salt"
#: What is older says nothing about today's password.
_DAY: Final = 86400.0


@dataclass(frozen=True, slots=True)
class Login:
    """One password of one account."""

    user: str
    password: Secret


@dataclass(slots=True)
class Refusals:
    """How one password fared.

    ``times`` counts the refusals since it last worked, ``by`` are the servers they came from, ``at`` is the time of the last and
    ``said`` what came with it. ``servers`` are the refusals of each server since the password last worked there, with the time of
    the last.
    """

    times: int = 0
    at: float = 0.0
    said: str = ""
    by: list[str] = field(default_factory=list)
    servers: dict[str, tuple[int, float]] = field(default_factory=dict)

    def note(self, server: str, why: str, now: float) -> None:
        """Count one refusal more."""
        self.times += 1
        self.at = now
        self.said = f"{server} said: {why}"
        if server not in self.by:
            self.by.append(server)
        self.servers[server] = (self.servers.get(server, (0, now))[0] + 1, now)

    def forgive(self, server: str) -> None:
        """Forget what ``server``, which took the password just now, and all of them together said before."""
        self.times = 0
        self.by.clear()
        self.servers.pop(server, None)


class RefusalFolder:
    """Refusals by password, each in a file of its own that only this user may read and that does not tell the password.

    What cannot be read or written is left out: it is told again by the next server that refuses.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: dict[Login, str] = {}
        self._lock = threading.Lock()

    def read(self, login: Login, now: float) -> Refusals | None:
        """Return what is known of ``login``, None for nothing."""
        if not self._holds_any():
            return None
        with contextlib.suppress(OSError, ValueError, TypeError, AttributeError):
            path = self._path(login)
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            found["servers"] = {name: (int(times), float(at)) for name, (times, at) in found["servers"].items()}
            refusals = Refusals(**found)
            if 0 <= now - refusals.at < _DAY:
                return refusals
            path.unlink(missing_ok=True)
        return None

    def write(self, login: Login, refusals: Refusals) -> None:
        """Keep what is known of ``login``."""
        with contextlib.suppress(OSError):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            path = self._path(login)
            draft = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}")
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(asdict(refusals)), encoding="utf-8")
            draft.replace(path)

    def drop(self, login: Login) -> None:
        """Forget ``login``."""
        if self._holds_any():
            with contextlib.suppress(OSError):
                self._path(login).unlink(missing_ok=True)

    def _holds_any(self) -> bool:
        # The name of a file takes a while to work out, and nearly always there is none.
        with contextlib.suppress(OSError), os.scandir(self.folder) as entries:
            return any(entry.name != _SALT for entry in entries)
        return False

    def _path(self, login: Login) -> Path:
        with self._lock:
            if login not in self._names:
                salt = self._salt() + login.user.encode(errors="surrogatepass")
                secret = login.password.reveal().encode(errors="surrogatepass")
                self._names[login] = hashlib.scrypt(secret, salt=salt, n=2**13, r=8, p=1, dklen=16).hex()
            return self.folder / self._names[login]

    def _salt(self) -> bytes:
        path = self.folder / _SALT
        if not path.exists():
            draft = path.with_name(f"{_SALT}.{os.getpid()}")
            draft.touch(mode=0o600)
            draft.write_bytes(random.token_bytes(16))
            # Who comes second takes the first one's.
            with contextlib.suppress(FileExistsError):
                os.link(draft, path)
            draft.unlink()
        return path.read_bytes()
