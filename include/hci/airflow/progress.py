"""Shows a waiting step's progress in Airflow while it waits, as the XCom ``progress`` of its task."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

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
