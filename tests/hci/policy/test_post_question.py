from __future__ import annotations

import dataclasses

import pytest

from include.hci.policy.post_question import Question

QUESTION = Question(
    "approve_functional_level",
    "c",
    {"functional level": "10.2"},
    "12.1",
    {"HCI01": "20348.1", "HCI02": "20348.1"},
    names={"functional level": "Level <b>"},
)


@pytest.mark.parametrize(
    "changed",
    [
        {"step": "approve_pool_version"},
        {"cluster": "d"},
        {"subjects": {"functional level": "11.4"}},
        {"target": "12.4"},
        {"builds": {"HCI01": "20348.1", "HCI02": "20348.2"}},
        {"terms": "more"},
    ],
)
def test_an_answer_is_good_for_one_state_of_the_cluster(changed):
    assert dataclasses.replace(QUESTION, **changed).identity != QUESTION.identity


def test_what_is_only_shown_and_the_order_of_the_nodes_do_not_count():
    same = dataclasses.replace(QUESTION, said="x", names={}, builds=dict(reversed(QUESTION.builds.items())))
    assert same.identity == QUESTION.identity


def test_the_person_reads_everything_that_matters():
    shown = dataclasses.replace(QUESTION, said="What if: `x`").markdown()
    for text in ("10.2", "12.1", "HCI02", "20348.1", "cannot be undone", QUESTION.identity[:12], r"What if: \`x\`"):
        assert text in shown
    assert "<b>" not in shown
