"""Every fault of the catalogue, on one node and on all, against an undisturbed twin of the same seed."""

from __future__ import annotations

import pytest

from include.simulator.faults.catalogue import FaultRow, catalogue
from tests.simulator.faults.feature_night import FeatureNight
from tests.simulator.faults.night import Night

#: The connection is no matter of the world; these are met by real clients in test_wire_faults.
ON_THE_WIRE = {"wire", "credentials"}
PLACES: dict[str, tuple[int | None, ...]] = {"required": (2,), "optional": (2, None), "none": (None,)}
CASES = [
    pytest.param(row, place, id=f"{row.id}-on-node-{place}" if place else row.id)
    for row in catalogue().values()
    for place in PLACES[row.node]
    if {effect["effect"] for effect in row.effects} - ON_THE_WIRE
]

_twins: dict[type[Night], Night] = {}


async def undisturbed(kind: type[Night] = Night) -> Night:
    if kind not in _twins:
        _twins[kind] = await kind().pass_by()
    return _twins[kind]


def kind_for(row: FaultRow) -> type[Night]:
    return FeatureNight if row.theme == "feature" else Night


async def test_two_undisturbed_nights_of_one_seed_are_the_same() -> None:
    again = await Night().pass_by()
    assert again.differences(await undisturbed()) == set()
    assert (await Night(seed=8).pass_by()).differences(again), "another seed is another night"


async def test_the_undisturbed_night_ends_well() -> None:
    night = await undisturbed()
    assert night.world.storage.healthy()
    assert {node.state.name for node in night.world.nodes} == {"Up"}
    assert night.world.nodes[1].ubr == night.world.spec.os.ubr + 280
    assert not [answer for _, answer in night.answers if "The simulator failed" in answer]


async def test_the_undisturbed_night_of_a_feature_update_ends_well() -> None:
    night = await undisturbed(FeatureNight)
    assert {(node.os.key, node.state.name) for node in night.world.nodes} == {("21H2", "Up")}
    assert night.world.storage.healthy()
    assert not [answer for _, answer in night.answers if "The simulator failed" in answer]


@pytest.mark.parametrize(("row", "place"), CASES)
async def test_a_fault_shows_where_the_catalogue_says(row: FaultRow, place: int | None) -> None:
    night = kind_for(row)()
    night.world.inject(row.id, node=place)
    await night.pass_by()
    ops = [entry.op for entry in night.console.journal.entries]
    assert "fault.injected" in ops, "it never struck"
    assert "fault.missed" not in ops, "it found nothing to strike"
    assert not [answer for _, answer in night.answers if "The simulator failed" in answer]
    differences = night.differences(await undisturbed(kind_for(row)))
    assert set(row.shows) <= differences, (
        f"not seen in {sorted(set(row.shows) - differences)}, but in {sorted(differences)}"
    )
