"""CAU and an outside coordinator keep each other out (MSFT_CAURun class, MSFT_CAUNode class), and what a lost coordinator leaves."""

from datetime import timedelta

import pytest

from include.simulator.objects import TerminatingError
from include.simulator.world.cau_coordinator import RunRefusedError
from include.simulator.world.locks import CLASSES, NODE, RUN
from tests.simulator.world.careful import GUID, update_node
from tests.simulator.world.updating import begin, console, end, statuses, until

OTHER = "22222222-0000-0000-0000-000000000002"


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("number", [0, 3])
def test_no_run_beside_another_coordinator(cls: str, number: int) -> None:
    lab = console()
    lab.world.locks.create(lab.nodes[number], cls, OTHER)
    with pytest.raises(RunRefusedError, match=OTHER):
        begin(lab)
    assert [len(node.locks) for node in lab.nodes] == [int(node is lab.nodes[number]) for node in lab.nodes]
    assert lab.world.cau.state.name == "RunNotInProgress"


async def test_no_other_coordinator_beside_a_run_whatever_node_it_asks() -> None:
    lab = console()
    run = begin(lab)
    await until(lab, lambda: any(node.state.name == "Paused" for node in lab.nodes))
    for node in lab.nodes:
        with pytest.raises(TerminatingError, match="already exists"):
            await lab.take(node, RUN, OTHER)
    await end(lab, run)
    assert set(statuses(run).values()) == {"Succeeded"}
    for node in lab.nodes:
        await lab.take(node, RUN, OTHER)


async def test_a_rolling_update_by_somebody_else_keeps_cau_out_until_it_gives_the_lock_back() -> None:
    lab = console(nodes=2)
    for node in lab.nodes:
        await lab.take(node, RUN, GUID)
    await update_node(lab, lab.nodes[0])
    with pytest.raises(RunRefusedError):
        begin(lab)
    for node in lab.nodes:
        await lab.release(node, RUN, GUID)
    run = await end(lab, begin(lab))
    assert [len(result.installs) for result in run.results.values()] == [0, 4]


async def test_a_lock_that_its_coordinator_forgot_keeps_cau_out_for_an_hour() -> None:
    lab = console(nodes=2)
    lab.world.locks.create(lab.nodes[0], RUN, OTHER)
    await lab.wait(timedelta(minutes=59))
    with pytest.raises(RunRefusedError):
        begin(lab)
    await lab.wait(timedelta(minutes=2))
    begin(lab)


async def test_there_is_one_run() -> None:
    lab = console()
    begin(lab)
    with pytest.raises(RunRefusedError, match="already in progress"):
        begin(lab)


@pytest.mark.parametrize(("variants", "first"), [((), "RunLocked"), (("cau-has-no-locked-state",), "RunFailed")])
async def test_a_lost_coordinator_leaves_its_locks_for_an_hour(variants: tuple[str, ...], first: str) -> None:
    lab = console(*variants)
    run = begin(lab)
    await until(lab, lambda: any(node.drain_status.name == "Completed" for node in lab.nodes))
    lab.world.cau.lose_coordinator()
    assert lab.world.cau.state.name == first
    assert all(RUN in node.locks for node in lab.nodes)
    with pytest.raises(RunRefusedError):
        begin(lab)
    await lab.wait(timedelta(minutes=65))
    assert not any(node.locks for node in lab.nodes)
    assert lab.world.cau.state.name == "RunFailed"
    assert [node.state.name for node in lab.nodes].count("Paused") == 1, "nobody resumes the node"
    assert run.status is not None


async def test_recovery_takes_back_locks_and_pause_and_lets_the_next_run_begin() -> None:
    lab = console()
    begin(lab)
    await until(lab, lambda: any(node.drain_status.name == "Completed" for node in lab.nodes))
    lab.world.cau.lose_coordinator()
    lab.world.cau.recover()
    assert not any(node.locks for node in lab.nodes)
    assert {node.state.name for node in lab.nodes} == {"Up"}
    assert lab.world.cau.state.name == "RunNotInProgress"
    await end(lab, begin(lab))


async def test_recovery_asks_nobody_not_even_another_coordinator() -> None:
    # Invoke-CauRun, ForceRecovery: bypasses CAU's synchronisation.
    lab = console()
    lab.world.locks.create(lab.nodes[0], RUN, OTHER)
    lab.world.locks.create(lab.nodes[0], NODE, OTHER)
    lab.world.cau.recover()
    assert not lab.nodes[0].locks


async def test_a_role_that_is_taken_offline_stalls_its_run_until_the_locks_are_gone() -> None:
    lab = console()
    lab.world.cau.start_run(timedelta(hours=20), "HCI01")
    run, group = lab.world.cau.run, lab.world.cau.role_group
    assert run
    assert group
    await until(lab, lambda: any(node.drain_status.name == "Completed" for node in lab.nodes))
    group.wanted = False
    lab.world.groups.stop(group, "taken offline by hand")
    await lab.wait(timedelta(minutes=80))
    assert (lab.world.cau.run, lab.world.cau.state.name) == (None, "RunFailed")
    assert run.error
    assert run.error.id == "CoordinatorLost"


async def test_a_run_that_leaves_a_node_behind_is_a_failed_one_until_everything_is_up_and_recovered() -> None:
    # AzureLocal-Supportability: Invoke-CauRun -ForceRecovery -Force with all nodes up, then check again.
    lab = console()
    lab.world.inject("restart-never-comes-back-on-node-2")
    await end(lab, begin(lab, NodeOrder=["HCI02"], MaxFailedNodes=0))
    assert lab.world.cau.state.name == "RunFailed"
    lab.world.cau.recover()
    assert lab.world.cau.state.name == "RunFailed", "the node is still down"
    lab.world.power.start(lab.nodes[1])
    await until(lab, lambda: lab.nodes[1].member)
    lab.world.cau.recover()
    assert lab.world.cau.state.name == "RunNotInProgress"
    assert (lab.nodes[1].state.name, lab.nodes[1].locks) == ("Up", {})


async def test_a_node_that_comes_back_with_the_lock_of_a_run_that_is_over_keeps_the_next_one_out() -> None:
    lab = console()
    lab.world.inject("restart-never-comes-back-on-node-2")
    await end(lab, begin(lab, NodeOrder=["HCI02"], MaxFailedNodes=0))
    lab.world.power.start(lab.nodes[1])
    await until(lab, lambda: lab.nodes[1].member)
    with pytest.raises(RunRefusedError):
        begin(lab)
