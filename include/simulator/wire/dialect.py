"""What differs between the WinRM services of the Windows versions, as far as recorded answers tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

#: Windows Server 2012, the first with WinRM 3.0.
_WINRM_3: Final = 9200
#: The first build whose recorded answers carry no ActivityId is 26236; Server 2025, which is a little older, counts with it.
_SERVER_2025: Final = 26100


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a service writes: with an ``activity_id`` in every answer or without."""

    activity_id: bool = True

    @classmethod
    def of(cls, windows_build: str) -> Dialect:
        """Return how the service of a build such as ``20348.2400`` writes."""
        build = int(windows_build.partition(".")[0])
        return cls(_WINRM_3 <= build < _SERVER_2025)
