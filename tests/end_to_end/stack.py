"""One Airflow for several simulated clusters, each started by the test that needs it: what the runs of every kind are tried on."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import requests
import yaml

from include.demo.__main__ import CLUSTER_LOGIN, COMPONENTS
from include.demo.api import AirflowApi
from include.demo.environment import Ports, airflow_environment, of_component, write_login
from include.demo.place import Place
from include.demo.processes import Processes, tail
from tests.end_to_end.harness import ROOT, is_free, wait_for

#: Patience in real minutes, in which simulated hours pass.
PATIENCE = {
    "reboot_timeout_minutes": 2,
    "drain_timeout_minutes": 2,
    "stuck_repair_minutes": 2,
    "resync_timeout_minutes": 10,
    "max_retries_per_node": 1,
}
ENDED = ("success", "failed")


@dataclass(frozen=True)
class Cluster:
    """A cluster of the stack's fleet: its nodes are called ``<prefix>01`` and so on, its ports follow ``port``.

    ``passes_credentials``: the connection of its management host logs on by CredSSP, which the simulated host has to accept.
    """

    name: str
    nodes: int
    prefix: str
    port: int
    options: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    passes_credentials: bool = False

    @property
    def management(self) -> str:
        return f"{self.name}_mgmt"

    @property
    def node_names(self) -> list[str]:
        return [f"{self.prefix}{index + 1:02d}" for index in range(self.nodes)]

    @property
    def control(self) -> int:
        return self.port + self.nodes + 1

    def connections(self) -> dict[str, int]:
        """Return the port behind each connection id."""
        found = {f"{self.name}_{node.lower()}": self.port + index for index, node in enumerate(self.node_names)}
        return {**found, self.management: self.port + self.nodes}

    def entry(self) -> dict[str, Any]:
        """Return the cluster as the fleet file has it."""
        return {
            "nodes": [{"name": node, "connection": f"{self.name}_{node.lower()}"} for node in self.node_names],
            "management_host": {"connection": self.management},
            "profile_overrides": {**PATIENCE, **self.options},
            "pacing": {"first_check_seconds": 1, "poll_seconds": 1},
            **self.extra,
        }


@dataclass(frozen=True)
class StackPlace(Place):
    """A demonstration's folders outside the checkout, which stays the root of the code."""

    folder: Path = Path()

    @property
    def home(self) -> Path:
        return self.folder / "airflow"

    @property
    def work(self) -> Path:
        return self.folder / "work"


class World:
    """A running simulated cluster with its journal and control port."""

    def __init__(self, cluster: Cluster, journal: Path, processes: Processes, speed: float) -> None:
        self.cluster = cluster
        self.journal = journal
        self.speed = speed
        self._processes = processes
        self._session = requests.Session()
        self._session.trust_env = False

    def state(self) -> dict[str, Any]:
        """Return the world as it is now."""
        return self._ask("GET", "/state")

    def tell(self, path: str, **body: Any) -> dict[str, Any]:
        """Send a wish to the control port: ``/fault``, ``/heal``, ``/rules``, ``/scenario``."""
        return self._ask("POST", path, body)

    def events(self, *ops: str) -> list[dict[str, Any]]:
        """Return the journal's entries of these kinds."""
        lines = (json.loads(line) for line in self.journal.read_text().splitlines() if line.endswith("}"))
        return [line for line in lines if line["op"] in ops]

    def real(self, moment: str) -> datetime:
        """Return when it really was that the world's clock showed ``moment``, a time of the journal."""
        now, real = datetime.fromisoformat(self.state()["time"]), datetime.now(UTC)
        return real - (now - datetime.fromisoformat(moment)) / self.speed

    def commands(self, name: str) -> list[dict[str, Any]]:
        """Return the parameters with which the command was given, in order."""
        found = [line["detail"] for line in self.events("command") if line["status"] == "invoke"]
        return [detail["parameters"] for detail in found if detail["command"].lower() == name.lower()]

    def judge(self, report: Path | None) -> list[str]:
        """Return what the referee objects to."""
        self._ask("POST", "/snapshot")
        command = [sys.executable, "-m", "include.simulator", "judge", str(self.journal), "--json"]
        if report is not None:
            command += ["--report", str(report)]
        answer = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
        rows = json.loads(answer.stdout or "[]") if answer.stdout.strip() else [{"sentence": answer.stderr}]
        found = rows["violations"] if isinstance(rows, dict) else rows
        return [f"{row.get('invariant')}: {row['sentence']}" for row in found]

    def stop(self) -> None:
        """Stop it."""
        self._processes.stop(f"world-{self.cluster.name}")

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        answer = self._session.request(
            method, f"http://127.0.0.1:{self.cluster.control}{path}", json=dict(body or {}) or None, timeout=30
        )
        assert answer.ok, f"{path}: {answer.text}"
        result: dict[str, Any] = answer.json()
        return result


class Stack:
    """A running Airflow whose fleet are ``clusters``."""

    def __init__(
        self,
        place: StackPlace,
        processes: Processes,
        environment: dict[str, str],
        api: AirflowApi,
        clusters: Sequence[Cluster],
    ) -> None:
        self.place = place
        self.processes = processes
        self.environment = environment
        self.api = api
        self.clusters = {cluster.name: cluster for cluster in clusters}
        self._worlds: dict[str, int] = {}

    @contextlib.contextmanager
    def world(self, name: str, *arguments: str, os: str = "22H2", speed: float = 600, seed: int = 1) -> Iterator[World]:
        """Serve the cluster ``name`` for the time of the block; ``arguments`` go to the simulator's command line."""
        world = self.start_world(name, *arguments, os=os, speed=speed, seed=seed)
        try:
            yield world
        finally:
            world.stop()

    def start_world(self, name: str, *arguments: str, os: str = "22H2", speed: float = 600, seed: int = 1) -> World:
        """Start the simulated cluster ``name`` and return once its ports are open."""
        cluster = self.clusters[name]
        number = self._worlds[name] = self._worlds.get(name, 0) + 1
        journal, ready = (self.place.work / f"{name}-{number}.{end}" for end in ("jsonl", "json"))
        command = [
            "include.simulator",
            "serve",
            "--cluster",
            name,
            "--nodes",
            str(cluster.nodes),
            "--prefix",
            cluster.prefix,
        ]
        command += ["--os", os, "--speed", str(speed), "--seed", str(seed), "--base-port", str(cluster.port)]
        command += ["--journal", str(journal), "--ready-file", str(ready), *arguments]
        account = {"HCI_SIM_USER": CLUSTER_LOGIN.user, "HCI_SIM_PASSWORD": CLUSTER_LOGIN.password}
        self.processes.start(f"world-{name}", command, {**self.environment, **account})
        log = self.place.log(f"world-{name}")

        def is_ready() -> bool:
            self.processes.require_alive()
            return ready.exists()

        try:
            wait_for(is_ready, 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{tail(log)}") from error
        return World(cluster, journal, self.processes, speed)

    def begin(self, dag_id: str, conf: Mapping[str, Any] | None = None) -> str:
        """Start a run and return its id."""
        self.api.wait_for_dag(dag_id, self.processes.require_alive, 120)
        self.api.unpause(dag_id)
        return self.api.trigger(dag_id, dict(conf or {}))

    def wait(self, dag_id: str, run: str, seconds: float = 600) -> str:
        """Return the run's state when it has ended."""

        def has_ended() -> bool:
            self.processes.require_alive()
            return self.api.run_state(dag_id, run) in ENDED

        wait_for(has_ended, seconds, poll=0.5)
        return self.api.run_state(dag_id, run)

    def wait_for_task(
        self, dag_id: str, run: str, task: str, *states: str, index: int = -1, seconds: float = 240
    ) -> None:
        """Return once the task is in one of ``states``."""
        wait_for(lambda: self.task_state(dag_id, run, task, index) in states, seconds)

    def task_state(self, dag_id: str, run: str, task: str, index: int = -1) -> str | None:
        """Return the state of one task instance."""
        rows = self.api.task_instances(dag_id, run)
        return next((row.state for row in rows if (row.task_id, row.map_index) == (task, index)), None)

    def task_states(self, dag_id: str, run: str) -> dict[str, str | None]:
        """Return every task instance's state, for messages."""
        return {f"{row.task_id}[{row.map_index}]": row.state for row in self.api.task_instances(dag_id, run)}

    def report_file(self, cluster: str, run: str) -> Path:
        """Return where the report of a run is."""
        found = [
            file
            for file in self.place.reports.rglob("report.json")
            if (data := json.loads(file.read_text()))["run_id"] == run and data["cluster"] == cluster
        ]
        assert len(found) == 1, f"{len(found)} reports of {run}"
        return found[0]

    def report(self, cluster: str, run: str) -> dict[str, Any]:
        """Return the report of a run."""
        data: dict[str, Any] = json.loads(self.report_file(cluster, run).read_text())
        return data

    def answer(self, dag_id: str, run: str, task: str, choice: str, comment: str = "", seconds: float = 240) -> None:
        """Answer a task that asks a person, as the person would: through Airflow's API."""
        self.wait_for_task(dag_id, run, task, "awaiting_input", seconds=seconds)
        time.sleep(2)  # an answer in the very moment of the question fails the task, which is then asked again
        where = f"/dags/{dag_id}/dagRuns/{quote(run, safe='')}/taskInstances/{task}/-1/hitlDetails"
        self.send("PATCH", where, {"chosen_options": [choice], "params_input": {"comment": comment}})

    def send(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> None:
        """Send something to Airflow's API."""
        answer = self.api._session.request(method, f"{self.api.base}/api/v2{path}", json=body, timeout=30)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"

    def ask(self, dag_id: str, run: str, wish: str) -> None:
        """Press a button of the run's page: pause, continue or cancel."""
        page = f"{self.api.base}/hci/report/{dag_id}/{quote(run, safe='')}"
        answer = self.api._session.post(f"{page}/ask/{wish}", timeout=30)
        assert answer.ok, answer.text

    def kill(self, component: str) -> None:
        """Kill a component and everything it started, as a machine that loses its power does."""
        process = self.processes._running[component]
        root = psutil.Process(process.pid)
        for member in (*root.children(recursive=True), root):
            member.kill()
        process.wait(timeout=10)

    def start_again(self, component: str) -> None:
        """Start a component that was killed."""
        self.processes.start(component, ["airflow", component], of_component(component, self.environment))


@contextlib.contextmanager
def running_stack(folder: Path, clusters: Sequence[Cluster], ui: int) -> Iterator[Stack]:
    """Start Airflow with a fleet of ``clusters`` on port ``ui`` and the two after it; stop everything at the end of the block."""
    place = StackPlace(ROOT, folder)
    place.work.mkdir(parents=True)
    place.begin_afresh()
    fleet = folder / "fleet.yaml"
    fleet.write_text(yaml.safe_dump({"clusters": {cluster.name: cluster.entry() for cluster in clusters}}))
    processes = Processes(place)
    ports = Ports(ui, ui + 10)
    environment = airflow_environment(place, ports, CLUSTER_LOGIN) | _connections(clusters)
    environment["HCI_FLEET_FILE"] = str(fleet)
    # Nobody changes a DAG here, and reading those of many clusters again and again costs more than their tasks.
    environment["AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL"] = "900"
    login = write_login(place)
    try:
        processes.run("db-migrate", ["airflow", "db", "migrate"], environment, seconds=180)
        for component in COMPONENTS:
            processes.start(component, ["airflow", component], of_component(component, environment))
        api = AirflowApi(f"http://127.0.0.1:{ui}", login)
        api.wait_until_ready(processes.require_alive, 180)
        yield Stack(place, processes, environment, api, clusters)
    finally:
        processes.stop_all()


def _connections(clusters: Sequence[Cluster]) -> dict[str, str]:
    extra = {"ssl": False, "auth": "ntlm", "encryption": "always"}
    base = {"conn_type": "psrp", "host": "127.0.0.1", "login": CLUSTER_LOGIN.user, "password": CLUSTER_LOGIN.password}
    ports = {name: port for cluster in clusters for name, port in cluster.connections().items()}
    delegating = {cluster.management for cluster in clusters if cluster.passes_credentials}
    extras = {name: {**extra, "auth": "credssp"} if name in delegating else extra for name in ports}
    return {
        f"AIRFLOW_CONN_{name.upper()}": json.dumps({**base, "port": port, "extra": extras[name]})
        for name, port in ports.items()
    }


def free_base(count: int) -> int:
    """Return the first of ``count`` free ports in a row; not where another test run that has just begun looks first."""
    bases = range(30200, 32600, 200)  # below those that Linux gives to outgoing connections
    first = os.getpid() % len(bases)
    for base in (*bases[first:], *bases[:first]):
        if all(is_free(base + offset) for offset in range(count)):
            return base
    raise RuntimeError("No free ports were found.")
