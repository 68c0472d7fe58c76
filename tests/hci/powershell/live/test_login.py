"""Every way of logging in against a live endpoint, and every way in which it can be refused."""

from __future__ import annotations

import base64
import logging
import socket
import time
import traceback
from datetime import timedelta

import pytest

from include.hci.powershell.command import Command
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.decoder import OutputRunspacePool
from include.hci.powershell.errors import AuthenticationRefused, CertificateRefused, EndpointRefused, NodeUnreachable
from include.hci.powershell.policy import NO_RETRY
from include.hci.powershell.psrp import PsrpShell, connect_with
from include.hci.powershell.values import Secret
from include.simulator.host import CommandCall, Sink
from include.simulator.wire.options import Quotas
from include.simulator.wire.wire_faults import FaultKind
from tests.hci.powershell.live.conftest import PASSWORD, Machine

GET = Command("Get-Cluster")


async def cluster(call: CommandCall, sink: Sink) -> None:
    sink.output("HCICLUS")


@pytest.mark.parametrize(
    "settings",
    [
        {"auth": "ntlm"},
        {"auth": "negotiate"},
        {"auth": "credssp"},
        {"auth": "ntlm", "ssl": True},
        {"auth": "negotiate", "ssl": True},
        {"auth": "negotiate", "ssl": True, "encryption": "always"},
        {"auth": "basic", "ssl": True},
        {"auth": "basic", "encryption": "never"},
    ],
    ids=lambda settings: "-".join(str(value) for value in settings.values()),
)
def test_every_login_runs_commands_in_one_session(machine: Machine, settings: dict[str, object]) -> None:
    machine.host.cmdlets["Get-Cluster"] = cluster
    with machine.shell(**settings) as shell:
        assert shell.run(GET).output == ("HCICLUS",)
        opened = shell._pool
        assert shell.run(GET).output == ("HCICLUS",)
        assert shell._pool is opened


def test_a_wrong_password_is_refused_at_once(machine: Machine) -> None:
    with pytest.raises(AuthenticationRefused) as caught:
        machine.shell(password=Secret("wrong")).run(GET)
    assert not caught.value.retry_safe
    assert "password" in str(caught.value)


@pytest.mark.parametrize("auth", ["basic", "credssp", "negotiate"])
def test_a_wrong_password_over_https_is_refused(machine: Machine, auth: str) -> None:
    with pytest.raises(AuthenticationRefused):
        machine.shell(ssl=True, auth=auth, password=Secret("wrong")).run(GET)


def test_a_refused_port_is_unreachable_and_quick() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = ConnectionSettings(host="127.0.0.1", port=port, user="u", password=Secret("p"))
    began = time.monotonic()
    with pytest.raises(NodeUnreachable, match="refused") as caught:
        PsrpShell(settings).run(GET)
    assert time.monotonic() - began < 2
    assert caught.value.retry_safe


def test_an_unknown_authority_is_not_trusted(machine: Machine) -> None:
    with pytest.raises(CertificateRefused, match="certificate"):
        machine.shell(ssl=True, ca=None).run(GET)


def test_a_missing_authority_file_is_named(machine: Machine) -> None:
    with pytest.raises(CertificateRefused, match="/nowhere/ca"):
        machine.shell(ssl=True, ca="/nowhere/ca.pem").run(GET)


def test_a_way_of_ones_own_to_the_node_is_taken(machine: Machine) -> None:
    machine.host.cmdlets["Get-Cluster"] = cluster
    taken: list[ConnectionSettings] = []

    def connect(settings: ConnectionSettings) -> OutputRunspacePool:
        taken.append(settings)
        return connect_with(NO_RETRY)(settings)

    settings = machine.settings()
    with PsrpShell(settings, connect=connect) as shell:
        shell.run(GET)
        shell.run(GET)
        machine.restart()
        shell.run(GET)
    assert taken == [settings, settings]


def test_dangerous_settings_are_warned_about_when_a_session_opens(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.host.cmdlets["Get-Cluster"] = cluster
    with machine.shell(auth="basic", encryption="never", name="HCI01") as shell:
        shell.run(GET)
        shell.run(GET)
    assert [record.getMessage() for record in caplog.records if "in the clear" in record.getMessage()] == [
        shell.settings.cautions[0]
    ]


def test_a_certificate_for_another_name_is_not_trusted(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *more, **named: resolve("127.0.0.1", *more, **named))
    with pytest.raises(CertificateRefused, match="certificate"):
        machine.shell(ssl=True, host="other.contoso.local", no_proxy=True).run(GET)


def test_plain_http_on_the_tls_port_is_unreachable(machine: Machine) -> None:
    with pytest.raises(NodeUnreachable):
        machine.shell(port=machine.endpoint.https_port).run(GET)


@pytest.mark.parametrize("machine", [{"configurations": frozenset({"Microsoft.PowerShell"})}], indirect=True)
def test_an_unknown_session_configuration_is_named(machine: Machine) -> None:
    with pytest.raises(EndpointRefused) as caught:
        machine.shell(configuration_name="Hci.Updates").run(GET)
    assert "session configuration" in str(caught.value)
    assert "configuration_name" in caught.value.next_action


@pytest.mark.parametrize("machine", [{"quotas": Quotas(shells_per_user=1)}], indirect=True)
def test_a_full_quota_is_an_endpoint_that_refuses_for_now(machine: Machine) -> None:
    machine.host.cmdlets["Get-Cluster"] = cluster
    with machine.shell() as first:
        first.run(GET)
        with pytest.raises(EndpointRefused) as caught:
            machine.shell().run(GET)
    assert caught.value.retry_safe
    assert "MaxShellsPerUser" in str(caught.value)


def test_the_password_is_nowhere_to_be_seen(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    machine.host.cmdlets["Get-Cluster"] = cluster
    wrong = "Another-Secret-77"
    seen: list[str] = []
    for settings in (
        {"auth": "ntlm"},
        {"auth": "credssp"},
        {"ssl": True, "auth": "basic"},
        {"ssl": True, "auth": "negotiate"},
    ):
        with machine.shell(**settings) as shell:
            shell.run(GET)
            shell.run(Command("Get-Cluster", {"Domain": Secret("Parameter-Secret-5")}))
            seen += [repr(shell), repr(shell.settings), str(shell.settings), shell.settings.key()]
        with pytest.raises(AuthenticationRefused) as refused:
            machine.shell(password=Secret(wrong), **settings).run(GET)
        seen += ["".join(traceback.format_exception(refused.value)), repr(refused.value)]
    machine.fault(FaultKind.RESET, "Receive", count=None)
    with pytest.raises(Exception, match="reset") as lost:
        machine.shell().run(GET, timeout=timedelta(seconds=3))
    seen += ["".join(traceback.format_exception(lost.value))]
    everything = caplog.text + "\n".join(seen) + "".join(str(record.args) for record in caplog.records)
    for secret in (PASSWORD, wrong, "Parameter-Secret-5"):
        assert secret not in everything
        assert base64.b64encode(f"Updater:{secret}".encode()).decode() not in everything
