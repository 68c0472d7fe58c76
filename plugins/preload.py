"""Imports what every task needs once, in the scheduler: its local workers are forked from there and begin each task with it.

Only where plugins are loaded at the start (``lazy_load_plugins`` is off), as in the demonstration: there a task begins about a
second of computing sooner. A scheduler that does so must be restarted when this code changes.
"""

from __future__ import annotations

import sys

if "scheduler" in sys.argv:
    import include.hci.airflow.cau_remote
    import include.hci.airflow.cau_self
    import include.hci.airflow.make_safe
    import include.hci.airflow.offline  # noqa: F401
