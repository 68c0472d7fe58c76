"""Logins that were refused, so that a wrong password is not given until its account is locked.

A domain counts wrong passwords by account, whichever server they were given to, and locks the account after a few of them within
some minutes (windows-itpro-docs, account-lockout-threshold and reset-account-lockout-counter-after). A run that talks to sixteen
servers, in tasks that are tried again, would get there by itself with a password that has just been changed. A server that was
only just restarted may refuse everybody for a while, though: one server alone says little about a password.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pypsrp.exceptions import AuthenticationError

from include.hci.powershell.refusals import Login, RefusalFolder, Refusals
from include.hci.powershell.values import Secret

#: So many refusals in a row, of more than one server, end the trying everywhere; the lowest lockout thresholds in use are 5.
MOST: Final = 3
#: For so many seconds then: what domains count wrong passwords over is 10 minutes at least.
HOLD: Final = 600.0
#: How many seconds a server that refused a login is left alone; twice as long after each further refusal, up to ``HOLD``.
BREAK: Final = 60.0
#: How many seconds a first login waits for others with the same password to show what it is worth.
PATIENCE: Final = 60.0


class LoginHeld(AuthenticationError):
    """A login is not tried, because it was refused too often lately: nothing was sent."""


@dataclass(slots=True)
class _Known:
    """What is known of a login: ``works`` says whether it was taken last, ``trying`` counts those under way."""

    works: bool = False
    trying: int = 0
    refusals: Refusals = field(default_factory=Refusals)


class RefusedLogins:
    """What became of each login, for all connections of a process, and of all that ``share`` the same folder.

    Of a password that has not worked yet, or was refused last, only a few logins are under way at a time. Once it was refused
    ``MOST`` times in a row, by more than one server, it is not given for ``HOLD`` seconds, and then once. A corrected password is
    another one.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._changed = threading.Condition()
        self._logins: dict[Login, _Known] = {}
        self._folder: RefusalFolder | None = None

    def share(self, folder: Path | None) -> None:
        """Tell, and be told by, the other processes that share ``folder``; it is made when there is something to tell.

        None: tell nobody any more.
        """
        self._folder = None if folder is None else RefusalFolder(folder)

    def begin(self, login: Login, server: str, patience: float = PATIENCE) -> None:
        """Wait for leave to give ``server`` the password, ``patience`` seconds at most; ``end`` is owed then.

        Raises LoginHeld.
        """
        until = time.monotonic() + patience
        with self._changed:
            known = self._logins.setdefault(login, _Known())
            while True:
                self._listen(login, known)
                held = _held_for(known.refusals, server, self._clock())
                if held > 0:
                    raise LoginHeld(_say(login, known.refusals, held))
                left = until - time.monotonic()
                if known.works or known.trying < max(1, MOST - known.refusals.times) or left <= 0:
                    break
                self._changed.wait(left)
            known.trying += 1

    def end(self, login: Login) -> None:
        """Note that a login that was begun is over, however it ended."""
        with self._changed:
            self._logins.setdefault(login, _Known()).trying -= 1
            self._changed.notify_all()

    def accepted(self, login: Login, server: str) -> None:
        """Note that ``server`` took the password just now; a connection that was opened earlier proves nothing."""
        with self._changed:
            known = self._logins.setdefault(login, _Known())
            known.works = True
            known.refusals.forgive(server)
            if self._folder is not None:
                self._folder.drop(login)
            self._changed.notify_all()

    def refused(self, login: Login, server: str, why: str) -> None:
        """Note that ``server`` did not take the password."""
        with self._changed:
            known = self._logins.setdefault(login, _Known())
            self._listen(login, known)
            known.works = False
            known.refusals.note(server, why, self._clock())
            if self._folder is not None:
                self._folder.write(login, known.refusals)
            self._changed.notify_all()

    def forget(self) -> None:
        """Know nothing of any login."""
        with self._changed:
            self._logins.clear()
            self._changed.notify_all()

    def _listen(self, login: Login, known: _Known) -> None:
        """Take over what another process was told last."""
        told = self._folder.read(login, self._clock()) if self._folder is not None else None
        if told is not None and told.at > known.refusals.at:
            known.works, known.refusals = False, told


def login_of(user: str | None, password: str | None) -> Login | None:
    """Return the login of an account, None where no password is given."""
    return Login(user, Secret(password)) if user and password else None


def _held_for(refusals: Refusals, server: str, now: float) -> float:
    """Return for how many seconds more the password is not to be given to ``server``."""
    ends = now
    if own := refusals.servers.get(server):
        times, at = own
        ends = at + min(HOLD, BREAK * 2 ** min(times - 1, 10))
    if refusals.times >= MOST and len(refusals.by) > 1:
        ends = max(ends, refusals.at + HOLD)
    return min(HOLD, ends - now)


def _say(login: Login, refusals: Refusals, held: float) -> str:
    times = "once" if refusals.times <= 1 else f"{refusals.times} times in a row"
    span = f"{max(1, round(held))} s" if held < 120 else f"{round(held / 60)} min"
    return (
        f"the login {login.user} was refused {times} ({refusals.said.rstrip('.')}), so that it is not tried again for {span}:"
        " its account could be locked. A corrected password is tried at once"
    )


_shared = RefusedLogins()


def shared_logins() -> RefusedLogins:
    """Return what the connections of this process share."""
    return _shared


def _renew() -> None:
    # A lock that another thread held while the process was forked is never released in the child.
    global _shared
    shares = _shared._folder
    _shared = RefusedLogins()
    if shares is not None:
        _shared.share(shares.folder)


os.register_at_fork(after_in_child=_renew)
