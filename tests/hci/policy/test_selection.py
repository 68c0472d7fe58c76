from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.hci.policy.selection import (
    feature_criteria,
    installed_criteria,
    only_updates,
    split_clauses,
    with_conditions,
)

A, B = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"


@pytest.mark.parametrize(
    ("criteria", "clauses"),
    [
        ("IsInstalled=0", ("IsInstalled=0",)),
        ("IsInstalled=0 and Type='Software'", ("IsInstalled=0 and Type='Software'",)),
        ("IsInstalled=0 or IsPresent=1", ("IsInstalled=0", "IsPresent=1")),
        ("IsInstalled=0 OR IsPresent=1 Or IsHidden=1", ("IsInstalled=0", "IsPresent=1", "IsHidden=1")),
        ("Type='Software or Driver'", ("Type='Software or Driver'",)),
        ("(IsInstalled=0 or IsHidden=1) and Type='Driver'", ("(IsInstalled=0 or IsHidden=1) and Type='Driver'",)),
        ("(IsInstalled=0) or (IsPresent=1)", ("(IsInstalled=0)", "(IsPresent=1)")),
        ("(IsInstalled=0)or(IsPresent=1)", ("(IsInstalled=0)", "(IsPresent=1)")),
        ("Order=1 and For=2", ("Order=1 and For=2",)),
        ("DeploymentAction='Installation'or IsInstalled=1", ("DeploymentAction='Installation'", "IsInstalled=1")),
    ],
)
def test_criteria_are_split_at_the_top_level_only(criteria, clauses):
    assert split_clauses(criteria) == clauses


@pytest.mark.parametrize("criteria", ["", "or", "IsInstalled=0 or", "or IsInstalled=0", "A=0 or or B=1"])
def test_an_empty_clause_is_refused(criteria):
    with pytest.raises(ValueError, match="empty clause"):
        split_clauses(criteria)


@pytest.mark.parametrize("criteria", ["Type='Software", "(IsInstalled=0", "IsInstalled=0)", "A=')'("])
def test_what_is_not_closed_is_refused(criteria):
    with pytest.raises(ValueError, match="not closed"):
        split_clauses(criteria)


def test_a_condition_reaches_every_clause():
    assert with_conditions("A=0 or B=1 and C=2", ("X!=1",)) == "A=0 and X!=1 or B=1 and C=2 and X!=1"
    assert with_conditions("A=0 or B=1", ()) == "A=0 or B=1"


def test_the_category_of_feature_updates_is_asked_for_in_every_clause():
    found = feature_criteria("A=0 or B=1")
    assert found.count("CategoryIDs contains '3689bdc8-b205-4af4-8d4a-a63924c5e9d5'") == 2


def test_updates_are_named_by_their_id_in_every_clause():
    assert only_updates("A=0 or B=1", (B, A, A.upper())) == " or ".join(
        f"{clause} and UpdateID='{update_id}'" for update_id in (A, B) for clause in ("A=0", "B=1")
    )


def test_where_there_is_nothing_to_install_nothing_is_found():
    assert only_updates("A=0", ()) == "A=0 and UpdateID='00000000-0000-0000-0000-000000000000'"


@pytest.mark.parametrize("update_id", [A, f"{{{A}}}", f"{A}.201", f"{A.upper()}:1"])
def test_an_id_may_stand_in_braces_and_have_a_revision(update_id):
    assert only_updates("A=0", (update_id,)) == f"A=0 and UpdateID='{A}'"


@pytest.mark.parametrize("update_id", ["x' or IsInstalled=1 or Type='", f"{A}' or A=1 or B='", "KB5044288", ""])
def test_an_id_that_is_no_guid_never_gets_into_the_criteria(update_id):
    with pytest.raises(ValueError):
        only_updates("A=0", (update_id,))


_TERM = st.sampled_from(
    ["IsInstalled=0", "Type='Software or Driver'", "IsHidden=0", "Title='a (or) b'", "(A=1 or B=2)"]
)
_CLAUSE = st.lists(_TERM, min_size=1, max_size=4).map(" and ".join)


@given(st.lists(_CLAUSE, min_size=1, max_size=5))
def test_joining_and_splitting_are_inverse(clauses):
    assert split_clauses(" or ".join(clauses)) == tuple(clauses)


@given(st.lists(_CLAUSE, min_size=1, max_size=5))
def test_every_clause_ends_with_the_condition(clauses):
    assert all(clause.endswith(" and X=1") for clause in split_clauses(with_conditions(" or ".join(clauses), ("X=1",))))


def test_what_is_installed_is_asked_for_by_id_whether_or_not_a_restart_is_owed():
    assert installed_criteria((B, A.upper(), A)) == " or ".join(
        f"UpdateID='{update_id}' and {state}" for update_id in (A, B) for state in ("IsInstalled=1", "RebootRequired=1")
    )
