"""MSFT_CAURun class, MSFT_CAUNode class: a singleton per node that survives restarts and goes after an hour without activity."""

from datetime import timedelta

import pytest

from include.simulator.world.locks import NODE, RUN, LockHeldError, LockMissingError
from tests.simulator.world.driver import Lab

MINE, YOURS = "11111111-0000-0000-0000-000000000001", "22222222-0000-0000-0000-000000000002"


def test_one_instance_per_class_and_node() -> None:
    lab = Lab()
    one, other = lab.nodes[:2]
    lab.world.locks.create(one, RUN, MINE)
    with pytest.raises(LockHeldError):
        lab.world.locks.create(one, RUN, YOURS)
    with pytest.raises(LockHeldError):
        lab.world.locks.create(one, RUN, MINE)
    lab.world.locks.create(one, NODE, YOURS)
    lab.world.locks.create(other, RUN, YOURS)
    assert [event.detail["guid"] for event in lab.events("lock.refused")] == [YOURS, MINE]


def test_only_its_own_id_removes_it() -> None:
    lab = Lab()
    node = lab.nodes[0]
    lab.world.locks.create(node, RUN, MINE)
    with pytest.raises(LockMissingError):
        lab.world.locks.remove(node, RUN, YOURS)
    lab.world.locks.remove(node, RUN, MINE)
    assert not node.locks
    assert lab.events("lock.released")


async def test_it_goes_after_an_hour_without_activity() -> None:
    lab = Lab()
    node = lab.nodes[0]
    lab.world.locks.create(node, RUN, MINE)
    await lab.wait(timedelta(minutes=59))
    assert RUN in node.locks
    await lab.wait(timedelta(minutes=2))
    assert RUN not in node.locks
    assert lab.events("lock.expired")[0].detail == {"class": RUN, "guid": MINE}


@pytest.mark.parametrize(("asked_for", "stays"), [(MINE, True), (None, False), (YOURS, False)])
async def test_asking_by_the_own_id_is_activity_and_looking_is_not(asked_for: str | None, stays: bool) -> None:
    lab = Lab()
    node = lab.nodes[0]
    lab.world.locks.create(node, RUN, MINE)
    await lab.wait(timedelta(minutes=50))
    lab.world.locks.get(node, RUN, asked_for)
    await lab.wait(timedelta(minutes=30))
    assert (RUN in node.locks) is stays


async def test_a_running_method_keeps_it() -> None:
    lab = Lab()
    node = lab.nodes[0]
    lab.world.locks.create(node, NODE, MINE)
    lock = lab.world.locks.begin(node, NODE, MINE)
    await lab.wait(timedelta(hours=3))
    assert NODE in node.locks
    lab.world.locks.end(node, NODE, lock)
    await lab.wait(timedelta(minutes=61))
    assert NODE not in node.locks


async def test_it_survives_a_restart() -> None:
    lab = Lab()
    node = lab.nodes[0]
    lab.world.locks.create(node, RUN, MINE)
    await lab.drain(node)
    await lab.restart(node)
    assert node.locks[RUN].guid == MINE
