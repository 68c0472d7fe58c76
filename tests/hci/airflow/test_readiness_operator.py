"""Where the readiness step runs: in the worker, unless the vendor's own tests make it take minutes."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import TaskDeferred

from include.hci.airflow import operators, run_tasks
from include.hci.airflow.params import run_params
from include.hci.airflow.run_tasks import ReadinessOperator
from include.hci.airflow.work import cluster_settings, now
from include.hci.powershell.connection import ConnectionSettings
from include.hci.steps.decisions import Done

HOST = ConnectionSettings(host="mgmt01", auth="credssp", user="ops", password="x")


@pytest.mark.parametrize(
    ("host", "parameters", "defers"),
    [
        (None, {}, False),
        ("the connection does not exist", {}, False),
        (ConnectionSettings(host="mgmt01", auth="ntlm"), {}, False),
        (HOST, {}, True),
        (HOST, {"check_cau_setup": False}, False),
        (None, {"validate_cluster": True}, True),
    ],
)
def test_the_vendors_tests_hold_no_worker(monkeypatch, tmp_path, host, parameters, defers):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    monkeypatch.setattr(run_tasks.connections, "load_management", lambda settings: host)
    runner = SimpleNamespace(tick=lambda act: Done("ready", "all well"))
    monkeypatch.setattr(operators.StepWork, "open", lambda *arguments: SimpleNamespace(runner=runner))
    run = SimpleNamespace(run_type="manual", run_after=now(), triggering_user_name="ops")
    given = {"run_id": "run", "params": parameters, "ti": SimpleNamespace(try_number=1), "dag_run": run}
    operator = ReadinessOperator(task_id="readiness", cluster="demo")
    if defers:
        with pytest.raises(TaskDeferred):
            operator.execute(given)
    else:
        assert operator.execute(given)["why"] == "all well"


def test_the_form_offers_the_options_of_the_checks_with_their_defaults():
    form = {name: param.value for name, param in run_params(cluster_settings("demo")).items()}
    names = ("check_cau_setup", "validate_cluster", "require_acknowledgement", "accepted_warnings")
    assert [form[name] for name in names] == [True, False, False, []]
