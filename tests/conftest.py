"""Settings that every test shares."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

# Before Airflow is imported anywhere: a home of its own, so that no test reads or writes the person's.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="hci-tests-airflow-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__PLUGINS_FOLDER"] = str(Path(__file__).resolve().parents[1] / "plugins")
os.environ["AIRFLOW__CORE__UNIT_TEST_MODE"] = "False"
os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "WARNING"
os.environ.pop("HCI_FLEET_FILE", None)
