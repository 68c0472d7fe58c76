"""Everything that this program does of the vendor's how-to for updating a cluster, on simulated clusters: what they saw of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from include.hci.cluster import (
    cau_runs,
    cluster_power,
    firewall,
    levels,
    preview_channel,
    remoting,
    vm_power,
    vm_versions,
)
from include.hci.powershell.errors import OutcomeUnknown
from include.hci.settings import RunOptions
from include.hci.settings.cau_role import CauRoleRequest
from include.hci.settings.feature import FeatureUpdateRequest, upgrade_options
from include.hci.steps.cau_run_readiness import run_parameters
from include.hci.steps.decisions import Done, Stop
from include.simulator.world.features import FEATURES
from include.simulator.world.spec import WorldSpec, demo_world
from tests.hci.steps.cau_coordinator import CauCoordinator
from tests.hci.steps.offline_coordinator import OfflineCoordinator, offline_simulation
from tests.hci.steps.role_coordinator import EXAMPLE, RoleCoordinator, schedule
from tests.hci.steps.simulated import SimulatedShell, Simulation

CLUSTER, HOST, NODE = "Cluster1", "the management host", "a server"


@dataclass(frozen=True)
class Seen:
    """One command: as this program sent it, common parameters included, and as the machine that got it has bound it."""

    on: str
    name: str
    sent: tuple[str, ...]
    parameters: Mapping[str, Any]


def spec(os: str = "22H2", **more: Any) -> WorldSpec:
    return dataclasses.replace(demo_world(2, os, cluster=CLUSTER, prefix="Server"), **more)


def seen(simulation: Simulation) -> Iterator[Seen]:
    """Return what the machines of ``simulation`` saw, in order."""
    hosts = {node.name for node in simulation.cluster.world.nodes}
    sent = [(machine, command) for machine, pipeline in simulation.commands for command in pipeline.commands]
    given = [entry for entry in simulation.cluster.journal.entries if (entry.op, entry.status) == ("command", "invoke")]
    for entry in given:
        name = entry.detail["command"]
        place = next(
            index
            for index, (machine, command) in enumerate(sent)
            if machine == entry.node and command.name.lower() == name.lower()
        )
        _, command = sent.pop(place)
        on = NODE if entry.node in hosts else HOST
        yield Seen(on, command.name, tuple(command.parameters), entry.detail["parameters"])


def everything_seen() -> list[Seen]:
    """Play every kind of run that the page is about."""
    played = (*self_updating(), remote_updating(), offline(), feature_update())
    return [each for simulation in played for each in seen(simulation)]


def self_updating() -> tuple[Simulation, ...]:
    """The features that are missing, and the role from its first day to its last."""
    bare, toolless, whole = (Simulation(spec(), 1) for _ in range(3))
    for simulation, feature in ((bare, "failover-clustering"), (toolless, "rsat-clustering-powershell")):
        world = simulation.cluster.world
        world.features.leave_out(world.nodes[0], FEATURES[feature])
    assert isinstance(_role(bare, "configure").run(), Stop)  # it wants a restart, which is left to a person
    assert isinstance(_role(toolless, "configure").run(), Done)
    for action in ("configure", "disable", "enable", "update_now"):
        assert isinstance(_role(whole, action).run(), Done), action
    _wait_for_cau(whole)
    assert isinstance(_role(whole, "remove").run(), Done)
    return bare, toolless, whole


def _role(simulation: Simulation, action: str) -> RoleCoordinator:
    request = CauRoleRequest.model_validate(
        {"action": action, "schedule": schedule(), "virtual_computer_object_name": f"{CLUSTER}-CAU"}
    )
    return RoleCoordinator(simulation, request=request, run_id=action, options=RunOptions.model_validate(EXAMPLE))


def _wait_for_cau(simulation: Simulation) -> None:
    run = simulation.cluster.world.cau.run
    assert run is not None
    for _ in range(200):
        if run.ended is not None:
            return
        simulation.sleep(timedelta(minutes=10))
    raise AssertionError("CAU's run goes on and on.")


def remote_updating() -> Simulation:
    """A whole run in remote-updating mode, with the vendor's own tests before it."""
    simulation = Simulation(spec(), 1)
    options = RunOptions.model_validate(
        {
            "max_failed_nodes": 1,
            "max_retries_per_node": 3,
            "require_all_nodes_online": True,
            "enable_firewall_rules": True,
            "check_cau_setup": True,
            "validate_cluster": True,
        }
    )
    assert isinstance(CauCoordinator(simulation, options, passes_credentials=True).run(), Done)
    return simulation


def offline() -> Simulation:
    """A whole offline update."""
    run = OfflineCoordinator(offline_simulation(spec(), 3))
    assert isinstance(run.run(), Done)
    return run.simulation


def feature_update() -> Simulation:
    """The commands of a feature update, one by one, on a cluster whose nodes were upgraded already."""
    simulation = Simulation(spec("21H2", formed_with="20H2"), 1)
    world = simulation.cluster.world
    node = simulation.shell(world.nodes[0].name)
    host = SimulatedShell(simulation, simulation.cluster.hosts[world.spec.management_host], delegated=True)
    options = upgrade_options(
        RunOptions.model_validate({"enable_firewall_rules": True, "max_failed_nodes": 0}), FeatureUpdateRequest()
    )
    remoting.set_wsman_quick_config(node)
    with suppress(OutcomeUnknown):  # it restarts WinRM, and with it ends the session in which it is given
        remoting.enable_ps_remoting(node)
    simulation.sleep(timedelta(minutes=5))
    firewall.open_remote_shutdown(node)
    preview_channel.set_preview_channel(node)
    parameters = run_parameters(options)
    scanned = {name: value for name, value in parameters.items() if name in cau_runs.SCAN_PARAMETERS}
    cau_runs.invoke_upgrade_scan(host, CLUSTER, scanned)  # type: ignore[arg-type]
    cau_runs.leave_cau_run(host, CLUSTER, parameters, uuid4(), timedelta(hours=1))  # type: ignore[arg-type]
    levels.try_functional_level(node)
    levels.update_functional_level(node)
    for pool in levels.get_pools(node):
        levels.update_storage_pool(node, pool.identity)
    machine = next(group for group in world.groups.all if group.vm is not None and group.owner is world.nodes[0])
    vm_power.shut_down_vm(node, machine.name, timedelta(minutes=10))
    vm_versions.update_vm_version(node, machine.name)
    cluster_power.start_cluster_group(node, machine.name)
    return simulation
