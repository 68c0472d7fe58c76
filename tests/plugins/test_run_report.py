"""Where the pages of runs are to a browser."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

PLUGIN = Path(__file__).resolve().parents[2] / "plugins" / "run_report.py"


@pytest.mark.parametrize(
    ("base", "at"),
    [
        ("http://localhost:8080", ""),
        ("https://ops.example/", ""),
        ("https://ops.example/airflow", "/airflow"),
        ("https://ops.example/it/airflow/", "/it/airflow"),
    ],
)
def test_the_pages_are_below_the_path_at_which_airflow_is_served(monkeypatch, base: str, at: str):
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", base)
    views = {view["name"]: view for view in runpy.run_path(str(PLUGIN))["RunReportPlugin"].external_views}
    assert views["Update report"]["href"] == f"{at}/hci/report/{{DAG_ID}}/{{RUN_ID}}"
    assert views["Cluster updates"]["href"] == f"{at}/hci/status"
