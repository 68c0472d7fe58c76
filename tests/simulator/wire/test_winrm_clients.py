"""Unmodified pywinrm: cmd lines, exit codes, time-outs and log-ins."""

from __future__ import annotations

import time
from typing import Any

import pytest
import requests
import requests_credssp.exceptions
import winrm
from winrm.exceptions import InvalidCredentialsError, WSManFaultError

from include.simulator.wire import Account, Endpoint, EndpointOptions, FaultKind, Quotas, WireFault, WsmanServer
from tests.simulator.wire.lab import PASSWORD, USER, Lab, LabHost

LOG_INS = [("http", "plaintext"), ("http", "ntlm"), ("http", "credssp"), ("https", "ntlm"), ("https", "ssl")]


def protocol(
    lab: Lab, endpoint: Endpoint, scheme: str = "http", transport: str = "ntlm", **options: Any
) -> winrm.Protocol:
    port = endpoint.https_port if scheme == "https" else endpoint.http_port
    settings = {"username": USER, "password": PASSWORD, "ca_trust_path": str(lab.server.certificate_file), **options}
    return winrm.Protocol(endpoint=f"{scheme}://127.0.0.1:{port}/wsman", transport=transport, **settings)


@pytest.mark.parametrize(("scheme", "transport"), LOG_INS)
def test_command_lines_run(lab: Lab, scheme: str, transport: str) -> None:
    client = protocol(lab, lab.shared, scheme, transport)
    shell = client.open_shell()
    command = client.run_command(shell, "both", ["ends"])
    assert client.get_command_output(shell, command) == (b"out\r\n", b"err\r\n", 3)
    client.cleanup_command(shell, command)
    client.close_shell(shell)


def test_unknown_programs_fail(lab: Lab) -> None:
    client = protocol(lab, lab.shared)
    shell = client.open_shell()
    out, err, code = client.get_command_output(shell, client.run_command(shell, "nonsense"))
    assert (out, code) == (b"", 1)
    assert b"is not recognized as an internal or external command" in err
    client.close_shell(shell)


def test_large_output(lab: Lab) -> None:
    client = protocol(lab, lab.shared, transport="credssp")
    shell = client.open_shell()
    out, _, _ = client.get_command_output(shell, client.run_command(shell, "big", ["700000"]))
    assert out == b"y" * 700_000
    client.close_shell(shell)


def test_slow_commands_outlast_the_operation_time_out(lab: Lab) -> None:
    client = protocol(lab, lab.shared, operation_timeout_sec=1, read_timeout_sec=4)
    shell = client.open_shell()
    started = time.monotonic()
    out, _, code = client.get_command_output(shell, client.run_command(shell, "wait", ["1.3"]))
    assert (out, code) == (b"waited\r\n", 0)
    assert time.monotonic() - started >= 1.3
    client.close_shell(shell)


def test_terminate_ends_a_running_command(lab: Lab, machine: tuple[Endpoint, LabHost]) -> None:
    endpoint, host = machine
    client = protocol(lab, endpoint)
    shell = client.open_shell()
    command = client.run_command(shell, "wait", ["60"])
    time.sleep(0.05)
    client.cleanup_command(shell, command)
    time.sleep(0.05)
    assert host.stopped == ["wait 60"]
    client.close_shell(shell)


def test_a_second_client_reads_what_the_first_started(lab: Lab) -> None:
    first, second = protocol(lab, lab.shared), protocol(lab, lab.shared, transport="plaintext")
    shell = first.open_shell()
    command = first.run_command(shell, "echo", ["shared"])
    assert second.get_command_output(shell, command) == (b"shared\r\n", b"", 0)
    second.close_shell(shell)


@pytest.mark.parametrize(("scheme", "transport"), LOG_INS)
def test_wrong_passwords_are_refused(lab: Lab, scheme: str, transport: str) -> None:
    client = protocol(lab, lab.shared, scheme, transport, password="wrong")
    refused = (InvalidCredentialsError, requests.exceptions.RequestException)
    if transport == "credssp":
        refused = (
            requests_credssp.exceptions.AuthenticationException,
            requests_credssp.exceptions.NTStatusException,
        )
    with pytest.raises(refused):
        client.open_shell()


@pytest.mark.parametrize("name", [USER, r"CONTOSO\svc", "svc@contoso.local", "SVC"])
@pytest.mark.parametrize("transport", ["plaintext", "ntlm"])
def test_accounts_may_be_written_in_every_way(lab: Lab, name: str, transport: str) -> None:
    client = protocol(lab, lab.shared, transport=transport, username=name)
    client.close_shell(client.open_shell())


def test_log_ins_over_https_must_be_bound_to_the_connection(lab: Lab) -> None:
    with pytest.raises(InvalidCredentialsError):
        protocol(lab, lab.shared, "https", "ntlm", send_cbt=False).open_shell()
    relaxed, _ = lab.machine(EndpointOptions(check_channel_binding=False))
    client = protocol(lab, relaxed, "https", "ntlm", send_cbt=False)
    client.close_shell(client.open_shell())
    lab.run(relaxed.stop())


def test_plain_messages_need_the_permission_of_the_service(lab: Lab) -> None:
    strict, _ = lab.machine(EndpointOptions(authentication=("Negotiate", "Basic")))
    with pytest.raises(winrm.exceptions.WinRMTransportError) as refused:
        protocol(lab, strict, transport="plaintext").open_shell()
    assert refused.value.code == 500
    with pytest.raises(winrm.exceptions.WinRMTransportError):
        protocol(lab, strict, transport="ntlm", message_encryption="never").open_shell()
    client = protocol(lab, strict, transport="ntlm")
    client.close_shell(client.open_shell())
    lab.run(strict.stop())


def test_log_ins_that_are_not_offered_are_refused(lab: Lab) -> None:
    strict, _ = lab.machine(EndpointOptions())
    with pytest.raises(InvalidCredentialsError):
        protocol(lab, strict, "https", "ssl").open_shell()
    lab.run(strict.stop())


def test_shells_that_are_gone_are_faults(lab: Lab, machine: tuple[Endpoint, LabHost]) -> None:
    endpoint, _ = machine
    client = protocol(lab, endpoint)
    shell = client.open_shell()
    lab.run(endpoint.add_fault(WireFault(FaultKind.KILL_SESSIONS, action="Command")))
    with pytest.raises(WSManFaultError) as gone:
        client.run_command(shell, "echo", ["x"])
    assert gone.value.wsman_fault_code == 2150858843


def test_a_cmd_shell_never_gives_operations_back(lab: Lab) -> None:
    endpoint, _ = lab.machine(EndpointOptions(quotas=Quotas(operations_per_user=4)))
    client = protocol(lab, endpoint)
    shell = client.open_shell()
    for _ in range(2):
        command = client.run_command(shell, "echo", ["x"])
        client.get_command_output(shell, command)
        client.cleanup_command(shell, command)
    client.run_command(shell, "echo", ["x"])
    with pytest.raises(WSManFaultError) as refused:
        client.run_command(shell, "echo", ["x"])
    assert refused.value.wsman_fault_code == 2150859174
    client.close_shell(shell)
    client.close_shell(client.open_shell())
    lab.run(endpoint.stop())


def test_servers_in_one_process_have_their_own_accounts(lab: Lab) -> None:
    endpoint = Endpoint(LabHost("ELSEWHERE"), http_port=0)
    elsewhere = WsmanServer([endpoint], [Account("guest", "Gu3st")])
    lab.run(elsewhere.start())
    for _ in range(2):
        guest = protocol(lab, endpoint, username="guest", password="Gu3st")
        guest.close_shell(guest.open_shell())
        with pytest.raises(InvalidCredentialsError):
            protocol(lab, endpoint).open_shell()
        client = protocol(lab, lab.shared)
        client.close_shell(client.open_shell())
    lab.run(elsewhere.stop())
