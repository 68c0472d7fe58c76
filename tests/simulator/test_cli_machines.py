"""Single machines from the command line: what they run, and a management host that passes credentials on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import pytest
from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.wsman import WSMan
from requests_credssp.exceptions import AuthenticationException

from include.simulator import cli_machines
from include.simulator.world.spec import demo_world
from tests.simulator.test_cli import ACCOUNT, Served, start

CURRENT_VERSION = "HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
UPGRADE = {"CauPluginName": ["Microsoft.RollingUpgradePlugin"], "CauPluginArguments": {"WuConnected": "true"}}


def ask(served: Served, machine: str, auth: str, command: str, **parameters: object) -> tuple[list[object], list[str]]:
    account = {"username": ACCOUNT["HCI_SIM_USER"], "password": ACCOUNT["HCI_SIM_PASSWORD"]}
    wsman = WSMan("127.0.0.1", port=served.ready["ports"][machine], ssl=False, auth=auth, **account)
    with wsman, RunspacePool(wsman) as pool, PowerShell(pool) as shell:
        output = shell.add_cmdlet(command).add_parameters(parameters).invoke()
        return list(output), [str(each) for each in shell.streams.error]


def furnished(*words: str, nodes: int = 2, os: str = "20H2"):
    parser = argparse.ArgumentParser()
    cli_machines.add_options(parser)
    return cli_machines.furnished(demo_world(nodes, os), parser.parse_args(words))


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    words = ("--os", "20H2", "--node-os", "HCI02=20H2.1500", "--management-os", "ws2022", "--management-credssp", "on")
    made = Served(tmp_path, "--nodes", "2", *words)
    yield made
    if made.process.poll() is None:
        made.process.kill()
    made.process.communicate()


def test_a_management_host_of_another_version_passes_on_what_came_by_credssp(served: Served) -> None:
    def build(machine: str) -> tuple[object, object]:
        found = served.run(machine, "Get-ItemProperty", LiteralPath=CURRENT_VERSION)[0].extended_properties
        return found["CurrentBuild"], found["UBR"]

    assert build("MGMT01") == ("20348", 2113)
    assert build("HCI01") == ("17784", 1737)
    assert build("HCI02") == ("17784", 1500)
    names = {"ClusterName": "HCI-CL01", **UPGRADE}
    output, errors = ask(served, "MGMT01", "credssp", "Invoke-CauScan", **names)
    assert not errors
    found = [each for each in output if each.types[0].endswith(".UpgradeSetupInfo")]  # type: ignore[attr-defined]
    assert [each.adapted_properties["NodeName"] for each in found] == ["HCI01"], "20H2 sees none before KB5003237"  # type: ignore[attr-defined]
    output, errors = ask(served, "MGMT01", "negotiate", "Invoke-CauScan", **names)
    assert "no credentials that reach the cluster nodes" in errors[0]
    with pytest.raises(AuthenticationException):
        ask(served, "HCI01", "credssp", "Get-Cluster")


def test_without_being_asked_the_management_host_takes_no_delegated_credentials(tmp_path: Path) -> None:
    served = Served(tmp_path, "--nodes", "1")
    try:
        with pytest.raises(AuthenticationException):
            ask(served, "MGMT01", "credssp", "Get-Command", Name="Get-Cluster")
    finally:
        served.process.terminate()
        served.process.communicate()


def test_every_machine_is_as_it_was_described() -> None:
    spec = furnished("--node-os", "hci02=21h2.1000", "--management-os", "20H2.1408", "--management-credssp", "on")
    assert [(node.os, node.software.ubr) for node in spec.nodes] == [("", None), ("21H2", 1000)]
    assert (spec.management_os, spec.host_software.ubr, spec.management_credssp) == ("20H2", 1408, True)
    assert furnished() == demo_world(2, "20H2")


def test_what_upgrades_them_and_what_they_were_formed_with() -> None:
    spec = furnished("--formed-with", "ws2019", "--media", "\\\\files\\hci=21H2", "--feature-updates", "all")
    assert (spec.formed_with, spec.media) == ("WS2019", (("\\\\files\\hci", "21H2"),))
    titles = [update.title for update in spec.updates if update.is_feature_update and "revision" not in update.title]
    assert titles == [f"Feature update to the version after {version}" for version in ("20H2", "21H2", "22H2")]
    preview = furnished("--feature-updates", "preview")
    assert {update.is_feature_update for update in preview.updates if update.preview_build} == {True}
    assert not any(update.preview_build for update in furnished().updates)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--node-os", "HCI09=21H2"), "--node-os names HCI09, which is no node; there are HCI01, HCI02."),
        (("--node-os", "HCI01=19H1"), "There is no operating system version '19H1'"),
        (("--management-os", "2022"), "There is no operating system version '2022'"),
        (("--management-os", "20H2.new"), "'20H2.new' is not VERSION or VERSION.REVISION"),
        (("--node-os", "21H2"), "'21H2' is not NAME=VERSION"),
        (("--media", "C:\\iso=21H2"), "is not \\\\server\\share=VERSION"),
        (("--media", "\\\\files\\hci=19H1"), "There is no operating system version '19H1'"),
        (("--formed-with", "19H1"), "There is no operating system version '19H1'"),
    ],
)
def test_what_is_not_there_is_refused_before_anything_is_served(words: tuple[str, ...], reason: str) -> None:
    process = start("serve", "--nodes", "2", "--base-port", "0", *words)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 2
    assert reason in errors
