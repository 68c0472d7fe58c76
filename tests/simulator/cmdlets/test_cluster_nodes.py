"""windows-powershell-docs, Suspend-, Resume-, Start- and Stop-ClusterNode; win32, system error codes."""

from dataclasses import replace

import pytest

from include.simulator.objects import SimEnum, UInt32
from include.simulator.world.spec import demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.test_levels import mixed

SPACE = "Microsoft.FailoverClusters.PowerShell."


def delegated(lab: Console) -> Console:
    lab.session.delegated = True
    return lab


@pytest.mark.parametrize(
    "command",
    [
        cmd("Start-ClusterNode", Name="HCI02"),
        cmd("Stop-ClusterNode", Name="HCI02"),
        cmd("Move-ClusterVirtualMachineRole", Name="VM-1-1", Node="HCI02"),
        cmd("Start-Cluster"),
        cmd("Get-ClusterLog"),
    ],
    ids=lambda command: command[0],
)
async def test_what_goes_on_to_other_nodes_needs_credssp(command: tuple) -> None:
    record = await Console().refusal("HCI01", command)
    assert (record.native_error_code, record.category) == (5, "PermissionDenied")


async def test_stopped_and_started_by_hand() -> None:
    lab = delegated(Console())
    stopped = await lab.one("HCI01", cmd("Stop-ClusterNode", Name="HCI02"))
    assert str(stopped.properties["State"]) == "Down"
    again = await lab.refusal("HCI01", cmd("Stop-ClusterNode", Name="HCI02"))
    assert again.native_error_code == 5050
    started = await lab.one("HCI01", cmd("Start-ClusterNode", Name="HCI02"))
    assert str(started.properties["State"]) == "Up"


async def test_the_last_node_does_not_stop() -> None:
    lab = delegated(Console(nodes=2))
    await lab.run("HCI01", cmd("Stop-ClusterNode", Name="HCI02"))
    record = await lab.refusal("HCI01", cmd("Stop-ClusterNode", Name="HCI01"))
    assert record.native_error_code == 5925
    assert lab.nodes[0].member


async def test_a_disabled_service_does_not_start() -> None:
    lab = delegated(Console())
    await lab.run("HCI01", cmd("Stop-ClusterNode", Name="HCI02"))
    lab.nodes[1].services["ClusSvc"].start_type = "Disabled"
    assert (await lab.refusal("HCI01", cmd("Start-ClusterNode", Name="HCI02"))).native_error_code == 1058


@pytest.mark.parametrize(("variants", "code"), [((), 5985), (("isolated-codes-are-generic",), 5050)])
async def test_a_quarantined_node_starts_only_when_it_is_cleared(variants: tuple[str, ...], code: int) -> None:
    lab = delegated(Console(replace(demo_world(4), variants=frozenset(variants))))
    node = lab.nodes[1]
    lab.world.membership.leave(node, clean=False, reason="test")
    lab.world.membership.quarantine(node, lab.world.spec.quarantine_duration)
    shown = await lab.one("HCI01", cmd("Get-ClusterNode", Name="HCI02"))
    assert (str(shown.properties["State"]), str(shown.properties["StatusInformation"])) == ("Down", "Quarantined")
    assert (await lab.refusal("HCI01", cmd("Start-ClusterNode", Name="HCI02"))).native_error_code == code
    started = await lab.one("HCI01", cmd("Start-ClusterNode", Name="HCI02", ClearQuarantine=None))
    assert (str(started.properties["State"]), str(started.properties["StatusInformation"])) == ("Up", "Normal")


@pytest.mark.parametrize("command", ["Suspend-ClusterNode", "Resume-ClusterNode"])
@pytest.mark.parametrize(("variants", "code"), [((), 5984), (("isolated-codes-are-generic",), 5050)])
async def test_an_isolated_node_says_why_it_is_away(command: str, variants: tuple[str, ...], code: int) -> None:
    lab = Console(replace(demo_world(4), variants=frozenset(variants)))
    lab.world.membership.isolate(lab.nodes[1])
    assert (await lab.refusal("HCI01", cmd(command, Name="HCI02"))).native_error_code == code
    own = await lab.refusal("HCI02", cmd("Get-ClusterNode"))
    assert own.category == "ConnectionError", "it cannot tell anything itself"


async def test_prevent_quorum_never_forms_a_cluster_and_force_quorum_does() -> None:
    lab = delegated(Console())
    lab.world.cluster_service.stop_cluster()
    assert (await lab.run("HCI01", cmd("Start-ClusterNode", Name="HCI01", PreventQuorum=None))).values == []
    assert not lab.nodes[0].joining
    node = await lab.one("HCI01", cmd("Start-ClusterNode", Name="HCI01", ForceQuorum=None))
    assert str(node.properties["State"]) == "Up"
    assert (await lab.one("HCI01", cmd("Get-Cluster"))).properties["FixQuorum"] == 1


async def test_start_does_not_wait_where_it_is_told_so() -> None:
    lab = delegated(Console())
    await lab.run("HCI01", cmd("Stop-ClusterNode", Name="HCI02"))
    node = await lab.one("HCI01", cmd("Start-ClusterNode", Name="HCI02", Wait=0))
    assert str(node.properties["State"]) == "Joining"


@pytest.mark.parametrize("variants", [(), ("failed-drain-with-wait-returns",)])
async def test_how_a_failed_drain_ends_with_wait(variants: tuple[str, ...]) -> None:
    lab = Console(replace(demo_world(4), variants=frozenset(variants)))
    for group in lab.world.groups.on(lab.nodes[0]):
        group.locked = group.vm is not None
    suspend = cmd("Suspend-ClusterNode", Name="HCI01", Drain=None, Wait=None)
    if variants:
        node = await lab.one("HCI02", suspend)
        assert (str(node.properties["State"]), str(node.properties["DrainStatus"])) == ("Paused", "Failed")
        assert str(node.properties["StatusInformation"]) == "DrainFailed"
    else:
        assert (await lab.refusal("HCI02", suspend)).native_error_code == 5960


async def test_a_drain_goes_where_it_is_told() -> None:
    lab = Console()
    node = await lab.one("HCI02", cmd("Suspend-ClusterNode", Name="HCI01", Drain=None, TargetNode="HCI03", Wait=None))
    assert node.properties["DrainTarget"] == 3
    assert {event.detail["destination"] for event in lab.events("group.moved")} == {"HCI03"}
    record = await lab.refusal("HCI02", cmd("Suspend-ClusterNode", Name="HCI02", Drain=None, TargetNode="HCI01"))
    assert record.native_error_code == 5050, "a paused node takes nothing"


async def test_force_drain_goes_ahead_on_degraded_storage() -> None:
    lab = Console()
    lab.world.storage.enter_maintenance(lab.nodes[3], "test")
    node = await lab.one("HCI02", cmd("Suspend-ClusterNode", Name="HCI01", Drain=None, ForceDrain=None))
    assert str(node.properties["DrainStatus"]) == "InProgress"


async def test_what_if_pauses_nobody() -> None:
    lab = Console()
    await lab.run("HCI02", cmd("Suspend-ClusterNode", Name="HCI01", Drain=None, WhatIf=None))
    assert lab.nodes[0].state.name == "Up"


@pytest.mark.parametrize("command", ["Suspend-ClusterNode", "Resume-ClusterNode"])
async def test_a_node_that_shuts_down_takes_no_orders(command: str) -> None:
    # 5073: transient while a node restarts
    lab = Console()
    await lab.drain(lab.nodes[0])
    lab.world.power.restart(lab.nodes[0], "test")
    assert (await lab.refusal("HCI02", cmd(command, Name="HCI01"))).native_error_code == 5073


@pytest.mark.parametrize(
    ("os", "unique", "highest"),
    [
        ("WS2019", False, 10 << 16 | 1),
        ("20H2", False, 10 << 16 | 2),
        ("21H2", False, 12 << 16 | 1),
        ("WS2022", False, 11 << 16 | 4),
        ("22H2", False, 12 << 16 | 4),
        ("23H2", True, 12 << 16 | 32774),
        ("WS2025", True, 12 << 16 | 32776),
    ],
)
async def test_a_node_s_properties_by_version(os: str, unique: bool, highest: int) -> None:
    node = await Console(nodes=2, os=os).one("HCI01", cmd("Get-ClusterNode", Name="HCI02"))
    assert ("UniqueID" in node.properties) is unique
    assert node.properties["NodeHighestVersion"] == highest
    assert isinstance(node.properties["NodeLowestVersion"], UInt32)


async def test_in_a_mixed_cluster_every_node_tells_its_own_version() -> None:
    lab = Console(mixed("21H2", "22H2"))
    found = (await lab.run("HCI01", cmd("Get-ClusterNode"))).values
    assert [(node.properties["BuildNumber"], node.properties["NodeHighestVersion"]) for node in found] == [
        (20348, 12 << 16 | 1),
        (20349, 12 << 16 | 4),
    ]
    assert {node.properties["NodeLowestVersion"] for node in found} == {12 << 16 | 1}
    supported = (await lab.run("HCI01", cmd("Get-ClusterNodeSupportedVersion"))).values
    assert [(node.properties["Name"], node.properties["UpgradeVersion"]) for node in supported] == [
        ("HCI01", 1),
        ("HCI02", 4),
    ]


async def test_an_unmonitored_role_says_so() -> None:
    lab = Console()
    lab.world.membership.isolate(lab.nodes[0])
    group = await lab.one("HCI02", cmd("Get-ClusterGroup", Name="VM-1-1"))
    assert group.properties["StatusInformation"] == SimEnum(
        SPACE + "ClusterApplicationStatusInformation", 256, "Unmonitored"
    )
    assert (str(group.properties["State"]), group.properties["OwnerNode"]) == ("Online", "HCI01")
