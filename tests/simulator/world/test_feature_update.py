"""A feature update from end to end (azure-stack-docs, update-cluster): what is offered, the run, and what is to be done after it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from include.simulator.referee import judge
from include.simulator.world.feature_catalogue import as_preview
from include.simulator.world.software import SoftwareSpec
from include.simulator.world.spec import NodeSpec, WorldSpec, demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import Command, cmd
from tests.simulator.world.updating import drained

ROLLING = "Microsoft.RollingUpgradePlugin"
CONNECTED = {"WuConnected": "true"}
MEDIA = r"\\files\hci"
LEVELS = {"20H2": (10, 2), "21H2": (12, 1), "22H2": (12, 4)}
BUILDS = {"20H2": 17784, "21H2": 20348, "22H2": 20349, "23H2": 25398}
NEXT = {"20H2": "21H2", "21H2": "22H2", "22H2": "23H2"}


def world(os: str, nodes: int = 2, **changes: object) -> WorldSpec:
    spec = demo_world(nodes, os, vms_per_node=1, later_versions=bool(changes.pop("later", False)))
    return replace(spec, management_os="WS2022", management_credssp=True, **changes)  # type: ignore[arg-type]


def console(spec: WorldSpec) -> Console:
    lab = Console(spec)
    lab.session.authentication, lab.session.delegated = "CredSSP", True
    return lab


def scan(**arguments: str) -> Command:
    plugin = {"CauPluginName": [ROLLING], "CauPluginArguments": [arguments or CONNECTED]}
    return cmd("Invoke-CauScan", ClusterName="HCI-CL01", **plugin)


def upgrade(arguments: dict[str, str] | None = None, **options: object) -> Command:
    plugin = {"CauPluginName": [ROLLING], "CauPluginArguments": [arguments or CONNECTED]}
    usual: dict[str, object] = {"RebootTimeoutMinutes": 60, "EnableFirewallRules": True, "Force": True}
    return cmd("Invoke-CauRun", ClusterName="HCI-CL01", **plugin, **(usual | options))


async def offered(lab: Console, **arguments: str) -> dict[str, set[str]]:
    """The titles that the scan tells of every node."""
    found: dict[str, set[str]] = {}
    for each in (await lab.run("MGMT01", scan(**arguments))).values:
        if each.type_names[0].endswith(".UpgradeSetupInfo"):  # type: ignore[attr-defined]
            properties = each.get("UpgradeInstallProperties")  # type: ignore[attr-defined]
            titles = {str(info.get("UpdateTitle")) for info in properties.get("WuUpdatesInfo")}
            found[str(each.get("NodeName"))] = titles  # type: ignore[attr-defined]
    return found


async def upgraded(lab: Console, arguments: dict[str, str] | None = None, **options: object) -> dict[str, object]:
    """A whole run from the management host; the status of every node."""
    output = await lab.run("MGMT01", upgrade(arguments, **options))
    result = next(each for each in output.values if each.type_names[0].endswith(".ClusterResult"))  # type: ignore[attr-defined]
    return {each.get("Node").get("NodeName"): each for each in result.get("NodeResults")}  # type: ignore[attr-defined]


def status(results: dict[str, object]) -> dict[str, str]:
    return {name: result.get("Status").name for name, result in results.items()}  # type: ignore[attr-defined]


# What is offered.


@pytest.mark.parametrize("os", ["20H2", "21H2"])
@pytest.mark.parametrize("nodes", [2, 4])
async def test_every_node_is_offered_the_same_feature_update(os: str, nodes: int) -> None:
    found = await offered(console(world(os, nodes)))
    assert list(found) == [f"HCI{number:02d}" for number in range(1, nodes + 1)]
    assert list(found.values()) == [{f"Feature update to the version after {os}"}] * nodes


@pytest.mark.parametrize(("os", "behind"), [("21H2", -100), ("20H2", 300)])
async def test_mixed_patch_levels_are_offered_different_feature_updates(os: str, behind: int) -> None:
    spec = world(os)
    software = SoftwareSpec(ubr=spec.os.ubr + behind)
    found = await offered(console(replace(spec, nodes=(spec.nodes[0], NodeSpec("HCI02", software=software)))))
    assert found["HCI01"] != found["HCI02"]
    assert all(len(titles) == 1 for titles in found.values())


async def test_20h2_before_its_update_is_offered_none() -> None:
    spec = world("20H2")
    nodes = tuple(NodeSpec(node.name, software=SoftwareSpec(ubr=1500)) for node in spec.nodes)
    assert await offered(console(replace(spec, nodes=nodes))) == {}


@pytest.mark.parametrize(("later", "titles"), [(False, set()), (True, {"22H2"})])
async def test_whether_an_upgraded_node_is_offered_the_version_after(later: bool, titles: set[str]) -> None:
    spec = world("20H2", later=later)
    found = await offered(console(replace(spec, nodes=(spec.nodes[0], NodeSpec("HCI02", os="21H2")))))
    assert found["HCI01"] == {"Feature update to the version after 20H2"}
    assert bool(found.get("HCI02", set())) is bool(titles)


async def test_the_version_after_can_be_published_while_a_cluster_is_half_upgraded() -> None:
    lab = console(replace(world("20H2"), nodes=(NodeSpec("HCI01"), NodeSpec("HCI02", os="21H2"))))
    lab.world.inject("later-feature-update-published")
    assert await offered(lab) == {
        "HCI01": {"Feature update to the version after 20H2"},
        "HCI02": {"Feature update to the version after 21H2"},
    }
    lab.world.faults.heal()
    assert set(await offered(lab)) == {"HCI01"}


async def test_a_preview_build_is_offered_to_servers_on_the_channel_after_their_restart() -> None:
    spec = world("21H2")
    lab = console(replace(spec, updates=as_preview(spec.updates)))
    assert await offered(lab) == {}
    [result] = (await lab.run("HCI01", cmd("Set-PreviewChannel"))).values
    assert result.get("RestartRequired") is True  # type: ignore[attr-defined]
    [channel] = (await lab.run("HCI01", cmd("Get-PreviewChannel"))).values
    assert [channel.get(name) for name in ("Enabled", "Channel")] == [True, "ReleasePreview"]  # type: ignore[attr-defined]
    assert await offered(lab) == {}
    lab.world.power.restart(lab.nodes[0], "test")
    await lab.wait(timedelta(minutes=30))
    assert set(await offered(lab)) == {"HCI01"}


async def test_20h2_has_no_preview_channel_before_its_update() -> None:
    spec = world("20H2")
    nodes = (NodeSpec("HCI01", software=SoftwareSpec(ubr=1500)), NodeSpec("HCI02"))
    lab = console(replace(spec, nodes=nodes))
    assert "not recognized" in (await lab.refusal("HCI01", cmd("Set-PreviewChannel"))).message
    assert (await lab.run("HCI02", cmd("Set-PreviewChannel"))).values


# The run.


@pytest.mark.parametrize("os", ["20H2", "21H2"])
@pytest.mark.parametrize("nodes", [2, 4])
async def test_a_run_upgrades_node_by_node_and_leaves_the_level_alone(os: str, nodes: int) -> None:
    lab = console(world(os, nodes))
    lab.cluster.rule("permission", what="remote-management")
    out: list[int] = []
    lab.world.on_event(lambda *_: out.append(sum(node.state.name != "Up" for node in lab.nodes)))
    results = await upgraded(lab)
    await lab.wait(timedelta(hours=2))
    assert set(status(results).values()) == {"Succeeded"}
    assert {(node.build, node.os.key, node.state.name) for node in lab.nodes} == {(BUILDS[NEXT[os]], NEXT[os], "Up")}
    assert max(out) == 1
    assert sorted(drained(lab)) == [node.name for node in lab.nodes]
    levels = lab.world.levels
    assert (levels.functional_level, levels.upgrade_version) == LEVELS[os]
    assert levels.pending
    assert not lab.events("cluster.functional_level")
    lab.cluster.snapshot()
    assert judge(lab.journal.entries, ended=True) == []


async def test_the_report_tells_of_the_upgrade() -> None:
    lab = console(world("21H2"))
    await upgraded(lab)
    [report] = (await lab.run("MGMT01", cmd("Get-CauReport", ClusterName="HCI-CL01", Last=True, Detailed=True))).values
    assert report.get("Plugin") == ROLLING  # type: ignore[attr-defined]
    for result in report.get("ClusterResult").get("NodeResults"):  # type: ignore[attr-defined]
        assert result.get("UpgradingOs") is True
        assert result.get("UpgradeResult").get("UpgradeInstallResultCode").name == "Succeeded"
        [install] = result.get("InstallResults")
        assert str(install.get("UpdateTitle")).startswith("Feature update")


async def test_the_restart_takes_longer_than_cau_waits_unless_it_is_told_to() -> None:
    results = await upgraded(console(world("21H2")), RebootTimeoutMinutes=15, MaxFailedNodes=1)
    assert results["HCI01"].get("ErrorRecordData").get("FullyQualifiedErrorId") == "RestartTimedOut"  # type: ignore[attr-defined]


async def test_a_run_stops_one_version_further_although_the_next_is_offered() -> None:
    lab = console(world("20H2", later=True))
    await upgraded(lab)
    assert {node.os.key for node in lab.nodes} == {"21H2"}
    assert set(await offered(lab)) == {"HCI01", "HCI02"}, "a second run would go on to 22H2"


async def test_in_the_variant_it_goes_on_and_the_cluster_does_not_take_the_node_back() -> None:
    variants = frozenset({"cau-rolling-upgrade-goes-on-to-later-versions"})
    lab = console(world("20H2", later=True, variants=variants))
    results = await upgraded(lab, NodeOrder=["HCI01"], MaxFailedNodes=0)
    assert status(results) == {"HCI01": "PartiallyFailed", "HCI02": "Canceled"}
    assert [(node.os.key, node.state.name) for node in lab.nodes] == [("22H2", "Down"), ("20H2", "Up")]


async def test_a_second_run_takes_the_finished_nodes_too_far_where_more_is_offered() -> None:
    # The run cannot be told to leave a node out (cluster-aware-updating-faq: no single node can be targeted).
    lab = console(replace(world("20H2", later=True), nodes=(NodeSpec("HCI01"), NodeSpec("HCI02", os="21H2"))))
    results = await upgraded(lab, NodeOrder=["HCI02"], MaxFailedNodes=0)
    assert results["HCI02"].get("ErrorRecordData").get("FullyQualifiedErrorId") == "RestartTimedOut"  # type: ignore[attr-defined]
    assert [(node.os.key, node.state.name) for node in lab.nodes] == [("20H2", "Up"), ("22H2", "Down")]


async def test_a_rehearsal_installs_nothing() -> None:
    lab = console(world("21H2"))
    results = await upgraded(lab, CONNECTED | {"MockSetup": "true"})
    assert set(status(results).values()) == {"Succeeded"}
    assert {node.build for node in lab.nodes} == {20348}


@pytest.mark.parametrize("attempts", ["again and again", "once"])
async def test_a_node_that_rolls_back_keeps_its_version_until_a_retry_succeeds(attempts: str) -> None:
    lab = console(world("21H2"))
    lab.world.inject("feature-update-rolls-back" + ("-once" if attempts == "once" else ""), node="HCI02")
    results = await upgraded(lab, MaxRetriesPerNode=2, MaxFailedNodes=1)
    second = results["HCI02"]
    rolled_back = [event.detail["hresult"] for event in lab.events("update.rolled-back")]
    assert lab.nodes[0].os.key == "22H2"
    if attempts == "once":
        assert (status(results)["HCI02"], lab.nodes[1].os.key, rolled_back) == ("Succeeded", "22H2", ["0xC1900101"])
        assert [each.get("ErrorCode") for each in second.get("TransientInstallErrors")] == [0xC1900101 - (1 << 32)]  # type: ignore[attr-defined]
        return
    assert (status(results)["HCI02"], lab.nodes[1].os.key, len(rolled_back)) == ("Failed", "21H2", 3)
    assert second.get("ErrorRecordData").get("FullyQualifiedErrorId") == "UpgradeRolledBack"  # type: ignore[attr-defined]
    assert second.get("UpgradeResult").get("SetupExitCode") == 0xC1900101 - (1 << 32)  # type: ignore[attr-defined]
    assert lab.nodes[1].state.name == "Up"
    assert lab.world.levels.mixed


async def test_a_node_that_setup_refuses_fails_without_a_restart() -> None:
    lab = console(world("21H2"))
    lab.world.inject("feature-update-fails", node="HCI01")
    results = await upgraded(lab, MaxRetriesPerNode=1, MaxFailedNodes=1)
    assert status(results) == {"HCI01": "Failed", "HCI02": "Succeeded"}
    assert {event.node for event in lab.events("node.restart")} == {"HCI02"}
    assert (lab.nodes[0].build, lab.nodes[0].state.name) == (20348, "Up")


async def test_a_node_that_never_comes_back_ends_the_run() -> None:
    lab = console(world("21H2", 4))
    lab.world.inject("feature-update-never-comes-back", node="HCI01")
    results = await upgraded(lab, MaxFailedNodes=0, NodeOrder=["HCI01"])
    assert results["HCI01"].get("ErrorRecordData").get("FullyQualifiedErrorId") == "RestartTimedOut"  # type: ignore[attr-defined]
    assert set(list(status(results).values())[1:]) == {"Canceled"}
    assert not lab.nodes[0].up
    lab.world.faults.heal()
    await lab.wait(timedelta(hours=1))
    assert (lab.nodes[0].up, lab.nodes[0].os.key) == (True, "22H2")


# Setup media.


async def test_setup_media_bring_the_version_that_they_hold() -> None:
    lab = console(world("21H2", media=((MEDIA, "22H2"),)))
    arguments = {"WuConnected": "false", "PathToSetupMedia": MEDIA + "\\"}
    assert await offered(lab, **arguments) == {"HCI01": set(), "HCI02": set()}, "nothing of Windows Update's is listed"
    assert set(status(await upgraded(lab, arguments)).values()) == {"Succeeded"}
    assert {node.os.key for node in lab.nodes} == {"22H2"}
    assert await offered(lab, **arguments) == {}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"PathToSetupMedia": r"\\files\other"}, "cannot be read"),
        ({"PathToSetupMedia": r"\\files\too-far"}, "do not upgrade HCI01 from 10.0.20348"),
        ({"PathToSetupMedia": r"\\files\server"}, "do not upgrade HCI01 from 10.0.20348"),
    ],
)
async def test_media_that_do_not_fit(arguments: dict[str, str], says: str) -> None:
    media = ((MEDIA, "22H2"), (r"\\files\too-far", "23H2"), (r"\\files\server", "WS2025"))
    lab = console(world("21H2", media=media))
    output = await lab.run("MGMT01", scan(WuConnected="false", **arguments))
    assert all(says in error.message for error in output.errors[:1])
    assert len(output.errors) == 2


async def test_media_without_a_path_are_refused() -> None:
    refusal = await console(world("21H2")).refusal("MGMT01", scan(WuConnected="false"))
    assert "PathToSetupMedia" in refusal.message


async def test_a_cluster_without_windows_update_is_offered_what_the_media_hold_all_the_same() -> None:
    lab = console(world("22H2", media=((MEDIA, "23H2"),)))
    for node in lab.nodes:
        lab.world.policies.set(node, "WUServer", "http://wsus.corp.contoso.com:8530")
        lab.world.policies.set(node, "UseWUServer", 1)
    assert await offered(lab) == {}, "WSUS does not have 23H2"
    assert set(await offered(lab, WuConnected="false", PathToSetupMedia=MEDIA)) == {"HCI01", "HCI02"}


# After it.


async def test_an_upgraded_node_behaves_as_its_new_version() -> None:
    lab = console(world("20H2"))
    unknown = cmd("Invoke-CauScan", ClusterName="HCI-CL01", AttemptSoftReboot=True)
    assert "AttemptSoftReboot" in (await lab.refusal("HCI01", unknown)).message
    await lab.run("HCI02", cmd("Suspend-ClusterNode", Name=["HCI01"], Drain=True))
    await lab.wait(timedelta(minutes=20))
    assert lab.nodes[0].maintenance.name == "NONE", "20H2 leaves the disks to a person"
    await lab.run("HCI02", cmd("Resume-ClusterNode", Name=["HCI01"]))
    await upgraded(lab)
    await lab.wait(timedelta(hours=2))
    await lab.run("HCI02", cmd("Suspend-ClusterNode", Name=["HCI01"], Drain=True))
    await lab.wait(timedelta(minutes=20))
    assert lab.nodes[0].maintenance.name == "IN", "21H2 puts them into maintenance mode by itself"


async def test_the_next_quality_updates_are_those_of_the_new_version() -> None:
    lab = console(world("21H2"))
    lab.world.inject("hand-patched-node", node="HCI01")
    lab.world.inject("hand-patched-node", node="HCI02")
    await upgraded(lab)
    call = cmd("Invoke-CauScan", ClusterName="HCI-CL01", CauPluginName=["Microsoft.WindowsUpdatePlugin"])
    found = {str(each.get("UpdateTitle")) for each in (await lab.run("MGMT01", call)).values if each.get("UpdateTitle")}  # type: ignore[attr-defined]
    assert any("the version after 21H2" in title for title in found)
    await lab.run("MGMT01", cmd("Invoke-CauRun", ClusterName="HCI-CL01", Force=True, EnableFirewallRules=True))
    assert {(node.build, node.ubr) for node in lab.nodes} == {(20349, 1001)}
    hotfixes = [each.get("HotFixID") for each in (await lab.run("HCI01", cmd("Get-HotFix"))).values]  # type: ignore[attr-defined]
    assert hotfixes == ["KB5099131"], "an upgrade starts the list anew"


async def test_a_cluster_that_was_upgraded_earlier_still_has_its_old_levels() -> None:
    lab = console(world("21H2", formed_with="20H2"))
    cluster = await lab.one("HCI01", cmd("Get-Cluster"))
    assert (cluster.get("ClusterFunctionalLevel"), cluster.get("ClusterUpgradeVersion")) == (10, 2)
    [pool] = (await lab.run("HCI01", cmd("Get-StoragePool", IsPrimordial=False))).values
    assert pool.notes["Version"] == "Windows Server 2019"  # type: ignore[attr-defined]
    [default] = (await lab.run("HCI01", cmd("Get-VMHostSupportedVersion", Default=True))).values
    vms = (await lab.run("HCI01", cmd("Get-VM"))).values
    assert str(default.get("Version")) == "10.0"  # type: ignore[attr-defined]
    assert {str(vm.get("Version")) for vm in vms} == {"9.0"}  # type: ignore[attr-defined]


async def test_every_post_step_works_once() -> None:
    lab = console(world("21H2", formed_with="20H2"))
    await lab.run("HCI01", cmd("Update-ClusterFunctionalLevel", WhatIf=True))
    await lab.run("HCI01", cmd("Update-ClusterFunctionalLevel", Force=True))
    await lab.run("HCI01", cmd("Update-StoragePool", FriendlyName=["S2D on HCI-CL01"], Confirm=False))
    vm = str((await lab.run("HCI01", cmd("Get-VM"))).values[0].get("Name"))  # type: ignore[attr-defined]
    running = await lab.run("HCI01", cmd("Update-VMVersion", Name=[vm], Force=True))
    assert running.errors, "it is running"
    await lab.run("HCI01", cmd("Stop-VM", Name=[vm], Force=True))
    await lab.run("HCI01", cmd("Update-VMVersion", Name=[vm], Force=True))
    await lab.run("HCI01", cmd("Start-VM", Name=[vm]))
    assert (lab.world.functional_level, lab.world.storage.pool_version) == (12, "Windows Server 2022")
    assert lab.events("vm.version")[0].detail == {"vm": vm, "before": "9.0", "after": "10.0"}
    move = cmd("Move-ClusterVirtualMachineRole", Name=vm, Node="HCI02", MigrationType="Live")
    await lab.run("HCI01", move)
    assert lab.world.groups.find(vm).owner.name == "HCI02"  # type: ignore[union-attr]
    for op, permission in (("cluster.functional_level", "functional-level"), ("pool.version", "pool-version")):
        assert len(lab.events(op)) == 1, permission


@pytest.mark.parametrize("fault", ["functional-level-raised-by-hand", "pool-updated-by-hand"])
async def test_somebody_raises_it_by_hand_meanwhile(fault: str) -> None:
    op = "cluster.functional_level" if fault.startswith("functional") else "pool.version"
    lab = console(world("20H2"))
    lab.world.inject(fault)
    await lab.wait(timedelta(minutes=30))
    assert not lab.events(op), "not all nodes are upgraded"
    await upgraded(lab)
    await lab.wait(timedelta(minutes=30))
    [event] = [entry for entry in lab.journal.entries if entry.op == op]
    assert event.detail["fault"] == fault
    assert [each for each in judge(lab.journal.entries) if each.invariant == "I9"] == []


async def test_the_agent_of_virtual_machine_manager_can_be_seen() -> None:
    lab = console(world("21H2"))
    missing = await lab.run("HCI01", cmd("Get-Service", Name=["SCVMMAgent"]))
    assert missing.errors
    lab.world.inject("managed-by-vmm", node="HCI01")
    [service] = (await lab.run("HCI01", cmd("Get-Service", Name=["SCVMMAgent"]))).values
    assert service.get("Status").name == "Running"  # type: ignore[attr-defined]
