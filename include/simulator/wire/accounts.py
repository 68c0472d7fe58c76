"""The accounts that may log in, shared by every endpoint of a server."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from spnego._ntlm_raw.crypto import ntowfv1


@dataclass(frozen=True, slots=True)
class Account:
    r"""A Windows account: ``name`` and ``domain`` as in ``DOMAIN\name``; ``upn_suffix`` as in ``name@suffix``."""

    name: str
    password: str = field(repr=False)
    domain: str = "CONTOSO"
    upn_suffix: str = "contoso.local"

    @property
    def principal(self) -> str:
        r"""The account as Windows prints it, ``DOMAIN\name``."""
        return f"{self.domain}\\{self.name}"

    @property
    def spellings(self) -> tuple[str, ...]:
        """Every way in which a client may write the account; some split a UPN and send its suffix as the domain."""
        return (self.name, self.principal, f"{self.name}@{self.upn_suffix}", f"{self.upn_suffix}\\{self.name}")


class Accounts:
    """The account table, also written as a hash file that the NTLM acceptor reads."""

    def __init__(self, accounts: Iterable[Account]) -> None:
        self._by_spelling = {spelling.lower(): account for account in accounts for spelling in account.spellings}
        self._file: Path | None = None

    def find(self, spelling: str) -> Account | None:
        """Return the account that a client means by ``spelling``."""
        return self._by_spelling.get(spelling.lower())

    def check(self, spelling: str, password: str) -> Account | None:
        """Return the account when the password is right, else None."""
        account = self.find(spelling)
        return account if account and account.password == password else None

    def rotate(self, spelling: str, password: str) -> str:
        """Give an account another password from now on and return the old one; raises KeyError for an unknown account."""
        account = self.find(spelling)
        if account is None:
            raise KeyError(f"There is no account {spelling!r} whose password could be changed.")
        changed = replace(account, password=password)
        self._by_spelling |= {each.lower(): changed for each in account.spellings}
        if self._file is not None:
            self._write(self._file)
        return account.password

    def open(self) -> None:
        """Write the hash file; it holds hashes, not passwords, because hashing at every log-in is slow."""
        descriptor, name = tempfile.mkstemp(prefix="simulator-accounts-")
        os.close(descriptor)
        self._file = Path(name)
        self._write(self._file)

    def _write(self, file: Path) -> None:
        lines = []
        for spelling, account in self._by_spelling.items():
            nt_hash = ntowfv1(account.password).hex().upper()
            lines.append(f"{spelling}:1000:{'0' * 32}:{nt_hash}:[U]:LCT-00000000\n")
        file.write_text("".join(lines), encoding="utf-8")

    def select(self) -> None:
        """Make this table the one that the NTLM acceptor of this process reads, until another one is selected."""
        if self._file is None:
            raise RuntimeError("The account table is not open: call open() before the first log-in.")
        os.environ["NTLM_USER_FILE"] = str(self._file)

    def close(self) -> None:
        """Remove the hash file."""
        if self._file is None:
            return
        self._file.unlink(missing_ok=True)
        if os.environ.get("NTLM_USER_FILE") == str(self._file):
            del os.environ["NTLM_USER_FILE"]
        self._file = None
