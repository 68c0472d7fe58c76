"""Our answers against those of real Windows: recorded client requests are replayed and the structures compared."""

from __future__ import annotations

import asyncio
import re

import pytest

from include.simulator.host import ByteSink, Sink, Statement
from include.simulator.objects import SimError, SimObject, TerminatingError
from include.simulator.wire.clixml import Typed, Wrapped
from tests.simulator.wire.replay import TRANSCRIPTS, Replay, ScriptedHost, Structure

pytestmark = pytest.mark.skipif(not TRANSCRIPTS.is_dir(), reason=f"the recordings are not at {TRANSCRIPTS}")

WRITE_ERROR = SimError(
    "error",
    "Microsoft.PowerShell.Commands.WriteErrorException",
    exception_types=("Microsoft.PowerShell.Commands.WriteErrorException", "System.SystemException"),
    activity="Write-Error",
)

#: What an exception carries once .NET has thrown it.
THROWN = {"TargetSite": "Void X()", "StackTrace": "   at X()", "Source": "System.Management.Automation"}


async def adds(statements: tuple[Statement, ...], sink: Sink) -> None:
    assert statements[0][0].name == "1+1"
    sink.output(2)


async def fails(statements: tuple[Statement, ...], sink: Sink) -> None:
    sink.output("before")
    raise TerminatingError(WRITE_ERROR)


async def sleeps(statements: tuple[Statement, ...], sink: Sink) -> None:
    assert [[call.name for call in statement] for statement in statements] == [["Start-Sleep"], ["echo hi"]]
    await asyncio.sleep(0.7)
    sink.output("hi")


async def writes_every_stream(statements: tuple[Statement, ...], sink: Sink) -> None:
    sink.debug("debug stream")
    sink.verbose("verbose stream")
    sink.error(WRITE_ERROR)
    sink.output("output stream")
    sink.warning("warning stream")
    sink.information("information stream", "Write-Information")


def drive_item() -> Wrapped:
    """An item of the WSMan: drive: an object around an object, with its drive and its provider."""
    element, automation = "Microsoft.WSMan.Management.WSManConfigLeafElement", "System.Management.Automation"
    free = Wrapped((), "")
    credential = SimObject(
        (f"{automation}.PSCredential", "System.Object"),
        {"UserName": None, "Password": None},
        to_string=f"{automation}.PSCredential",
    )
    names = ("CurrentLocation", "Name", "Provider", "Root", "Description")
    drive = SimObject(
        (f"{automation}.PSDriveInfo", "System.Object"),
        {**dict.fromkeys(names, "WSMan"), "MaximumSize": None, "Credential": credential, "DisplayRoot": None},
        {"Used": free, "Free": free},
        to_string="WSMan",
    )
    names = ("ImplementingType", "HelpFile", "Name", "PSSnapIn", "ModuleName", "Description", "Capabilities", "Home")
    provider = SimObject(
        (f"{automation}.ProviderInfo", "System.Object"),
        {
            **dict.fromkeys(names, "WSMan"),
            "Module": None,
            "Drives": Typed(("System.Collections.ObjectModel.Collection`1", "System.Object"), [drive]),
        },
        to_string="Microsoft.WSMan.Management\\WSMan",
    )
    notes = {
        **dict.fromkeys(("PSPath", "PSParentPath", "PSChildName"), "WSMan"),
        "PSDrive": drive,
        "PSProvider": provider,
        "PSIsContainer": False,
    }
    properties = {"SourceOfValue": None, **dict.fromkeys(("Value", "Name", "TypeNameOfElement", "Type"), "x")}
    types = (element, "System.Object")
    return Wrapped(types, SimObject(types, properties, notes, to_string=element), notes, to_string=element)


async def jea_session(statements: tuple[Statement, ...], sink: Sink) -> None:
    if len(statements) + len(statements[0]) == 2:
        sink.output(drive_item())
        return
    runtime = "System.Management.Automation.RuntimeException"
    missing = ("System.Management.Automation.ProviderNotFoundException", runtime, "System.SystemException")
    sink.error(
        SimError(
            "Cannot find a provider with the name 'FileSystem'.",
            "ProviderNotFound,Microsoft.PowerShell.Commands.GetItemCommand",
            category="ObjectNotFound",
            exception_types=missing,
            target="FileSystem",
            activity="Get-Item",
            properties={
                **THROWN,
                "ErrorRecord": "Cannot find a provider with the name 'FileSystem'.",
                "ItemName": "FileSystem",
                "SessionStateCategory": "CmdletProvider",
                "WasThrownFromThrowStatement": False,
            },
        )
    )
    raise TerminatingError(
        SimError(
            "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.",
            "ScriptsNotAllowed",
            category="ParserError",
            exception_types=("System.Management.Automation.ParseException", runtime, "System.SystemException"),
            target="Set-Item",
            properties={**THROWN, "Errors": None, "ErrorRecord": "x", "WasThrownFromThrowStatement": False},
        )
    )


async def echoes(line: str, stdout: ByteSink, stderr: ByteSink) -> int:
    assert line == "cmd.exe /c echo hi"
    stdout(b"hi\r\n")
    return 0


async def echoes_twice(line: str, stdout: ByteSink, stderr: ByteSink) -> int:
    stdout(b"out \r\n")
    stderr(b"err \r\n")
    return 1


async def pauses(line: str, stdout: ByteSink, stderr: ByteSink) -> int:
    stdout(b"hi")
    stdout(b"\n")
    await asyncio.sleep(0.75)
    stdout(b"hi")
    stdout(b" again\n")
    return 0


HOSTS = {
    "psrp_disconnect_runspaces": ScriptedHost(None, None),
    "psrp_error_failed": ScriptedHost(fails, None),
    "psrp_is_alive_state_disconnected": ScriptedHost(None, None),
    "psrp_long_running_cmdlet": ScriptedHost(sleeps, None),
    "psrp_multiple_invocations": ScriptedHost(adds, None),
    "psrp_open_runspace": ScriptedHost(None, None),
    "psrp_receive_failure": ScriptedHost(None, None),
    "psrp_set_runspaces": ScriptedHost(None, None),
    "psrp_stream_output_invocation": ScriptedHost(writes_every_stream, None),
    "psrp_with_jea_configuration": ScriptedHost(jea_session, None),
    "winrs_bad_cmd_id": ScriptedHost(None, echoes),
    "winrs_operation_timeout": ScriptedHost(None, pauses),
    "winrs_standard": ScriptedHost(None, echoes),
    "winrs_stderr_rc": ScriptedHost(None, echoes_twice),
    "wsman_update_envelope_size_150": ScriptedHost(None, None),
}

#: The Windows that answered. The PowerShell sessions say so themselves, one cmd shell was recorded on a host called server2008r2.
BUILDS = [
    (r"psrp_(is_alive_state_disconnected|multiple_invocations)", "26236.5000"),
    (r"psrp_.*", "14393.2248"),
    (r"winrs_bad_cmd_id", "14393.2248"),
    (r".*", "7601.24000"),
]

#: Every difference that is left: recording, number of the exchange (None: any), pattern of the difference, and the reason.
DIFFERENCES: list[tuple[str, int | None, str, str]] = []


def differences(number: int, ours: Structure, windows: Structure) -> list[str]:
    """Return each difference as text: ``+`` is what only we have, ``-`` what only Windows has."""
    found = [f"+soap {path}" for path in sorted(ours.soap - windows.soap)]
    found += [f"-soap {path}" for path in sorted(windows.soap - ours.soap)]
    if ours.fault != windows.fault:
        found.append(f"fault {ours.fault or 'none'} not {windows.fault or 'none'}")
    if ours.states != windows.states:
        found.append(f"state {ours.states} not {windows.states}")
    if ours.messages != windows.messages:
        found.append(f"messages {ours.messages} not {windows.messages}")
        return found
    for (kind, mine), (_, theirs) in zip(ours.parts, windows.parts, strict=True):
        found += [f"+{kind} {path}" for path in sorted(mine - theirs)]
        found += [f"-{kind} {path}" for path in sorted(theirs - mine)]
    return found


def replayed(recording: str) -> Replay:
    build = next(build for pattern, build in BUILDS if re.fullmatch(pattern, recording))
    return Replay(f"{recording}.yml", HOSTS[recording], build)


def known(recording: str, number: int, difference: str) -> int | None:
    for index, (name, exchange, pattern, _) in enumerate(DIFFERENCES):
        if re.fullmatch(name, recording) and exchange in (None, number) and re.fullmatch(pattern, difference):
            return index
    return None


@pytest.mark.parametrize("recording", HOSTS)
async def test_answers_have_the_structure_of_windows(recording: str) -> None:
    answers = await replayed(recording).answers()
    unknown = [
        f"{number} {verb}: {difference}"
        for number, (verb, ours, windows) in enumerate(answers)
        for difference in differences(number, ours, windows)
        if known(recording, number, difference) is None
    ]
    assert unknown == []


async def test_every_listed_difference_is_real() -> None:
    used = set()
    for recording in HOSTS:
        for number, (_, ours, windows) in enumerate(await replayed(recording).answers()):
            used |= {known(recording, number, difference) for difference in differences(number, ours, windows)}
    assert used - {None} == set(range(len(DIFFERENCES)))


def test_every_recording_is_replayed() -> None:
    assert {path.stem for path in TRANSCRIPTS.glob("*.yml")} == set(HOSTS)
