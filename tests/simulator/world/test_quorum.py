"""windowsserverdocs, cluster and pool quorum: dynamic quorum, dynamic witness."""

import pytest

from include.simulator.world.spec import demo_world, without_witness
from tests.simulator.world.driver import Lab


@pytest.mark.parametrize(("nodes", "votes", "witness"), [(2, 3, 1), (3, 3, 0), (4, 5, 1), (8, 9, 1), (16, 17, 1)])
def test_votes_are_odd(nodes: int, votes: int, witness: int) -> None:
    quorum = Lab(demo_world(nodes)).world.quorum
    assert (quorum.votes, quorum.up_votes, quorum.witness_weight) == (votes, votes, witness)


async def test_a_clean_leave_takes_its_vote_away() -> None:
    lab = Lab(demo_world(4))
    lab.world.membership.leave(lab.nodes[3], clean=True, reason="test")
    assert (lab.world.quorum.votes, lab.world.quorum.up_votes) == (3, 3)
    assert lab.nodes[3].dynamic_weight == 0


async def test_one_after_another_down_to_the_last() -> None:
    lab = Lab(demo_world(4))
    for node in lab.nodes[:3]:
        lab.world.membership.leave(node, clean=True, reason="test")
        assert lab.world.quorum.has_quorum
    assert lab.nodes[3].member


async def test_two_nodes_without_witness_do_not_survive_the_crash_of_the_voting_one() -> None:
    lab = Lab(without_witness(demo_world(2)))
    assert [node.dynamic_weight for node in lab.nodes] == [1, 0]
    assert not lab.world.quorum.would_survive_without(lab.nodes[0].name)
    lab.world.power.crash(lab.nodes[0])
    assert not lab.world.quorum.has_quorum
    assert {node.state.name for node in lab.nodes} == {"Down", "Joining"}
    assert all(group.vm.state == "Off" for group in lab.world.groups.all if group.vm)


async def test_quorum_comes_back_with_the_votes() -> None:
    lab = Lab(without_witness(demo_world(2)))
    lab.world.power.crash(lab.nodes[0])
    await lab.wait_for(lambda: all(node.state.name == "Up" for node in lab.nodes))
    await lab.wait_for(lambda: all(group.vm.state == "Running" for group in lab.world.groups.all if group.vm))
    assert lab.world.quorum.has_quorum


async def test_losing_half_at_once_is_survived_only_with_the_witness() -> None:
    with_witness, without = Lab(demo_world(2)), Lab(without_witness(demo_world(2)))
    assert with_witness.world.quorum.would_survive_without("HCI01")
    assert not without.world.quorum.would_survive_without("HCI01")
