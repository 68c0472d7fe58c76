"""The main job, end to end: the demonstration as a newcomer starts it, with real Airflow components and real remoting.

Each run takes minutes, so there are few of them and each looks at everything it can.
"""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass

import pytest

from tests.end_to_end.harness import ROOT, free_ports, nothing_runs, wait_for

RUN_SECONDS = 900

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(RUN_SECONDS + 120)]


@dataclass(frozen=True)
class Demo:
    """One finished demonstration."""

    status: int
    output: str
    report: dict
    page: str
    journal: list[dict]
    logs: str

    def events(self, op: str) -> list[dict]:
        return [line for line in self.journal if line["op"] == op]


def command(*arguments: str) -> list[str]:
    ui, simulator = free_ports()
    ports = ["--port", str(ui), "--simulator-port", str(simulator)]
    return [sys.executable, "-m", "include.demo", *ports, "--limit", str(RUN_SECONDS), *arguments]


def play(*arguments: str) -> Demo:
    """Run the demonstration to its end."""
    answer = subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=RUN_SECONDS + 60, check=False
    )
    [report] = sorted((ROOT / ".demo" / "reports").rglob("report.json")) or pytest.fail(answer.stdout + answer.stderr)
    logs = [file for folder in (".demo/logs", ".airflow/logs") for file in (ROOT / folder).rglob("*.log*")]
    return Demo(
        answer.returncode,
        answer.stdout + answer.stderr,
        json.loads(report.read_text()),
        report.with_suffix(".html").read_text(),
        [json.loads(line) for line in (ROOT / ".demo" / "journal.jsonl").read_text().splitlines()],
        "\n".join(file.read_text(errors="replace") for file in logs),
    )


@pytest.fixture(scope="module")
def good() -> Demo:
    return play("--speed", "600")


def test_a_cluster_is_updated_and_the_referee_agrees(good):
    assert good.status == 0, good.output
    assert "Referee: no violation" in good.output
    assert good.report["outcome"] == "succeeded"
    assert good.report["lock"]["released"] is True
    for node in good.report["nodes"]:
        assert node["outcome"] == "updated"
        assert node["resumed"] is True
        assert node["restarts"] == 2
        assert node["build_before"] != node["build_after"]


def test_one_server_at_a_time_and_no_vm_went_down(good):
    out: set[str] = set()
    for line in good.events("node.state"):
        if line["detail"]["state"] == "Up":
            out.discard(line["node"])
        else:
            out.add(line["node"])
            assert len(out) == 1, line
    assert [line for line in good.events("vm.state") if line["detail"]["state"] != "Running"] == []
    moved = {line["detail"]["group"] for line in good.events("group.moved")}
    assert len(moved) >= 12


def test_feature_updates_stayed_away(good):
    titles = {line["detail"]["title"] for line in good.events("update.installed")}
    assert titles
    assert not any("Feature update" in title for title in titles)


def test_nothing_is_left_behind(good):
    assert nothing_runs()
    final = good.events("world.snapshot")[-1]["detail"]
    for node in final["nodes"]:
        assert node["state"] == "Up"
        assert not any(node["locks"].values())


def test_the_password_is_nowhere(good):
    for text in (good.output, good.page, json.dumps(good.report), json.dumps(good.journal), good.logs):
        assert "Simulated-1!" not in text


def test_the_task_log_tells_what_a_step_did_and_why(good):
    assert "Suspend-ClusterNode -Name HCI01 -Drain" in good.logs
    assert re.search(r"HCI01 restarts and does not answer yet|HCI01 has restarted", good.logs)


def test_a_failed_server_is_resumed_explained_and_the_run_fails():
    demo = play("--speed", "600", "--fault", "install-fails-on-node-2")
    assert demo.status == 1, demo.output
    assert "Referee: no violation" in demo.output
    outcomes = {node["name"]: node for node in demo.report["nodes"]}
    assert {name for name, node in outcomes.items() if node["outcome"] == "failed"} == {"HCI02"}
    assert outcomes["HCI02"]["resumed"] is True
    assert "0x800F0922" in outcomes["HCI02"]["error"]
    assert "CBS" in demo.page
    assert demo.report["outcome"] == "failed"
    assert demo.report["lock"]["released"] is True
    assert "0x800F0922" in demo.logs
    assert all(node["state"] == "Up" for node in demo.events("world.snapshot")[-1]["detail"]["nodes"])


def test_a_busy_port_is_refused_before_anything_starts():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = [sys.executable, "-m", "include.demo", "--port", str(port), "--simulator-port", str(free_ports()[1])]
        answer = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 2
    assert f"port {port}" in answer.stdout
    assert "make demo PORT=" in answer.stdout
    assert nothing_runs()


def test_ctrl_c_stops_everything_and_a_second_copy_is_refused():
    first = subprocess.Popen(
        command(),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell that starts tests in the background has told them, and whatever they start, to ignore Ctrl-C.
        preexec_fn=functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        # Until there is something to leave behind: every component has been started by this copy.
        wait_for(lambda: (ROOT / ".demo" / "lock").read_text() == str(first.pid), 60)
        wait_for(lambda: len(json.loads((ROOT / ".demo" / "processes.json").read_text())) >= 5, 120)
        second = subprocess.run(command(), cwd=ROOT, capture_output=True, text=True, timeout=180, check=False)
        assert second.returncode == 2
        assert f"process {first.pid}" in second.stdout
        assert first.poll() is None
        first.send_signal(signal.SIGINT)
        output, _ = first.communicate(timeout=60)
    finally:
        if first.poll() is None:
            os.kill(first.pid, signal.SIGTERM)
            first.wait(timeout=180)
    assert first.returncode == 130
    assert "Stopped" in output
    assert nothing_runs()
