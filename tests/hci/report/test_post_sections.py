"""What the report of a feature update says of what comes after the installation, from records made by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from include.hci.report import events as ev
from include.hci.report.model import Section
from include.hci.report.post_sections import left_sentences, post_sections
from include.hci.report.record import Entry, RunRecord
from include.hci.report.storage import MemoryStorage

AT = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
LEVEL = "Cluster functional level"


def entries(*events: ev.RunEvent) -> tuple[Entry, ...]:
    record = RunRecord(MemoryStorage())
    for event in events:
        record.add(event, AT)  # type: ignore[arg-type]
    return tuple(record.events())


def section(title: str, *events: ev.RunEvent) -> Section:
    return next(each for each in post_sections(entries(*events)) if each.title == title)


def answered(step: Any = "approve_functional_level", **more: Any) -> ev.PostAnswered:
    return ev.PostAnswered(**{"step": step, "identity": "0123456789abcdef", "by": "bob", "accepted": True, **more})


def raising(step: Any = "functional_level", subject: str = "functional level", **more: Any) -> ev.VersionRaising:
    return ev.VersionRaising(step=step, subject=subject, before="10.2", allowed_by="ada", **more)


def test_nothing_is_said_of_what_was_not_begun() -> None:
    assert post_sections(entries(ev.Concluded(why="x"))) == ()
    assert left_sentences(()) == ()


def test_a_question_without_an_answer_is_open() -> None:
    asked = ev.PostAsked(step="approve_functional_level", identity="0123456789abcdef")
    assert section(LEVEL, asked).sentences == ("The question 0123456789ab has no answer yet.",)


def test_an_order_that_was_not_seen_to_end_is_named_as_such() -> None:
    found = section(LEVEL, raising())
    assert found.rows == (("functional level", "10.2", "", "ordered, and not seen to be raised"),)
    assert found.sentences == ("It was approved by ada when the run was begun.",)


def test_a_refused_order_is_told_with_its_reason() -> None:
    refused = ev.RaiseRefused(step="functional_level", subject="functional level", why="a node is down")
    assert section(LEVEL, raising(), refused).rows[0][3] == "refused: a node is down"


def test_the_last_word_of_a_step_counts() -> None:
    skipped = ev.PostSkipped(step="functional_level", why="the functional level is left at 10.2: refused by bob")
    settled = ev.VersionSettled(
        step="functional_level", subject="functional level", name=LEVEL, result="raised", before="10.2", after="12.1"
    )
    assert left_sentences(entries(skipped)) == ("The functional level is left at 10.2: refused by bob.",)
    assert left_sentences(entries(skipped, settled)) == ()
    found = section(LEVEL, skipped, answered(comment="tonight"), raising(), settled)
    assert found.rows == ((LEVEL, "10.2", "12.1", "raised"),)
    assert found.sentences == ("Question 0123456789ab was approved by bob (tonight).",)


def test_each_machine_has_its_result_and_those_that_were_down_are_named() -> None:
    found = section(
        "Versions of the virtual machines",
        ev.Changing(step="vm_versions", change="vm-stopped", subject="SQL01", before="Running", after="Off"),
        ev.Changing(step="stop_vms", change="vm-stopped", subject="OTHER", before="Running", after="Off"),
        raising("vm_versions", "SQL01", node="HCI01"),
        raising("vm_versions", "WEB01", node="HCI02"),
        ev.VersionSettled(
            step="vm_versions", node="HCI01", subject="SQL01", name="SQL01", result="raised", before="9.0", after="10.0"
        ),
        ev.VersionSettled(
            step="vm_versions",
            node="HCI02",
            subject="OLD",
            name="OLD",
            result="left",
            before="9.0",
            after="9.0",
            why="it runs",
        ),
    )
    assert [(row[0], row[4]) for row in found.rows] == [
        ("OLD", "left as it was - it runs"),
        ("SQL01", "raised"),
        ("WEB01", "ordered, and not seen to be raised"),
    ]
    assert "Shut down for it, and started again: SQL01." in found.sentences


def test_a_move_that_came_to_nothing_and_a_state_on_the_way_are_told() -> None:
    found = section(
        "Proof that roles move",
        ev.RoleMoving(step="move_role", role="VM1", source="A", target="B", how="Move-ClusterGroup VM1"),
        ev.RoleInterrupted(step="move_role", role="VM1", state="Pending"),
        ev.RoleMoved(step="move_role", role="VM1", source="A", target="B", seconds=75, readings=4),
        ev.RoleMoveEnded(step="move_role", role="VM1", why="A is paused"),
    )
    assert found.sentences == (
        "VM1 (Move-ClusterGroup) was also read as Pending on its way.",
        "A move came to nothing: A is paused.",
    )
    assert found.rows[0][:3] == ("VM1", "A", "B")
    assert found.rows[0][4] == "4"
