"""``python -m include.demo``: a simulated cluster, a real Airflow, one rolling update, and the referee's verdict."""

from __future__ import annotations

import argparse
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

import requests
from rich.console import Console
from rich.panel import Panel

from include.demo.api import AirflowApi
from include.demo.environment import Login, Ports, airflow_environment, of_component, write_login
from include.demo.follow import Follower, follow
from include.demo.place import DemoRefused, Place
from include.demo.ports import require_free
from include.demo.processes import Processes

DAG_ID = "rolling_update__demo"
CLUSTER_LOGIN = Login("hci-operator", "Simulated-1!")
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
OK, FAILED, REFUSED = 0, 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Run the demonstration and return its exit status: 0 only when the run succeeded and the referee found no violation."""
    options = parse(arguments)
    console = Console()
    place = Place(Path(__file__).resolve().parents[2])
    if options.fault == "help":
        return subprocess.run(
            [sys.executable, "-m", "include.simulator", "faults"], cwd=place.root, check=False
        ).returncode
    signal.signal(signal.SIGTERM, _interrupt)
    processes = Processes(place)
    try:
        with place.only_copy():
            try:
                return demonstrate(options, console, place, processes)
            finally:
                with console.status("Stopping what was started ..."):
                    processes.stop_all()
    except DemoRefused as error:
        console.print(f"[bold red]{error}", soft_wrap=True, highlight=False)
        return REFUSED
    except KeyboardInterrupt:
        console.print("Stopped. Everything that was started is down; logs are in .demo/logs.")
        return 130


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8080, help="port of the Airflow UI; the two after it serve logs")
    parser.add_argument("--simulator-port", type=int, default=15985, help="WinRM port of the first simulated server")
    parser.add_argument("--speed", type=float, default=300.0, help="simulated seconds per real second")
    parser.add_argument("--seed", type=int, default=1, help="seed of the simulated cluster")
    parser.add_argument("--fault", help="a fault to inject, or 'help' for the list")
    parser.add_argument("--keep", action="store_true", help="leave Airflow and the simulated cluster up until Ctrl-C")
    parser.add_argument("--limit", type=float, default=1500.0, help="give up after this many seconds")
    return parser.parse_args(arguments)


def demonstrate(options: argparse.Namespace, console: Console, place: Place, processes: Processes) -> int:
    """Start everything, follow one run, print its outcome and return the exit status."""
    ports = Ports(options.port, options.simulator_port)
    require_free(ports.rows())
    started = time.monotonic()
    place.begin_afresh()
    with console.status("Starting the simulated cluster ..."):
        start_cluster(options, ports, place, processes)
    environment = airflow_environment(place, ports, CLUSTER_LOGIN)
    login = write_login(place)
    with console.status("Creating Airflow's database ..."):
        processes.run("db-migrate", ["airflow", "db", "migrate"], environment, seconds=180)
    for component in COMPONENTS:
        processes.start(component, ["airflow", component], of_component(component, environment))
    api = AirflowApi(f"http://127.0.0.1:{ports.ui}", login)
    with console.status("Starting Airflow's API server, scheduler, DAG processor and triggerer ..."):
        api.wait_until_ready(processes.require_alive, 180)
        api.wait_for_dag(DAG_ID, processes.require_alive, 120)
    api.unpause(DAG_ID)
    run_id = api.trigger(DAG_ID, {})
    address = f"{api.base}/dags/{DAG_ID}/runs/{run_id}"
    console.print(f"Airflow is up after {time.monotonic() - started:.0f} s: {address}", soft_wrap=True)
    console.print(f"Log in as [bold]{login.user}[/] with password [bold]{login.password}[/]", highlight=False)
    fault = f", fault {options.fault}" if options.fault else ""
    state = follow(
        Follower(api, DAG_ID, run_id, tuple(f"HCI{i + 1:02d}" for i in range(ports.nodes))),
        console,
        lambda passed: (
            f"Rolling update of cluster demo, {passed:.0f} s (simulated time runs {options.speed:g} times as fast{fault})"
        ),
        processes.require_alive,
        options.limit,
    )
    status = conclude(console, place, ports, state)
    console.print(f"Airflow UI: {address}\nLogin: {login.user} / {login.password}", soft_wrap=True, highlight=False)
    if options.keep:
        console.print("KEEP is set: Airflow and the simulated cluster stay up until Ctrl-C.")
        while True:
            processes.require_alive()
            time.sleep(1)
    return status


def start_cluster(options: argparse.Namespace, ports: Ports, place: Place, processes: Processes) -> None:
    """Start the simulated cluster and return once its ports are open."""
    arguments = [
        "include.simulator",
        "serve",
        *("--cluster", "demo"),
        *("--nodes", str(ports.nodes)),
        *("--speed", str(options.speed)),
        *("--seed", str(options.seed)),
        *("--base-port", str(ports.simulator)),
        *("--journal", str(place.journal)),
        *("--ready-file", str(place.ready_file)),
        *(("--fault", options.fault) if options.fault else ()),
    ]
    environment = airflow_environment(place, ports, CLUSTER_LOGIN) | {
        "HCI_SIM_USER": CLUSTER_LOGIN.user,
        "HCI_SIM_PASSWORD": CLUSTER_LOGIN.password,
    }
    processes.start("simulated-cluster", arguments, environment)
    deadline = time.monotonic() + 60
    while not place.ready_file.exists():
        processes.require_alive()
        if time.monotonic() > deadline:
            raise DemoRefused(f"The simulated cluster is not ready after 60 s; see {place.log('simulated-cluster')}.")
        time.sleep(0.1)


def conclude(console: Console, place: Place, ports: Ports, state: str) -> int:
    """Print the outcome, the report's path and the referee's verdict; return the exit status."""
    report = newest_report(place)
    violations = judge(place, ports, report)
    outcome = "no report" if report is None else json.loads(report.read_text())["outcome"]
    good = state == "success" and not violations and report is not None
    lines = [f"Airflow's run state: {state}", f"Outcome in the report: {outcome}"]
    if report is not None:
        lines += [f"{row['name']}: {describe(row)}" for row in json.loads(report.read_text())["nodes"]]
        lines.append(f"Report: {report.with_suffix('.html')}")
    lines.append("Referee: no violation" if not violations else "Referee: " + "; ".join(violations))
    console.print(
        Panel("\n".join(lines), title="Done" if good else "Not done", style="green" if good else "red", expand=False)
    )
    return OK if good else FAILED


def describe(row: dict[str, object]) -> str:
    """Return one server's row of the report in words."""
    text = f"{row['outcome']}, build {row['build_before']} -> {row['build_after']}, restarts {row['restarts']}"
    return f"{text}: {row['error']}" if row.get("error") else text


def newest_report(place: Place) -> Path | None:
    """Return the newest report.json under the reports folder, or None."""
    found = sorted(place.reports.rglob("report.json"), key=lambda file: file.stat().st_mtime)
    return found[-1] if found else None


def judge(place: Place, ports: Ports, report: Path | None) -> list[str]:
    """Let the referee judge the journal against the report; return its violations as sentences."""
    session = requests.Session()
    session.trust_env = False
    session.post(f"http://127.0.0.1:{ports.control}/snapshot", timeout=30).raise_for_status()
    command = [sys.executable, "-m", "include.simulator", "judge", str(place.journal), "--json"]
    if report is not None:
        command += ["--report", str(report)]
    answer = subprocess.run(command, cwd=place.root, check=False, capture_output=True, text=True)
    try:
        rows = json.loads(answer.stdout)
    except ValueError:
        return [f"the referee gave no verdict (exit status {answer.returncode}): {answer.stderr.strip()[-500:]}"]
    found = rows["violations"] if isinstance(rows, dict) else rows
    return [f"{row['invariant']}: {row['sentence']}" for row in found]


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
