"""Whatever is ordered in whatever order, the world keeps its own laws and finds back to health."""

import random
from datetime import timedelta

import pytest

from include.simulator.cmdlets.runtime import MachineWentDownError
from include.simulator.objects import TerminatingError
from include.simulator.world.machines import Node
from include.simulator.world.spec import demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import Command, cmd

DISK = "Cluster Virtual Disk (Volume01)"
HOURS = timedelta(hours=4)


def orders(node: Node, host: Node) -> list[tuple[Command, ...]]:
    return [
        (cmd("Suspend-ClusterNode", Name=node.name, Drain=None),),
        (cmd("Resume-ClusterNode", Name=node.name, Failback="Immediate"),),
        (cmd("Stop-ClusterNode", Name=node.name),),
        (cmd("Start-ClusterNode", Name=node.name, ClearQuarantine=None, Wait=60),),
        (cmd("Stop-Cluster", Force=None),),
        (cmd("Start-Cluster", Name=host.name, Wait=300),),
        (cmd("Stop-ClusterResource", Name=DISK),),
        (cmd("Start-ClusterResource", Name=DISK),),
        (cmd("Move-ClusterVirtualMachineRole", Name="VM-1-1", MigrationType="Live", Wait=0),),
        (cmd("Move-ClusterVirtualMachineRole", Name="VM-1-1", MigrationType="Quick", Wait=0),),
        (cmd("Move-ClusterGroup", Name="VM-2-1", Wait=5),),
        (cmd("Restart-Computer", Force=None),),
        (cmd("Stop-VM"),),
        (cmd("Start-ClusterGroup", Name="VM-1-1", Wait=60),),
    ]


async def make_trouble(lab: Console, chance: random.Random) -> None:
    node = chance.choice(lab.nodes)
    hosts = [each for each in lab.nodes if each.up]
    kind = chance.random()
    if kind < 0.1:
        lab.world.membership.isolate(node, timedelta(minutes=chance.choice([1, 6])))
    elif kind < 0.15:
        lab.world.power.crash(node)
    elif hosts:
        host = chance.choice(hosts)
        refused: list[str] = []
        try:
            await lab.run(host, *chance.choice(orders(node, host)))
        except TerminatingError as error:
            refused.append(error.record.fully_qualified_error_id)
        except MachineWentDownError:
            pass
        assert not [each for each in refused if each.startswith("SimulatorDefect")]
    await lab.wait(timedelta(minutes=chance.choice([0.2, 2, 15])))


async def make_peace(lab: Console) -> None:
    world = lab.world
    await lab.wait(HOURS)
    for node in lab.nodes:
        world.membership.clear_quarantine(node)
        if node.services["ClusSvc"].status != "Running":
            world.cluster_service.start(node)
    await lab.wait(HOURS)
    for node in lab.nodes:
        if node.paused:
            await lab.run(node, cmd("Resume-ClusterNode"))
        world.storage.leave_maintenance(node, "test")
    for disk in world.storage.virtual_disks:
        if disk.offline:
            world.storage.bring_online(disk, "test")
    await lab.wait(HOURS)


@pytest.mark.parametrize("os", ["20H2", "21H2", "WS2025"])
@pytest.mark.parametrize("nodes", [2, 3, 4])
async def test_a_running_vm_is_always_somewhere_and_all_ends_well(nodes: int, os: str) -> None:
    chance = random.Random(f"{nodes} {os}")
    lab = Console(demo_world(nodes, os), seed=nodes)
    lab.session.delegated = True
    guests = [group for group in lab.world.groups.all if group.vm]
    for _ in range(30):
        await make_trouble(lab, chance)
        for group in guests:
            if group.vm.state == "Running":
                assert group.owner.up, group.name
                assert group.owner.member or group.owner.isolated, group.name
    await make_peace(lab)
    assert all(node.state.name == "Up" for node in lab.nodes)
    assert lab.world.storage.healthy()
    assert not lab.world.repairs.jobs
    waiting = [group.name for group in guests if group.wanted and not group.configuration_failed]
    assert [name for name in waiting if lab.world.groups.find(name).vm.state != "Running"] == []
