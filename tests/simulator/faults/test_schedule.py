"""When faults strike: at a time, in a phase, by chance; and that a seed says it all."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.simulator.faults.catalogue import catalogue
from include.simulator.faults.engine import Stage
from include.simulator.faults.schedule import Schedule, schedule
from include.simulator.faults.triggers import PHASES, Trigger, trigger
from include.simulator.world.locks import RUN
from tests.simulator.faults.night import Night
from tests.simulator.world.careful import GUID
from tests.simulator.world.driver import START, Lab, cmd


async def strikes(lab: Lab, hours: float) -> list[timedelta]:
    """When faults struck, counted from the beginning."""
    await lab.wait(timedelta(hours=hours))
    return [event.at - START for event in lab.events("fault.injected")]


# Time.


@pytest.mark.parametrize(
    ("arguments", "minutes"),
    [
        ({}, 0),
        ({"after": 12}, 12),
        ({"after": "2.5"}, 2.5),
        ({"after": timedelta(hours=1)}, 60),
        ({"at": START + timedelta(minutes=7)}, 7),
        ({"at": "2026-11-03T01:07:00+00:00"}, 7),
        ({"at": "2026-11-03T01:07:00"}, 7),
    ],
)
async def test_a_fault_strikes_at_its_time_and_once(arguments: dict[str, object], minutes: float) -> None:
    lab = Lab()
    lab.world.inject("node-crashes-on-node-3", **arguments)
    assert await strikes(lab, 3) == [timedelta(minutes=minutes)]


async def test_what_a_fault_makes_stand_goes_after_its_while() -> None:
    lab = Lab()
    lab.world.inject("witness-lost", after=10, lasts=20)
    votes = []
    for minutes in (5, 10, 20):
        await lab.wait(timedelta(minutes=minutes))
        votes.append(lab.world.quorum.witness_online)
    assert votes == [True, False, True]
    assert [event.at - START for event in lab.events("fault.healed")] == [timedelta(minutes=30)]


# Phases and events.


@pytest.mark.parametrize("phase", PHASES)
async def test_every_phase_of_a_nodes_update_sets_a_fault_off_once_and_on_that_node(phase: str) -> None:
    night = Night()
    night.world.inject("slow-node", node=None, phase=phase)
    await night.pass_by()
    struck = [entry for entry in night.console.journal.entries if entry.op == "fault.injected"]
    expected = {"lock": "HCI01"}.get(phase, "HCI02")
    assert [entry.node for entry in struck] == [expected]


@pytest.mark.parametrize("phase", [each for each in PHASES if each != "lock"])
async def test_a_phase_of_another_node_sets_nothing_off(phase: str) -> None:
    night = Night()
    night.world.inject("slow-node-on-node-4", phase=phase)
    await night.pass_by()
    assert [entry.op for entry in night.console.journal.entries if entry.op == "fault.injected"] == []


async def test_a_phase_with_a_delay() -> None:
    lab = Lab()
    lab.world.inject("node-crashes-on-node-1", phase="drain", delay=20)
    lab.world.drains.start(lab.nodes[0])
    await lab.wait(timedelta(seconds=19))
    assert lab.nodes[0].up
    await lab.wait(timedelta(seconds=2))
    assert not lab.nodes[0].up


async def test_a_fault_on_a_scan_strikes_that_very_scan() -> None:
    night = Night()
    night.world.inject("scan-fails", phase="scan")
    await night.pass_by()
    first = next(answer for label, answer in night.answers if label.startswith("scan:"))
    assert f"Info=[], PSComputerName=HCI02, ReturnValue={0x8024402C}" in first


@pytest.mark.parametrize(
    ("on", "where", "taken", "strikes_"),
    [
        ("lock.taken", {}, RUN, 1),
        ("lock.taken", {"class": RUN}, RUN, 1),
        ("lock.taken", {"class": ["MSFT_CAUNode", RUN]}, RUN, 1),
        ("lock.taken", {"class": "MSFT_CAUNode"}, RUN, 0),
        ("lock.released", {}, RUN, 0),
    ],
)
async def test_an_event_and_what_it_must_say(on: str, where: dict[str, object], taken: str, strikes_: int) -> None:
    lab = Lab()
    lab.world.inject("slow-node", on={"event": on, "where": where})
    lab.world.locks.create(lab.nodes[2], taken, GUID)
    assert len(await strikes(lab, 0.1)) == strikes_


async def test_where_narrows_an_event_down_from_the_command_line_too() -> None:
    lab = Lab()
    lab.world.inject("slow-node", **{"on": "node.state", "where.state": "Paused", "where.was.state": "Up"})
    lab.world.membership.announce(lab.nodes[0])
    assert lab.events("fault.injected") == []
    lab.world.membership.pause(lab.nodes[1])
    assert len(await strikes(lab, 0.1)) == 1


async def test_the_catalogues_own_trigger_can_be_replaced() -> None:
    lab = Lab()
    lab.world.inject("lock-expires-on-node-1", after=5)
    lab.world.locks.create(lab.nodes[0], RUN, GUID)
    await lab.wait(timedelta(minutes=6))
    assert not lab.nodes[0].locks


# Chance.


async def test_a_chance_per_occasion_strikes_some_of_them() -> None:
    lab = Lab(seed=5)
    lab.world.inject("connection-reset-on-node-1", on="occasion", probability=0.3)
    for _ in range(400):
        lab.world.emit("occasion", lab.nodes[0], {"node": "HCI01"})
    await lab.wait(timedelta(seconds=1))
    assert 80 < len(lab.events("fault.injected")) < 160


async def test_a_limit_of_strikes_holds() -> None:
    lab = Lab()
    injection = lab.world.faults.inject("connection-reset-on-node-1", on="occasion", probability=0.99, strikes=3)
    for _ in range(40):
        lab.world.emit("occasion", lab.nodes[0], {"node": "HCI01"})
        await lab.wait(timedelta(seconds=1))
    assert (len(lab.events("fault.injected")), injection.stage) == (3, Stage.OVER)


async def test_a_chance_per_simulated_hour() -> None:
    lab = Lab(seed=3)
    lab.world.inject("connection-reset", per_hour=2)
    struck = await strikes(lab, 100)
    assert 160 < len(struck) < 240
    assert len({event.node for event in lab.events("fault.injected")}) == 4, "chance chooses the node too"


async def test_what_lasts_comes_back_by_chance_only_when_it_is_over() -> None:
    lab = Lab(seed=2)
    lab.world.inject("witness-lost", per_hour=4, lasts=60)
    await lab.wait(timedelta(hours=50))
    struck = [event.at for event in lab.events("fault.injected")]
    assert len(struck) > 20
    assert all(later - earlier >= timedelta(hours=1) for earlier, later in pairwise(struck))


@pytest.mark.parametrize("seed", range(3))
async def test_one_seed_gives_one_run_with_every_kind_of_chance_in_it(seed: int) -> None:
    async def run() -> list[str]:
        night = Night(seed=seed)
        night.world.inject("connection-reset", per_hour=3)
        night.world.inject("node-crashes-on-node-4", phase="drain", probability=0.5, delay=40)
        night.world.inject("install-fails", phase="install", probability=0.5)
        night.world.inject("foreign-lock", node="any", after=70)
        night.world.inject("slow-node", node="any", per_hour=1, lasts=10)
        await night.pass_by()
        return [entry.to_json() for entry in night.console.journal.entries]

    assert await run() == await run()


async def test_seeds_differ() -> None:
    struck = set()
    for seed in range(4):
        lab = Lab(seed=seed)
        lab.world.inject("connection-reset", per_hour=1)
        struck.add(tuple(await strikes(lab, 10)))
    assert len(struck) == 4


async def test_a_fault_that_never_strikes_leaves_the_world_as_it_is() -> None:
    night, twin = Night(), Night()
    night.world.inject("node-crashes-on-node-1", phase="install", probability=1e-9)
    night.world.inject("node-crashes-on-node-1", on="nothing")
    await night.pass_by()
    assert night.differences(await twin.pass_by()) == set()


# What cannot be meant.


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"after": 1, "phase": "drain"}, "in one way, not by after and phase"),
        ({"phase": "lunch"}, "There is no phase 'lunch'; there are lock, scan"),
        ({"delay": 5}, "delay and where belong to an event"),
        ({"where.state": "Up"}, "delay and where belong to an event"),
        ({"probability": 0}, "above 0 and at most 1"),
        ({"probability": 2}, "above 0 and at most 1"),
        ({"per_hour": 0}, "never strikes"),
        ({"after": "soon"}, "after is 'soon', which is no number"),
        ({"lasts": -1}, "time runs forwards"),
        ({"on": {"where": {}}}, "either an event or a phase"),
        ({"on": 7}, "names no event and no phase"),
        ({"minuts": 5}, "has no minuts; it has"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_nothing_happens(arguments: dict[str, object], complaint: str) -> None:
    lab = Lab()
    with pytest.raises(ValueError, match=complaint):
        lab.world.inject("restart-takes-40-minutes", **arguments)
    assert lab.world.faults.injections == []
    assert lab.world.rig.conditions == []


MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)).map(lambda each: each.replace(tzinfo=START.tzinfo))


@given(
    way=st.one_of(
        st.just({}),
        st.fixed_dictionaries({"after": st.floats(0, 10000)}),
        st.fixed_dictionaries({"at": MOMENTS}),
        st.fixed_dictionaries({"phase": st.sampled_from(sorted(PHASES))}),
        st.fixed_dictionaries({"per_hour": st.floats(0.01, 60)}),
    ),
    more=st.fixed_dictionaries(
        {},
        optional={
            "probability": st.floats(0.01, 1),
            "lasts": st.floats(0, 600),
            "strikes": st.integers(1, 9),
            "minutes": st.integers(),
        },
    ),
)
@settings(max_examples=200, deadline=None)
def test_every_way_of_saying_when_is_understood_and_the_rest_is_left(
    way: dict[str, object], more: dict[str, object]
) -> None:
    given_ = {**way, **more}
    plan = schedule(given_, START, None, None)
    assert isinstance(plan, Schedule)
    assert set(given_) == set(more) & {"minutes"}, "what is no matter of time stays for the effects"
    assert sum(each is not None for each in (plan.at, plan.on, plan.per_hour)) == len(way)
    if "strikes" in more:
        assert plan.strikes == more["strikes"]


@pytest.mark.parametrize("name", PHASES)
def test_a_phase_by_name_is_the_same_in_every_spelling(name: str) -> None:
    assert trigger(name) == trigger({"phase": name}) == trigger(PHASES[name]) == PHASES[name]
    assert trigger({"phase": name, "delay_seconds": 3}) == Trigger(PHASES[name].event, PHASES[name].where, 3.0)


async def test_a_fault_can_be_told_how_hard_to_strike() -> None:
    lab = Lab()
    lab.world.inject("restart-takes-40-minutes-on-node-2", minutes=5)
    began = lab.clock.now()
    await lab.drain(lab.nodes[1])
    await lab.run(lab.nodes[1], cmd("Restart-Computer", Force=True))
    await lab.wait_for(lambda: lab.nodes[1].restarts == 1)
    assert lab.clock.now() - began < timedelta(minutes=20)


def test_every_fault_can_be_put_off() -> None:
    for row in catalogue().values():
        lab = Lab()
        injection = lab.world.faults.inject(row.id, node=1 if row.node == "required" else None, after=5)
        assert (injection.stage, lab.events("fault.injected")) == (Stage.WAITING, [])
