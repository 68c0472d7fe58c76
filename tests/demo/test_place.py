from __future__ import annotations

import socket
import subprocess
import sys

import psutil
import pytest

from include.demo.environment import Login, Ports, airflow_environment, of_component
from include.demo.place import DemoRefused, Place, note_processes, stop_leftovers
from include.demo.ports import require_free


def test_a_second_copy_is_refused(tmp_path):
    place = Place(tmp_path)
    with place.only_copy(), pytest.raises(DemoRefused, match="already running"), place.only_copy():
        pass
    with place.only_copy():
        pass


def test_a_busy_port_is_named_with_what_moves_it():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(
            DemoRefused, match=rf"port {port} on 127\.0\.0\.1 is in use.*the Airflow UI[\s\S]*PORT=<another port>"
        ):
            require_free([(port, "the Airflow UI", "PORT")])
    require_free([(port, "the Airflow UI", "PORT")])


def test_what_a_killed_copy_left_running_is_stopped(tmp_path):
    file = tmp_path / "processes.json"
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        note_processes(file, [psutil.Process(child.pid)])
        stop_leftovers(file)
        assert not psutil.pid_exists(child.pid)
        assert not file.exists()
    finally:
        child.kill()


def test_a_stranger_with_the_same_number_is_left_alone(tmp_path):
    file = tmp_path / "processes.json"
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        file.write_text(f'[{{"pid": {child.pid}, "started": 1.0}}]')
        stop_leftovers(file)
        assert child.poll() is None
    finally:
        child.kill()
        child.wait()


def test_the_environment_of_the_person_does_not_leak_into_airflow(tmp_path):
    base = {"AIRFLOW__CORE__EXECUTOR": "Other", "HCI_FLEET_FILE": "/elsewhere", "PYTHONPATH": "/x", "PATH": "/bin"}
    environment = airflow_environment(Place(tmp_path), Ports(8080, 15985), Login("u", "p"), base)
    assert environment["AIRFLOW__CORE__EXECUTOR"] == "LocalExecutor"
    assert "HCI_FLEET_FILE" not in environment
    assert environment["PYTHONPATH"] == str(tmp_path)
    assert environment["PATH"] == "/bin"
    assert '"port": 15988' in environment["AIRFLOW_CONN_HCI_DEMO_HCI04"]


def test_only_the_api_server_gives_up_soon_when_sqlite_is_being_written(tmp_path):
    environment = airflow_environment(Place(tmp_path), Ports(8080, 15985), Login("u", "p"), {})
    address = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
    assert of_component("scheduler", environment)[address].endswith("airflow.db?timeout=60")
    assert of_component("api-server", environment)[address].endswith("airflow.db?timeout=5")
    assert {**of_component("api-server", environment), address: ""} == {**environment, address: ""}
