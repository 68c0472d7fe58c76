"""The fleet as one HTML page: a row per cluster with the run under way, the last run, what comes next, and what was read last."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from include.hci.report.html import environment
from include.hci.report.timeline import duration_text

#: After this an answer to who is updating a cluster tells how it was, not how it is.
STATUS_LASTS = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class RunLine:
    """One run: ``kind`` and ``outcome`` as the report names them; addresses lead to its report and to its page in Airflow.

    ``heard_at`` is when its record grew last; ``node`` and ``doing`` are what a run under way works on, and ``alive`` tells
    whether anybody still does. Times are UTC.
    """

    run_id: str
    kind: str
    outcome: str
    report: str
    page: str
    said: str = ""
    began_at: datetime | None = None
    ended_at: datetime | None = None
    heard_at: datetime | None = None
    node: str = ""
    doing: str = ""
    alive: bool = True


@dataclass(frozen=True, slots=True)
class NextLine:
    """One time of the cluster's schedule (UTC), and what stands against it."""

    at: datetime
    remark: str = ""


@dataclass(frozen=True, slots=True)
class StatusLine:
    """The last answer to who is updating the cluster: ``state`` as the status has it."""

    read_at: datetime
    state: str
    headline: str


@dataclass(frozen=True, slots=True)
class ClusterLine:
    """One cluster. ``pages`` are the names and addresses of its DAGs; ``problem`` is why its records could not be read.

    ``left`` are runs that have ended and left something to a person.
    """

    name: str
    nodes: int
    timezone: str
    pages: tuple[tuple[str, str], ...]
    running: tuple[RunLine, ...] = ()
    left: tuple[RunLine, ...] = ()
    last: RunLine | None = None
    coming: tuple[NextLine, ...] = ()
    schedule: str = ""
    status: StatusLine | None = None
    problem: str = ""


def render_fleet(clusters: Sequence[ClusterLine], now: datetime, *, mistakes: int = 0) -> str:
    """Return the page as of ``now``; ``mistakes`` is how many problems the fleet file has."""
    return (
        environment()
        .get_template("fleet.html")
        .render(
            clusters=clusters,
            mistakes=mistakes,
            now=now,
            totals=_totals(clusters),
            local=_local,
            utc=lambda moment: f"{moment.astimezone(UTC):%a %Y-%m-%d %H:%M} UTC",
            is_old=lambda moment: now - moment > STATUS_LASTS,
            ago=lambda moment: duration_text(max(0.0, (now - moment).total_seconds())),
            ahead=lambda moment: duration_text(max(0.0, (moment - now).total_seconds())),
        )
    )


def _totals(clusters: Sequence[ClusterLine]) -> list[tuple[str, int, str]]:
    """Return what is counted above the table: words, number, and the colour of a number that is not zero."""
    failed = sum(1 for one in clusters if one.last is not None and one.last.outcome == "failed")
    return [
        ("clusters", len(clusters), ""),
        ("runs under way", sum(run.alive for one in clusters for run in one.running), "in-progress"),
        ("runs that died", sum(not run.alive for one in clusters for run in one.running), "failed"),
        ("failed last time", failed, "failed"),
        ("with something left to do by hand", sum(1 for one in clusters if one.left), "failed"),
    ]


def _local(moment: datetime, timezone: str) -> str:
    return f"{moment.astimezone(ZoneInfo(timezone)):%a %Y-%m-%d %H:%M} {timezone}"
