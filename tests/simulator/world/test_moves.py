"""windows-powershell-docs, Move-ClusterVirtualMachineRole; win32, system error codes."""

from datetime import timedelta

import pytest

from include.simulator.world.groups import Group
from include.simulator.world.moves import MoveRefusedError
from include.simulator.world.rig import Condition
from tests.simulator.world.driver import Lab


def guest(lab: Lab) -> Group:
    return next(group for group in lab.world.groups.on(lab.nodes[0]) if group.vm)


@pytest.mark.parametrize(
    ("kind", "states"),
    [
        ("Live", []),
        ("Quick", ["Saved", "Running"]),
        ("TurnOff", ["Off", "Running"]),
        ("Shutdown", ["Off", "Running"]),
        ("ShutdownForce", ["Off", "Running"]),
    ],
)
async def test_what_a_vm_goes_through_on_its_way(kind: str, states: list[str]) -> None:
    lab = Lab()
    group = guest(lab)
    lab.world.moves.start(group, lab.nodes[1], kind)
    assert group.moving_to is lab.nodes[1]
    await lab.wait_for(lambda: group.owner is lab.nodes[1] and group.vm.state == "Running")
    assert [event.detail["state"] for event in lab.events("vm.state", vm=group.name)] == states


async def test_without_a_target_the_node_with_most_room_takes_it() -> None:
    lab = Lab()
    group = guest(lab)
    best = lab.world.groups.destination(group, lab.nodes[0])
    assert lab.world.moves.start(group, None, "Live").target is best


def refused(lab: Lab, group: Group, target: int | None, **more: bool) -> int:
    with pytest.raises(MoveRefusedError) as caught:
        lab.world.moves.start(group, None if target is None else lab.nodes[target], "Live", **more)
    return caught.value.code


async def test_moves_that_do_not_begin() -> None:
    lab = Lab()
    group = guest(lab)
    lab.world.membership.pause(lab.nodes[1])
    lab.world.membership.leave(lab.nodes[2], clean=True, reason="test")
    codes = [refused(lab, group, 1), refused(lab, group, 2)]
    group.vm.memory_gib = 4096
    codes += [refused(lab, group, 3), refused(lab, group, None)]
    group.vm.memory_gib, group.locked = 8, True
    codes.append(refused(lab, group, 3))
    lab.world.moves.start(group, lab.nodes[3], "Live", ignore_locked=True)
    codes.append(refused(lab, group, 3))
    assert codes == [5070, 5050, 5005, 5005, 5960, 5908]


async def test_a_vm_that_cannot_migrate_stays_and_runs_on() -> None:
    lab = Lab()
    group = guest(lab)
    group.vm.blocked = "0x80070534: No mapping between account names and security IDs was done."
    move = lab.world.moves.start(group, lab.nodes[1], "Live")
    await lab.wait_for(lambda: move.over)
    assert (move.problem, group.owner, group.moving_to) == (group.vm.blocked, lab.nodes[0], None)
    assert lab.events("vm.state") == []


async def test_a_move_that_hangs_ends_when_it_is_cancelled() -> None:
    lab = Lab()
    group = guest(lab)
    lab.world.rig.add(Condition("migration-hangs", lab.nodes[0].name))
    move = lab.world.moves.start(group, lab.nodes[1], "Live")
    await lab.wait(timedelta(hours=1))
    assert not move.over
    assert lab.world.moves.cancel(group)
    assert (group.moving_to, group.owner) == (None, lab.nodes[0])
    assert not lab.world.moves.cancel(group)


async def test_a_drain_takes_over_from_a_single_move() -> None:
    lab = Lab()
    group = guest(lab)
    move = lab.world.moves.start(group, lab.nodes[1], "Live")
    await lab.drain(lab.nodes[0])
    assert move.problem == "The move was cancelled."
    assert group.owner is not lab.nodes[0]
