from __future__ import annotations

from datetime import date, timedelta

import pytest

from include.hci.airflow import work
from include.hci.airflow.begun_settings import SETTINGS, keep_settings, with_kept
from include.hci.airflow.storage import open_cluster_storage, open_record
from include.hci.airflow.work import StepWork, now
from include.hci.cluster.facade import EndpointUnknown
from include.hci.cluster.updates import Update
from include.hci.powershell.connection import ConnectionSettings
from include.hci.report import events as ev
from include.hci.settings import RunOptions, Schedule

STARTED = ev.RunStarted(run_id="run", cluster="demo", nodes=("HCI01", "HCI02"))
OPTIONS = RunOptions(max_failed_nodes=1, reboot_timeout_minutes=30).to_json()


@pytest.fixture
def opened(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    found = {f"HCI0{i}": ConnectionSettings(host=f"h{i}") for i in range(1, 5)}
    monkeypatch.setattr(work.connections, "load", lambda settings: found)
    open_record("demo", "run").add(STARTED, now())
    return lambda deadline=None: StepWork.open("take_lock", "demo", "run", OPTIONS, None, deadline)


def test_a_process_that_looks_for_the_record_elsewhere_does_nothing_and_says_so(opened, monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", (tmp_path / "elsewhere").as_uri())
    with pytest.raises(work.RecordMissing, match="must reach the same HCI_REPORTS") as missing:
        opened()
    assert "elsewhere/demo/run" in str(missing.value)


def test_a_deadline_that_was_handed_over_is_kept(opened):
    given = now() + timedelta(minutes=3)
    assert opened(given.isoformat()).runner.deadline == given


def test_patience_counts_from_the_beginning_of_the_turn(opened):
    late = opened((now() - timedelta(hours=5)).isoformat())
    late.begin()
    left = late.runner.deadline - now()
    assert timedelta(minutes=9) < left <= timedelta(minutes=10)


def test_the_lock_is_asked_for_on_every_node_that_has_it_whatever_one_of_them_says(opened, monkeypatch):
    asked = []

    def run(self, pipeline, **named):
        asked.append((self.settings.host, pipeline.describe()))
        raise work.RemotingError("no answer") if self.settings.host == "h1" else AssertionError("stop here")

    monkeypatch.setattr("include.hci.airflow.shells.PooledShell.run", run)
    one = opened()
    open_record("demo", "run").add(ev.LockTaken(guid="g", nodes=("HCI01", "HCI02")), now())
    with pytest.raises(AssertionError, match="stop here"):
        one.keep_lock()
    assert [host for host, _ in asked] == ["h1", "h2"]
    assert str(one.context.guid) in asked[0][1]
    assert asked[0][1].startswith("Get-CimInstance")


def test_what_a_step_is_doing_comes_from_its_record(opened):
    one = opened()
    assert one.acting() is None
    decided = ev.Decided(step="take_lock", decision="act", why="because", action="take the run lock")
    one.context.record.add(decided, now())
    assert one.acting() == "take the run lock"


def test_the_management_host_is_asked_only_by_steps_that_need_it(opened, monkeypatch):
    asked = []

    def load_management(settings):
        asked.append(settings.name)
        return ConnectionSettings(host="mgmt01", auth="negotiate", negotiate_delegate=True)

    monkeypatch.setattr(work.connections, "load_management", load_management, raising=True)
    assert opened().cluster.management() is None
    host = StepWork.open("readiness", "demo", "run", OPTIONS).cluster.management()
    assert (host.shell.settings.host, host.passes_credentials, asked) == ("mgmt01", True, ["demo"])
    assert work.management_host("no such connection").problem == "no such connection"


def test_the_first_sight_of_an_update_is_kept_beside_the_runs_of_the_cluster(opened, tmp_path):
    update = Update("0fa1201d-4330-4fa8-8ae9-b877473b6441", "Cumulative")
    day = date(2026, 11, 3)
    opened().context.first_seen.note((update,), day)
    again = opened().context.first_seen.note((update,), day + timedelta(days=7))
    assert again == {update.update_id: day}
    assert (tmp_path / "demo" / "first-seen+" / f"{update.update_id}.json").exists()


def hooked(step: str, monkeypatch) -> tuple[StepWork, list[str]]:
    asked: list[str] = []

    def load_endpoints(names):
        asked.extend(names)
        return {
            "monitoring": ConnectionSettings(host="mon01", configuration_name="Monitoring"),
            "absent": "it is not there",
        }

    monkeypatch.setattr(work.connections, "load_endpoints", load_endpoints)
    hooks = [{"when": "run-ends", "connection": "monitoring", "command": "Set-Maintenance"}]
    options = RunOptions.model_validate({"max_failed_nodes": 1, "hooks": hooks}).to_json()
    node = "HCI01" if step in ("install", "resume") else None
    return StepWork.open(step, "demo", "run", options, node), asked


def test_the_connections_of_hooks_are_read_by_the_steps_that_give_them(opened, monkeypatch):
    assert {step: hooked(step, monkeypatch)[1] for step in ("take_lock", "resume", "conclude", "install")} == {
        "take_lock": ["monitoring"],
        "resume": ["monitoring"],
        "conclude": ["monitoring"],
        "install": [],
    }
    cluster = hooked("conclude", monkeypatch)[0].cluster
    assert cluster.endpoint("monitoring").settings.configuration_name == "Monitoring"
    for name, says in (("absent", "it is not there"), ("other", "was not looked up")):
        with pytest.raises(EndpointUnknown, match=says):
            cluster.endpoint(name)


def test_a_session_configuration_of_its_own_is_a_connection_of_its_own(opened):
    cluster = opened().cluster
    assert cluster.on("HCI01").settings.configuration_name == "Microsoft.PowerShell"
    own = cluster.on("hci01", "Scripts").settings
    assert (own.host, own.configuration_name) == ("h1", "Scripts")
    assert own.key() != cluster.on("HCI01").settings.key()


def test_a_step_knows_the_schedule_of_its_cluster(opened, monkeypatch):
    line = {"start_date": "2026-03-02 03:00", "days_of_week": ["TUE"], "weeks_of_month": [3]}
    schedule = Schedule.model_validate({"timezone": "UTC", "lines": [line]})
    settings = work.cluster_settings("demo").model_copy(update={"schedule": schedule})
    monkeypatch.setattr(work, "cluster_settings", lambda name: settings)
    assert opened().context.schedule == schedule


@pytest.fixture
def lost(monkeypatch, tmp_path):
    """A fleet file that cannot be read any more, after a run of the cluster has begun."""
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    settings = work.cluster_settings("demo")
    keep_settings(settings)
    open_record("demo", "run").add(STARTED, now())
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text("clusters: [demo")
    monkeypatch.setenv("HCI_FLEET_FILE", str(fleet))
    return settings


def test_a_run_ends_with_the_cluster_that_it_began_with_when_the_fleet_file_has_lost_it(lost, monkeypatch):
    found = {name: ConnectionSettings(host=name) for name in lost.node_names}
    monkeypatch.setattr(work.connections, "load", lambda settings: found)
    monkeypatch.setattr(work.connections, "load_management", lambda settings: None)
    one = StepWork.open("conclude", "demo", "run", OPTIONS)
    assert one.settings == lost
    assert one.cluster.nodes == lost.node_names


@pytest.mark.parametrize("step", ["drain", "resume", "verify"])
def test_no_other_step_goes_on_without_the_fleet_file(lost, step):
    with pytest.raises(work.ClusterUnknown, match=r"fleet\.yaml"):
        StepWork.open(step, "demo", "run", OPTIONS)


def test_an_end_that_knows_nothing_of_its_cluster_says_what_takes_back_what_is_left(lost):
    open_cluster_storage("demo").remove(SETTINGS)
    with pytest.raises(work.ClusterUnknown, match="Mend the file: make_safe__demo then takes back"):
        StepWork.open("conclude", "demo", "run", OPTIONS)


@pytest.mark.parametrize(
    ("wanted", "added"),
    [(None, False), ("rolling_update__demo", True), ("rolling_update__other", False), ("make_safe__demo", False)],
)
def test_the_dag_of_a_task_outlives_its_cluster_in_the_fleet_file(lost, wanted, added):
    assert with_kept((), wanted) == ((lost,) if added else ())
    assert with_kept((lost,), wanted) == (lost,)
