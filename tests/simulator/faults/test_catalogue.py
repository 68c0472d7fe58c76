import re
from pathlib import Path

import pytest

from include.simulator.faults.catalogue import ROWS, catalogue, load, not_faults, parse_id
from include.simulator.faults.effects_conditions import CONDITIONS
from include.simulator.faults.registry import effects, parameters
from include.simulator.faults.triggers import PHASES, Trigger

ROOT = Path(__file__).parents[3]
DEMANDS = ROOT.parent / "shared" / "reference" / "demands.md"
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


def test_every_row_uses_known_effects_and_says_whence_and_where() -> None:
    for row in catalogue().values():
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", row.id), row.id
        assert parse_id(row.id) == (row.id, None), "an id that ends like a node's number cannot be told from one"
        assert row.what.endswith("."), row.id
        assert row.source, row.id
        assert row.effects, row.id
        assert row.shows, row.id
        assert row.demands, row.id
        assert len(set(row.demands)) == len(row.demands), row.id
        assert {effect["effect"] for effect in row.effects} <= set(effects()), row.id


def test_every_detail_of_every_row_is_one_that_its_effect_takes() -> None:
    for row in catalogue().values():
        for effect in row.effects:
            details = effect.get("details")
            given = {*effect, *(details if isinstance(details, dict) else {})} - {"effect", "kind", "details"}
            assert given <= parameters(effect), row.id


def test_every_condition_of_the_catalogue_is_asked_for_by_the_world() -> None:
    used = {
        str(effect["kind"]) for row in catalogue().values() for effect in row.effects if effect["effect"] == "condition"
    }
    assert used == set(CONDITIONS), "a condition without a row, or a row without a condition"
    folder = ROOT / "include" / "simulator"
    source = "\n".join(path.read_text() for part in ("world", "cmdlets") for path in (folder / part).glob("*.py"))
    # Those of downloads and installations are put together from the kind of operation.
    kinds = {re.sub("^(install|download)-(fails|slow|hangs)$", r"{operation.kind}-\2", kind) for kind in CONDITIONS}
    assert {kind for kind in kinds if f'"{kind}"' not in source} == set()


def test_every_effect_is_used_by_a_row_or_kept_for_rows_of_ones_own() -> None:
    used = {str(effect["effect"]) for row in catalogue().values() for effect in row.effects}
    assert set(effects()) - used == {"policy"}
    assert all(effect.what.endswith(".") for effect in effects().values())


def test_the_faults_that_are_promised_are_there() -> None:
    promised = """install-fails install-fails-once download-fails drain-blocked-by-vm drain-leaves-one-role drain-never-ends
        restart-never-comes-back restart-takes-40-minutes no-restart-though-ordered repair-suspended repair-never-moves
        storage-degraded foreign-lock cau-run-in-progress node-down-at-start node-quarantined-after-restart lock-expires
        connection-reset-during-install silent-node"""
    assert set(promised.split()) <= set(catalogue())


# Every complaint of every user is played by a fault, or excused with a reason.


def covered() -> set[str]:
    return {demand for row in catalogue().values() for demand in row.demands}


def test_no_complaint_is_both_played_and_excused() -> None:
    assert covered() & set(not_faults()) == set()
    assert all(len(reason) > 20 and reason.endswith(".") for reason in not_faults().values())


def test_every_demand_is_played_by_a_fault_or_excused_with_a_reason() -> None:
    if not DEMANDS.exists():
        pytest.skip("the list of users' demands is not beside this repository")
    demands = set(re.findall(r"^\| (B-\d+) \|", DEMANDS.read_text(encoding="utf-8"), re.M))
    assert len(demands) == 68
    assert covered() | set(not_faults()) == demands


@pytest.mark.parametrize(
    ("what", "demands"),
    [
        ("repair job suspended, restarts for ever, reports 0 bytes", "B-1 B-3 B-6"),
        ("drain error 0x80070534, one role left, never ends", "B-10 B-12 B-13 B-14"),
        ("local ISO, non-migratable VM, a workload that refuses", "B-15 B-16"),
        ("restarts that do not happen, take long, come in threes; servicing busy", "B-19 B-20 B-21 B-22 B-23 B-25"),
        ("quarantine", "B-26"),
        ("what an earlier run left behind", "B-27 B-28 B-29 B-30 B-31 B-32"),
        ("a secret rotated in mid-run", "B-34"),
        ("a schedule on its own, a second run", "B-37"),
        ("the lock's holder dies, and returns", "B-38"),
        ("the window closes in the middle of a node; clocks", "B-44 B-48"),
        ("rights: network logon, WMI, batch", "B-51 B-53 B-57"),
        ("the connection", "B-54 B-55 B-56"),
        ("superseded, servicing stack first", "B-60 B-62"),
    ],
)
def test_the_table_of_faults_is_covered(what: str, demands: str) -> None:
    assert set(demands.split()) <= covered(), what


# What a row may say.


def test_a_row_of_ones_own() -> None:
    text = "- {id: y, what: w, source: s, node: optional, when: {event: node.state, where: {state: Up}, delay_seconds: 5}, effects: []}"
    assert load(text)["y"].when == Trigger("node.state", {"state": "Up"}, 5.0)


def test_a_row_that_waits_for_a_phase() -> None:
    text = "- {id: y, what: w, source: s, node: optional, when: {phase: drain, delay_seconds: 5}, effects: []}"
    when = load(text)["y"].when
    assert when is not None
    assert (when.event, when.where, when.delay_seconds) == (PHASES["drain"].event, PHASES["drain"].where, 5.0)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (ROW + ROW, "x stands in the catalogue twice"),
        ("- {id: x, what: w}", "needs id, what, source, node and effects"),
        (ROW.replace("none", "maybe"), "node: maybe"),
        (ROW.replace("source: s", "source: s, colour: red"), "unknown keys: colour"),
        (ROW.replace("source: s", "source: s, demands: [X-1]"), "demands that are none: X-1"),
        (ROW.replace("source: s", "source: s, when: {phase: lunch}"), "The fault x: There is no phase 'lunch'"),
        (ROW.replace("source: s", "source: s, when: {where: {a: b}}"), "either an event or a phase"),
        (ROW.replace("source: s", "source: s, when: {event: e, delay_seconds: -1}"), "a number from 0"),
        ("- just text", "just text"),
    ],
)
def test_malformed_rows_are_refused_by_name(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        load(text)


def test_no_file_of_rows_is_longer_than_a_screen_can_hold() -> None:
    assert all(len(file.read_text().splitlines()) <= 400 for file in ROWS.glob("*.yaml"))
