"""Every way of logging in against a live endpoint, and every way in which it can be refused."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import socket
import threading
import time
import traceback
from datetime import timedelta
from pathlib import Path

import pytest
from spnego import ContextProxy

from include.hci.powershell.command import Command
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.decoder import OutputRunspacePool
from include.hci.powershell.errors import (
    AuthenticationRefused,
    CertificateRefused,
    EndpointRefused,
    NodeUnreachable,
    OutcomeUnknown,
)
from include.hci.powershell.policy import NO_RETRY
from include.hci.powershell.psrp import PsrpShell, connect_with
from include.hci.powershell.values import Secret
from include.simulator.host import CommandCall, Sink
from include.simulator.wire.auth import Authenticator, Challenges
from include.simulator.wire.options import Quotas
from include.simulator.wire.wire_faults import FaultKind, WireFault
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
        {"auth": "credssp", "ssl": True},
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


@pytest.fixture
def logins(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every login that the machine is asked for: the domain counts those with a wrong password."""
    seen: list[str] = []
    begin, basic = Authenticator._new_context, Authenticator._basic

    def note(self: Authenticator, offered: str) -> ContextProxy:
        seen.append(offered)
        return begin(self, offered)

    def note_basic(self: Authenticator, token: bytes) -> tuple[bool, Challenges]:
        seen.append("Basic")
        return basic(self, token)

    monkeypatch.setattr(Authenticator, "_new_context", note)
    monkeypatch.setattr(Authenticator, "_basic", note_basic)
    return seen


LINKS: list[dict[str, object]] = [
    {"auth": "ntlm"},
    {"auth": "credssp"},
    {"auth": "basic", "ssl": True},
    {"auth": "negotiate", "ssl": True},
    {"auth": "credssp", "ssl": True},
]
links = pytest.mark.parametrize("link", LINKS, ids=lambda link: "-".join(str(value) for value in link.values()))


@links
def test_a_password_that_was_changed_is_not_given_until_the_account_is_locked(
    machine: Machine, logins: list[str], link: dict[str, object]
) -> None:
    machine.host.cmdlets["Get-Cluster"] = cluster
    with machine.shell(**link) as shell:
        shell.run(GET)
        machine.fault(FaultKind.ROTATE_CREDENTIALS, account="Updater", password="N3w-Pa55-word")
        machine.do(machine.endpoint.drop_connections())
        logins.clear()
        with pytest.raises(AuthenticationRefused):
            shell.run(GET)
        for _ in range(5):
            with pytest.raises(AuthenticationRefused, match=r"Updater was refused .* not tried again for"):
                shell.run(GET)
    assert len(logins) == 1
    with machine.shell(**link | {"password": Secret("N3w-Pa55-word")}) as shell:
        assert shell.run(GET).output == ("HCICLUS",)


@links
def test_a_password_that_is_changed_under_a_command_is_given_no_more_often(
    machine: Machine, logins: list[str], link: dict[str, object]
) -> None:
    async def rotating(call: CommandCall, sink: Sink) -> None:
        rotate = WireFault(FaultKind.ROTATE_CREDENTIALS, account="Updater", password="N3w-Pa55-word")
        await machine.endpoint.add_fault(rotate)
        logins.clear()
        await machine.endpoint.drop_connections()
        await asyncio.sleep(3600)

    machine.host.cmdlets["Suspend-ClusterNode"] = rotating
    with machine.shell(**link) as shell, pytest.raises(OutcomeUnknown):
        shell.run(Command("Suspend-ClusterNode", {"Name": "HCI01"}), timeout=timedelta(seconds=10))
    assert len(logins) == 1


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


@pytest.mark.parametrize("text", ["no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_an_authority_file_that_holds_no_certificate_is_named(machine: Machine, tmp_path: Path, text: str) -> None:
    file = tmp_path / "authority.pem"
    file.write_text(text)
    with pytest.raises(CertificateRefused, match=r"authority\.pem cannot be used"):
        machine.shell(ssl=True, ca=str(file)).run(GET)


@pytest.mark.parametrize("key", ["absent.pem", "key.pem"])
def test_a_certificate_of_ones_own_that_cannot_be_used_is_named(machine: Machine, tmp_path: Path, key: str) -> None:
    (tmp_path / "key.pem").write_text("no key")
    (tmp_path / "own.pem").write_text(machine.server.certificate_file.read_text())
    own = {"certificate_pem": str(tmp_path / "own.pem"), "certificate_key_pem": str(tmp_path / key)}
    with pytest.raises(CertificateRefused, match=rf"own\.pem with .*{key} cannot be used"):
        machine.shell(ssl=True, auth="certificate", user=None, password=None, **own).run(GET)


@pytest.mark.parametrize("answers", [True, False])
def test_a_proxy_that_lets_nothing_through_is_told_from_a_node_that_is_down(machine: Machine, answers: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def refuse() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with server.accept()[0] as client:
                        client.recv(65536)
                        client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")

        if answers:
            threading.Thread(target=refuse, daemon=True).start()
        else:
            server.close()
        proxy = Secret(f"http://someone:Proxy-Secret-3@127.0.0.1:{port}")
        with pytest.raises(NodeUnreachable, match="407" if answers else "refused") as caught:
            machine.shell(ssl=True, proxy=proxy).run(GET)
    assert "the proxy let nothing through" in str(caught.value)
    assert "Proxy-Secret-3" not in "".join(traceback.format_exception(caught.value))


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


@links
@pytest.mark.parametrize("machine", [{"quotas": Quotas(shells_per_user=1)}], indirect=True)
def test_a_full_quota_is_an_endpoint_that_refuses_for_now(machine: Machine, link: dict[str, object]) -> None:
    machine.host.cmdlets["Get-Cluster"] = cluster
    with machine.shell() as first:
        first.run(GET)
        with pytest.raises(EndpointRefused) as caught:
            machine.shell(**link).run(GET)
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
