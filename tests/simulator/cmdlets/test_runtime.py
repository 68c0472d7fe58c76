"""The runtime with a handful of commands of its own, so that it is judged apart from the simulated world's commands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.simulator.clock import VirtualClock
from include.simulator.cmdlets import registry
from include.simulator.cmdlets.registry import Call
from include.simulator.cmdlets.runtime import MachineWentDownError, SimulatedHost
from include.simulator.cmdlets.runtime_session import DEFAULT_CONFIGURATION, full_language, jea
from include.simulator.host import Argument, CommandCall, Session, Statement
from include.simulator.journal import Entry, Journal
from include.simulator.objects import Credential, SecureString, SimError, SimObject, TerminatingError
from include.simulator.world.spec import demo_world
from include.simulator.world.world import World

START = datetime(2026, 11, 3, tzinfo=UTC)


class Recorder:
    """A client's end of the streams."""

    def __init__(self) -> None:
        self.outputs: list[object] = []
        self.errors: list[SimError] = []
        self.texts: list[tuple[str, str]] = []

    def output(self, value: object) -> None:
        self.outputs.append(value)

    def error(self, record: SimError) -> None:
        self.errors.append(record)

    def warning(self, message: str) -> None:
        self.texts.append(("warning", message))

    def verbose(self, message: str) -> None:
        self.texts.append(("verbose", message))

    def debug(self, message: str) -> None:
        self.texts.append(("debug", message))

    def information(self, message: str, source: str = "") -> None:
        self.texts.append(("information", message))

    def progress(self, activity: str, status: str, percent: int = -1, **_: Any) -> None:
        self.texts.append(("progress", f"{activity}: {status}"))


Handlers = dict[str, Callable[[Call], Awaitable[None]]]


@pytest.fixture
def handlers(monkeypatch: pytest.MonkeyPatch) -> Handlers:
    made: Handlers = {}
    monkeypatch.setattr(registry, "find", lambda name: made.get(name.rpartition("\\")[2].lower()))
    return made


@pytest.fixture
def host() -> SimulatedHost:
    clock = VirtualClock(START)
    journal = Journal(clock)
    world = World(demo_world(4, "22H2"), clock, journal, seed=1)
    configurations = {DEFAULT_CONFIGURATION: full_language(), "hciupdate": jea("HciUpdate", ["Get-ClusterNode"])}
    return SimulatedHost(world.machines["HCI01"], world, clock, journal, configurations)


def session(configuration: str = "Microsoft.PowerShell") -> Session:
    return Session("CONTOSO\\airflow", "negotiate", configuration, "127.0.0.1")


def command(name: str, *positional: object, **named: object) -> CommandCall:
    return CommandCall(
        name,
        tuple([Argument(None, value) for value in positional] + [Argument(key, value) for key, value in named.items()]),
    )


async def run(host: SimulatedHost, *statements: Statement, configuration: str = "Microsoft.PowerShell") -> Recorder:
    recorder = Recorder()
    await host.invoke(session(configuration), statements, recorder)
    return recorder


async def refused(host: SimulatedHost, *statements: Statement, configuration: str = "Microsoft.PowerShell") -> SimError:
    with pytest.raises(TerminatingError) as caught:
        await run(host, *statements, configuration=configuration)
    return caught.value.record


def commands(host: SimulatedHost) -> list[Entry]:
    return [entry for entry in host.journal.entries if entry.op == "command"]


def node(name: str) -> SimObject:
    return SimObject(
        ("Microsoft.FailoverClusters.PowerShell.ClusterNode", "System.Object"), {"Name": name}, to_string=name
    )


async def give_nodes(call: Call) -> None:
    for name in call.texts("Name") or ["HCI01", "HCI02"]:
        call.sink.output(node(name))


async def test_output_flows_to_the_client(host: SimulatedHost, handlers: Handlers) -> None:
    handlers["get-clusternode"] = give_nodes
    recorder = await run(host, (command("get-CLUSTERnode", Name="HCI02"),))
    assert [str(each.get("Name")) for each in recorder.outputs] == ["HCI02"]  # type: ignore[attr-defined]
    invoke, ok = commands(host)
    assert (invoke.status, invoke.actor, invoke.node) == ("invoke", "CONTOSO\\airflow", "HCI01")
    assert invoke.detail == {
        "command": "Get-ClusterNode",
        "parameters": {"Name": ["HCI02"]},
        "activity": f"a{invoke.seq}",
    }
    assert (ok.status, ok.detail["activity"]) == ("ok", invoke.detail["activity"])


async def test_one_commands_output_is_the_next_ones_input(host: SimulatedHost, handlers: Handlers) -> None:
    seen: list[list[str]] = []

    async def suspend(call: Call) -> None:
        seen.append([str(each.get("Name")) for each in call.input])  # type: ignore[attr-defined]

    handlers |= {"get-clusternode": give_nodes, "suspend-clusternode": suspend}
    recorder = await run(host, (command("Get-ClusterNode"), command("Suspend-ClusterNode", Drain=None)))
    assert seen == [["HCI01", "HCI02"]]
    assert recorder.outputs == []
    assert commands(host)[2].detail["input"] == ["HCI01", "HCI02"]


async def test_nothing_down_the_pipeline_means_that_nothing_is_done(host: SimulatedHost, handlers: Handlers) -> None:
    called: list[str] = []

    async def nothing(call: Call) -> None: ...

    async def note(call: Call) -> None:
        called.append(call.name)

    handlers |= {"get-clusternode": nothing, "suspend-clusternode": note, "measure-object": note}
    await run(
        host,
        (command("Get-ClusterNode"), command("Suspend-ClusterNode")),
        (command("Get-ClusterNode"), command("Measure-Object")),
    )
    assert called == ["Measure-Object"]


async def test_a_property_from_the_pipeline_gets_a_call_of_its_own(host: SimulatedHost, handlers: Handlers) -> None:
    seen: list[object] = []

    async def rows(call: Call) -> None:
        for name in ("Volume1", "Volume2"):
            call.sink.output(SimObject(("Row",), {"FriendlyName": name}))

    async def repair(call: Call) -> None:
        seen.append(call.parameters["FriendlyName"])

    handlers |= {"get-clusternode": rows, "repair-virtualdisk": repair}
    await run(host, (command("Get-ClusterNode"), command("Repair-VirtualDisk")))
    assert seen == [["Volume1"], ["Volume2"]]


async def test_an_object_that_does_not_bind_is_an_error_beside_the_others(
    host: SimulatedHost, handlers: Handlers
) -> None:
    async def mixed(call: Call) -> None:
        call.sink.output("text")
        call.sink.output(
            SimObject(
                ("Microsoft.Management.Infrastructure.CimInstance#MSFT_StorageScaleUnit",), {"FriendlyName": "HCI01"}
            )
        )

    seen: list[int] = []

    async def enable(call: Call) -> None:
        seen.append(len(call.input))

    handlers |= {"get-clusternode": mixed, "enable-storagemaintenancemode": enable}
    recorder = await run(host, (command("Get-ClusterNode"), command("Enable-StorageMaintenanceMode")))
    assert seen == [1]
    assert [error.fully_qualified_error_id for error in recorder.errors] == [
        "InputObjectNotBound,Enable-StorageMaintenanceMode"
    ]


async def not_there(call: Call) -> None:
    call.sink.output("before")
    call.sink.error(SimError("The cluster node 'X' was not found.", "ClusterNodeNotFound", "ObjectNotFound"))
    call.sink.output("after")


async def test_a_non_terminating_error_keeps_the_output(host: SimulatedHost, handlers: Handlers) -> None:
    handlers["get-clusternode"] = not_there
    recorder = await run(host, (command("Get-ClusterNode"),))
    assert recorder.outputs == ["before", "after"]
    [error] = recorder.errors
    assert error.fully_qualified_error_id == "ClusterNodeNotFound,Microsoft.FailoverClusters.PowerShell.GetNodeCommand"
    assert error.activity == "Get-ClusterNode"
    failed = commands(host)[-1]
    assert (failed.status, failed.detail["terminating"]) == ("fail", False)
    assert failed.detail["errors"][0]["message"] == "The cluster node 'X' was not found."


async def test_error_action_stop_ends_the_pipeline_with_the_same_record(
    host: SimulatedHost, handlers: Handlers
) -> None:
    handlers["get-clusternode"] = not_there
    record = await refused(host, (command("Get-ClusterNode", ErrorAction="Stop"),))
    assert record.fully_qualified_error_id == "ClusterNodeNotFound,Microsoft.FailoverClusters.PowerShell.GetNodeCommand"
    assert commands(host)[-1].detail["terminating"] is True


async def test_error_action_silently_continue_drops_the_record(host: SimulatedHost, handlers: Handlers) -> None:
    handlers["get-clusternode"] = not_there
    recorder = await run(host, (command("Get-ClusterNode", ea="SilentlyContinue"),))
    assert (recorder.outputs, recorder.errors) == (["before", "after"], [])
    assert commands(host)[-1].status == "fail"


async def test_streams_follow_their_switches(host: SimulatedHost, handlers: Handlers) -> None:
    async def talk(call: Call) -> None:
        call.sink.verbose("v")
        call.sink.debug("d")
        call.sink.warning("w")
        call.sink.progress("p", "1")

    handlers["get-clusternode"] = talk
    assert (await run(host, (command("Get-ClusterNode"),))).texts == [("warning", "w"), ("progress", "p: 1")]
    loud = await run(host, (command("Get-ClusterNode", Verbose=None, WarningAction="Ignore"),))
    assert loud.texts == [("verbose", "v"), ("progress", "p: 1")]


async def test_what_if_changes_nothing(host: SimulatedHost, handlers: Handlers) -> None:
    called: list[str] = []

    async def suspend(call: Call) -> None:
        called.append(call.name)

    handlers["suspend-clusternode"] = suspend
    recorder = await run(host, (command("Suspend-ClusterNode", Name="HCI01", WhatIf=None),))
    assert called == []
    assert recorder.texts == [], "it is the client's host that is told"
    assert commands(host)[0].detail["what_if"] is True


async def test_confirm_cannot_be_asked_for(host: SimulatedHost, handlers: Handlers) -> None:
    handlers["suspend-clusternode"] = give_nodes
    assert (await refused(host, (command("Suspend-ClusterNode", Confirm=True),))).fully_qualified_error_id.startswith(
        "InvalidOperation,"
    )
    assert (await run(host, (command("Suspend-ClusterNode", Confirm=False),))).outputs


async def test_a_binding_error_is_journalled_and_ends_the_pipeline(host: SimulatedHost, handlers: Handlers) -> None:
    handlers["suspend-clusternode"] = give_nodes
    record = await refused(host, (command("Suspend-ClusterNode", Nmae="HCI01"),))
    assert record.fully_qualified_error_id.startswith("NamedParameterNotFound,")
    invoke, fail = commands(host)
    assert (invoke.detail["parameters"], fail.status) == ({"Nmae": "HCI01"}, "fail")


async def test_an_unknown_command_stops_its_statement_before_anything_ran(
    host: SimulatedHost, handlers: Handlers
) -> None:
    handlers["get-clusternode"] = give_nodes
    recorder = Recorder()
    statements = ((command("Get-ClusterNode", Name="HCI01"),), (command("Get-ClusterNode"), command("Get-Nonsense")))
    with pytest.raises(TerminatingError) as caught:
        await host.invoke(session(), statements, recorder)
    record = caught.value.record
    assert (record.fully_qualified_error_id, record.category) == ("CommandNotFoundException", "ObjectNotFound")
    assert record.message.startswith("The term 'Get-Nonsense' is not recognized")
    assert len(recorder.outputs) == 1  # the earlier statement's output stays


async def test_a_command_that_windows_has_and_the_simulator_lacks_is_told_apart(
    host: SimulatedHost, handlers: Handlers
) -> None:
    assert (await refused(host, (command("Remove-Cluster"),))).fully_qualified_error_id == "CommandNotSimulated"
    assert (
        await refused(host, (command("Get-StorageRepairSpeed"),))
    ).fully_qualified_error_id == "CommandNotFoundException"


async def test_a_no_language_endpoint(host: SimulatedHost, handlers: Handlers) -> None:
    handlers |= {"get-clusternode": give_nodes, "suspend-clusternode": give_nodes}
    assert (await run(host, (command("Get-ClusterNode"),), configuration="HciUpdate")).outputs
    hidden = await refused(host, (command("Suspend-ClusterNode"),), configuration="HciUpdate")
    assert hidden.fully_qualified_error_id == "CommandNotFoundException"
    script = await refused(host, (CommandCall("Get-ClusterNode", is_script=True),), configuration="HciUpdate")
    assert script.fully_qualified_error_id == "ScriptsNotAllowed"
    assert (
        script.message
        == "The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode."
    )


async def test_a_script_in_a_full_language_session_is_refused_honestly(host: SimulatedHost, handlers: Handlers) -> None:
    record = await refused(host, (CommandCall("$x = 1", is_script=True),))
    assert (record.fully_qualified_error_id, record.category) == ("ScriptsNotSimulated", "NotImplemented")


async def test_an_unknown_session_configuration(host: SimulatedHost, handlers: Handlers) -> None:
    record = await refused(host, (command("Get-ClusterNode"),), configuration="Nobody")
    assert record.fully_qualified_error_id == "SessionConfigurationNotFound"


async def test_secrets_stay_out_of_the_journal(host: SimulatedHost, handlers: Handlers) -> None:
    handlers |= {"get-caurun": give_nodes, "invoke-cimmethod": give_nodes}
    credential = Credential("CONTOSO\\bob", SecureString("hunter2"))
    await run(host, (command("Get-CauRun", ClusterName="c", Credential=credential),))
    arguments = {"Password": "hunter2", "Inner": {"secret": "hunter2", "seen": 1}, "Plain": SecureString("hunter2")}
    await run(host, (command("Invoke-CimMethod", ClassName="X", MethodName="Y", Arguments=arguments),))
    await refused(host, (command("Get-CauRun", Password="hunter2"),))
    await refused(host, (command("Get-CauRun", Credential={"hunter2": "hunter2"}),))
    record = await refused(host, (command("Get-CauRun", Credential="hunter2"),))
    assert record.category == "InvalidArgument"
    text = "\n".join(entry.to_json() for entry in host.journal.entries)
    assert "hunter2" not in text
    assert commands(host)[0].detail["parameters"] == {"ClusterName": "c", "Credential": "***"}
    assert commands(host)[2].detail["parameters"]["Arguments"]["Inner"] == {"secret": "***", "seen": 1}


async def test_a_machine_that_is_down_runs_nothing(host: SimulatedHost, handlers: Handlers) -> None:
    handlers["get-clusternode"] = give_nodes
    host.world.power.crash(host.machine, stay_down=True)  # type: ignore[arg-type]
    assert (await refused(host, (command("Get-ClusterNode"),))).fully_qualified_error_id == "MachineDown"
    assert commands(host) == []


async def test_a_machine_that_goes_down_takes_its_commands_with_it(host: SimulatedHost, handlers: Handlers) -> None:
    finished: list[str] = []

    async def slow(call: Call) -> None:
        await call.clock.sleep(timedelta(hours=1))
        finished.append(call.name)

    handlers["get-clusternode"] = slow
    running = asyncio.ensure_future(run(host, (command("Get-ClusterNode"),)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    host.world.power.crash(host.machine)  # type: ignore[arg-type]
    with pytest.raises(MachineWentDownError):
        await running
    assert finished == []
    last = commands(host)[-1]
    assert (last.status, last.detail["reason"]) == ("unknown", "the machine went down")


async def test_a_stopped_pipeline_stops_its_command(host: SimulatedHost, handlers: Handlers) -> None:
    stopped: list[str] = []

    async def slow(call: Call) -> None:
        try:
            await call.clock.sleep(timedelta(hours=1))
        except asyncio.CancelledError:
            stopped.append(call.name)
            raise

    handlers["get-clusternode"] = slow
    running = asyncio.ensure_future(run(host, (command("Get-ClusterNode"),)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert stopped == ["Get-ClusterNode"]
    last = commands(host)[-1]
    assert (last.status, last.detail["reason"]) == ("unknown", "stopped by the client")


async def test_a_defect_of_the_simulator_says_so(host: SimulatedHost, handlers: Handlers) -> None:
    async def broken(call: Call) -> None:
        raise KeyError("oops")

    handlers["get-clusternode"] = broken
    record = await refused(host, (command("Get-ClusterNode"),))
    assert record.fully_qualified_error_id == "SimulatorDefect,Simulator"
    assert commands(host)[-1].status == "fail"


@pytest.mark.parametrize(
    ("line", "code", "stdout", "stderr"),
    [
        ("hostname", 0, "HCI01\r\n", ""),
        ("WHOAMI.exe", 0, "contoso\\airflow\r\n", ""),
        ("ver", 0, "\r\nMicrosoft Windows [Version 10.0.20349.", ""),
        ("echo on %COMPUTERNAME% %NOPE%", 0, "on HCI01 %NOPE%\r\n", ""),
        ("exit 5", 5, "", ""),
        ("exit /b 3", 3, "", ""),
        ("set comp", 0, "COMPUTERNAME=HCI01\r\n", ""),
        ("set zzz", 1, "", "Environment variable zzz not defined\r\n"),
        (
            "dsu /u",
            1,
            "",
            "'dsu' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n",
        ),
    ],
)
async def test_the_plain_shell(host: SimulatedHost, line: str, code: int, stdout: str, stderr: str) -> None:
    out, err = bytearray(), bytearray()
    assert await host.run_line(session(), line, out.extend, err.extend) == code
    assert out.decode().startswith(stdout)
    assert bool(out) == bool(stdout)
    assert err.decode() == stderr
    assert commands(host)[0].detail["parameters"] == {"line": line}
    assert commands(host)[1].detail["exit_code"] == code
