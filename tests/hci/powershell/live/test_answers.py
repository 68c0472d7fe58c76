"""What comes back from a live endpoint: typed values, every stream, progress while it runs, errors with their names."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from include.hci.powershell.command import Command
from include.hci.powershell.errors import CommandFailed, CommandNotAvailable
from include.hci.powershell.records import ProgressRecord
from include.hci.powershell.result import EnumValue
from include.hci.powershell.values import SWITCH, Byte, Int64, Secret, UInt16, UInt32, UInt64
from include.simulator import objects as sim
from include.simulator.host import Argument, CommandCall, Sink
from tests.hci.powershell.live.conftest import Machine

GUID = UUID("0a1b2c3d-1111-2222-3333-444455556666")
NODE_STATE = "Microsoft.FailoverClusters.PowerShell.ClusterNodeState"


async def node(call: CommandCall, sink: Sink) -> None:
    sink.output(
        sim.SimObject(
            ("Microsoft.FailoverClusters.PowerShell.ClusterNode", "System.Object"),
            {
                "Name": "HCI01",
                "State": sim.SimEnum(NODE_STATE, 2, "Paused"),
                "BootTime": datetime(2026, 11, 3, 1, 12, 30, tzinfo=UTC),
                "Id": GUID,
                "Version": sim.Version("10.0.20348.2400"),
                "Weight": 1,
                "Size": sim.UInt64(2**63 + 5),
                "Share": 0.25,
                "Drained": True,
                "Nothing": None,
                "Uptime": timedelta(days=1, seconds=90),
                "Tags": ["a", "b"],
                "Nested": [["x", ["y", "z"]], {"k": [1, 2]}],
                "Table": {"one": 1, "list": ["a"]},
                "Text": "snow ☃, face 😀, tab\t, line\n, _x0041_",
            },
            notes={"PSComputerName": "HCI01"},
            to_string="HCI01",
        )
    )


def test_values_arrive_with_their_types(machine: Machine) -> None:
    machine.host.cmdlets["Get-ClusterNode"] = node
    with machine.shell() as shell:
        read = shell.run(Command("Get-ClusterNode")).require().one()
    assert read.is_a("Microsoft.FailoverClusters.PowerShell.ClusterNode")
    assert (read.text, read.source) == ("HCI01", "Get-ClusterNode")
    assert read.enum("State") == EnumValue(2, "Paused", NODE_STATE)
    assert read.moment("BootTime") == datetime(2026, 11, 3, 1, 12, 30, tzinfo=UTC)
    assert read.guid("Id") == GUID
    assert read.string("Version") == "10.0.20348.2400"
    assert (read.integer("Weight"), read.integer("Size")) == (1, 2**63 + 5)
    assert read.get("Share") == 0.25
    assert read.boolean("Drained") is True
    assert read.string("Nothing", "none") == "none"
    assert read.duration("Uptime") == timedelta(days=1, seconds=90)
    assert read.strings("Tags") == ("a", "b")
    assert read.get("Nested") == (("x", ("y", "z")), {"k": (1, 2)})
    assert read.get("Table") == {"one": 1, "list": ("a",)}
    assert read.string("Text") == "snow ☃, face 😀, tab\t, line\n, _x0041_"
    assert read.string("PSComputerName") == "HCI01"


@pytest.mark.parametrize(
    ("sent", "arrives"),
    [
        ("HCI01", "HCI01"),
        ("it's; rm $(x) `n 😀\n", "it's; rm $(x) `n 😀\n"),
        (True, True),
        (False, False),
        (SWITCH, None),
        (5, 5),
        (2**40, 2**40),
        (UInt32(3), 3),
        (UInt16(3), 3),
        (Byte(3), 3),
        (Int64(-3), -3),
        (UInt64(2**64 - 1), 2**64 - 1),
        (0.1, 0.1),
        (b"\x00\xff", b"\x00\xff"),
        (datetime(2026, 11, 3, 1, 12, tzinfo=UTC), datetime(2026, 11, 3, 1, 12, tzinfo=UTC)),
        (timedelta(minutes=3, seconds=4.5), timedelta(minutes=3, seconds=4.5)),
        (GUID, GUID),
        (["a", 1, None], ["a", 1, None]),
        ({"OrchestratorGuid": "x", "List": [1, 2]}, {"OrchestratorGuid": "x", "List": [1, 2]}),
    ],
)
def test_parameters_reach_the_command_as_they_are(machine: Machine, sent: object, arrives: object) -> None:
    machine.host.cmdlets["Get-Cluster"] = _silent
    with machine.shell() as shell:
        shell.run(Command("Get-Cluster", {"Value": sent}))  # type: ignore[dict-item]
    assert machine.host.calls == [CommandCall("Get-Cluster", (Argument("Value", arrives),))]


async def _silent(call: CommandCall, sink: Sink) -> None:
    return


def test_a_secret_arrives_encrypted_and_keys_are_exchanged_for_it_alone(machine: Machine) -> None:
    machine.host.cmdlets["Get-Cluster"] = _silent
    with machine.shell() as shell:
        shell.run(Command("Get-Cluster"))
        assert shell._pool.serializer.cipher is None  # type: ignore[union-attr]
        shell.run(Command("Get-Cluster", {"Key": Secret("hidden")}))
        assert shell._pool.serializer.cipher is not None  # type: ignore[union-attr]
    assert machine.host.calls[1].arguments == (Argument("Key", sim.SecureString("hidden")),)


def test_a_pipeline_arrives_as_one_statement(machine: Machine) -> None:
    machine.host.cmdlets |= {"Get-StorageSubSystem": _silent, "Debug-StorageSubSystem": _silent}
    pipeline = Command("Get-StorageSubSystem", {"FriendlyName": "Clustered*"}) | Command("Debug-StorageSubSystem")
    with machine.shell() as shell:
        shell.run(pipeline)
    assert [call.name for call in machine.host.calls] == ["Get-StorageSubSystem", "Debug-StorageSubSystem"]
    assert not any(call.is_script for call in machine.host.calls)


def test_every_stream_is_read_and_logged(machine: Machine, caplog: pytest.LogCaptureFixture) -> None:
    async def talkative(call: CommandCall, sink: Sink) -> None:
        sink.output("good")
        sink.warning("be careful")
        sink.verbose("in detail")
        sink.debug("for nerds")
        sink.information("by the way")
        sink.error(sim.SimError("one disk is missing", "DiskMissing,Get-PhysicalDisk", "ObjectNotFound", target="PD3"))

    machine.host.cmdlets["Get-PhysicalDisk"] = talkative
    with caplog.at_level(logging.DEBUG, "include.hci"), machine.shell(name="HCI01") as shell:
        result = shell.run(Command("Get-PhysicalDisk"))
    assert result.output == ("good",)
    assert [message.text for message in result.warnings] == ["be careful"]
    assert [message.text for message in result.verbose] == ["in detail"]
    assert [message.text for message in result.debug] == ["for nerds"]
    assert [message.text for message in result.information] == ["by the way"]
    (error,) = result.errors
    assert (error.message, error.error_id, error.category) == ("one disk is missing", "DiskMissing", "ObjectNotFound")
    assert "PD3" in error.target
    assert ("WARNING", "HCI01: Get-PhysicalDisk: be careful") in [
        (record.levelname, record.getMessage()) for record in caplog.records
    ]
    with pytest.raises(CommandFailed, match="one disk is missing") as caught:
        result.require()
    assert caught.value.node == "HCI01"


def test_progress_is_passed_on_while_the_command_runs(machine: Machine) -> None:
    seen = asyncio.Event()
    records: list[ProgressRecord] = []

    async def works(call: CommandCall, sink: Sink) -> None:
        sink.progress("Draining", "2 of 5", 40, current_operation="VM3", seconds_remaining=30)
        await asyncio.wait_for(seen.wait(), 5)
        sink.progress("Draining", "done", 100, completed=True)

    def listen(record: ProgressRecord) -> None:
        records.append(record)
        if record.activity == "Draining":
            machine.loop.call_soon_threadsafe(seen.set)

    machine.host.cmdlets["Get-ClusterGroup"] = works
    with machine.shell() as shell:
        result = shell.run(Command("Get-ClusterGroup"), on_progress=listen)
    mine = [record for record in records if record.activity == "Draining"]
    assert mine[0] == ProgressRecord("Draining", "2 of 5", 40, "VM3", 30)
    assert mine[1].completed
    assert mine[1].seconds_remaining is None
    assert result.progress == tuple(records)


def test_a_terminating_error_carries_its_code_and_meaning(machine: Machine) -> None:
    async def refuses(call: CommandCall, sink: Sink) -> None:
        sink.error(sim.SimError("first a hint", "Hint,Suspend-ClusterNode"))
        raise sim.TerminatingError(
            sim.SimError(
                "A clustered space is in a degraded condition and the requested action cannot be completed at this time.",
                "Suspend-ClusterNode,Microsoft.FailoverClusters.PowerShell.SuspendClusterNodeCommand",
                "NotSpecified",
                ("Microsoft.FailoverClusters.PowerShell.ClusterCmdletException", "System.Exception"),
                hresult=-2147018909,
                native_error_code=5987,
                activity="Suspend-ClusterNode",
            )
        )

    machine.host.cmdlets["Suspend-ClusterNode"] = refuses
    with machine.shell(name="HCI02") as shell, pytest.raises(CommandFailed) as caught:
        shell.run(Command("Suspend-ClusterNode", {"Name": "HCI02", "Drain": SWITCH}))
    failed = caught.value
    assert [record.error_id for record in failed.records] == ["Suspend-ClusterNode", "Hint"]
    assert failed.records[0].native_code == 5987
    assert failed.records[0].hresult == 0x80071763
    assert failed.has_code(5987)
    assert failed.has_code("0x80071763")
    assert failed.retry_safe
    assert "repair" in failed.next_action
    assert "Suspend-ClusterNode -Name 'HCI02' -Drain" in str(failed)


def test_an_unknown_command_is_not_available(machine: Machine) -> None:
    with machine.shell() as shell, pytest.raises(CommandNotAvailable) as caught:
        shell.run(Command("Get-CauRun"))
    assert "role capability" in caught.value.next_action
    assert not caught.value.retry_safe
