import pytest

from include.simulator.faults.catalogue import Trigger, catalogue, load, parse_id
from include.simulator.faults.effects import EFFECTS

ROW = "- {id: x, what: w, source: s, node: none, effects: [{effect: crash}]}\n"


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("install-fails-on-node-2", ("install-fails", 2)),
        ("drain-blocked-by-vm-on-node-16", ("drain-blocked-by-vm", 16)),
        ("foreign-lock", ("foreign-lock", None)),
        ("silent-node", ("silent-node", None)),
    ],
)
def test_ids_name_nodes_by_number(text: str, parsed: tuple[str, int | None]) -> None:
    assert parse_id(text) == parsed


def test_every_row_uses_known_effects_and_names_its_source() -> None:
    for row in catalogue().values():
        assert row.what.endswith("."), row.id
        assert row.source, row.id
        assert row.effects, row.id
        assert {effect["effect"] for effect in row.effects} <= set(EFFECTS), row.id


def test_the_faults_that_are_promised_are_there() -> None:
    promised = """install-fails install-fails-once download-fails drain-blocked-by-vm drain-leaves-one-role drain-never-ends
        restart-never-comes-back restart-takes-40-minutes no-restart-though-ordered repair-suspended repair-never-moves
        storage-degraded foreign-lock cau-run-in-progress node-down-at-start node-quarantined-after-restart lock-expires
        connection-reset-during-install silent-node"""
    assert set(promised.split()) <= set(catalogue())


def test_a_row_of_ones_own() -> None:
    text = "- {id: y, what: w, source: s, node: optional, when: {event: node.state, where: {state: Up}, delay_seconds: 5}, effects: []}"
    assert load(text)["y"].when == Trigger("node.state", {"state": "Up"}, 5.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (ROW + ROW, "x stands in the catalogue twice"),
        ("- {id: x, what: w}", "needs id, what, source, node and effects"),
        (ROW.replace("none", "maybe"), "node: maybe"),
        (ROW.replace("source: s", "source: s, colour: red"), "unknown keys: colour"),
        ("- just text", "just text"),
    ],
)
def test_malformed_rows_are_refused_by_name(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        load(text)
