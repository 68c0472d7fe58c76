from __future__ import annotations

from datetime import timedelta

import pytest

from include.hci.policy.hooks import Occasion, due_hooks, owed
from include.hci.powershell.values import SWITCH
from include.hci.settings.hooks import HookCommand


def hook(when: str = "node-leaves", **more) -> HookCommand:
    return HookCommand.model_validate({"when": when, "connection": "monitoring", "command": "Set-Maintenance", **more})


LEAVES = Occasion("node-leaves", "HCI-CL01", "run1", "HCI02", "updates {node}; $x")


def test_a_command_is_given_at_its_moment_only_in_the_order_of_the_settings():
    hooks = (hook(command="Set-First"), hook("run-begins"), hook(command="Set-Second"))
    assert [call.command.name for call in due_hooks(hooks, LEAVES)] == ["Set-First", "Set-Second"]


def test_placeholders_are_filled_in_as_values_and_never_again():
    given = {
        "Server": "{node}.{cluster}",
        "Reason": "{reason}",
        "Run": "{run_id}",
        "Minutes": 90,
        "Quiet": True,
        "Loud": False,
    }
    (call,) = due_hooks((hook(parameters=given, timeout_seconds=5),), LEAVES)
    assert dict(call.command.parameters) == {
        "Server": "HCI02.HCI-CL01",
        "Reason": "updates {node}; $x",
        "Run": "run1",
        "Minutes": 90,
        "Quiet": SWITCH,
        "Loud": False,
    }
    assert (call.connection, call.timeout, call.command.is_change) == ("monitoring", timedelta(seconds=5), True)


@pytest.mark.parametrize(
    ("when", "required"), [("run-begins", True), ("node-leaves", True), ("node-returns", False), ("run-ends", False)]
)
def test_only_what_begins_something_can_keep_it_from_beginning(when, required):
    (call,) = due_hooks((hook(when, required=True),), Occasion(when, "C", "r"))
    assert call.required is required
    assert not due_hooks((hook(when),), Occasion(when, "C", "r"))[0].required


def at(when: str, node: str = "") -> Occasion:
    return Occasion(when, "C", "r", node)


@pytest.mark.parametrize(
    ("given", "left"),
    [
        ([], []),
        ([at("run-begins"), at("run-ends")], []),
        ([at("run-begins"), at("node-leaves", "A")], [at("node-returns", "A"), at("run-ends")]),
        ([at("node-leaves", "A"), at("node-returns", "A"), at("node-leaves", "B")], [at("node-returns", "B")]),
        ([at("node-leaves", "A"), at("node-leaves", "A"), at("node-returns", "A")], []),
        ([at("node-returns", "A")], []),
        (
            [at("run-begins"), at("node-leaves", "A"), at("node-returns", "B")],
            [at("node-returns", "A"), at("run-ends")],
        ),
    ],
)
def test_what_was_begun_is_owed_its_end_the_last_first(given, left):
    assert owed(given) == tuple(left)
