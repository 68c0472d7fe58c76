"""A careful update of a whole cluster, as a person at a console would do it command by command."""

from __future__ import annotations

from include.simulator.world.catalogue import FEATURE
from include.simulator.world.machines import Node
from tests.simulator.world.driver import QUERY, Lab, cmd

GUID = "6f2f1b9a-0d3c-5e11-8000-0123456789ab"


async def without_feature_updates(lab: Lab, node: Node, guid: str = GUID) -> str:
    """Return the query that leaves out what a scan by category finds."""
    features = await lab.method(node, guid, "ScanUpdates", f"{QUERY} and CategoryIDs contains '{FEATURE}'")
    return QUERY + "".join(f" and UpdateID!='{info.properties['UpdateId']}'" for info in features.notes["Info"])


async def maintenance(lab: Lab, node: Node, name: str, by: Node) -> None:
    """Enable or disable storage maintenance mode by hand where the version does not do it by itself."""
    if not lab.world.spec.os.auto_maintenance:
        await lab.run(
            by,
            cmd("Get-StorageFaultDomain", Type="StorageScaleUnit"),
            cmd("Where-Object", Property="FriendlyName", EQ=True, Value=node.name),
            cmd(name),
        )


async def update_node(lab: Lab, node: Node) -> int:
    """Drain, install until nothing is left, resume, wait for the storage; return the number of restarts."""
    restarts = 0
    other = next(each for each in lab.nodes if each is not node)
    await lab.take(node, "MSFT_CAUNode", GUID)
    await lab.drain(node)
    assert not [group for group in lab.world.groups.on(node) if group.state.name == "Online"]
    for _ in range(6):
        await keep_locks(lab)
        query = await without_feature_updates(lab, node)
        if not (await lab.method(node, GUID, "ScanUpdates", query)).notes["Info"]:
            break
        for method in ("DownloadUpdates", "InstallUpdates"):
            result = await lab.method(node, GUID, method, query)
            assert result.notes["ReturnValue"] == 0
            assert {info.properties["UpdateResultCode"] for info in result.notes["Info"]} == {2}
        if (await lab.method(node, GUID, "RebootRequired")).notes["ReturnValue"]:
            await maintenance(lab, node, "Enable-StorageMaintenanceMode", other)
            await lab.restart(node)
            restarts += 1
            assert node.state.name == "Paused"
            await maintenance(lab, node, "Disable-StorageMaintenanceMode", other)
            await lab.wait_for(lambda: node.services["TrustedInstaller"].status == "Stopped")
            if not lab.world.spec.os.auto_maintenance:
                await lab.settled()
    else:
        raise AssertionError(f"{node.name} still has something to install.")
    await keep_locks(lab)
    await lab.resume(node)
    await lab.settled()
    await lab.release(node, "MSFT_CAUNode", GUID)
    return restarts


async def keep_locks(lab: Lab) -> None:
    """Ask for every run lock by its id, which keeps the provider from dropping it."""
    for node in lab.nodes:
        if "MSFT_CAURun" not in node.locks:
            continue
        await lab.one(
            node,
            cmd(
                "Get-CimInstance",
                Namespace="root/Microsoft/Windows/ClusterUpdate",
                ClassName="MSFT_CAURun",
                Filter=f"OrchestratorGuid='{GUID}'",
            ),
        )
