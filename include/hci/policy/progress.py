"""How far something is, how fast it moves and when it should be over, said as one line."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

_STEPS = ((1024**4, "TiB"), (1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB"))


def show_bytes(count: float) -> str:
    """Return ``count`` bytes as a person reads them, ``3.1 GiB``."""
    for size, unit in _STEPS:
        if count >= size:
            return f"{_number(count / size)} {unit}"
    return f"{count:.0f} B"


def show_duration(duration: timedelta) -> str:
    """Return ``duration`` as a person says it, ``3 min 20 s``; negative ones count as zero."""
    seconds = max(0, round(duration.total_seconds()))
    if seconds < 60:
        return f"{seconds} s"
    minutes, seconds = divmod(seconds, 60)
    if minutes < 60:
        return f"{minutes} min" + (f" {seconds} s" if seconds and minutes < 10 else "")
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h" + (f" {minutes} min" if minutes else "")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far ``subject`` is: ``done`` of ``total`` ``unit``, moving ``per_second``; None where it is not known.

    ``unit`` is ``bytes`` or a plural such as ``roles``. ``left`` is the time that is probably still needed.
    """

    subject: str
    done: float | None = None
    total: float | None = None
    unit: str = ""
    per_second: float | None = None
    left: timedelta | None = None

    def __str__(self) -> str:
        parts = [text for text in (self._amount(), self._rate(), self._left()) if text]
        return f"{self.subject}: {', '.join(parts)}" if parts else self.subject

    def _amount(self) -> str:
        if self.done is None:
            return ""
        if self.unit != "bytes":
            of = "" if self.total is None else f" of {self.total:g}"
            return f"{self.done:g}{of} {self.unit}".strip()
        if self.total is None:
            return show_bytes(self.done)
        size, unit = next(((size, unit) for size, unit in _STEPS if self.total >= size), (1, "B"))
        return f"{_number(self.done / size)} of {_number(self.total / size)} {unit}"

    def _rate(self) -> str:
        if not self.per_second:
            return ""
        return f"{show_bytes(self.per_second)}/s" if self.unit == "bytes" else f"{self.per_second:.2g} {self.unit}/s"

    def _left(self) -> str:
        return "" if self.left is None else f"about {show_duration(self.left)} left"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == round(value) else f"{value:.1f}"
