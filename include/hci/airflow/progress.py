"""Shows a waiting step's progress in Airflow while it waits, as the XCom ``progress`` of its task."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from include.hci.steps.decisions import Decision, Wait

KEY = "progress"
_log = logging.getLogger(__name__)


async def publish(task_instance: Any, value: Mapping[str, Any]) -> None:
    """Write ``value`` as the task's progress from inside a trigger.

    Progress is a courtesy: whatever goes wrong here is logged and never disturbs the step.
    """
    try:
        from airflow.sdk.execution_time import task_runner
        from airflow.sdk.execution_time.comms import SetXCom

        await task_runner.SUPERVISOR_COMMS.asend(
            SetXCom(
                key=KEY,
                value=dict(value),
                dag_id=task_instance.dag_id,
                run_id=task_instance.run_id,
                task_id=task_instance.task_id,
                map_index=task_instance.map_index,
            )
        )
    except Exception as error:
        _log.debug("The progress of %s could not be shown: %s", getattr(task_instance, "task_id", "a task"), error)


def describe(decision: Decision) -> dict[str, Any]:
    """Return what to show of ``decision``: its sentence and, for a wait with numbers, how far it is."""
    shown: dict[str, Any] = {"text": str(decision)}
    if isinstance(decision, Wait) and decision.progress is not None:
        progress = decision.progress
        shown |= {"done": progress.done, "total": progress.total, "unit": progress.unit}
        shown["seconds_left"] = None if progress.left is None else progress.left.total_seconds()
    return shown


def under_way(action: str | None, started: datetime, now: datetime) -> dict[str, Any]:
    """Return what to show while a round lasts that began at ``started``: what it does and for how long already."""
    seconds = int((now - started).total_seconds())
    passed = f"{seconds // 60} min {seconds % 60:02d} s" if seconds >= 60 else f"{seconds} s"
    return {"text": f"{action or 'reads the cluster'}, for {passed}"}
