"""What operators and machines do to a run in its midst: the triggerer dies, a person fails the run, or deletes it."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

import psutil
import pytest
import requests

from include.demo.__main__ import CLUSTER_LOGIN, COMPONENTS, DAG_ID, judge, newest_report, start_cluster
from include.demo.api import AirflowApi
from include.demo.environment import Ports, airflow_environment, of_component, write_login
from include.demo.place import Place
from include.demo.processes import Processes
from include.hci.airflow.names import make_safe_dag_id
from tests.end_to_end.harness import ROOT, free_ports, wait_for

RESCUE_ID = make_safe_dag_id("demo")

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(600)]


@dataclass
class Lab:
    """A running Airflow with a simulated cluster."""

    place: Place
    ports: Ports
    processes: Processes
    environment: dict[str, str]
    api: AirflowApi

    def state(self, run: str, task: str, index: int = -1) -> str | None:
        return self.state_of(DAG_ID, run, task, index)

    def state_of(self, dag_id: str, run: str, task: str, index: int = -1) -> str | None:
        rows = self.api.task_instances(dag_id, run)
        return next((row.state for row in rows if (row.task_id, row.map_index) == (task, index)), None)

    def send(self, method: str, path: str, body: dict | None = None) -> None:
        answer = self.api._session.request(method, f"{self.api.base}/api/v2{path}", json=body, timeout=30)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"

    def kill(self, component: str) -> None:
        """Kill a component and everything it started, as a machine that loses its power does."""
        process = self.processes._running[component]
        root = psutil.Process(process.pid)
        for member in (*root.children(recursive=True), root):
            member.kill()
        process.wait(timeout=10)

    def world(self) -> dict:
        session = requests.Session()
        session.trust_env = False
        return session.get(f"http://127.0.0.1:{self.ports.control}/state", timeout=10).json()


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    place = Place(ROOT)
    processes = Processes(place)
    ports = Ports(*free_ports())
    with place.only_copy():
        try:
            place.begin_afresh()
            start_cluster(argparse.Namespace(fault=None, speed=600.0, seed=1), ports, place, processes)
            environment = airflow_environment(place, ports, CLUSTER_LOGIN)
            login = write_login(place)
            processes.run("db-migrate", ["airflow", "db", "migrate"], environment, seconds=180)
            for component in COMPONENTS:
                processes.start(component, ["airflow", component], of_component(component, environment))
            api = AirflowApi(f"http://127.0.0.1:{ports.ui}", login)
            api.wait_until_ready(processes.require_alive, 180)
            api.wait_for_dag(DAG_ID, processes.require_alive, 120)
            api.unpause(DAG_ID)
            api.wait_for_dag(RESCUE_ID, processes.require_alive, 120)
            yield Lab(place, ports, processes, environment, api)
        finally:
            processes.stop_all()


def test_a_dead_triggerer_loses_nothing_and_a_run_marked_failed_leaves_nothing(lab):
    run = lab.api.trigger(DAG_ID, {"max_retries_per_node": 5})
    wait_for(lambda: lab.state(run, "update_node.install", 0) == "deferred", 180)
    lab.kill("triggerer")
    lab.processes.start("triggerer", ["airflow", "triggerer"], lab.environment)
    wait_for(lambda: lab.state(run, "update_node.resync", 0) == "success", 240)

    wait_for(lambda: lab.state(run, "update_node.install", 1) == "deferred", 120)
    lab.send("PATCH", f"/dags/{DAG_ID}/dagRuns/{quote(run, safe='')}", {"state": "failed"})
    wait_for(lambda: lab.api.run_state(DAG_ID, run) == "failed", 180)

    report_file = newest_report(lab.place)
    report = json.loads(report_file.read_text())
    first, second, *others = report["nodes"]
    assert (first["outcome"], first["restarts"]) == ("updated", 2)
    assert second["resumed"] is True
    assert second["outcome"] != "updated"
    assert {node["outcome"] for node in others} == {"not-started"}
    assert report["outcome"] == "failed"
    assert report["lock"]["released"] is True
    assert judge(lab.place, lab.ports, report_file) == []
    assert_nothing_is_left(lab)


def test_a_run_that_is_deleted_in_its_midst_is_made_safe_from_its_record(lab):
    run = lab.api.trigger(DAG_ID, {})
    wait_for(lambda: node_out(lab) is not None and lab.state(run, "take_lock") == "success", 180)
    # What a person can do to a run: the task that would make it safe is marked, the run is failed and then deleted.
    at = f"/dags/{DAG_ID}/dagRuns/{quote(run, safe='')}"
    lab.send("PATCH", f"{at}/taskInstances/conclude", {"new_state": "success"})
    lab.send("PATCH", at, {"state": "failed"})
    wait_for(lambda: lab.api.run_state(DAG_ID, run) == "failed", 60)
    lab.send("DELETE", at)
    assert node_out(lab) is not None

    rescue = lab.api.trigger(RESCUE_ID, {})
    wait_for(lambda: lab.api.run_state(RESCUE_ID, rescue) in ("success", "failed"), 180)
    assert lab.api.run_state(RESCUE_ID, rescue) == "success"
    assert_nothing_is_left(lab)
    report = json.loads(newest_report(lab.place).read_text())
    assert (report["run_id"], report["outcome"], report["lock"]["released"]) == (run, "failed", True)

    idle = lab.api.trigger(RESCUE_ID, {})
    wait_for(lambda: lab.state_of(RESCUE_ID, idle, "find_dead_runs") == "skipped", 60)


def test_an_operator_approves_holds_and_cancels_a_run_without_a_terminal(lab):
    run = lab.api.trigger(DAG_ID, {"require_approval": True})
    page = f"{lab.api.base}/hci/report/{DAG_ID}/{quote(run, safe='')}"
    wait_for(lambda: "/ask/pause" in lab.api._session.get(page, timeout=30).text, 120)
    answer = lab.api._session.post(f"{page}/ask/pause", data={"comment": "storage team at work"}, timeout=30)
    assert answer.ok, answer.text
    wait_for(lambda: lab.state(run, "approve") == "awaiting_input", 120)
    assert lab.state(run, "take_lock") is None
    question = f"/dags/{DAG_ID}/dagRuns/{quote(run, safe='')}/taskInstances/approve/-1/hitlDetails"
    time.sleep(2)  # an answer in the very moment of the question fails the task, which is then asked again
    lab.send("PATCH", question, {"chosen_options": ["Approve"], "params_input": {"comment": "go"}})
    wait_for(lambda: "held before" in lab.api._session.get(page, timeout=30).text, 180)
    assert node_out(lab) is None
    assert requests.get(page, timeout=30).status_code == 401

    assert lab.api._session.post(f"{page}/ask/cancel", timeout=30).ok
    wait_for(lambda: lab.api.run_state(DAG_ID, run) == "failed", 180)
    report = json.loads(newest_report(lab.place).read_text())
    assert report["outcome"] == "cancelled"
    assert report["plan"]["approved_by"] == lab.api._login.user
    assert [asked["action"] for asked in report["interventions"]] == ["pause", "cancel"]
    assert not any(node["taken_out"] for node in report["nodes"])
    assert_nothing_is_left(lab)


def node_out(lab):
    return next((node["name"] for node in lab.world()["nodes"] if node["state"] == "Paused"), None)


def assert_nothing_is_left(lab):
    world = lab.world()
    assert {node["state"] for node in world["nodes"]} == {"Up"}
    assert not any(value for node in world["nodes"] for value in node["locks"].values())
    assert {vm["state"] for vm in world["vms"]} == {"Running"}
