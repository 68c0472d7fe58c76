from __future__ import annotations

from datetime import date, timedelta

import pytest

from include.hci.airflow import work
from include.hci.airflow.storage import open_record
from include.hci.airflow.work import StepWork, now
from include.hci.cluster.updates import Update
from include.hci.powershell.connection import ConnectionSettings
from include.hci.report import events as ev
from include.hci.settings import RunOptions

OPTIONS = RunOptions(max_failed_nodes=1, reboot_timeout_minutes=30).to_json()


@pytest.fixture
def opened(monkeypatch, tmp_path):
    monkeypatch.setenv("HCI_REPORTS", tmp_path.as_uri())
    found = {f"HCI0{i}": ConnectionSettings(host=f"h{i}") for i in range(1, 5)}
    monkeypatch.setattr(work.connections, "load", lambda settings: found)
    return lambda deadline=None: StepWork.open("take_lock", "demo", "run", OPTIONS, None, deadline)


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


def test_only_readiness_asks_the_management_host(opened, monkeypatch):
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
