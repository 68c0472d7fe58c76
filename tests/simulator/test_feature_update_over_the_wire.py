"""A feature update as a person does it with a PowerShell client: real ports, CredSSP to the management host, every post step."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pypsrp.host import PSHost, PSHostUserInterface
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan
from requests.exceptions import RequestException

from tests.simulator.test_cli import ACCOUNT, Served

PLUGIN = {"CauPluginName": ["Microsoft.RollingUpgradePlugin"], "CauPluginArguments": {"WuConnected": "true"}}
CLUSTER = {"ClusterName": "HCI-CL01"}
POOL = "S2D on HCI-CL01"


class Listening(PSHostUserInterface):  # type: ignore[misc]
    """The user interface of a client that takes down what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []

    def WriteLine2(self, runspace: object, pipeline: object, value: str | None = None) -> None:
        self.heard.append(value or "")


class Client:
    """One who works with the served cluster; ``heard`` is what was said to the client's host."""

    def __init__(self, served: Served) -> None:
        self.served = served
        self.heard: list[str] = []

    def ask(
        self, machine: str, command: str, *, expand: tuple[str, ...] = (), **parameters: object
    ) -> tuple[list[Any], list[str]]:
        """Run a command and return what it writes and its errors; ``expand`` goes down into properties, one after another."""
        auth = "credssp" if machine == "MGMT01" else "negotiate"
        account = {"username": ACCOUNT["HCI_SIM_USER"], "password": ACCOUNT["HCI_SIM_PASSWORD"]}
        interface = Listening()
        host = PSHost(None, None, False, "client", None, interface, "1.0")
        wsman = WSMan("127.0.0.1", port=self.served.ready["ports"][machine], ssl=False, auth=auth, **account)
        with wsman, RunspacePool(wsman, host=host) as pool, PowerShell(pool) as shell:
            shell.add_cmdlet(command).add_parameters(parameters)
            for name in expand:
                shell.add_cmdlet("Select-Object").add_parameter("ExpandProperty", name)
            try:
                output = list(shell.invoke())
            except Exception as refusal:
                return [], [str(refusal)]
            self.heard += interface.heard
            return output, [str(each) for each in shell.streams.error]

    def get(self, machine: str, command: str, **parameters: object) -> list[Any]:
        output, errors = self.ask(machine, command, **parameters)
        assert not errors, errors
        return output

    def once_reached(self, machine: str, command: str) -> list[Any]:
        """Ask again until the machine answers."""
        for _ in range(100):
            try:
                return self.get(machine, command)
            except RequestException:
                time.sleep(0.1)
        raise AssertionError(f"{machine} does not answer")

    def node_results(self, **options: object) -> dict[str, Any]:
        """What became of every node in a run with the rolling upgrade."""
        limits = {"RebootTimeoutMinutes": 90, "EnableFirewallRules": True, "Force": True, **options}
        output, _ = self.ask("MGMT01", "Invoke-CauRun", **CLUSTER, **PLUGIN, **limits)
        found = [each.adapted_properties for each in output if each.types[0].endswith(".NodeResult")]
        return {str(each["Node"]): each for each in found}

    def levels(self) -> tuple[int, int]:
        [cluster] = self.get("HCI01", "Get-Cluster")
        found = cluster.adapted_properties
        return found["ClusterFunctionalLevel"], found["ClusterUpgradeVersion"]


@pytest.fixture
def client(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Client]:
    words = ("--nodes", "2", "--vms", "1", "--os", "20H2", "--management-os", "WS2022", "--management-credssp", "on")
    served = Served(tmp_path, *words, "--speed", "4000", *getattr(request, "param", ()))
    yield Client(served)
    served.process.kill()
    served.process.communicate()


def test_from_the_scan_to_the_proof_that_roles_move(client: Client) -> None:
    for node in ("HCI01", "HCI02"):
        client.get(node, "Set-WSManQuickConfig", Force=True)
        with contextlib.suppress(Exception):  # it ends the session that it runs in, wherever the client is then
            client.ask(node, "Enable-PSRemoting", Force=True)
        assert client.once_reached(node, "Test-WSMan")
        assert client.get(node, "Get-PreviewChannel")[0].extended_properties["Enabled"] is False
    [report] = client.get("HCI01", "Test-Cluster", Force=True)
    assert report.adapted_properties["Name"].endswith(".htm")
    deep = ("UpgradeInstallProperties", "WuUpdatesInfo")
    found, _ = client.ask("MGMT01", "Invoke-CauScan", expand=deep, **CLUSTER, **PLUGIN)
    infos = [each.adapted_properties for each in found]
    assert [(each["NodeName"], each["UpdateTitle"]) for each in infos] == [
        (node, "Feature update to the version after 20H2") for node in ("HCI01", "HCI02")
    ]
    assert {str(each["Status"]) for each in client.node_results().values()} == {"Succeeded"}
    assert client.levels() == (10, 2)
    for node in ("HCI01", "HCI02"):
        [system] = client.get(node, "Get-CimInstance", ClassName="Win32_OperatingSystem")
        assert system.adapted_properties["BuildNumber"] == "20348"
    client.get("HCI01", "Update-ClusterFunctionalLevel", WhatIf=True)
    assert any("functional level" in line for line in client.heard)
    assert client.levels() == (10, 2)
    assert "NonInteractive" in client.ask("HCI01", "Update-ClusterFunctionalLevel")[1][0]
    client.get("HCI01", "Update-ClusterFunctionalLevel", Force=True)
    assert client.levels() == (12, 1)
    client.get("HCI01", "Update-StoragePool", FriendlyName=[POOL], Confirm=False)
    [pool] = client.get("HCI01", "Get-StoragePool", IsPrimordial=False)
    assert pool.extended_properties["Version"] == "Windows Server 2022"
    [vm] = client.get("HCI01", "Get-VM")
    name = vm.adapted_properties["Name"]
    _, errors = client.ask("HCI01", "Update-VMVersion", Name=[name], Force=True)
    assert "in its current state" in errors[0]
    client.get("HCI01", "Stop-VM", Name=[name], Force=True)
    client.get("HCI01", "Update-VMVersion", Name=[name], Force=True)
    client.get("HCI01", "Start-VM", Name=[name])
    [vm] = client.get("HCI01", "Get-VM", Name=[name])
    [default] = client.get("HCI01", "Get-VMHostSupportedVersion", Default=True)
    assert str(vm.adapted_properties["Version"]) == str(default.adapted_properties["Version"]) == "10.0"


@pytest.mark.parametrize("client", [("--fault", "feature-update-rolls-back:node=HCI02")], indirect=True)
def test_a_cluster_that_stays_half_upgraded_keeps_its_level(client: Client) -> None:
    results = client.node_results(MaxRetriesPerNode=0, MaxFailedNodes=1)
    assert {name: str(each["Status"]) for name, each in results.items()} == {"HCI01": "Succeeded", "HCI02": "Failed"}
    assert str(results["HCI02"]["ErrorRecordData"]).endswith("ErrorRecordData"), "remoting leaves the name of the class"
    for parameters in ({"WhatIf": True}, {"Force": True}):
        _, errors = client.ask("HCI01", "Update-ClusterFunctionalLevel", **parameters)  # type: ignore[arg-type]
        assert "not all nodes support the updated version" in errors[0]
    assert client.levels() == (10, 2)
    assert client.served.control("/heal", {"id": "feature-update-rolls-back"})["healed"]
    assert str(client.node_results()["HCI02"]["Status"]) == "Succeeded"


@pytest.mark.parametrize(
    "client", [("--os", "21H2", "--formed-with", "20H2", "--feature-updates", "all")], indirect=True
)
def test_a_cluster_whose_levels_lag_behind_and_that_is_offered_more(client: Client) -> None:
    assert client.levels() == (10, 2)
    assert {str(each.adapted_properties["Version"]) for each in client.get("HCI01", "Get-VM")} == {"9.0"}
    client.served.control("/fault", {"id": "functional-level-raised-by-hand"})
    assert client.levels() == (12, 1)
    client.served.control("/rules", {"kind": "permission", "what": "remote-management"})


@pytest.mark.parametrize("client", [("--media", "\\\\files\\hci=21H2")], indirect=True)
def test_setup_media_from_the_command_line(client: Client) -> None:
    def scan() -> tuple[list[str], list[str]]:
        arguments = {"WuConnected": "false", "PathToSetupMedia": "\\\\files\\hci"}
        plugin = PLUGIN | {"CauPluginArguments": arguments}
        output, errors = client.ask("MGMT01", "Invoke-CauScan", **CLUSTER, **plugin)
        return [each.adapted_properties["NodeName"] for each in output if "Setup" in each.types[0]], errors

    assert scan() == (["HCI01", "HCI02"], [])
    client.served.control("/fault", {"id": "setup-media-unreadable"})
    nodes, errors = scan()
    assert (nodes, len(errors)) == ([], 2)
    assert "cannot be read" in errors[0]
