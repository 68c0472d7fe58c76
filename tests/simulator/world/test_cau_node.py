"""What becomes of one node when something goes wrong (windows-powershell-docs, Invoke-CauRun; AzureLocal-Supportability)."""

from datetime import timedelta

import pytest

from include.simulator.world.cau_hotfixes import HotfixFile
from include.simulator.world.cau_plugins import HOTFIX
from include.simulator.world.cau_scripts import Script
from include.simulator.world.firewall import COMPATIBILITY
from include.simulator.world.locks import NODE
from include.simulator.world.machines import Maintenance
from include.simulator.world.storage import GIB
from tests.simulator.world.console import Console
from tests.simulator.world.updating import begin, console, drained, end, stages, statuses, until, updated

WU = "Microsoft.WindowsUpdatePlugin"
ASR = "HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows Defender\\Windows Defender Exploit Guard\\ASR\\Rules"
SCRIPT = "\\\\FS01\\Scripts\\Check.ps1"
ROOT = "\\\\FS01\\Hotfixes\\Root"


@pytest.mark.parametrize(
    ("fault", "error", "status", "attempts"),
    [
        ("install-fails", "InstallFailed", "PartiallyFailed", 3),
        ("download-fails", "StagingFailed", "Failed", 3),
        ("scan-fails", "ScanFailed", "Failed", 3),
        ("role-locked", "SuspendNodeFailed", "Failed", 3),
        ("drain-blocked-by-vm", "SuspendNodeFailed", "Failed", 3),
        ("no-restart-though-ordered", "RestartTimedOut", "PartiallyFailed", 1),
        ("restart-never-comes-back", "RestartTimedOut", "PartiallyFailed", 1),
        ("restart-takes-40-minutes", "RestartTimedOut", "PartiallyFailed", 1),
        ("node-quarantined-after-restart", "RestartTimedOut", "PartiallyFailed", 1),
    ],
)
async def test_a_fault_fails_its_node(fault: str, error: str, status: str, attempts: int) -> None:
    lab = console()
    lab.world.inject(f"{fault}-on-node-2")
    run = await updated(lab, MaxRetriesPerNode=2, NodeOrder=["HCI02"], MaxFailedNodes=0)
    result = run.results["HCI02"]
    assert (result.error.id if result.error else None, statuses(run)["HCI02"]) == (error, status)
    assert result.attempts == attempts
    assert run.error
    assert run.error.id == "MaxFailedNodesExceeded"


@pytest.mark.parametrize("fault", ["install-fails-once", "witness-lost", "repair-suspended"])
async def test_what_a_retry_or_patience_makes_good(fault: str) -> None:
    lab = console()
    lab.world.inject(fault if fault == "witness-lost" else f"{fault}-on-node-2")
    run = begin(lab, SuspendClusterNodeTimeoutMinutes=600)
    if fault == "repair-suspended":
        await until(lab, lambda: any(job.state == "Suspended" for job in lab.world.repairs.jobs))
        await lab.wait(timedelta(hours=1))
        lab.world.repairs.resume_all()
    await end(lab, run)
    assert set(statuses(run).values()) == {"Succeeded"}
    assert bool(run.results["HCI02"].transient) is (fault == "install-fails-once")


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (3, 4)])
async def test_the_whole_node_is_tried_again(retries: int, attempts: int) -> None:
    lab = console()
    lab.world.inject("drain-blocked-by-vm-on-node-2")
    run = await updated(lab, MaxRetriesPerNode=retries)
    assert run.results["HCI02"].attempts == attempts
    assert drained(lab).count("HCI02") == attempts
    assert lab.nodes[1].state.name == "Up", "CAU resumes a node that it could not update"


async def test_the_locked_role_is_named() -> None:
    lab = console()
    lab.world.inject("role-locked-on-node-2")
    error = (await updated(lab, MaxRetriesPerNode=0)).results["HCI02"].error
    assert error
    assert "the resource has locked status" in error.text


async def test_a_forced_drain_takes_down_what_cannot_move() -> None:
    lab = console()
    lab.world.inject("drain-blocked-by-vm-on-node-2")
    run = await updated(lab, ForcePauseAndDrain=True)
    assert statuses(run)["HCI02"] == "Succeeded"
    assert lab.events("vm.state", vm="VM-2-1", state="Off")


async def test_a_pause_without_drain_leaves_the_roles_to_the_shutdown() -> None:
    lab = console(nodes=2)
    run = await updated(lab, ForcePauseNoDrain=True)
    assert set(statuses(run).values()) == {"Succeeded"}
    assert drained(lab) == []


async def test_drain_and_reboot_restarts_a_node_that_has_nothing_to_install() -> None:
    lab = console(nodes=2)
    lab.world.updates.catalogue.clear()
    run = await updated(lab, ForcePauseDrainAndReboot=True)
    assert [result.restarts for result in run.results.values()] == [1, 1]


async def test_a_longer_reboot_timeout_waits_for_a_slow_server() -> None:
    lab = console()
    lab.world.inject("restart-takes-40-minutes-on-node-2")
    run = await updated(lab, RebootTimeoutMinutes=60)
    assert statuses(run)["HCI02"] == "Succeeded"


async def test_a_node_that_does_not_come_back_stays_paused() -> None:
    lab = console()
    lab.world.inject("restart-never-comes-back-on-node-2")
    await updated(lab, NodeOrder=["HCI02"], MaxFailedNodes=0)
    node = lab.nodes[1]
    assert (node.up, node.paused) == (False, True)
    lab.world.power.start(node)
    await until(lab, lambda: node.member)
    assert node.state.name == "Paused"


@pytest.mark.parametrize(
    ("variants", "options", "waited"),
    [
        ((), {}, 15),
        (("cau-waits-hours-for-degraded-storage",), {}, 360),
        ((), {"SuspendClusterNodeTimeoutMinutes": 45}, 45),
        ((), {"SuspendClusterNodeTimeoutMinutes": 0}, 0),
        ((), {"WaitForStorageRepairTimeoutMinutes": 90}, 90),
    ],
    ids=str,
)
async def test_degraded_storage_is_waited_for_and_then_fails_the_node_without_a_retry(
    variants: tuple[str, ...], options: dict[str, object], waited: int
) -> None:
    lab = console(*variants)
    run = begin(lab, NodeOrder=["HCI01"], MaxFailedNodes=0, **options)
    disk = lab.world.storage.virtual_disks[0]
    lab.world.repairs.held.add((disk.name, "HCI04"))
    disk.stale["HCI04"] = 40 * GIB
    lab.world.storage.judge(disk)
    await end(lab, run)
    result = run.results["HCI01"]
    assert (result.error.id if result.error else None, result.attempts) == ("SuspendNodeFailed", 1)
    began = next((each.at for each in run.history if each.name == "WaitingForHealthyStorage"), run.ended)
    failed = next(each.at for each in run.history if each.name == "Failed")
    assert began
    assert abs((failed - began) - timedelta(minutes=waited)) < timedelta(minutes=1)
    assert drained(lab) == []


async def test_storage_that_heals_meanwhile_lets_the_node_go_on() -> None:
    lab = console()
    lab.world.inject("storage-degraded-on-node-4")
    run = begin(lab)
    await until(lab, lambda: any(each.name == "WaitingForHealthyStorage" for each in run.history))
    lab.world.repairs.repair(lab.world.storage.virtual_disks[0])
    await end(lab, run)
    assert set(statuses(run).values()) == {"Succeeded"}


@pytest.mark.parametrize(("variants", "state"), [((), "Up"), (("cau-keeps-a-pause-it-found",), "Paused")])
async def test_a_node_that_a_person_had_paused(variants: tuple[str, ...], state: str) -> None:
    lab = console(*variants)
    lab.world.inject("node-paused-at-start-on-node-2")
    run = await updated(lab)
    assert (statuses(run)["HCI02"], lab.nodes[1].state.name) == ("Succeeded", state)


async def test_the_last_vote_is_never_sent_away() -> None:
    lab = console(nodes=2)
    lab.world.inject("witness-lost")
    run = await updated(lab, MaxRetriesPerNode=0, MaxFailedNodes=1)
    errors = {name: result.error.id for name, result in run.results.items() if result.error}
    assert set(errors.values()) == {"QuorumWouldBeLost"}
    assert lab.world.quorum.has_quorum


async def test_a_defender_rule_in_block_mode_is_access_denied() -> None:
    lab = console()
    lab.world.registry.create(lab.nodes[1], ASR)
    lab.world.registry.set(lab.nodes[1], ASR, "d1e49aac-8f56-4280-b9ba-993a6d77406c", "1")
    error = (await updated(lab)).results["HCI02"].error
    assert error
    assert (error.id, error.hresult) == ("AccessDenied", 0x80070005)


async def test_an_installation_of_somebody_else_fails_a_try() -> None:
    lab = console()
    run = begin(lab, NodeOrder=["HCI02"], MaxRetriesPerNode=0)
    await until(lab, lambda: any(each.name == "Suspending" for each in run.history))
    lab.world.updates.foreign_install(lab.nodes[1], timedelta(minutes=20))
    await end(lab, run)
    error = run.results["HCI02"].error
    assert error
    assert error.hresult == 0x80240016


async def test_a_node_that_another_coordinator_works_on_fails() -> None:
    lab = console()
    run = begin(lab, NodeOrder=["HCI02"])
    await until(lab, lambda: not any(NODE in node.locks for node in lab.nodes[1:]))
    lab.world.locks.expire(lab.nodes[1], NODE)
    lab.world.locks.create(lab.nodes[2], NODE, "22222222-0000-0000-0000-000000000002")
    await end(lab, run)
    error = run.results["HCI03"].error
    assert error
    assert error.id == "NodeLocked"


def scripted(lab: Console, script: Script | None, *nodes: str) -> Console:
    for node in lab.nodes:
        lab.world.firewall.enable_group(node, COMPATIBILITY)
    if script:
        lab.world.cau.scripts.put(SCRIPT, script, *nodes)
    return lab


@pytest.mark.parametrize(
    ("script", "says"),
    [
        (Script(fails="exit code 1"), "exit code 1"),
        (Script(unreadable=True), "denied"),
        (None, "was not found"),
    ],
)
async def test_a_node_is_not_touched_when_its_pre_update_script_fails(script: Script | None, says: str) -> None:
    lab = scripted(console(nodes=2), script)
    run = await updated(lab, PreUpdateScript=SCRIPT, MaxRetriesPerNode=1, MaxFailedNodes=1)
    assert {result.error.id for result in run.results.values() if result.error} == {"PreUpdateScriptFailed"}
    assert says in str(run.results["HCI01"].error)
    assert {result.attempts for result in run.results.values()} == {2}
    assert drained(lab) == []


async def test_scripts_run_around_maintenance_mode() -> None:
    lab = scripted(console(nodes=2), Script())
    found = stages(await updated(lab, PreUpdateScript=SCRIPT, PostUpdateScript=SCRIPT), "HCI01")
    assert found.index("RunningPreUpdateScript") < found.index("Suspending")
    assert found.index("Resuming") < found.index("RunningPostUpdateScript")


@pytest.mark.parametrize("missing", ["firewall", "remoting"])
async def test_scripts_need_remoting_and_the_compatibility_rule(missing: str) -> None:
    lab = scripted(console(nodes=2), Script())
    for node in lab.nodes:
        if missing == "firewall":
            lab.world.firewall.enable_group(node, COMPATIBILITY, False)
        else:
            lab.world.remoting.disable_powershell(node)
    run = await updated(lab, PreUpdateScript=SCRIPT, MaxRetriesPerNode=0, MaxFailedNodes=1)
    assert set(statuses(run).values()) == {"Failed"}


async def test_a_failed_post_update_script_fails_a_node_that_is_back_in_service() -> None:
    lab = scripted(console(nodes=2), Script())
    lab.world.cau.scripts.put("C:\\post.ps1", Script(fails="exit code 2"))
    run = await updated(lab, PostUpdateScript="C:\\post.ps1", MaxRetriesPerNode=0, MaxFailedNodes=1)
    assert set(statuses(run).values()) == {"PartiallyFailed"}
    assert {node.state.name for node in lab.nodes} == {"Up"}


@pytest.mark.parametrize(
    ("file", "status", "restarts"),
    [
        (HotfixFile("a.msu"), "Succeeded", 0),
        (HotfixFile("a.msu", exit_code=3010), "Succeeded", 1),
        (HotfixFile("a.exe", exit_code=1641), "Failed", 0),
        (HotfixFile("a.exe", minutes=90), "Failed", 0),
    ],
)
async def test_hotfixes_from_a_share(file: HotfixFile, status: str, restarts: int) -> None:
    # cluster-aware-updating-plug-ins: an exit code that is not listed counts as failed, and nothing restarts.
    lab = console(nodes=2)
    lab.world.cau.hotfixes.put(ROOT, file, HotfixFile("only-one.msu", folder="HCI02"))
    run = await updated(
        lab,
        CauPluginName=[HOTFIX],
        CauPluginArguments=[{"HotfixRootFolderPath": ROOT}],
        MaxRetriesPerNode=0,
        MaxFailedNodes=1,
    )
    assert (statuses(run)["HCI01"], run.results["HCI01"].restarts) == (status, restarts)
    assert [len(result.installs) for result in run.results.values()] == [1, 2]


@pytest.mark.parametrize(
    ("separate", "stop", "restarts", "driver"),
    [(False, False, 1, True), (True, False, 2, True), (False, True, 1, True)],
)
async def test_several_plug_ins(separate: bool, stop: bool, restarts: int, driver: bool) -> None:
    lab = console(nodes=2)
    lab.world.cau.hotfixes.put(ROOT, HotfixFile("firmware.exe", exit_code=3010))
    for each in [each for each in lab.world.updates.catalogue.values() if each.requires]:
        del lab.world.updates.catalogue[each.update_id]
    run = await updated(
        lab,
        CauPluginName=[WU, HOTFIX],
        CauPluginArguments=[{}, {"HotfixRootFolderPath": ROOT}],
        SeparateReboots=separate,
        StopOnPluginFailure=stop,
    )
    assert {result.restarts for result in run.results.values()} == {restarts}
    plugins = {each.plugin for each in run.results["HCI01"].succeeded}
    assert (HOTFIX in plugins) is driver


@pytest.mark.parametrize(("stop", "goes_on"), [(False, True), (True, False)])
async def test_whether_a_failed_plug_in_stops_the_next_one(stop: bool, goes_on: bool) -> None:
    lab = console(nodes=2)
    lab.world.inject("install-fails")
    lab.world.cau.hotfixes.put(ROOT, HotfixFile("firmware.exe"))
    run = await updated(
        lab,
        CauPluginName=[WU, HOTFIX],
        CauPluginArguments=[{}, {"HotfixRootFolderPath": ROOT}],
        StopOnPluginFailure=stop,
        MaxRetriesPerNode=0,
        MaxFailedNodes=1,
    )
    plugins = {each.plugin for each in run.results["HCI01"].succeeded}
    assert (HOTFIX in plugins) is goes_on


async def test_old_versions_restart_with_their_disks_in_service() -> None:
    # azure-stack-docs, maintain-servers: up to 20H2 nothing puts the disks into maintenance mode by itself.
    lab = console(nodes=4, os="20H2")
    await updated(lab)
    assert not lab.events("maintenance")
    assert {node.maintenance for node in lab.nodes} == {Maintenance.NONE}


async def test_an_installation_that_never_ends_is_left_behind_by_a_canceled_run() -> None:
    lab = console()
    lab.world.inject("install-hangs-on-node-2")
    run = await updated(lab, NodeOrder=["HCI02"], StopAfter=timedelta(hours=5))
    error = run.results["HCI02"].error
    assert error
    assert error.id == "InstallCanceled"
    assert run.ended
    assert run.ended - run.started < timedelta(hours=7)


async def test_a_node_that_is_evicted_in_mid_run_fails_and_the_others_go_on() -> None:
    lab = console()
    run = begin(lab, NodeOrder=["HCI01", "HCI04"])
    await lab.wait(timedelta(minutes=10))
    lab.world.inject("node-evicted-on-node-4")
    await end(lab, run)
    assert statuses(run)["HCI04"] == "Failed"
    assert statuses(run)["HCI01"] == "Succeeded"
