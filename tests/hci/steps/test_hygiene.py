"""The two snapshots: what they cost, what a silent node costs nobody else, and whose a difference is."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from include.hci.policy.hygiene import NodeSnapshot, Snapshot
from include.hci.powershell.errors import CommandFailed, NodeUnreachable
from include.hci.powershell.records import ErrorRecord
from include.hci.report import events as ev
from include.hci.report.proof_events import NodeFound
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.steps.hygiene import BUDGET, Sight, changes_of, read_snapshot
from tests.hci.cluster.fakes import FakeCluster, FakeShell, enum, obj
from tests.hci.steps.facts import DOWN, ME, NAMES, NOW, OURS, context, minutes, node, now

NODES = tuple(node(name=name) for name in NAMES)
UNIT = obj(FriendlyName="HCI02", HealthStatus="Healthy")


def shell(name: str, **replies: Any) -> FakeShell:
    return FakeShell(
        {
            "Get-Item": [obj(Value="false"), obj(Value="false")],
            "Get-Service": [obj(Name="ClusSvc", StartType=enum(2, "Automatic"))],
            "Get-NetFirewallRule": [obj(DisplayGroup="Remote Shutdown", Enabled=enum(2, "False"))],
            "Get-PSSessionConfiguration": [obj(Name="microsoft.powershell")],
            "Get-StorageFaultDomain": [obj(FriendlyName="HCI02", HealthStatus="Healthy", OperationalStatus="In Maintenance Mode")],
            **replies,
        },
        name,
    )  # fmt: skip


def cluster(**of_second: Any) -> FakeCluster:
    return FakeCluster({name: shell(name, **(of_second if name == ME else {})) for name in NAMES})


def read(of: FakeCluster, sight: Sight | None = None, clock: Any = now) -> dict[str, NodeFound]:
    return {found.name: found for found in read_snapshot(of, of.on("HCI01"), sight or Sight(NODES), clock)[0]}


def test_a_node_costs_five_commands_the_cluster_two_and_nothing_is_changed():
    seen = cluster()
    found = read(seen, Sight(NODES, {"HCI03": {"MSFT_CAURun": str(OURS)}}))
    assert [len(seen.shells[name].sent) for name in NAMES] == [7, 5, 5]
    assert not any(each.is_change for each in (line for one in seen.shells.values() for line in one.sent))
    assert found[ME].in_maintenance is True
    assert (found["HCI03"].locks, found["HCI03"].unread) == ({"MSFT_CAURun": str(OURS)}, {})
    assert (found["HCI01"].services, found["HCI01"].tasks) == ({"ClusSvc": "Automatic"}, ())


def test_what_one_command_refuses_the_others_still_answer():
    found = read(cluster(**{"Get-Item": CommandFailed([ErrorRecord("access is denied")])}))[ME]
    assert list(found.unread) == ["CredSSP"]
    assert found.credssp_server is None
    assert found.services == {"ClusSvc": "Automatic"}


def test_a_node_that_does_not_answer_is_asked_once_and_the_next_one_is_read():
    seen = cluster(**{"Get-Item": NodeUnreachable("no route")})
    found = read(seen)
    assert len(seen.shells[ME].sent) == 1
    assert set(found[ME].unread.values()) == {"no route"}
    assert found["HCI03"].unread == {}


def test_a_node_that_is_known_to_be_out_of_reach_is_not_asked():
    seen = cluster()
    nodes = (node(name="HCI01"), node(DOWN), node(name="HCI03"))
    found = read(seen, Sight(nodes, silent={"HCI03": "it is cut off"}))
    assert (found[ME].unread, found["HCI03"].unread) == (
        {"everything else": "the node is Down"},
        {"everything else": "it is cut off"},
    )
    assert [len(seen.shells[name].sent) for name in NAMES] == [7, 0, 0]


def test_slow_nodes_do_not_keep_a_run_from_its_end():
    moments = iter([NOW, NOW, NOW + BUDGET, NOW + BUDGET])
    found = read(cluster(), clock=lambda: next(moments))
    assert [bool(found[name].unread) for name in NAMES] == [False, True, True]
    assert "more than 5 minutes" in found[ME].unread["everything else"]


def recorded(*events: ev.RunEvent) -> RunRecord:
    record, at = RunRecord(MemoryStorage()), NOW
    for event in events:
        at = _after(at)
        record.add(event, at)
    return record


def _after(moment: datetime) -> datetime:
    return moment + minutes(1)


def changing(kind: ev.ChangeKind, subject: str) -> ev.Changing:
    return ev.Changing(step="prepare", node=ME, change=kind, subject=subject)


PAUSING, RESUMED = ev.Pausing(node=ME, state_before="Up"), ev.Resumed(node=ME, failback_mode="Immediate")
NOW_FOUND = NodeSnapshot(
    ME,
    state="Up",
    services={"ClusSvc": "Disabled", "wuauserv": "Disabled"},
    firewall={"Remote Shutdown": True},
    tasks=(f"HciUpdate-{OURS}", "HciUpdate-another"),
)


@pytest.mark.parametrize(
    ("events", "state", "expected"),
    [
        ((), "Up", {}),
        ((PAUSING,), "Paused", {"paused": {ME}, "in_maintenance": {ME}}),
        ((PAUSING, RESUMED), "Up", {"in_maintenance": {ME}}),
        ((PAUSING, RESUMED), "Paused", {}),  # somebody else has paused it since
        ((changing("credssp-server", "CredSSP"),), "Up", {"credssp": {ME}}),
        ((changing("service-start-type", "ClusSvc"),), "Up", {"services": {f"{ME}/ClusSvc"}}),
        ((changing("firewall-group", "@firewallapi.dll,-36751"),), "Up", {"firewall": {f"{ME}/Remote Shutdown"}}),
        ((changing("scheduled-task", "HciUpdate-another"),), "Up", {"tasks": {f"{ME}/HciUpdate-another"}}),
        (
            (changing("credssp-server", "CredSSP"), ev.ChangeTakenBack(node=ME, change="credssp-server", subject="CredSSP")),
            "Up",
            {"credssp": {ME}},
        ),
    ],
)  # fmt: skip
def test_whose_a_difference_is_stands_in_the_record(events, state, expected):
    after = Snapshot(
        (NodeSnapshot(**{**{name: getattr(NOW_FOUND, name) for name in NOW_FOUND.__slots__}, "state": state}),)
    )
    found = changes_of(context(recorded(*events)), after)
    tasks = {f"{ME}/HciUpdate-{OURS}"}  # its name says whose it is
    wanted = {"tasks": tasks, **expected}
    wanted["tasks"] = wanted["tasks"] | tasks
    for kind in ("paused", "in_maintenance", "credssp", "services", "firewall", "tasks"):
        assert set(getattr(found, kind)) == wanted.get(kind, set()), kind
