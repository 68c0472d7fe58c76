"""The form of a rolling update asks which nodes are restarted; nothing else takes that for an answer."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from include.hci.airflow.admission import Admission, admit
from include.hci.airflow.cau_remote_params import cau_remote_params
from include.hci.airflow.offline import OfflineReadinessOperator, offline_params
from include.hci.airflow.operators import run_options
from include.hci.airflow.params import run_params
from include.hci.airflow.work import cluster_settings, now
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.report.facts import RunFacts
from include.hci.settings import SettingsError

PLAN = Plan("demo", now(), (PlannedNode("HCI01", restart_asked=True), PlannedNode("HCI02")), ("HCI01", "HCI02"))
LOCKED = RunFacts(lock_guid="g", lock_nodes=("HCI01",))


@pytest.mark.parametrize(("node", "says"), [("HCI01", Admission.GO), ("HCI02", Admission.SKIP)])
@pytest.mark.parametrize("step", ["stage", "turn", "drain", "install", "restart", "resync"])
def test_a_node_that_is_only_restarted_has_every_step_of_its_turn(step, node, says):
    assert admit(step, node, PLAN, LOCKED, {node: True}).admission is says


def test_the_form_offers_the_nodes_and_all_of_them():
    settings = cluster_settings("demo")
    param = run_params(settings)["restart_nodes"]
    assert param.value == []
    assert param.schema["items"]["enum"] == ["all", *settings.node_names]
    assert param.schema["section"]
    param.resolve(["all"])
    param.resolve(list(settings.node_names[:1]))
    with pytest.raises(Exception, match="HCI99"):
        param.resolve(["HCI99"])


@pytest.mark.parametrize(("given", "chosen"), [([], ()), (["all"], "all"), (["HCI01"], ("HCI01",))])
def test_what_the_form_gives_is_what_the_run_does(given, chosen):
    assert run_options(cluster_settings("demo"), {"params": {"restart_nodes": given}}).restart_nodes == chosen


def test_other_kinds_of_runs_do_not_ask_and_refuse_to_be_told(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    settings = cluster_settings("demo")
    assert "restart_nodes" not in {**offline_params(settings), **cau_remote_params(settings)}
    run = SimpleNamespace(run_type="manual", run_after=now(), triggering_user_name="ops")
    given = {"run_id": "run", "params": {"restart_nodes": ["all"]}, "dag_run": run}
    with pytest.raises(SettingsError, match="has no effect on an offline update"):
        OfflineReadinessOperator(task_id="readiness", cluster="demo").execute(given)
