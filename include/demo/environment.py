"""The environment of the embedded Airflow: SQLite, LocalExecutor, quick settings, connections to the simulated cluster."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from include.demo.place import Place

ADMIN = "admin"

#: Seconds that a component waits for another's writing before it gives up, and a scheduler ends with it. SQLite's own five are
#: too few for a busy machine.
SQLITE_PATIENCE = 60
SQLITE_PATIENCE_API = 5
_DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


@dataclass(frozen=True, slots=True)
class Login:
    """The one account of the embedded Airflow."""

    user: str
    password: str


@dataclass(frozen=True, slots=True)
class Ports:
    """The loopback ports of a demonstration.

    ``ui`` is Airflow's API server, ``simulator`` the first node's WinRM port; the others follow from these two.
    """

    ui: int
    simulator: int
    nodes: int = 4

    @property
    def worker_logs(self) -> int:
        """Where the executor serves the logs of running tasks."""
        return self.ui + 1

    @property
    def trigger_logs(self) -> int:
        """Where the triggerer serves the logs of waiting tasks."""
        return self.ui + 2

    def of_node(self, index: int) -> int:
        """Return the WinRM port of the node with this index, from 0."""
        return self.simulator + index

    @property
    def management_host(self) -> int:
        """The WinRM port of the simulated management host."""
        return self.simulator + self.nodes

    @property
    def control(self) -> int:
        """The simulated cluster's control port."""
        return self.simulator + self.nodes + 1

    def rows(self) -> list[tuple[int, str, str]]:
        """Return (port, purpose, make variable) for every port."""
        nodes = [
            (self.of_node(i), f"WinRM of simulated server HCI{i + 1:02d}", "SIMULATOR_PORT") for i in range(self.nodes)
        ]
        return [
            (self.ui, "the Airflow UI and API", "PORT"),
            (self.worker_logs, "the logs of running tasks", "PORT"),
            (self.trigger_logs, "the logs of waiting tasks", "PORT"),
            *nodes,
            (self.management_host, "WinRM of the simulated management host", "SIMULATOR_PORT"),
            (self.control, "the simulated cluster's control", "SIMULATOR_PORT"),
        ]


def connections(ports: Ports, login: Login) -> dict[str, str]:
    """Return the Airflow connections to the simulated cluster as environment variables.

    The simulated servers are reached over http with NTLM message encryption, which the extras ask for by name: https with
    certificate validation is what a connection gets otherwise.
    """
    extra = {"ssl": False, "auth": "ntlm", "encryption": "always"}
    hosts = {f"hci_demo_hci{i + 1:02d}": ports.of_node(i) for i in range(ports.nodes)}
    hosts["hci_demo_mgmt"] = ports.management_host
    return {
        f"AIRFLOW_CONN_{name.upper()}": json.dumps(
            {
                "conn_type": "psrp",
                "host": "127.0.0.1",
                "port": port,
                "login": login.user,
                "password": login.password,
                "extra": extra,
            }
        )
        for name, port in hosts.items()
    }


def airflow_environment(
    place: Place, ports: Ports, cluster_login: Login, base: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """Return the environment for every Airflow component of the demonstration."""
    inherited = {k: v for k, v in base.items() if not k.startswith(("AIRFLOW", "HCI_", "PYTHON"))}
    settings = {
        "CORE__DAGS_FOLDER": str(place.root / "dags"),
        "CORE__PLUGINS_FOLDER": str(place.root / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "8",
        # At the start: tasks begin as forks of the scheduler's workers, with what plugins/preload.py has imported.
        "CORE__LAZY_LOAD_PLUGINS": "False",
        "CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{ports.ui}/execution/",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(password_file(place)),
        "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{place.home / 'airflow.db'}?timeout={SQLITE_PATIENCE}",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(ports.ui),
        "API__BASE_URL": f"http://127.0.0.1:{ports.ui}",
        "API__WORKERS": "1",
        "API__SECRET_KEY": secrets.token_hex(24),
        "API_AUTH__JWT_SECRET": secrets.token_hex(32),
        # A scheduler pass every quarter second instead of every second: the one setting that makes a graph feel quick.
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.25",
        # Tasks that died with their scheduler begin again half a minute later instead of five: a cluster may be down.
        "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "30",
        "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        # A worker must outlive a busy API server: the default gives up after three missed beats.
        "WORKERS__MAX_FAILED_HEARTBEATS": "60",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "LOGGING__BASE_LOG_FOLDER": str(place.home / "logs"),
        "LOGGING__WORKER_LOG_SERVER_PORT": str(ports.worker_logs),
        "LOGGING__TRIGGER_LOG_SERVER_PORT": str(ports.trigger_logs),
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    return {
        **inherited,
        **{f"AIRFLOW__{key}": value for key, value in settings.items()},
        **connections(ports, cluster_login),
        "AIRFLOW_HOME": str(place.home),
        "HCI_REPORTS": place.reports.as_uri(),
        "PYTHONPATH": str(place.root),
        "PYTHONUNBUFFERED": "1",
        # Loopback must not go through a proxy that the machine may have set for the world outside.
        "NO_PROXY": ",".join(filter(None, (inherited.get("NO_PROXY"), "127.0.0.1,localhost"))),
        "no_proxy": ",".join(filter(None, (inherited.get("no_proxy"), "127.0.0.1,localhost"))),
    }


def of_component(name: str, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment in which the component ``name`` (``scheduler`` ...) starts, made from that of all components.

    The API server has less patience with SQLite: its event loop may wait for a writer that is a thread of its own and needs the
    event loop to go on, so all of it stands still until the patience ends. Tasks ask again after the error that follows.
    """
    if name != "api-server":
        return dict(environment)
    address = environment[_DATABASE].replace(f"timeout={SQLITE_PATIENCE}", f"timeout={SQLITE_PATIENCE_API}")
    return {**environment, _DATABASE: address}


def password_file(place: Place) -> Path:
    """Return where the embedded Airflow reads its account's password."""
    return place.home / "simple_auth_manager_passwords.json.generated"


def write_login(place: Place) -> Login:
    """Choose the password of the embedded Airflow's one account and write it where Airflow reads it."""
    login = Login(ADMIN, secrets.token_urlsafe(9))
    file = password_file(place)
    file.touch(mode=0o600)
    file.write_text(json.dumps({login.user: login.password}))
    return login
