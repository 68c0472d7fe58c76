from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from include.hci.airflow.admission import Admission, admit_cluster_step
from include.hci.airflow.cau_remote import CauStepOperator, ConcludeCauOperator, PreviewOperator
from include.hci.airflow.events import Ended
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import keep_plan, management_host, now, read_plan
from include.hci.cluster.updates import Update
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.policy.plan_hash import plan_hash
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.detached import LeavingShell
from include.hci.powershell.values import Secret
from include.hci.report import events as ev
from include.hci.report.facts import Asked, Change, RunFacts
from include.hci.settings import RunOptions, SettingsError, load_fleet

WORK = PlannedNode("HCI01", updates=(Update("u1", "Cumulative (KB5044288)"),))
IDLE = PlannedNode("HCI02")
CHANGE = Change("cau-run", "MGMT01", "CAU's Updating Run of demo", "none", "in progress", now())
CANCELLED = Asked(now(), "ada")


@pytest.fixture
def record(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    monkeypatch.delenv("HCI_FLEET_FILE", raising=False)
    return open_record("demo", "run")


def demo():
    return load_fleet(Path(__file__).resolve().parents[3] / "include" / "fleet" / "fleet.yaml").clusters["demo"]


def plan(*nodes: PlannedNode) -> Plan:
    return Plan(cluster="demo", made_at=now(), members=("HCI01", "HCI02"), nodes=nodes)


def context(**params):
    return {"run_id": "run", "params": params, "ti": SimpleNamespace(try_number=1)}


def preview() -> PreviewOperator:
    return PreviewOperator(task_id="preview", cluster="demo")


# --- the preview -----------------------------------------------------------------------------------------------------------


def test_the_preview_is_kept_for_the_whole_run(record):
    found = preview().ended(context(), Ended("done", why="previewed", details={"plan": plan(WORK, IDLE).to_json()}))
    assert found == {"HCI01": ["KB5044288"], "HCI02": []}
    kept = read_plan(record)
    assert kept is not None
    assert [node.name for node in kept.nodes] == ["HCI01", "HCI02"]


def test_a_preview_that_was_made_is_never_made_again(record):
    keep_plan(record, plan(WORK))
    assert preview().execute(context()) == {"HCI01": ["KB5044288"]}


@pytest.mark.parametrize(("node", "params", "says"), [(IDLE, {}, "nothing"), (WORK, {"plan_only": True}, "plan_only")])
def test_the_rest_is_skipped_where_there_is_nothing_to_do(record, node, params, says):
    keep_plan(record, plan(node))
    with pytest.raises(AirflowSkipException, match=says):
        preview().execute(context(**params))


def test_an_option_on_which_cau_does_not_act_is_refused_and_never_ignored(record):
    keep_plan(record, plan(WORK))
    with pytest.raises(SettingsError, match="stage_only: has no effect on a run that is left to CAU"):
        preview().execute(context(stage_only=True))


# --- what may begin --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "facts", "admission"),
    [
        ("run_cau", RunFacts(), Admission.GO),
        ("run_cau", RunFacts(cancel=CANCELLED), Admission.REFUSE),
        # CAU's run goes on: somebody has to tell it to stop.
        ("run_cau", RunFacts(cancel=CANCELLED, changes=(CHANGE,)), Admission.GO),
        ("collect", RunFacts(cancel=CANCELLED), Admission.GO),
        ("preview", RunFacts(cancel=CANCELLED), Admission.REFUSE),
        ("conclude", RunFacts(cancel=CANCELLED), Admission.GO),
    ],
)
def test_a_cancelled_run_still_sees_to_caus(step: str, facts: RunFacts, admission: Admission):
    assert admit_cluster_step(step, facts).admission is admission


def test_caus_run_begins_only_on_a_yes_to_this_very_preview(record):
    options = RunOptions.for_cau(demo(), {"require_approval": True})
    shown = plan(WORK)
    keep_plan(record, shown)
    operator = CauStepOperator(task_id="run_cau", step="run_cau", cluster="demo")
    with pytest.raises(AirflowFailException, match="Nobody has approved"):
        operator.admitted(record, options)
    record.add(ev.Approved(by="ada", plan_id="another"), now())
    with pytest.raises(AirflowFailException, match="approved another plan"):
        operator.admitted(record, options)
    record.add(ev.Approved(by="ada", plan_id=plan_hash(shown, options.to_json())), now())
    operator.admitted(record, options)


# --- its end ----------------------------------------------------------------------------------------------------------------


def test_the_end_of_a_run_goes_by_the_options_it_began_with(record):
    began = RunOptions.for_cau(demo(), {"failback_mode": "Policy"})
    record.add(ev.RunStarted(run_id="run", cluster="demo", options=began.to_json()), now())
    operator = ConcludeCauOperator(task_id="conclude", cluster="demo")
    assert operator.options_of(demo(), context(failback_mode="nonsense")).failback_mode == "Policy"


@pytest.mark.parametrize(
    ("auth", "password", "passes", "could"),
    [("negotiate", True, False, True), ("credssp", True, True, False), ("kerberos", False, False, False)],
)
def test_credentials_can_be_delegated_where_there_is_a_password(auth, password, passes, could):
    secret = Secret("Pa55-word") if password else None
    host = management_host(ConnectionSettings(host="mgmt", user="ada", password=secret, auth=auth))
    assert host is not None
    assert (host.passes_credentials, host.by_credssp is not None) == (passes, could)
    assert isinstance(host.shell, LeavingShell)
