"""windowsserverdocs, upgrade-virtual-machine-version; MSLab, "S2D and Emergency Patching"."""

from dataclasses import replace

import pytest

from include.simulator.world.groups import Group, GroupState
from include.simulator.world.spec import demo_world
from include.simulator.world.virtual_machines import VmStateError
from tests.simulator.world.driver import Lab
from tests.simulator.world.test_levels import mixed


def guest(lab: Lab) -> Group:
    return next(group for group in lab.world.groups.all if group.vm)


@pytest.mark.parametrize(
    ("os", "default"),
    [("WS2019", "9.0"), ("20H2", "9.0"), ("21H2", "10.0"), ("WS2022", "10.0"), ("22H2", "10.0"), ("WS2025", "12.0")],
)
def test_the_default_configuration_version_of_a_host(os: str, default: str) -> None:
    lab = Lab(demo_world(2, os))
    assert lab.world.virtual_machines.supported(lab.nodes[0])[-1] == default
    assert guest(lab).vm.version == default


@pytest.mark.parametrize(("os", "default"), [("21H2", "9.0"), ("WS2022", "10.0")])
def test_azure_stack_hci_may_lag_behind(os: str, default: str) -> None:
    lab = Lab(replace(demo_world(2, os), variants=frozenset({"hci-vm-versions-lag-behind"})))
    assert lab.world.virtual_machines.supported(lab.nodes[0])[-1] == default
    assert guest(lab).vm.version == default, "what runs there can move there"


def test_vms_of_a_mixed_cluster_run_everywhere() -> None:
    lab = Lab(mixed("WS2019", "WS2022", cluster="WS2019"))
    assert {group.vm.version for group in lab.world.groups.all if group.vm} == {"9.0"}


def upgraded() -> Lab:
    lab = Lab(demo_world(2, "20H2"))
    for node in lab.nodes:
        node.build = 20348
    return lab


async def test_the_version_rises_only_while_the_vm_is_off_and_never_goes_down() -> None:
    lab = upgraded()
    group = guest(lab)
    with pytest.raises(VmStateError):
        lab.world.virtual_machines.update_version(group)
    lab.world.virtual_machines.stop(group, "test")
    lab.world.virtual_machines.update_version(group)
    lab.world.virtual_machines.update_version(group)
    assert [event.detail for event in lab.events("vm.version")] == [
        {"vm": group.name, "before": "9.0", "after": "10.0"}
    ]
    lab.nodes[0].build = lab.nodes[1].build = 17784
    lab.world.virtual_machines.update_version(group)
    assert group.vm.version == "10.0"


async def test_a_vm_of_a_newer_version_cannot_go_back_to_an_older_host() -> None:
    spec = mixed("22H2", "WS2019", cluster="22H2")
    lab = Lab(replace(spec, vms=tuple(replace(vm, version="10.0") for vm in spec.vms if vm.node == "HCI01")))
    group = guest(lab)
    assert group.owner is lab.nodes[0]
    assert lab.world.groups.destination(group, lab.nodes[0]) is None
    await lab.drain(lab.nodes[0])
    assert lab.nodes[0].drain_status.name == "Failed"
    assert (lab.nodes[0].drain_error, group.owner) == (5005, lab.nodes[0])


async def test_stopping_keeps_a_vm_offline_and_starting_brings_it_back() -> None:
    lab = Lab()
    group = guest(lab)
    lab.world.virtual_machines.stop(group, "test")
    assert (group.vm.state, group.state, group.wanted) == ("Off", GroupState.Offline, False)
    with pytest.raises(VmStateError):
        lab.world.virtual_machines.stop(group, "again")
    lab.world.virtual_machines.start(group, "test")
    assert group.state is GroupState.Pending
    await lab.wait_for(lambda: group.vm.state == "Running")
    with pytest.raises(VmStateError):
        lab.world.virtual_machines.start(group, "again")


async def test_a_vm_does_not_start_while_its_configuration_is_failed() -> None:
    lab = Lab()
    group, world = guest(lab), lab.world
    disk = world.storage.find(group.vm.disk)
    world.virtual_machines.stop(group, "test")
    world.storage.take_offline(disk, "test")
    world.storage.bring_online(disk, "test")
    with pytest.raises(VmStateError):
        world.virtual_machines.start(group, "too early")
    configuration = world.resources.find(f"Virtual Machine Configuration {group.name}")
    assert configuration.state.name == "Failed"
    world.resources.start(configuration, "test")
    await lab.wait_for(lambda: world.resources.find(configuration.name).state.name == "Online")
    world.virtual_machines.start(group, "now")
