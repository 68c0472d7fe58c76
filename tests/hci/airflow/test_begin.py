"""What a run is told must be known to runs of its kind: Airflow lets everything pass that its form does not have."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from include.hci.airflow import run_tasks
from include.hci.airflow.begin import refuse_unknown
from include.hci.airflow.cau_remote import CauReadinessOperator
from include.hci.airflow.cau_remote_params import cau_remote_params
from include.hci.airflow.cau_self import BeginRoleRunOperator, cau_self_params
from include.hci.airflow.feature import FeatureReadinessOperator
from include.hci.airflow.feature_params import feature_params
from include.hci.airflow.offline import OfflineReadinessOperator, offline_params
from include.hci.airflow.open_runs import open_runs
from include.hci.airflow.params import run_params
from include.hci.airflow.run_tasks import ReadinessOperator
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import cluster_settings, now
from include.hci.settings import SettingsError

KINDS = {
    "rolling": (ReadinessOperator, run_params),
    "offline": (OfflineReadinessOperator, offline_params),
    "cau-remote": (CauReadinessOperator, cau_remote_params),
    "cau-self": (BeginRoleRunOperator, cau_self_params),
    "feature": (FeatureReadinessOperator, feature_params),
}


@pytest.fixture(autouse=True)
def reports(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())


def context(**params):
    run = SimpleNamespace(run_type="manual", run_after=now(), triggering_user_name="ada", clear_number=0)
    return {"run_id": "run", "params": params, "ti": SimpleNamespace(try_number=1), "dag_run": run}


def begin(kind, **params):
    operator = KINDS[kind][0](task_id="begins", cluster="demo")
    return operator.execute(context(**params))


@pytest.mark.parametrize(
    ("kind", "wrong", "meant"),
    [
        ("rolling", "plan_onyl", "plan_only"),
        ("offline", "plan_onyl", "plan_only"),
        ("cau-remote", "force_recovry", "force_recovery"),
        ("cau-self", "acton", "action"),
        ("feature", "functional_levl", "functional_level"),
    ],
)
def test_a_misspelt_parameter_begins_nothing_and_the_right_one_is_named(kind, wrong, meant):
    with pytest.raises(SettingsError, match=f"{wrong}: is not a known key. Did you mean '{meant}'"):
        begin(kind, **{wrong: True})
    assert open_runs("demo") == ()
    assert open_record("demo", "run").events() == ()


@pytest.mark.parametrize("option", ["stage_only", "pause_points", "max_failed_nodes"])
def test_an_offline_update_refuses_what_it_has_no_use_for(option):
    with pytest.raises(SettingsError, match=f"{option}: is not a known key"):
        begin("offline", **{option: run_params(cluster_settings("demo"))[option].value})


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_form_has_is_known(kind, monkeypatch):
    """Everything that the form of a kind has is let through by its first task."""
    operator, form = KINDS[kind]
    values = {name: param.value for name, param in form(cluster_settings("demo")).items()}
    checked = []

    def remember(given, settings, known):
        refuse_unknown(given, settings, known)
        checked.append(set(given["params"]))
        raise InterruptedError

    for module in {operator.__module__, run_tasks.__name__}:
        monkeypatch.setattr(f"{module}.refuse_unknown", remember, raising=False)
    with pytest.raises(InterruptedError):
        operator(task_id="begins", cluster="demo").execute(context(**values))
    assert checked == [set(values)]


def test_a_run_does_not_take_the_record_of_another_one_that_has_its_id():
    begin("cau-self", action="check")
    with pytest.raises(
        SettingsError, match=r"'run' leads to the record of another run \(cau-self-updating run, begun at "
    ):
        begin("rolling")
    begin("cau-self", action="check")
    assert len([run for run in open_runs("demo") if run.run_id == "run"]) == 1
