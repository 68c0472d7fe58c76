"""Whether another node may be begun now, by the calendar: windows, blackouts, stop_after, and the time that is left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.policy.local_time import DAY, at, days, instant, is_in_weeks, local_day, show_moment
from include.hci.policy.progress import show_duration
from include.hci.settings.calendar import LONGEST_WINDOW, WEEKDAYS, Blackout, MaintenanceWindow

#: How far ahead the next opening is looked for.
HORIZON = timedelta(days=400)


@dataclass(frozen=True, slots=True)
class Opening:
    """One time that a window is open, from ``opens`` until just before ``closes`` (both UTC)."""

    opens: datetime
    closes: datetime
    window: MaintenanceWindow


@dataclass(frozen=True, slots=True)
class GateAnswer:
    """Whether another node may be begun, and why (not).

    ``next_opening`` is when the calendar allows it again; None when it does now, never does (``never``: not within ``HORIZON``),
    or when something else than the calendar forbids it. ``closes`` is when the present opening ends, a blackout's beginning
    included; None: never.
    """

    allowed: bool
    why: str
    next_opening: datetime | None = None
    closes: datetime | None = None
    never: bool = False


def openings(window: MaintenanceWindow, begin: datetime, end: datetime) -> Iterator[Opening]:
    """Give the openings of ``window`` that lie in the time from ``begin`` to ``end``, in part or as a whole, in order.

    Hours are elapsed time: a window of six hours is open for six hours in the night in which clocks change, too. Whole days end
    at the same time of day (RFC 5545, 3.3.6), so that windows of a day on every day leave no gap in the longest one.
    """
    where = window.timezone
    whole, rest = divmod(window.duration, DAY)
    first = local_day(begin - window.duration, where) - DAY
    for day in days(first, local_day(end, where) + DAY):
        if WEEKDAYS[day.weekday()] not in window.days_of_week:
            continue
        if window.weeks_of_month and not is_in_weeks(day, window.weeks_of_month):
            continue
        opens = at(day, window.opens, where)
        closes = at(day + whole * DAY, window.opens, where) + rest
        if opens < end and closes > begin:
            yield Opening(opens, closes, window)


def blackout_span(blackout: Blackout) -> tuple[datetime, datetime]:
    """Return the first moment (UTC) of ``blackout`` and the first one after it."""
    begins, ends = blackout.span
    return instant(begins, blackout.timezone), instant(ends, blackout.timezone)


def blackout_at(moment: datetime, blackouts: Sequence[Blackout]) -> Blackout | None:
    """Return the blackout that ``moment`` is in, the one that ends last, or None."""
    found = [item for item in blackouts if blackout_span(item)[0] <= moment < blackout_span(item)[1]]
    return max(found, key=lambda item: blackout_span(item)[1], default=None)


def may_begin(
    now: datetime,
    windows: Sequence[MaintenanceWindow],
    blackouts: Sequence[Blackout],
    estimate: timedelta,
    stop_at: datetime | None = None,
    what: str = "a node takes",
) -> GateAnswer:
    """Return whether one more node may be begun at ``now``, or something else: then ``what`` takes the ``estimate`` in words.

    ``estimate`` is the longest that a node probably takes; it has to fit before the window closes or a blackout begins.
    From ``stop_at`` on (stop_after) nothing is begun. Without windows every time is open.
    """
    if stop_at is not None and now >= stop_at:
        return GateAnswer(False, f"the run was to stop at {show_moment(stop_at)} (stop_after)")
    reason, closes = _calendar_reason(now, windows, blackouts, estimate, what)
    if reason:
        opening = next_opening(now, windows, blackouts, estimate)
        said = _said_of(opening, estimate, windows, what)
        return GateAnswer(False, f"{reason}; {said}", opening, closes, never=opening is None)
    if closes is None:
        return GateAnswer(True, "no window is configured, so it is always open")
    left = f"{show_duration(closes - now)} are left, {what} up to {show_duration(estimate)}"
    return GateAnswer(True, f"it is open until {show_moment(closes)}: {left}", closes=closes)


def next_opening(
    now: datetime, windows: Sequence[MaintenanceWindow], blackouts: Sequence[Blackout], estimate: timedelta
) -> datetime | None:
    """Return the first moment from ``now`` on at which the calendar leaves ``estimate`` for a node; None within a year."""
    moments = {now, *(blackout_span(item)[1] for item in blackouts)}
    moments |= {opening.opens for window in windows for opening in openings(window, now, now + HORIZON)}
    for moment in sorted(moments):
        if now <= moment < now + HORIZON and not _calendar_reason(moment, windows, blackouts, estimate)[0]:
            return moment
    return None


def _said_of(opening: datetime | None, estimate: timedelta, windows: Sequence[MaintenanceWindow], what: str) -> str:
    """Return when there is room again, in words."""
    if opening is None and not estimate:
        return f"for {HORIZON.days} days it is not open at any time"
    if opening is None:
        return f"for {HORIZON.days} days it is not open for so long at any time, {what} up to {show_duration(estimate)}"
    enough = " for long enough" if estimate else ""
    return f"it is open{enough} next from {show_moment(opening, windows[0].timezone if windows else 'UTC')} on"


def _calendar_reason(
    now: datetime,
    windows: Sequence[MaintenanceWindow],
    blackouts: Sequence[Blackout],
    estimate: timedelta,
    what: str = "a node takes",
) -> tuple[str, datetime | None]:
    """Return why nothing may be begun at ``now`` (empty: it may), and when the present opening ends."""
    dark = blackout_at(now, blackouts)
    if dark is not None:
        until = show_moment(blackout_span(dark)[1], dark.timezone)
        return f"it is a blackout: {dark.describe()}, until {until}", None
    closes: datetime | None = None
    ends = "the window closes"
    where = "UTC"
    if windows:
        opening = _open_at(now, windows)
        if opening is None:
            listed = "; ".join(window.describe() for window in windows)
            return f"no maintenance window is open (they open {listed})", None
        closes, where = opening.closes, opening.window.timezone
    ahead = [blackout_span(item)[0] for item in blackouts if blackout_span(item)[0] > now]
    if ahead and (closes is None or min(ahead) < closes):
        closes, ends = min(ahead), "a blackout begins"
    if closes is not None and now + estimate > closes:
        left = f"{show_duration(closes - now)} are left, {what} up to {show_duration(estimate)}"
        return f"{ends} at {show_moment(closes, where)}: {left}", closes
    return "", closes


def _open_at(now: datetime, windows: Sequence[MaintenanceWindow]) -> Opening | None:
    """Return the opening that ``now`` is in; where one follows on the other without a gap, they count as one."""
    near = sorted(
        (opening for window in windows for opening in openings(window, now, now + 4 * LONGEST_WINDOW)),
        key=lambda opening: opening.opens,
    )
    open_now = [opening for opening in near if opening.opens <= now < opening.closes]
    if not open_now:
        return None
    last = max(open_now, key=lambda opening: opening.closes)
    for opening in near:
        if opening.opens <= last.closes < opening.closes:
            last = opening
    return last
