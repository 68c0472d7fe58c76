from __future__ import annotations

import pytest

from include.hci.report.ask import WISHES, controls, possible, render_ask
from include.hci.report.facts import Asked, RunFacts
from tests.hci.steps.facts import NOW

ADA = Asked(NOW, "ada")
HELD = {("HCI02", "before-drain"): NOW}


@pytest.mark.parametrize(
    ("facts", "over", "wishes"),
    [
        (RunFacts(), False, ("pause", "cancel")),
        (RunFacts(pause=ADA), False, ("continue", "cancel")),
        (RunFacts(pause=ADA, held=HELD), False, ("continue", "cancel")),
        (RunFacts(held=HELD), False, ("continue", "pause", "cancel")),
        (RunFacts(cancel=ADA), False, ()),
        (RunFacts(), True, ()),
    ],
)
def test_what_can_be_asked_of_a_run(facts, over, wishes):
    assert possible(facts, over=over) == wishes


def test_cancelling_is_set_apart_and_every_button_leads_to_its_question():
    made = controls(("pause", "cancel"), "/hci/report/d/r")
    assert [(one.text, one.address, one.grave) for one in made] == [
        ("Pause", "/hci/report/d/r/ask/pause", False),
        ("Cancel", "/hci/report/d/r/ask/cancel", True),
    ]


@pytest.mark.parametrize("wish", WISHES)
def test_the_question_says_what_will_happen_and_can_be_left(wish):
    page = render_ask(wish, "/hci/report/d/r?x=<script>")
    assert f"{wish.capitalize()} this run" in page
    assert '<form method="post">' in page
    assert "<script>" not in page


def test_an_offline_update_can_be_cancelled_and_never_held():
    assert possible(RunFacts(), over=False, kind="offline-update") == ("cancel",)
    assert possible(RunFacts(), over=True, kind="offline-update") == ()
    assert "everything that is down is brought back" in render_ask("cancel", "/report", "offline-update")
    assert "everything that is down is brought back" not in render_ask("cancel", "/report")
