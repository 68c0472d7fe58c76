"""Follows a run of the rolling update through Airflow's API, live in a terminal or line by line elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable

import requests
from rich.console import Console
from rich.live import Live

from include.demo.api import AirflowApi, TaskInstance
from include.demo.place import DemoRefused
from include.demo.view import GROUP, NodeLine, Progress, current_phase, node_states, node_summary, progress_from, screen

OVER = frozenset({"success", "failed"})
INTERVAL_SECONDS = 0.7


class Follower:
    """Reads a run again and again and keeps what the terminal needs of it."""

    def __init__(self, api: AirflowApi, dag_id: str, run_id: str, nodes: tuple[str, ...]) -> None:
        self._api = api
        self._dag_id = dag_id
        self._run_id = run_id
        self._nodes = nodes
        self._order: tuple[str, ...] | None = None

    def read(self) -> tuple[str, list[TaskInstance], list[NodeLine]]:
        """Return the run's state, its task instances and one line per server, in the plan's order."""
        state = self._api.run_state(self._dag_id, self._run_id)
        instances = self._api.task_instances(self._dag_id, self._run_id)
        if self._order is None:
            order = self._api.xcom(self._dag_id, self._run_id, "plan", -1, "return_value")
            if isinstance(order, list) and order:
                self._order = tuple(str(name) for name in order)
        return state, instances, self._lines(instances)

    def _lines(self, instances: list[TaskInstance]) -> list[NodeLine]:
        by_index = node_states(instances)
        names = self._order or self._nodes
        lines = []
        for index, node in enumerate(names):
            states = by_index.get(index, {}) if self._order else {}
            phase = current_phase(states)
            lines.append(NodeLine(node, states, phase, self._progress(phase, index) if phase else Progress()))
        return lines

    def _progress(self, phase: str, index: int) -> Progress:
        return progress_from(self._api.xcom(self._dag_id, self._run_id, f"{GROUP}.{phase}", index, "progress"))


def follow(
    follower: Follower, console: Console, title: Callable[[float], str], check: Callable[[], None], seconds: float
) -> str:
    """Show the run until it is over and return its final state.

    ``title`` gives the head line for the seconds passed, ``check`` may raise to give up early. Raises DemoRefused when the run
    is not over after ``seconds``.
    """
    started = time.monotonic()
    plain = PlainLog(console)
    with Live(console=console, refresh_per_second=4, transient=False, auto_refresh=console.is_terminal) as live:
        while True:
            check()
            passed = time.monotonic() - started
            try:
                state, instances, lines = follower.read()
            except requests.RequestException as error:
                # A busy API server may miss one reading; the next one will tell.
                state, instances, lines = "unknown", [], []
                console.log(f"Airflow's API did not answer: {error}")
            else:
                if console.is_terminal:
                    live.update(screen(title(passed), instances, lines))
                else:
                    plain.show(passed, lines)
            if state in OVER:
                return state
            if passed > seconds:
                raise DemoRefused(f"The run is not over after {seconds:.0f} s.")
            time.sleep(INTERVAL_SECONDS)


class PlainLog:
    """Prints a server's line whenever it says something new, for output that is not a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[str, tuple[str | None, str]] = {}

    def show(self, passed: float, lines: list[NodeLine]) -> None:
        """Print what changed since the last call."""
        for line in lines:
            said = (line.phase, line.progress.text if line.phase else node_summary(line.states)[0])
            if self._said.get(line.node) != said:
                self._said[line.node] = said
                text = f"{passed:6.1f} s  {line.node}  {said[0] or ''}  {said[1]}".rstrip()
                self._console.print(text, highlight=False, soft_wrap=True)
