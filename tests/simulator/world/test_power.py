from dataclasses import replace
from datetime import timedelta

import pytest

from include.simulator.world.machines import Information, NodeState, Power
from include.simulator.world.power import ShutdownInProgressError
from include.simulator.world.spec import demo_world
from tests.simulator.world.driver import Lab


async def test_a_paused_node_comes_back_paused_with_a_later_boot_time() -> None:
    # PauseClusterNode: pausing outlives a restart.
    lab = Lab()
    node = lab.nodes[0]
    heard = []
    lab.world.on_power(lambda name, up: heard.append((name, up)))
    await lab.drain(node)
    boot = node.boot_time
    ordered = lab.clock.now()
    await lab.restart(node)
    assert node.state is NodeState.Paused
    assert node.boot_time > ordered > boot
    assert heard == [(node.name, False), (node.name, True)]
    states = [event.detail["state"] for event in lab.events("node.state", node=node.name)]
    assert states == ["Paused", "Paused", "Down", "Joining", "Paused"]


async def test_services_and_servicing_around_a_restart() -> None:
    lab = Lab()
    node = lab.nodes[0]
    await lab.drain(node)
    lab.world.power.restart(node, "test")
    assert node.power is Power.SHUTTING_DOWN
    assert node.up, "the session lives some seconds longer"
    await lab.wait_for(lambda: node.power is Power.OFF)
    assert node.services["ClusSvc"].status == "Stopped"
    await lab.wait_for(lambda: node.up)
    assert node.state is NodeState.Joining
    assert node.services["ClusSvc"].status == "Running"
    assert node.services["TrustedInstaller"].status == "Stopped", "nothing was pending"


async def test_disabled_cluster_service_keeps_a_node_out() -> None:
    lab = Lab()
    node = lab.nodes[0]
    await lab.drain(node)
    node.services["ClusSvc"].start_type = "Disabled"
    lab.world.power.restart(node, "test")
    await lab.wait_for(lambda: node.power is Power.OFF)
    await lab.wait(timedelta(minutes=30))
    assert node.up
    assert node.state is NodeState.Down


async def test_undrained_restart_without_drain_on_shutdown_takes_the_vms_down_and_they_fail_over() -> None:
    lab = Lab(replace(demo_world(4), drain_on_shutdown=False))
    node = lab.nodes[0]
    mine = [group for group in lab.world.groups.on(node) if group.vm]
    lab.world.power.restart(node, "careless")
    await lab.wait_for(lambda: node.power is Power.OFF)
    assert all(group.vm.state == "Off" for group in mine)
    assert {event.detail["state"] for event in lab.events("group.state", type="VirtualMachine")} == {"Failed"}
    await lab.wait_for(lambda: all(group.vm.state == "Running" for group in mine))
    assert all(group.owner is not node for group in mine)


async def test_drain_on_shutdown_moves_what_it_can() -> None:
    lab = Lab()
    node = lab.nodes[0]
    blocked = next(group for group in lab.world.groups.on(node) if group.vm)
    blocked.vm.blocked = "pass-through disk"
    lab.world.power.restart(node, "careless")
    await lab.wait_for(lambda: node.power is Power.OFF)
    assert {event.detail["vm"] for event in lab.events("vm.state", state="Off")} == {blocked.name}


async def test_a_second_order_is_refused() -> None:
    lab = Lab()
    lab.world.power.restart(lab.nodes[0], "test")
    with pytest.raises(ShutdownInProgressError):
        lab.world.power.restart(lab.nodes[0], "test")


async def test_repeated_crashes_end_in_quarantine_until_it_is_over() -> None:
    # Cluster properties QuarantineThreshold 3 within an hour, QuarantineDuration 7200 s.
    lab = Lab()
    node = lab.nodes[0]
    for _ in range(3):
        lab.world.power.crash(node)
        await lab.wait_for(lambda: node.up)
        await lab.wait(timedelta(minutes=1))
    assert node.state is NodeState.Down
    assert Information.Quarantined in node.information
    await lab.wait(timedelta(hours=2, minutes=1))
    assert node.state is NodeState.Up


async def test_clean_restarts_never_end_in_quarantine() -> None:
    lab = Lab()
    node = lab.nodes[0]
    await lab.drain(node)
    for _ in range(4):
        await lab.restart(node)
    assert node.state is NodeState.Paused


async def test_boot_takes_longer_while_updates_wait_for_it() -> None:
    plain, patched = Lab(seed=5), Lab(seed=5)
    durations = []
    for lab in (plain, patched):
        node = lab.nodes[0]
        if lab is patched:
            cumulative = next(update for update in lab.world.spec.updates if update.long_reboot_hint)
            lab.world.updates.record(node).installed[cumulative.update_id] = False
        await lab.drain(node)
        began = lab.clock.now()
        await lab.restart(node)
        durations.append(lab.clock.now() - began)
    assert durations[1] - durations[0] > timedelta(minutes=2)
    assert patched.nodes[0].services["TrustedInstaller"].status == "Running", "servicing goes on after the boot"
    assert patched.world.servicing.busy(patched.nodes[0])


@pytest.mark.parametrize(("variants", "new"), [((), False), (("soft-reboot-has-a-new-boot-time",), True)])
async def test_a_soft_restart_leaves_the_self_test_out(variants: tuple[str, ...], new: bool) -> None:
    # azure-stack-docs, kernel-soft-reboot
    lab = Lab(replace(demo_world(4), variants=frozenset(variants)))
    node = lab.nodes[0]
    await lab.drain(node)
    boot, began = node.boot_time, lab.clock.now()
    lab.world.power.restart(node, "test", soft=True)
    await lab.wait_for(lambda: node.restarts == 1)
    assert lab.clock.now() - began < lab.world.spec.timings.post
    assert (node.boot_time > boot) is new
    boot = node.boot_time
    lab.world.power.restart(node, "test")
    await lab.wait_for(lambda: node.restarts == 2)
    assert node.boot_time > boot, "the next one is a full one again"
