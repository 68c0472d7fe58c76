from __future__ import annotations

import io

import pytest
from rich.console import Console

from include.demo.api import TaskInstance
from include.demo.view import (
    NodeLine,
    Progress,
    current_phase,
    left_text,
    node_states,
    node_summary,
    progress_from,
    screen,
)


@pytest.mark.parametrize(
    ("states", "phase"),
    [
        ({}, None),
        ({"turn": "deferred"}, "turn"),
        ({"turn": "success", "drain": "up_for_retry"}, "drain"),
        (
            {"turn": "success", "drain": "success", "install": None, "restart": None, "resume": None, "resync": None},
            "install",
        ),
        (
            {
                "turn": "success",
                "drain": "failed",
                "install": "upstream_failed",
                "restart": "upstream_failed",
                "resume": "running",
            },
            "resume",
        ),
        (dict.fromkeys(("turn", "drain", "install", "restart", "resume", "resync"), "success"), None),
    ],
)
def test_the_phase_under_way_is_the_first_that_has_not_ended(states, phase):
    assert current_phase(states) == phase


@pytest.mark.parametrize(
    ("states", "said"),
    [
        ({}, "waits for its turn"),
        (dict.fromkeys(("turn", "drain", "install", "restart", "resume", "resync"), "success"), "done"),
        (dict.fromkeys(("turn", "drain", "install", "restart", "resume", "resync"), "skipped"), "skipped"),
        ({"turn": "success", "drain": "failed", "install": "upstream_failed"}, "failed"),
    ],
)
def test_summary(states, said):
    assert node_summary(states)[0] == said


@pytest.mark.parametrize(
    ("value", "progress"),
    [
        (None, Progress()),
        ("text", Progress()),
        ({"text": "resync", "done": 1, "total": 4, "seconds_left": 90}, Progress("resync", 0.25, 90.0)),
        ({"text": "drain", "done": 5, "total": 4}, Progress("drain", 1.0, None)),
        ({"text": "drain", "done": None, "total": 0}, Progress("drain", None, None)),
    ],
)
def test_progress_is_read_with_care(value, progress):
    assert progress_from(value) == progress


@pytest.mark.parametrize(("seconds", "text"), [(None, ""), (9.6, "10 s"), (200, "3 min 20 s"), (59.7, "1 min 00 s")])
def test_time_left(seconds, text):
    assert left_text(seconds) == text


def test_only_the_node_group_is_read_for_the_nodes():
    rows = [
        TaskInstance("scan", 0, "HCI01", "success", 1),
        TaskInstance("update_node.turn", 1, "HCI02", "deferred", 1),
        TaskInstance("update_node.turn", -1, None, None, 0),
    ]
    assert node_states(rows) == {1: {"turn": "deferred"}}


def test_the_screen_names_every_server_and_what_it_does():
    lines = [
        NodeLine(
            "HCI01",
            dict.fromkeys(("turn", "drain", "install", "restart", "resume", "resync"), "success"),
            None,
            Progress(),
        ),
        NodeLine("HCI02", {"turn": "success", "drain": "deferred"}, "drain", Progress("2 of 4 roles", 0.5, 30)),
    ]
    console = Console(width=140, record=True, force_terminal=False, file=io.StringIO())
    console.print(screen("Rolling update", [TaskInstance("plan", -1, None, "success", 1)], lines))
    text = console.export_text()
    assert "HCI01" in text
    assert "done" in text
    assert "2 of 4 roles" in text
    assert "30 s" in text
