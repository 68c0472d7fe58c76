"""A job for the worker that a SYSTEM task plays, as a coordinator writes it: from the format of its files alone."""

from __future__ import annotations

import base64
import json

from tests.simulator.world.tasks import task_xml

FOLDER = "C:\\Windows\\HciUpdate"
WORKER_TASK = "HciUpdate-3f0f0c1e-7d3c-4d18-9f44-20a4ce0c7a11"
RUN = "3f0f0c1e-7d3c-4d18-9f44-20a4ce0c7a11"
JOB = "9b1de0a2-52c1-4f0e-8d5e-6cbb9b0a5d22"
QUERY = "IsInstalled=0 and Type='Software' and IsHidden=0 and IsAssigned=1"
#: Not the text itself: what it reads and drives is how the simulated machine knows it.
TEXT = "$a = 'HciUpdate\\arguments.json'; $s = New-Object -ComObject 'Microsoft.Update.Session'"


def answer_path(job: str = JOB) -> str:
    return f"{FOLDER}\\answer-{job}.json"


def arguments_json(**changed: object) -> str:
    given: dict[str, object] = {
        "format": 1,
        "run": RUN,
        "job": JOB,
        "mode": "scan",
        "include_recommended": False,
        "searches": [QUERY],
        "answer": answer_path(),
    }
    return json.dumps(given | changed)


def worker_xml(text: str = TEXT) -> str:
    encoded = base64.b64encode(text.encode("utf-16-le")).decode("ascii")
    return task_xml(arguments=f"-NoProfile -EncodedCommand {encoded}", run_level="HighestAvailable")
