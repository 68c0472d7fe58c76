"""Updates and their results, as Windows Update and CAU's provider name them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from typing import Literal

from include.hci.powershell.catalogue import known_code, normalize_code

#: What an update wants from a person: its licence terms accepted, or its installer answered.
Asks = Literal["", "licence-terms", "user-input"]
_KB = re.compile(r"\bKB\d{6,8}\b", re.IGNORECASE)
#: HRESULTs of Windows Update that are successes: a restart is required, already installed, not applicable any more.
_NOT_APPLICABLE = 0x80240017
_GOOD = frozenset({0x00240005, 0x00240006, _NOT_APPLICABLE})
#: Another installation is in progress, an operation of the agent is, or the work after a restart.
_BUSY = frozenset({0x80240016, 0x80240009, 0x80242014})


class ResultCode(IntEnum):
    """OperationResultCode of the Windows Update Agent."""

    NOT_STARTED = 0
    IN_PROGRESS = 1
    SUCCEEDED = 2
    SUCCEEDED_WITH_ERRORS = 3
    FAILED = 4
    ABORTED = 5


@dataclass(frozen=True, slots=True)
class Update:
    """One update that a scan offers.

    ``asks``: what it wants from a person, ``published``: the day on which it was last published, as far as the scan tells.
    """

    update_id: str
    title: str = ""
    description: str = ""
    asks: Asks = ""
    published: date | None = None

    @property
    def kb(self) -> str | None:
        """The article number in the title, ``KB5044288``, where there is one."""
        found = _KB.search(self.title)
        return found[0].upper() if found else None

    @property
    def label(self) -> str:
        """The shortest name by which a person knows the update."""
        return self.kb or self.title or self.update_id


@dataclass(frozen=True, slots=True)
class UpdateResult:
    """How the download or installation of one update ended; ``hresult`` is unsigned, 0 is success."""

    update: Update
    code: int
    hresult: int = 0
    restart_required: bool = False

    @property
    def is_good(self) -> bool:
        """Whether nothing went wrong with it, by its code or by an HRESULT that is a success in disguise."""
        return self.code == ResultCode.SUCCEEDED or self.hresult in _GOOD

    @property
    def is_superfluous(self) -> bool:
        """Whether nothing was installed because the node does not need it any more: another update has replaced it meanwhile."""
        return self.hresult == _NOT_APPLICABLE

    @property
    def is_busy(self) -> bool:
        """Whether it could not begin because something else is being installed, or has not come to an end yet."""
        return self.hresult in _BUSY or self.code in (ResultCode.NOT_STARTED, ResultCode.IN_PROGRESS)

    @property
    def is_failed(self) -> bool:
        """Whether it ended badly; 'succeeded with errors' counts as installed."""
        return not self.is_good and not self.is_busy and self.code != ResultCode.SUCCEEDED_WITH_ERRORS

    @property
    def hresult_text(self) -> str:
        """The HRESULT as it is usually written."""
        return f"0x{self.hresult:08X}"

    @property
    def meaning(self) -> str:
        """What the HRESULT means, as far as it is known."""
        known = known_code(self.hresult) if self.hresult else None
        return known.meaning if known else ""

    @property
    def next_action(self) -> str:
        """What to do about a failure."""
        known = known_code(self.hresult) if self.hresult else None
        return known.next_action if known else "Look for the HRESULT in the node's Windows Update log."

    def describe(self) -> str:
        """Return the result as one line."""
        if not self.is_failed:
            return f"{self.update.label}: {'installed' if self.is_good else 'not done yet'}"
        meaning = f", {self.meaning}" if self.meaning else ""
        return f"{self.update.label} failed with {self.hresult_text}{meaning}"


def hresult_of(number: int) -> int:
    """Return an HRESULT that arrived signed as its unsigned number."""
    return normalize_code(number)
