"""Messages of the PowerShell remoting protocol: opening, pipelines, streams, hosts, events."""

from __future__ import annotations

import base64
import time
import uuid
import xml.etree.ElementTree as ET

import psrpcore
import pytest
from psrpcore import types as ps

from include.simulator.wire import names
from tests.fidelity.raw import KINDS, Message, Raw, Session, fragments, messages


def kinds(found: list[Message]) -> list[str]:
    return [KINDS[message.kind] for message in found]


@pytest.fixture
def session(raw: Raw) -> Session:
    return Session(raw)


def test_the_opening_comes_in_two_answers(session: Session) -> None:
    """Recorded answers: capability and private data first, the state in a later Receive."""
    parts = [kinds(list(messages(b"".join(answer.streams)))) for answer in session.openings]
    assert parts == [["SessionCapability", "ApplicationPrivateData"], ["RunspacePoolState"]]
    session.close()


def test_the_capability_names_no_pool_and_later_messages_do(session: Session) -> None:
    """Recorded answers: the first message is sent before the pool has an id on the server."""
    first, second = messages(b"".join(session.openings[0].streams))
    assert (first.pool_id, second.pool_id) == (uuid.UUID(int=0), uuid.UUID(session.id))
    assert first.destination == 1
    session.close()


def test_messages_start_with_a_byte_order_mark(session: Session) -> None:
    """MS-PSRP 2.2.1 (the data is UTF-8) and recorded answers: Windows writes the mark, clients do not."""
    assert all(
        message.data.startswith(b"\xef\xbb\xbf")
        for answer in session.openings
        for message in messages(answer.streams[0])
    )
    session.close()


def test_the_private_data_is_the_version_table(session: Session) -> None:
    """MS-PSRP 2.2.2.13 and recorded answers: PSVersionTable, its type names written once and referred to after that."""
    _, private = messages(b"".join(session.openings[0].streams))
    keys = [each.text for each in ET.fromstring(private.text).iter() if each.attrib.get("N") == "Key"]
    assert keys[:4] == ["PSVersionTable", "PSVersion", "PSEdition", "PSCompatibleVersions"]
    assert "<TNRef " in private.text
    session.close()


def test_a_stream_element_holds_one_fragment(session: Session) -> None:
    """MS-PSRP 2.2.4 and recorded answers: at most 32768 bytes, numbered from 0, first and last one marked."""
    command_id, _ = session.run("Get-Big", Size=100_000)
    pieces: list[bytes] = []
    while True:
        answer = session.receive(command_id)
        pieces += answer.streams
        if answer.state == "Done":
            break
    assert max(map(len, pieces)) == 32768
    whole = [next(fragments(piece)) for piece in pieces]
    assert all(len(list(fragments(piece))) == 1 for piece in pieces)
    big = [each for each in whole if each[0] == whole[0][0]]
    assert [number for _, number, _, _ in big] == list(range(len(big)))
    assert [flags for _, _, flags, _ in big] == [1, *[0] * (len(big) - 2), 2]
    session.close()


def test_object_ids_run_on_over_pool_and_pipelines(session: Session) -> None:
    """Recorded answers: one sequence for the whole session."""
    numbers = [each[0] for answer in session.openings for piece in answer.streams for each in fragments(piece)]
    for _ in range(2):
        command_id, _ = session.run("Get-Note")
        answer = session.receive(command_id)
        numbers += [each[0] for piece in answer.streams for each in fragments(piece)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    session.close()


def test_the_end_of_a_pipeline_is_told_with_its_state_and_done(session: Session) -> None:
    """MS-PSRP 2.2.2.21 and MS-WSMV 2.2.4.10: PipelineState Completed (4) and CommandState Done with exit code 0."""
    command_id, created = session.run("Get-Note")
    assert created.text("CommandId") == command_id
    answer = session.receive(command_id)
    assert (answer.state, answer.text("ExitCode")) == ("Done", "0")
    last = list(messages(b"".join(answer.streams)))[-1]
    assert 'N="PipelineState">4<' in last.text
    session.close()


def test_output_before_the_end_is_pending(session: Session) -> None:
    """Recorded answers: CommandState Pending for a running pipeline, never a PipelineState Running message."""
    command_id, _ = session.run("Wait-Here", Seconds=1)
    answer = session.receive(command_id)
    assert answer.state == "Pending"
    assert kinds(list(messages(b"".join(answer.streams)))) == ["PipelineOutput"]
    session.close()


def test_nothing_to_say_is_a_time_out(session: Session) -> None:
    """wsmerror.h, ERROR_WSMAN_OPERATION_TIMEDOUT; DSP0226, wsman:TimedOut: clients ask again."""
    assert session.receive(time_out="PT0.2S").fault == (2150858793, "w:TimedOut")
    session.close()


def test_a_repeated_receive_gets_the_same_answer(session: Session) -> None:
    """DSP0226 R5.4.6: a MessageID is never used twice, so the same one is the same request, whose answer was lost."""
    command_id, _ = session.run("Get-Note")
    mark = f"uuid:{uuid.uuid4()}"
    first = session.receive(command_id, message_id=mark)
    again = session.post(
        "Receive",
        f'<rsp:Receive><rsp:DesiredStream CommandId="{command_id}">stdout</rsp:DesiredStream></rsp:Receive>',
        message_id=mark,
    )
    assert first.streams == again.streams
    session.close()


@pytest.mark.parametrize(
    "code", ["powershell/signal/crtl_c", "powershell/signal/ctrl_c", f"{names.SHELL}/signal/ctrl_c"]
)
def test_ctrl_c_stops_a_pipeline_and_leaves_its_end_to_be_received(session: Session, code: str) -> None:
    """MS-PSRP 3.1.5.3.9, where the word is misspelled, as in every Windows; pypsrp and others send it corrected."""
    command_id, _ = session.run("Wait-Here", Seconds=60)
    session.receive(command_id)
    assert session.signal(command_id, code).status == 200
    (state,) = session.all_of(command_id)
    assert 'N="PipelineState">3<' in state.text
    assert "PipelineStopped" in state.text
    session.close()


def test_terminate_forgets_a_running_pipeline(session: Session) -> None:
    """MS-WSMV 2.2.4.38: the command is gone, its id free again (recorded answers)."""
    command_id, _ = session.run("Wait-Here", Seconds=60)
    assert session.signal(command_id, f"{names.SHELL}/signal/Terminate").status == 200
    assert session.receive(command_id).fault == (2150858843, "w:InvalidSelectors")
    session.close()


def test_a_command_id_is_taken_until_terminate(session: Session) -> None:
    """wsmerror.h, ERROR_WINRS_SHELLCOMMAND_CLIENTID_RESOURCE_CONFLICT."""
    command_id, _ = session.run("Get-Note")
    body = f'<rsp:CommandLine CommandId="{command_id}"><rsp:Command></rsp:Command><rsp:Arguments>AA==</rsp:Arguments></rsp:CommandLine>'
    assert session.post("Command", body).fault[0] == 2150859222
    session.close()


def test_a_single_command_prepares_no_modules(session: Session) -> None:
    """Recorded answers (Start-Sleep, Set-Variable): a command that is looked up before the pipeline runs tells no progress."""
    command_id, _ = session.run("Get-Note")
    assert kinds(session.all_of(command_id)) == ["PipelineOutput", "PipelineState"]
    session.close()


@pytest.mark.parametrize(("script", "prepares"), [("echo hi", True), ("$x = 1; Write-Output $x", True), ("1+1", False)])
def test_a_script_that_calls_a_command_prepares_modules(session: Session, script: str, prepares: bool) -> None:
    """Recorded answers: the record "Preparing modules for first use." comes once in a session, before any output."""
    for expected in (prepares, False):
        shell = psrpcore.ClientPowerShell(session.pool)
        shell.add_script(script)
        command_id, _ = session.start(shell)
        found = session.all_of(command_id)
        told = [message for message in found if KINDS[message.kind] == "ProgressRecord"]
        assert bool(told) == expected
        assert all("Preparing modules for first use." in message.text for message in told)
    session.close()


def _with_host(session: Session, name: str, *, host: bool = True, **parameters: object) -> str:
    shell = psrpcore.ClientPowerShell(session.pool)
    shell.add_command(name)
    for key, value in parameters.items():
        shell.add_parameter(key, value)
    shell.metadata.host = ps.HostInfo(
        IsHostNull=not host, IsHostUINull=not host, IsHostRawUINull=True, UseRunspaceHost=False, HostDefaultData=None
    )
    return session.start(shell)[0]


def test_a_command_asks_the_host_of_its_client(session: Session) -> None:
    """MS-PSRP 2.2.2.27 and 2.2.2.28: PipelineHostCall over stdout, PipelineHostResponse over pr, ids from 1."""
    command_id = _with_host(session, "Read-Choice")
    (call,) = messages(b"".join(session.receive(command_id).streams))
    assert KINDS[call.kind] == "PipelineHostCall"
    assert '<I64 N="ci">1</I64>' in call.text
    assert "<ToString>PromptForChoice</ToString><I32>26</I32>" in call.text
    session.events()
    session.pool.pipeline_table[uuid.UUID(command_id)].host_response(1, return_value=1)
    assert session.send("pr", command_id).status == 200
    answer, state = session.all_of(command_id)
    assert answer.text == "<I32>1</I32>"
    assert 'N="PipelineState">4<' in state.text
    session.close()


def test_calls_that_answer_nothing_have_the_id_minus_hundred(session: Session) -> None:
    """Recorded answers: ci -100."""
    call, _ = session.all_of(_with_host(session, "Write-Line", Text="hello"))
    assert '<I64 N="ci">-100</I64>' in call.text
    assert "<S>hello</S>" in call.text
    session.close()


def test_hosts_that_can_show_records_are_told_of_them(session: Session) -> None:
    """Recorded answers: WriteWarningLine, WriteProgress and so on follow the record where the client has a host."""
    found = kinds(session.all_of(_with_host(session, "Write-Streams")))
    for record in ("WarningRecord", "VerboseRecord", "DebugRecord", "ProgressRecord"):
        assert found[found.index(record) + 1] == "PipelineHostCall"
    session.close()


def test_without_a_host_there_are_no_calls(session: Session) -> None:
    """MS-PSRP 2.2.3.14: a null host is not called."""
    assert "PipelineHostCall" not in kinds(session.all_of(_with_host(session, "Write-Streams", host=False)))
    session.close()


def test_forwarded_events_come_with_the_session(session: Session) -> None:
    """MS-PSRP 2.2.2.12: UserEvent belongs to the pool, not to a pipeline."""
    command_id, _ = session.run("Send-Event", Data="drained")
    session.all_of(command_id)
    (event,) = messages(b"".join(session.receive().streams))
    assert KINDS[event.kind] == "UserEvent"
    assert '<S N="PSEventArgs.SourceIdentifier">Lab</S>' in event.text
    assert '<S N="PSEventArgs.MessageData">drained</S>' in event.text
    session.close()


def _nested(session: Session) -> tuple[str, psrpcore.ClientPowerShell]:
    shell = psrpcore.ClientPowerShell(session.pool)
    shell.metadata.is_nested = True
    shell.add_command("Get-Note")
    return session.start(shell)[0], shell


def test_a_nested_pipeline_runs_inside_the_running_one(session: Session) -> None:
    """MS-PSRP 2.2.3.11, IsNested, and recorded answers: it does not wait for a free runspace."""
    running, _ = session.run("Wait-Here", Seconds=60)
    session.receive(running)
    started = time.monotonic()
    assert kinds(session.all_of(_nested(session)[0])) == ["PipelineOutput", "PipelineState"]
    assert time.monotonic() - started < 2
    session.close()


def test_a_nested_pipeline_needs_a_running_one(session: Session) -> None:
    """PowerShell, LocalPipeline: nested pipelines are invalid without a parent."""
    (state,) = session.all_of(_nested(session)[0])
    assert 'N="PipelineState">5<' in state.text
    assert "PSInvalidOperationException" in state.text
    session.close()


def test_command_metadata_is_a_count_and_the_commands(session: Session) -> None:
    """MS-PSRP 2.2.2.14, 2.2.3.21 to 2.2.3.23, and recorded answers."""
    question = psrpcore.ClientGetCommandMetadata(session.pool, ["Get-*"])
    command_id, _ = session.start(question)
    count, cmdlet, function, state = session.all_of(command_id)
    assert '<I32 N="Count">2</I32>' in count.text
    assert "Selected.System.Management.Automation.CmdletInfo" in cmdlet.text
    assert "Selected.System.Management.Automation.FunctionInfo" in function.text
    assert 'N="PipelineState">4<' in state.text
    session.close()


def test_a_session_key_is_made_for_the_client(session: Session) -> None:
    """MS-PSRP 2.2.2.3 to 2.2.2.5: the answer to PublicKey is EncryptedSessionKey; secrets then travel both ways."""
    session.pool.exchange_key()
    session.send()
    (key,) = messages(b"".join(session.receive().streams))
    assert KINDS[key.kind] == "EncryptedSessionKey"
    session.events()
    command_id, _ = session.run("Get-Echo", Password=ps.PSSecureString("geheim"))
    output, _ = session.all_of(command_id)
    assert output.text.startswith("<SS>")
    values = [event.data for event in session.events() if isinstance(event, psrpcore.PipelineOutputEvent)]
    assert [value.decrypt() for value in values] == ["geheim"]
    session.close()


@pytest.mark.parametrize("property_name", ["ci", "CI"])
def test_runspace_counts_are_set_however_the_call_id_is_spelled(session: Session, property_name: str) -> None:
    """MS-PSRP 2.2.2.6; .NET property names have no case, and pypsrp writes CI."""
    session.pool.set_max_runspaces(3)
    payload = session.pool.data_to_send()
    assert payload is not None
    data = payload.data.replace(b'N="ci"', f'N="{property_name}"'.encode())
    session.post(
        "Send", f'<rsp:Send><rsp:Stream Name="stdin">{base64.b64encode(data).decode()}</rsp:Stream></rsp:Send>'
    )
    (answer,) = messages(b"".join(session.receive().streams))
    assert '<B N="SetMinMaxRunspacesResponse">true</B>' in answer.text
    session.close()
