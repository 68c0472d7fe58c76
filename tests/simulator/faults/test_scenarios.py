"""Several faults in one night: named scenarios, and swizzles that break things and heal them in another order."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.simulator.faults.catalogue import catalogue
from include.simulator.faults.scenarios import Scenario, Step, find, healable, load, play, scenarios, swizzle
from tests.simulator.faults.night import Night
from tests.simulator.faults.test_healing import ailing
from tests.simulator.world.driver import Lab

SEEDS = st.integers(0, 10**6)


def order(scenario: Scenario, moment: str) -> list[str]:
    return [step.fault for step in sorted(scenario.steps, key=lambda step: getattr(step, moment))]


# Swizzles.


@given(seed=SEEDS, nodes=st.integers(1, 16), count=st.integers(1, 12))
@settings(max_examples=300, deadline=None)
def test_a_swizzle_breaks_first_and_heals_everything_in_another_order(seed: int, nodes: int, count: int) -> None:
    made = swizzle(seed, nodes, count, timedelta(hours=4))
    assert made == swizzle(seed, nodes, count, timedelta(hours=4))
    assert len({step.fault for step in made.steps}) == count
    for step in made.steps:
        assert step.heal is not None
        assert 0 <= step.after <= 120 < step.heal <= 240
        assert (step.node is None) is (catalogue()[step.fault].node == "none")
        assert step.node is None or 1 <= step.node <= nodes
    if count > 1:
        assert order(made, "after") != order(made, "heal")


def test_seeds_sizes_and_counts_make_different_swizzles() -> None:
    made = {swizzle(seed, nodes, count).steps for seed in range(20) for nodes in (2, 4) for count in (2, 4)}
    assert len(made) == 80


def test_in_many_swizzles_every_fault_that_can_be_healed_has_its_turn() -> None:
    used = {step.fault for seed in range(300) for step in swizzle(seed, 4, 6).steps}
    assert used == {row.id for row in catalogue().values() if healable(row) and row.theme != "feature"}


def test_the_faults_of_a_swizzle_can_be_chosen() -> None:
    made = swizzle(1, 4, 3, allow=lambda row: row.theme == "storage")
    assert {catalogue()[step.fault].theme for step in made.steps} == {"storage"}


def test_a_swizzle_needs_time_for_one_thing_after_another() -> None:
    made = swizzle(1, 4, 4, timedelta(minutes=1))
    assert order(made, "after") != order(made, "heal")
    with pytest.raises(ValueError, match="0:00:40 is too short to break and heal 4 things"):
        swizzle(1, 4, 4, timedelta(seconds=40))


@pytest.mark.parametrize(("count", "nodes"), [(0, 4), (1000, 4), (2, 0)])
def test_an_impossible_swizzle_is_refused(count: int, nodes: int) -> None:
    with pytest.raises(ValueError, match="A swizzle breaks 1 to"):
        swizzle(1, nodes, count)


def check(lab: Lab) -> None:
    """A world that could exist, whatever is broken in it."""
    world = lab.world
    for group in world.groups.all:
        if group.state.name == "Online":
            assert group.owner.member or group.unmonitored, group.name
        if group.vm and group.vm.state == "Running":
            assert group.state.name == "Online", group.name
            assert world.storage.serves(group.vm.disk) or group.unmonitored, group.name
    for job in world.repairs.jobs:
        assert 0 <= job.processed <= job.total
    for node in lab.nodes:
        assert not (node.member and node.joining)
        assert node.up or not node.member
    if any(node.member for node in lab.nodes):
        assert world.quorum.up_votes * 2 > world.quorum.votes


@given(seed=SEEDS, nodes=st.integers(2, 5), count=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
async def test_whatever_is_swizzled_the_world_stays_possible_and_is_well_in_the_end(
    seed: int, nodes: int, count: int
) -> None:
    lab = Lab(nodes=nodes, seed=seed)
    # A run of CAU that meets trouble leaves nodes paused, as the real one does: that does not heal by itself.
    scenario = swizzle(seed, nodes, count, allow=lambda row: row.id not in ("cau-run-in-progress", "cau-run-starts"))
    play(lab.world, scenario)
    end = lab.clock.now() + scenario.over_after + timedelta(minutes=1)
    while lab.clock.now() < end:
        await lab.step(min(end, lab.clock.now() + timedelta(minutes=10)))
        check(lab)
    assert not any(lab.world.faults.wires.values())
    await lab.wait(timedelta(hours=16))
    check(lab)
    sizes = f"{len(lab.nodes)} nodes, {len(lab.world.storage.virtual_disks)} disks"
    assert [each for each in ailing(lab) if each != sizes] == []
    assert (len(lab.nodes), len(lab.world.storage.virtual_disks)) == (nodes, nodes)


@pytest.mark.parametrize("seed", range(4))
async def test_a_swizzled_night_is_the_same_for_the_same_seed(seed: int) -> None:
    async def run() -> list[str]:
        night = Night(seed=seed)
        play(night.world, swizzle(seed, 4, 5))
        await night.pass_by()
        return [entry.to_json() for entry in night.console.journal.entries]

    first = await run()
    assert first == await run()
    assert sum('"fault.injected"' in line for line in first) == 5


# Named scenarios.


def test_every_named_scenario_says_what_it_is_about() -> None:
    for scenario in scenarios().values():
        assert scenario.what.endswith("."), scenario.id
        assert scenario.source or not scenario.steps, scenario.id
        played = {demand for step in scenario.steps for demand in catalogue()[step.fault].demands}
        assert set(scenario.demands) <= played, scenario.id


@pytest.mark.parametrize("scenario", [each for each in scenarios().values() if each.steps], ids=lambda each: each.id)
async def test_every_named_scenario_disturbs_the_night_with_each_of_its_faults(scenario: Scenario) -> None:
    night, twin = Night(), Night()
    made = play(night.world, scenario)
    await night.pass_by()
    assert all(injection.strikes for injection in made), [each.describe() for each in made]
    only_wire = all(effect["effect"] in ("wire", "credentials") for each in made for effect in each.row.effects)
    assert only_wire or night.differences(await twin.pass_by())
    assert not [answer for _, answer in night.answers if "The simulator failed" in answer]


async def test_a_scenario_strikes_and_heals_when_it_says() -> None:
    lab = Lab()
    play(lab.world, Scenario("x", "x.", (Step("witness-lost", None, 10, 40), Step("slow-node", 2, 20, 30))))
    await lab.wait(timedelta(hours=1))
    told = [
        (event.op, event.detail["fault"], (event.at - lab.events("scenario.started")[0].at).seconds // 60)
        for event in lab.recorder.events
        if event.op.startswith("fault.")
    ]
    assert told == [
        ("fault.injected", "witness-lost", 10),
        ("fault.injected", "slow-node", 20),
        ("fault.healed", "slow-node", 30),
        ("fault.healed", "witness-lost", 40),
    ]


async def test_nothing_goes_wrong_in_a_quiet_night() -> None:
    night, twin = Night(), Night()
    play(night.world, find("quiet-night", 4))
    assert (await night.pass_by()).differences(await twin.pass_by()) == set()


@pytest.mark.parametrize(
    ("name", "found"),
    [("ghost-lock", scenarios()["ghost-lock"]), ("swizzle:7", swizzle(7, 3)), ("swizzle:7:2", swizzle(7, 3, 2))],
)
def test_scenarios_by_name(name: str, found: Scenario) -> None:
    assert find(name, 3) == found


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nonsense", "no scenario 'nonsense'; there are bad-connections"),
        ("swizzle:x", "is not swizzle:SEED"),
        ("swizzle:", "is not swizzle:SEED"),
        ("swizzle:1:2:3", "is not"),
    ],
)
def test_scenarios_that_do_not_exist(name: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        find(name, 3)


def test_a_cluster_that_is_too_small_is_named() -> None:
    lab = Lab(nodes=2)
    with pytest.raises(ValueError, match="storage-under-fire needs 3 nodes; the cluster has 2"):
        play(lab.world, scenarios()["storage-under-fire"])
    assert lab.world.faults.injections == []


SCENARIO = "- {id: x, what: w, steps: [{fault: slow-node}]}\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (SCENARIO + SCENARIO, "x stands there twice"),
        ("- {id: x, what: w}", "has id, what, steps"),
        (SCENARIO.replace("what: w", "what: w, mood: bad"), "has id, what, steps"),
        (SCENARIO.replace("slow-node", "fast-node"), "uses the fault fast-node, which does not exist"),
        (SCENARIO.replace("slow-node", "slow-node, colour: red"), "a step of the scenario x"),
        (SCENARIO.replace("slow-node", "slow-node, after: 10, heal: 5"), "heals slow-node before it strikes"),
    ],
)
def test_malformed_scenarios_are_refused_by_name(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=f"(?i){complaint}"):
        load(text)
