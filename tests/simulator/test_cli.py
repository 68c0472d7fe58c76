"""The command line as a person uses it: a process of its own, real ports, an unmodified client."""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan

from include.simulator import cli
from include.simulator.cli_own_commands import function
from include.simulator.faults.catalogue import catalogue
from include.simulator.journal import read_journal

ROOT = Path(__file__).parents[2]
ACCOUNT = {"HCI_SIM_USER": "CONTOSO\\airflow", "HCI_SIM_PASSWORD": "Pa55-word"}


def start(*arguments: str, account: dict[str, str] | None = None) -> subprocess.Popen[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HCI_SIM")} | (
        ACCOUNT if account is None else account
    )
    command = [sys.executable, "-m", "include.simulator", *arguments]
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


class Served:
    def __init__(self, directory: Path, *arguments: str) -> None:
        self.journal, self.ready_file = directory / "journal.jsonl", directory / "ready" / "ready.json"
        files = ("--journal", str(self.journal), "--ready-file", str(self.ready_file))
        self.process = start("serve", "--base-port", "0", *files, *arguments)
        deadline = time.monotonic() + 30
        while not self.ready_file.exists():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < deadline, "the cluster did not become ready"
            time.sleep(0.05)
        self.ready: dict[str, Any] = json.loads(self.ready_file.read_text())

    def control(self, path: str, body: object = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.ready['control']}{path}", data)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.load(answer)

    def run(self, machine: str, command: str, **parameters: object) -> list[Any]:
        account = {"username": ACCOUNT["HCI_SIM_USER"], "password": ACCOUNT["HCI_SIM_PASSWORD"]}
        wsman = WSMan("127.0.0.1", port=self.ready["ports"][machine], ssl=False, auth="negotiate", **account)
        with wsman, RunspacePool(wsman) as pool, PowerShell(pool) as shell:
            shell.add_cmdlet(command).add_parameters(parameters)
            output = shell.invoke()
            assert not shell.streams.error, shell.streams.error
            return list(output)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    made = Served(tmp_path, "--nodes", "2", "--speed", "600")
    yield made
    if made.process.poll() is None:
        made.process.kill()
    made.process.communicate()


def test_serving_from_ready_to_sigterm(served: Served) -> None:
    assert served.ready["pid"] == served.process.pid
    assert list(served.ready["ports"]) == ["HCI01", "HCI02", "MGMT01"]
    assert [str(node) for node in served.run("HCI02", "Get-ClusterNode")] == ["HCI01", "HCI02"]
    served.run("HCI01", "Suspend-ClusterNode", Name="HCI02")
    state = served.control("/state")
    assert [node["state"] for node in state["nodes"]] == ["Up", "Paused"]
    entries = served.control("/journal?since=2")["entries"]
    assert entries[0]["seq"] == 3
    assert any(entry["op"] == "node.state" for entry in entries)
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(15) == 0
    assert not served.ready_file.exists()
    journal = read_journal(served.journal)
    assert [entry.op for entry in journal[:2]] == ["journal.opened", "world.snapshot"]
    assert journal[-1].op == "world.snapshot"
    assert journal[-1].detail["nodes"][1]["state"] == "Paused"
    assert ACCOUNT["HCI_SIM_PASSWORD"] not in served.journal.read_text()
    for port in (*served.ready["ports"].values(), served.ready["control"]):
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))


def test_the_control_interface(served: Served) -> None:
    assert served.control("/fault", {"id": "node-crashes", "node": "HCI02"}) == {
        "injected": "node-crashes",
        "node": "HCI02",
    }
    assert any(
        entry["op"] == "node.power" and not entry["detail"]["up"] for entry in served.control("/journal")["entries"]
    )
    with (
        pytest.raises(ConnectionRefusedError),
        socket.create_connection(("127.0.0.1", served.ready["ports"]["HCI02"]), timeout=2),
    ):
        pass
    assert served.control("/snapshot", {})["nodes"][1]["power"] != "on"
    for path, body, status, text in (
        ("/fault", {"id": "nonsense"}, 400, "There is no fault 'nonsense'"),
        ("/fault", {}, 400, "needs its id"),
        ("/journal?since=x", None, 400, "since must be"),
        ("/nowhere", None, 404, "GET /state"),
    ):
        with pytest.raises(urllib.error.HTTPError) as caught:
            served.control(path, body)
        assert caught.value.code == status
        assert text in json.load(caught.value)["error"]
    assert served.control("/stop", {}) == {"stopping": True}
    assert served.process.wait(15) == 0


def test_a_jea_endpoint_and_a_fault_from_the_command_line(tmp_path: Path) -> None:
    commands = tmp_path / "commands"
    commands.write_text("Get-ClusterNode\n")
    served = Served(tmp_path, "--nodes", "3", "--jea", f"HciUpdate=@{commands}", "--fault", "node-down-at-start:node=3")
    try:
        assert [node["state"] for node in served.control("/state")["nodes"]] == ["Up", "Up", "Down"]
        account = {"username": ACCOUNT["HCI_SIM_USER"], "password": ACCOUNT["HCI_SIM_PASSWORD"]}
        wsman = WSMan("127.0.0.1", port=served.ready["ports"]["HCI01"], ssl=False, auth="negotiate", **account)
        with wsman, RunspacePool(wsman, configuration_name="HciUpdate") as pool:
            with PowerShell(pool) as shell:
                assert len(shell.add_cmdlet("Get-ClusterNode").invoke()) == 3
            with PowerShell(pool) as shell:
                shell.add_cmdlet("Get-Cluster").invoke()
                assert shell.had_errors
                assert "is not recognized as the name of a cmdlet" in str(shell.streams.error[0])
    finally:
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(15) == 0
        served.process.communicate()


def test_scripts_and_functions_from_the_command_line(tmp_path: Path) -> None:
    path, offer = r"C:\Scripts of ours\pre.ps1", "MGMT01/Monitoring/Set-Maintenance=Server,Why"
    served = Served(tmp_path, "--nodes", "2", "--speed", "6000", "--script", path, "--function", offer)
    try:
        assert served.run("HCI02", "Test-Path", LiteralPath=path) == [True]
        assert served.run("HCI02", path) == []
        account = {"username": ACCOUNT["HCI_SIM_USER"], "password": ACCOUNT["HCI_SIM_PASSWORD"]}
        wsman = WSMan("127.0.0.1", port=served.ready["ports"]["MGMT01"], ssl=False, auth="negotiate", **account)
        with wsman, RunspacePool(wsman, configuration_name="Monitoring") as pool, PowerShell(pool) as shell:
            shell.add_cmdlet("Set-Maintenance").add_parameters({"Server": "HCI02", "Why": "update"}).invoke()
            assert not shell.had_errors
    finally:
        served.process.send_signal(signal.SIGINT)
        assert served.process.wait(15) == 0
        served.process.communicate()


@pytest.mark.parametrize(
    "text", ["Set-Maintenance", "MGMT01/Monitoring", "MGMT01/Monitoring/no name", "a/b/Set-It=x y"]
)
def test_a_function_that_is_none_is_said(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not MACHINE/ENDPOINT/NAME"):
        function(text)


def test_a_busy_port_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        files = ("--journal", str(tmp_path / "j"), "--ready-file", str(tmp_path / "r"))
        process = start("serve", "--nodes", "2", "--base-port", str(port), *files)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert out == ""
    assert f"port {port}" in err
    assert "in use" in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "account", "message"),
    [
        ((), {}, "set HCI_SIM_USER and HCI_SIM_PASSWORD"),
        (("--os", "1909"), None, "no operating system version '1909'"),
        (("--nodes", "17"), None, "1 to 16 servers, not 17"),
        (("--speed", "0"), None, "must be above 0"),
        (("--base-port", "0", "--fault", "nonsense"), None, "There is no fault 'nonsense'"),
    ],
)
def test_what_cannot_be_served_is_said(
    tmp_path: Path, arguments: tuple[str, ...], account: dict[str, str] | None, message: str
) -> None:
    process = start("serve", "--journal", str(tmp_path / "j"), *arguments, account=account)
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert message in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_journal_is_never_continued(tmp_path: Path) -> None:
    (tmp_path / "j").write_text("mine")
    process = start("serve", "--journal", str(tmp_path / "j"))
    _, err = process.communicate(timeout=30)
    assert (process.returncode, "exists already" in err) == (2, True)
    assert (tmp_path / "j").read_text() == "mine"


def test_listing_the_faults(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["faults"]) == 0
    table = capsys.readouterr().out
    assert all(fault in table for fault in catalogue())
    assert cli.main(["faults", "--json"]) == 0
    assert {row["id"] for row in json.loads(capsys.readouterr().out)} == set(catalogue())
