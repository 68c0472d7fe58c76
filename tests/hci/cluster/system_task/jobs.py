"""A job, and what the worker would answer to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from include.hci.cluster.system_task.job import Job

RUN = UUID("0f0e3a50-1b5a-5a34-9a51-5d1f6a8b7c01")
JOB = Job("HCI01", RUN, 1, "install", ("IsInstalled=0",), False, datetime(2026, 11, 3, 1, tzinfo=UTC))
RESULT = {
    "update_id": "u1",
    "title": "Cumulative Update (KB5044281)",
    "description": "",
    "result_code": 2,
    "hresult": 0,
    "restart_required": True,
}


def answer(**changed: Any) -> dict[str, Any]:
    return {
        "format": 1,
        "run": str(RUN),
        "job": str(JOB.guid),
        "mode": "install",
        "state": "done",
        "heartbeat": "2026-11-03T01:20:00Z",
        "doing": "",
        "done": 1,
        "total": 1,
        "restart_pending": True,
        "searches": [],
        "results": [RESULT],
        "error": None,
    } | changed


def answer_text(**changed: Any) -> str:
    return "\ufeff" + json.dumps(answer(**changed)) + "\r\n"
