"""How long the phases of earlier runs took, kept per cluster, so that a plan goes by this cluster and not by general figures."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import sha256

from include.hci.airflow.storage import open_cluster_storage
from include.hci.policy.deadlines import run_deadlines
from include.hci.policy.estimates import FIRST_GUESS
from include.hci.policy.outlook import History, Outlook, make_outlook
from include.hci.policy.plan import Plan
from include.hci.report import events as ev
from include.hci.report.history import phase_seconds
from include.hci.report.model import RunReport
from include.hci.report.record import RunRecord
from include.hci.report.spent import Span
from include.hci.settings import RunOptions

_log = logging.getLogger(__name__)
#: With a sign that no folder of a run's record has in its name.
_FOLDER = "history+/"
#: How many runs are looked back on: older ones were of other updates and other hardware.
RUNS = 10


def keep_history(slug: str, report: RunReport, with_people: Sequence[Span] = ()) -> None:
    """Keep what ``report`` teaches about the cluster ``slug``; a run that updated no node teaches nothing.

    ``with_people``: when the run waited for people, which is not the cluster's time.
    """
    seconds = phase_seconds(report, FIRST_GUESS, with_people)
    if not seconds or report.started_at is None:
        return
    readable = re.sub(r"[^A-Za-z0-9]+", "-", report.run_id).strip("-")[:60]
    digest = sha256(report.run_id.encode()).hexdigest()[:8]
    name = f"{_FOLDER}{report.started_at:%Y%m%dT%H%M%S}-{readable}-{digest}.json"
    open_cluster_storage(slug).write(name, json.dumps(seconds))


def read_history(slug: str) -> History:
    """Return how long each phase took on the nodes of the last runs, oldest first."""
    storage = open_cluster_storage(slug)
    seen: dict[str, list[timedelta]] = {}
    for name in storage.list(_FOLDER)[-RUNS:]:
        try:
            found = {
                phase: [timedelta(seconds=value) for value in seconds]
                for phase, seconds in json.loads(storage.read(name)).items()
            }
        except (OSError, ValueError, TypeError, AttributeError) as error:
            # An estimate is no reason to keep a cluster from being updated.
            _log.warning("What an earlier run took is left aside, %s cannot be read: %r", name, error)
            continue
        for phase, durations in found.items():
            seen.setdefault(phase, []).extend(durations)
    return seen


def outlook_of(slug: str, plan: Plan, options: RunOptions, record: RunRecord, now: datetime) -> Outlook:
    """Return what ``plan`` means for the cluster ``slug`` when it begins at ``now``, by this cluster's own history."""
    started = record.last(ev.RunStarted)
    stop_at = run_deadlines(now if started is None else started.at, None, options.stop_after).stop_at
    return make_outlook(plan, now, read_history(slug), options.windows, options.blackouts, stop_at)
