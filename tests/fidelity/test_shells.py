"""Shells of WS-Management: identity, idle time-out, quotas, disconnecting and taking over."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator

import psrpcore
import pytest

from include.simulator.wire import EndpointOptions, Quotas, names
from tests.fidelity.raw import POWERSHELL, Raw, Session
from tests.simulator.wire.lab import Lab


@pytest.fixture
def small(lab: Lab) -> Iterator[Raw]:
    """A machine with little room."""
    quotas = Quotas(
        shells_per_user=2, commands_per_shell=2, operations_per_user=6, least_idle_seconds=1, max_envelope_kb=40
    )
    options = EndpointOptions(("Basic",), allow_unencrypted=True, quotas=quotas)
    endpoint, _ = lab.machine(options)
    yield Raw(endpoint.http_port)
    lab.run(endpoint.stop())


def test_a_client_names_its_powershell_shell(raw: Raw) -> None:
    """MS-PSRP 3.1.5.3.3: the ShellId of the Create is the id of the runspace pool."""
    session = Session(raw)
    assert session.created.text("ShellId") == session.id
    assert session.created.text("ResourceUri") == POWERSHELL
    session.close()


def test_the_service_names_cmd_shells(raw: Raw) -> None:
    """MS-WSMV 3.1.4.5.2: without a ShellId the service makes one, upper case (recorded answers)."""
    shell_id = raw.cmd().text("ShellId")
    assert shell_id == str(uuid.UUID(shell_id)).upper()
    assert raw.post("Delete", shell_id=shell_id, resource=names.CMD_SHELL).status == 200


def test_a_shell_id_is_taken_once(raw: Raw) -> None:
    """wsmerror.h, ERROR_WINRS_SHELL_CLIENTID_RESOURCE_CONFLICT."""
    shell_id = str(uuid.uuid4()).upper()
    assert raw.cmd(shell_id=shell_id).status == 200
    assert raw.cmd(shell_id=shell_id).fault[0] == 2150859223
    raw.post("Delete", shell_id=shell_id, resource=names.CMD_SHELL)


@pytest.mark.parametrize(("asked", "told"), [("", "PT7200.000S"), ("PT60S", "PT60.000S"), ("PT3H", "PT10800.000S")])
def test_the_idle_time_out_is_told(raw: Raw, asked: str, told: str) -> None:
    """MS-WSMV 2.2.4.37 and recorded answers: seconds with three decimals; 7200 s is the default of the service."""
    created = raw.cmd(asked)
    assert created.text("IdleTimeOut") == told
    raw.post("Delete", shell_id=created.text("ShellId"), resource=names.CMD_SHELL)


@pytest.mark.parametrize("asked", ["PT59S", "PT2147484S", "P30D"])
def test_idle_time_outs_out_of_bounds_are_refused(raw: Raw, asked: str) -> None:
    """wsmerror.h, ERROR_WINRS_IDLETIMEOUT_OUTOFBOUNDS; PowerShell-Docs, about_Remote_Disconnected_Sessions for the bounds."""
    assert raw.cmd(asked).fault[0] == 2150859250


def test_an_idle_shell_ends(small: Raw) -> None:
    """MS-WSMV 3.1.2.1: the shell time-out deletes the shell."""
    shell_id = small.cmd("PT1S").text("ShellId")
    assert small.post("Get", shell_id=shell_id, resource=names.CMD_SHELL).status == 200
    time.sleep(1.1)
    assert small.post("Get", shell_id=shell_id, resource=names.CMD_SHELL).fault == (2150858843, "w:InvalidSelectors")


def test_shells_per_user(small: Raw) -> None:
    """wsmerror.h, ERROR_WSMAN_QUOTA_MAX_SHELLS; WS-Management answers w:QuotaLimit."""
    shells = [small.cmd().text("ShellId") for _ in range(2)]
    assert small.cmd().fault == (2150859173, "w:QuotaLimit")
    small.post("Delete", shell_id=shells[0], resource=names.CMD_SHELL)
    assert small.cmd().status == 200


def test_users_with_shells(lab: Lab) -> None:
    """wsmerror.h, ERROR_WSMAN_QUOTA_MAX_SHELLUSERS."""
    options = EndpointOptions(("Basic",), allow_unencrypted=True, quotas=Quotas(shell_users=1))
    endpoint, _ = lab.machine(options)
    first, second = Raw(endpoint.http_port), Raw(endpoint.http_port)
    second.http.auth = ("other", "0ther")
    shell_id = first.cmd().text("ShellId")
    assert second.cmd().fault[0] == 2150859179
    first.post("Delete", shell_id=shell_id, resource=names.CMD_SHELL)
    assert second.cmd().status == 200
    lab.run(endpoint.stop())


def test_commands_per_shell_count_until_terminate(small: Raw) -> None:
    """wsmerror.h, ERROR_WSMAN_QUOTA_MAX_COMMANDS_PER_SHELL_PPQ; pypsrp issue 148: a finished command counts until Terminate."""
    session = Session(small)
    first, _ = session.run("Get-Note")
    session.all_of(first)
    session.run("Get-Note")
    assert session.run("Get-Note")[1].fault[0] == 2150859241
    assert session.signal(first, f"{names.SHELL}/signal/Terminate").status == 200
    assert session.run("Get-Note")[1].status == 200


def test_operations_per_user(small: Raw) -> None:
    """wsmerror.h, ERROR_WSMAN_QUOTA_MAX_OPERATIONS: shells, commands and waiting Receives count."""
    sessions = [Session(small), Session(small)]
    for session in sessions:
        session.run("Get-Note")
        session.run("Get-Note")
    assert sessions[0].receive().fault == (2150859174, "w:QuotaLimit")


def test_requests_above_the_envelope_size_are_refused(small: Raw) -> None:
    """wsmerror.h, "the request size exceeded the configured MaxEnvelopeSize quota" is what clients make of HTTP 413."""
    assert small.post("Get", "x" * 41 * 1024).status == 413


def test_an_envelope_size_below_the_least_is_refused(raw: Raw) -> None:
    """DSP0226 R13.1-2: a MaxEnvelopeSize below 8192 may be refused; wsmerror.h, ERROR_WSMAN_MIN_ENVELOPE_SIZE."""
    small_envelope = "<w:MaxEnvelopeSize>8191</w:MaxEnvelopeSize>"
    assert raw.post("Get", resource=names.WSMAN_CONFIG, headers=small_envelope).fault == (2150858878, "w:EncodingLimit")


def test_answers_keep_to_the_envelope_size_of_the_client(raw: Raw) -> None:
    """DSP0226 R13.1-1: a response is never larger than the MaxEnvelopeSize of its request."""
    session = Session(raw, headers="<w:MaxEnvelopeSize>153600</w:MaxEnvelopeSize>")
    command_id, _ = session.run("Get-Big", Size=400_000)
    sizes = []
    while True:
        answer = session.receive(command_id)
        sizes.append(len(answer.body))
        if answer.state == "Done":
            break
    assert len(sizes) > 2
    assert max(sizes) <= 153600
    session.close()


SESSION = "<p:SessionId>uuid:{}</p:SessionId>"


def _two_clients(raw: Raw) -> tuple[Session, str]:
    return Session(raw, headers=SESSION.format("11111111-1111-1111-1111-111111111111")), SESSION.format(
        "22222222-2222-2222-2222-222222222222"
    )


def test_a_connected_shell_serves_only_its_client(raw: Raw) -> None:
    """wsmerror.h, ERROR_WINRS_SHELL_CLIENTSESSIONID_MISMATCH and ERROR_WINRS_SHELL_CONNECTED_TO_DIFFERENT_CLIENT."""
    session, stranger = _two_clients(raw)
    own, session.headers = session.headers, stranger
    assert session.run("Get-Note")[1].fault[0] == 2150859206
    assert session.post("Connect", "<rsp:Connect></rsp:Connect>").fault[0] == 2150859213
    session.headers = own
    session.close()


def test_a_disconnected_shell_takes_no_requests(raw: Raw) -> None:
    """MS-WSMV 3.1.4.13 (Disconnect); wsmerror.h, ERROR_WINRS_SHELL_DISCONNECTED."""
    session = Session(raw)
    assert session.post("Disconnect", "<rsp:Disconnect></rsp:Disconnect>").status == 200
    assert session.post("Get").text("State") == "Disconnected"
    assert session.run("Get-Note")[1].fault[0] == 2150859204
    assert session.receive().fault[0] == 2150859204
    assert session.post("Disconnect", "<rsp:Disconnect></rsp:Disconnect>").fault[0] == 2150859215
    session.close()


def test_reconnecting_makes_it_usable_again(raw: Raw) -> None:
    """MS-WSMV 3.1.4.14 (Reconnect); wsmerror.h, ERROR_WINRS_SHELL_RECONNECT_OPERATION_NOT_VALID for a connected one."""
    session = Session(raw)
    assert session.post("Reconnect", "<rsp:Reconnect></rsp:Reconnect>").fault[0] == 2150859216
    session.post("Disconnect", "<rsp:Disconnect></rsp:Disconnect>")
    assert session.post("Reconnect", "<rsp:Reconnect></rsp:Reconnect>").status == 200
    assert session.run("Get-Note")[1].status == 200
    session.close()


def test_disconnecting_changes_the_idle_time_out(raw: Raw) -> None:
    """MS-WSMV 2.2.4.15: Disconnect may carry an IdleTimeOut."""
    session = Session(raw)
    session.post("Disconnect", "<rsp:Disconnect><rsp:IdleTimeOut>PT90S</rsp:IdleTimeOut></rsp:Disconnect>")
    assert session.post("Get").text("IdleTimeOut") == "PT90.000S"
    session.close()


def test_cmd_shells_cannot_be_disconnected(raw: Raw) -> None:
    """wsmerror.h, ERROR_WINRS_SHELL_DISCONNECT_NOT_SUPPORTED."""
    shell_id = raw.cmd().text("ShellId")
    body = "<rsp:Disconnect></rsp:Disconnect>"
    assert raw.post("Disconnect", body, shell_id, resource=names.CMD_SHELL).fault[0] == 2150859205
    raw.post("Delete", shell_id=shell_id, resource=names.CMD_SHELL)


def test_a_waiting_receive_ends_with_the_connection(raw: Raw, lab: Lab) -> None:
    """wsmerror.h, ERROR_WSMAN_SERVICE_STREAM_DISCONNECTED."""
    session = Session(raw)
    shell = lab.shared.service.shells.find(session.id)
    assert shell is not None
    lab.loop.call_soon_threadsafe(lab.loop.call_later, 0.2, shell.disconnect, None)
    assert session.receive().fault[0] == 2150859230
    session.close()


def test_another_client_takes_over_with_capability_limits_and_state(raw: Raw) -> None:
    """MS-PSRP 3.1.5.3.13 to 3.1.5.3.16 and recorded answers: connectResponseXml, then the state with the next Receive."""
    session, stranger = _two_clients(raw)
    session.post("Disconnect", "<rsp:Disconnect></rsp:Disconnect>")
    session.headers = stranger
    taken = psrpcore.ClientRunspacePool(runspace_pool_id=uuid.UUID(session.id))
    taken.connect()
    session.pool = taken
    connected = session.post(
        "Connect",
        f'<rsp:Connect><connectXml xmlns="{names.POWERSHELL}">{session._outgoing()}</connectXml></rsp:Connect>',
    )
    assert connected.text("connectResponseXml")
    assert session.receive().streams
    assert session.run("Get-Note")[1].status == 200
    session.close()


@pytest.mark.parametrize("code", ["http://example.org/reload", "powershell/signal/pause"])
def test_unknown_signals_are_refused(raw: Raw, code: str) -> None:
    """MS-WSMV 2.2.4.38 lists the codes."""
    session = Session(raw)
    command_id, _ = session.run("Get-Note")
    assert session.signal(command_id, code).fault[0] == 87
    session.close()


def test_unknown_actions_are_refused(raw: Raw) -> None:
    """wsmerror.h, ERROR_WSMAN_ACTION_NOT_SUPPORTED; WS-Addressing, ActionNotSupported."""
    assert raw.post("http://example.org/Reload").fault == (2150858771, "a:ActionNotSupported")
