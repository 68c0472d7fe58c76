"""The few calls of Airflow's public API that the demonstration makes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import requests

from include.demo.environment import Login
from include.demo.place import DemoRefused

PAGE = 100


@dataclass(frozen=True, slots=True)
class TaskInstance:
    """One task instance as the API tells it; ``map_index`` is -1 where the task is not mapped."""

    task_id: str
    map_index: int
    label: str | None
    state: str | None
    try_number: int


class AirflowApi:
    """A client of the embedded Airflow's API at ``base`` (``http://127.0.0.1:8080``)."""

    def __init__(self, base: str, login: Login) -> None:
        self.base = base
        self._login = login
        self._session = requests.Session()
        # The machine's proxy settings are for the world outside, not for loopback.
        self._session.trust_env = False

    def wait_until_ready(self, check: Callable[[], None], seconds: float) -> None:
        """Return once the API is healthy and has accepted the login; ``check`` may raise to give up early."""
        self._wait(lambda: self._healthy() and self._log_in(), check, seconds, "Airflow's API did not come up")

    def wait_for_dag(self, dag_id: str, check: Callable[[], None], seconds: float) -> None:
        """Return once the DAG is known; raises DemoRefused with Airflow's import errors when it does not appear."""

        def known() -> bool:
            return self._get(f"/dags/{dag_id}", missing_ok=True) is not None

        try:
            self._wait(known, check, seconds, f"The DAG {dag_id} did not appear")
        except DemoRefused as error:
            errors = (self._get("/importErrors") or {}).get("import_errors", [])
            details = "\n".join(f"{row['filename']}:\n{row['stack_trace']}" for row in errors)
            raise DemoRefused(f"{error}\n{details or 'Airflow reports no import error.'}") from error

    def unpause(self, dag_id: str) -> None:
        """Let runs of the DAG start."""
        self._send_patiently("PATCH", f"/dags/{dag_id}", {"is_paused": False})

    def trigger(self, dag_id: str, conf: dict[str, Any]) -> str:
        """Start a run and return its id."""
        answer = self._send_patiently("POST", f"/dags/{dag_id}/dagRuns", {"logical_date": None, "conf": conf})
        return str(answer["dag_run_id"])

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of the run: queued, running, success or failed."""
        return str((self._get(f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}") or {})["state"])

    def task_instances(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """Return every task instance of the run."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances"
        return [
            TaskInstance(
                row["task_id"],
                row["map_index"],
                row.get("rendered_map_index"),
                row.get("state"),
                row.get("try_number") or 0,
            )
            for row in self._pages(path, "task_instances")
        ]

    def xcom(self, dag_id: str, run_id: str, task_id: str, map_index: int, key: str) -> Any:
        """Return one XCom value, or None where there is none."""
        path = f"/dags/{dag_id}/dagRuns/{quote(run_id, safe='')}/taskInstances/{task_id}/xcomEntries/{key}"
        answer = self._get(f"{path}?map_index={map_index}&deserialize=true", missing_ok=True)
        return None if answer is None else answer.get("value")

    def _wait(self, ready: Callable[[], bool], check: Callable[[], None], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        last = "no answer"
        while time.monotonic() < deadline:
            check()
            try:
                if ready():
                    return
            except requests.RequestException as error:
                last = str(error)
            time.sleep(0.5)
        raise DemoRefused(f"{what} within {seconds:.0f} s ({last}).")

    def _healthy(self) -> bool:
        return self._session.get(f"{self.base}/api/v2/monitor/health", timeout=5).status_code == 200

    def _log_in(self) -> bool:
        answer = self._session.post(
            f"{self.base}/auth/token", json={"username": self._login.user, "password": self._login.password}, timeout=10
        )
        if answer.status_code not in (200, 201):
            return False
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return True

    def _get(self, path: str, *, missing_ok: bool = False) -> dict[str, Any] | None:
        answer = self._session.get(f"{self.base}/api/v2{path}", timeout=30)
        if missing_ok and answer.status_code == 404:
            return None
        answer.raise_for_status()
        body: dict[str, Any] = answer.json()
        return body

    def _send(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = self._session.request(method, f"{self.base}/api/v2{path}", json=body, timeout=30)
        if not answer.ok:
            raise DemoRefused(f"Airflow refused {method} {path} with status {answer.status_code}: {answer.text}")
        result: dict[str, Any] = answer.json()
        return result

    def _send_patiently(self, method: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send it; tried again while SQLite is locked by whoever parses the DAGs, which is known before anything is done."""
        for _ in range(5):
            try:
                return self._send(method, path, body)
            except DemoRefused as error:
                if "status 500" not in str(error):
                    raise
                time.sleep(2)
        return self._send(method, path, body)

    def _pages(self, path: str, key: str) -> Iterator[dict[str, Any]]:
        offset = 0
        while True:
            page = self._get(f"{path}?limit={PAGE}&offset={offset}") or {}
            rows = page.get(key, [])
            yield from rows
            offset += len(rows)
            if not rows or offset >= page.get("total_entries", 0):
                return
