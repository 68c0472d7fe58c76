from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.hci.cluster.updates import Update
from include.hci.policy.update_rules import (
    CATEGORIES,
    Offer,
    category_criteria,
    first_sight,
    judge_updates,
    mark_superseded,
    select_by_rules,
    superseded_by_title,
)
from include.hci.settings.selection import CATEGORY_NAMES, UpdateSelection

TODAY = date(2026, 11, 20)


def update(number: int, title: str) -> Update:
    return Update(f"{number:08x}-0000-0000-0000-000000000000", title)


CUMULATIVE = update(1, "2026-11 Cumulative Update for Microsoft server operating system, version 22H2 (KB5044288)")
PREVIEW = update(2, "2026-10 Cumulative Update Preview for Microsoft server operating system, version 22H2 (KB5044111)")
DEFENDER = update(3, "Security Intelligence Update for Microsoft Defender Antivirus - KB2267602 (Version 1.421.1)")
FEATURE = update(4, "Azure Stack HCI, version 23H2")
ALL = (CUMULATIVE, PREVIEW, DEFENDER, FEATURE)


def offer(**changes) -> Offer:
    return Offer(
        ALL,
        feature_ids=frozenset({FEATURE.update_id.upper()}),
        category_ids={
            "SecurityUpdates": frozenset({CUMULATIVE.update_id}),
            "DefinitionUpdates": frozenset({DEFENDER.update_id.upper()}),
        },
        **changes,
    )


def verdicts(rules: UpdateSelection, given: Offer | None = None) -> dict[str, tuple[bool, str]]:
    names = {CUMULATIVE: "cumulative", PREVIEW: "preview", DEFENDER: "defender", FEATURE: "feature"}
    found = judge_updates(given or offer(), rules, TODAY)
    return {names[verdict.update]: (verdict.accepted, verdict.why) for verdict in found}


def accepted(rules: UpdateSelection, given: Offer | None = None) -> set[str]:
    return {name for name, (is_in, _) in verdicts(rules, given).items() if is_in}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({}, {"cumulative", "preview", "defender"}),
        ({"reject_kbs": ["kb5044111"]}, {"cumulative", "defender"}),
        ({"reject_kbs": [5044111]}, {"cumulative", "defender"}),
        ({"reject_categories": ["DefinitionUpdates"]}, {"cumulative", "preview"}),
        ({"reject_titles": ["\\bpreview\\b"]}, {"cumulative", "defender"}),
        ({"accept_kbs": ["KB5044288"]}, {"cumulative"}),
        ({"accept_categories": ["SecurityUpdates"]}, {"cumulative"}),
        ({"accept_titles": ["cumulative"]}, {"cumulative", "preview"}),
        ({"accept_titles": ["cumulative"], "reject_titles": ["preview"]}, {"cumulative"}),
        ({"accept_kbs": ["KB5044111"], "accept_categories": ["DefinitionUpdates"]}, {"preview", "defender"}),
        ({"accept_kbs": ["KB5044111"], "reject_titles": ["preview"]}, set()),
        ({"accept_titles": ["Azure Stack HCI"]}, set()),
        ({"accept_titles": [".*"]}, {"cumulative", "preview", "defender"}),
    ],
)
def test_what_is_rejected_is_out_and_where_something_is_accepted_so_is_the_rest(rules, expected):
    assert accepted(UpdateSelection.model_validate(rules)) == expected


@pytest.mark.parametrize(
    ("rules", "name", "why"),
    [
        ({}, "cumulative", "the query offers it and no rule rejects it"),
        ({}, "feature", "feature update"),
        ({"reject_kbs": ["KB5044111"]}, "preview", "KB5044111 is rejected by its number"),
        ({"reject_categories": ["DefinitionUpdates"]}, "defender", "its category DefinitionUpdates is rejected"),
        ({"reject_titles": ["Preview"]}, "preview", "its title fits 'Preview', which is rejected"),
        ({"accept_kbs": ["KB5044288"]}, "cumulative", "KB5044288 is accepted by its number"),
        ({"accept_categories": ["SecurityUpdates"]}, "cumulative", "its category SecurityUpdates is accepted"),
        ({"accept_titles": ["Cumulative"]}, "cumulative", "its title fits 'Cumulative', which is accepted"),
        ({"accept_titles": ["Cumulative"]}, "defender", "no rule accepts it"),
    ],
)
def test_every_update_is_in_or_out_for_a_reason(rules, name, why):
    assert why in verdicts(UpdateSelection.model_validate(rules))[name][1]


@pytest.mark.parametrize(
    "title",
    [
        "Feature update to Windows Server 2025",
        "Upgrade to Windows Server 2025",
        "FEATURE UPDATE TO Azure Local 24H2",
        # How Windows Server 2025 was offered to servers of 2019 and 2022.
        "Windows Server 2025 (KB5044284)",
        "Windows Server 2025",
        "Windows Server 2022 R2",
        "Azure Stack HCI, version 23H2",
        "Microsoft server operating system version 23H2 (KB5031455)",
        "Windows 11, version 24H2 x64",
    ],
)
def test_a_feature_update_whose_category_is_not_told_is_known_by_its_title(title):
    (verdict,) = judge_updates(Offer((update(9, title),)), UpdateSelection(accept_titles=(".",)), TODAY)
    assert (verdict.accepted, "feature update" in verdict.why) == (False, True)


@pytest.mark.parametrize(
    "title",
    [
        CUMULATIVE.title,
        "Windows Malicious Software Removal Tool x64 - v5.130 (KB890830)",
        "Update for Windows Server 2025 (KB5044284)",
        "2026-11 Security Update for Azure Stack HCI, version 22H2 for x64-based Systems (KB5012170)",
        "Windows Server 2022 Servicing Stack Update (KB5033464)",
    ],
)
def test_a_title_that_names_more_than_a_version_of_windows_is_no_feature_update(title):
    (verdict,) = judge_updates(Offer((update(9, title),)), UpdateSelection(), TODAY)
    assert verdict.accepted, verdict.why


@pytest.mark.parametrize(("asks", "said"), [("licence-terms", "licence terms"), ("user-input", "nobody is there")])
def test_an_update_that_wants_a_person_is_out_even_where_it_is_wanted_by_its_number(asks, said):
    asking = replace(CUMULATIVE, asks=asks)
    (verdict,) = judge_updates(Offer((asking,)), UpdateSelection(accept_kbs=(CUMULATIVE.kb,)), TODAY)
    assert (verdict.accepted, said in verdict.why) == (False, True)


@pytest.mark.parametrize(
    ("seen", "is_in", "said"),
    [
        (TODAY - timedelta(days=5), True, "first seen on 2026-11-15, 5 days ago (when it was published is not known)"),
        (TODAY - timedelta(days=4), False, "it has to be 5 days old"),
        (TODAY, False, "0 days ago"),
        (TODAY - timedelta(days=4), False, "which it is on 2026-11-21 if it is still offered then"),
        (None, False, "first seen on 2026-11-20, 0 days ago"),
    ],
)
def test_the_age_of_an_update_is_that_of_our_own_first_sight_and_says_so(seen, is_in, said):
    given = offer(first_seen={} if seen is None else {CUMULATIVE.update_id.upper(): seen})
    found = verdicts(UpdateSelection(minimum_age_days=5), given)["cumulative"]
    assert (found[0], said in found[1]) == (is_in, True)


@pytest.mark.parametrize(
    ("published", "seen", "is_in", "said"),
    [
        (TODAY - timedelta(days=5), TODAY, True, "published on 2026-11-15, 5 days ago"),
        (TODAY - timedelta(days=4), TODAY, False, "published on 2026-11-16, 4 days ago: it has to be 5 days old"),
        # It was published anew; what we have seen before is no younger for that.
        (TODAY, TODAY - timedelta(days=6), True, "first seen on 2026-11-14, 6 days ago"),
        # A clock that is ahead makes nothing old.
        (TODAY + timedelta(days=1), TODAY, False, "first seen on 2026-11-20, 0 days ago"),
    ],
)
def test_where_the_day_of_publication_is_told_the_age_goes_by_it(published, seen, is_in, said):
    told = replace(CUMULATIVE, published=published)
    (verdict,) = judge_updates(
        Offer((told,), first_seen={told.update_id: seen}), UpdateSelection(minimum_age_days=5), TODAY
    )
    assert (verdict.accepted, said in verdict.why) == (is_in, True), verdict.why
    assert "not known" not in verdict.why


def test_an_update_that_is_wanted_by_its_number_need_not_be_old():
    assert accepted(UpdateSelection(minimum_age_days=30, accept_kbs=("KB5044288",))) == {"cumulative"}


def test_first_sights_are_kept_and_new_ones_are_of_today():
    known = {CUMULATIVE.update_id.upper(): date(2026, 11, 1)}
    assert first_sight(known, (CUMULATIVE, PREVIEW), TODAY) == {
        CUMULATIVE.update_id: date(2026, 11, 1),
        PREVIEW.update_id: TODAY,
    }


def test_a_preview_is_superseded_by_the_release_of_a_later_month():
    assert superseded_by_title(ALL) == {PREVIEW.update_id: CUMULATIVE.title}
    other = update(5, "2026-12 Cumulative Update for .NET Framework 4.8 (KB5045555)")
    assert superseded_by_title((CUMULATIVE, other)) == {}
    assert superseded_by_title((CUMULATIVE, CUMULATIVE)) == {}
    apart = (
        update(6, "2026-10 Security Update for Windows (KB1111111)"),
        update(7, "2026-11 Security Update for Windows (KB2222222)"),
    )
    assert superseded_by_title(apart) == {}


def test_superseded_updates_stand_apart():
    given = offer(superseded=superseded_by_title(ALL))
    found = {verdict.update: verdict for verdict in judge_updates(given, UpdateSelection(), TODAY)}
    assert (found[PREVIEW].accepted, found[PREVIEW].is_superseded) == (False, True)
    assert found[PREVIEW].why == f"it is superseded by {CUMULATIVE.title}"
    assert not found[FEATURE].is_superseded


def test_the_selection_names_what_is_installed_by_its_id():
    selection = select_by_rules("A=0 or B=1", offer(), UpdateSelection(accept_kbs=("KB5044288",)), TODAY)
    assert selection.updates == (CUMULATIVE,)
    only = f"UpdateID='{CUMULATIVE.update_id}'"
    assert selection.criteria == f"A=0 and {only} or B=1 and {only}"
    assert all(item.why for item in selection.excluded)


def test_without_rules_everything_but_feature_updates_is_installed():
    selection = select_by_rules("A=0", offer(), UpdateSelection(), TODAY)
    assert selection.updates == (CUMULATIVE, PREVIEW, DEFENDER)
    assert [(item.update, "feature update" in item.why) for item in selection.excluded] == [(FEATURE, True)]


def test_a_category_is_asked_for_in_every_clause():
    found = category_criteria("A=0 or B=1", "SecurityUpdates")
    assert found.count("CategoryIDs contains '0fa1201d-4330-4fa8-8ae9-b877473b6441'") == 2


def test_the_settings_know_the_categories_that_can_be_asked_for():
    assert set(CATEGORIES) == set(CATEGORY_NAMES)
    rules = UpdateSelection(accept_categories=("Tools",), reject_categories=("Tools", "Updates"))
    assert rules.categories == ("Tools", "Updates")


_TITLES = st.sampled_from([each.title for each in ALL] + ["Update for Removal of Adobe Flash Player (KB4577586)", ""])
_UPDATES = st.lists(
    st.builds(update, st.integers(1, 2**31), _TITLES), max_size=6, unique_by=lambda each: each.update_id
)
_RULES = st.builds(
    UpdateSelection,
    accept_kbs=st.lists(st.sampled_from(["KB5044288", "KB5044111"]), max_size=1).map(tuple),
    reject_titles=st.lists(st.sampled_from(["Preview", "Defender"]), max_size=2).map(tuple),
    minimum_age_days=st.integers(0, 10),
)


@given(_UPDATES, _RULES, st.integers(0, 20))
def test_every_update_is_either_installed_or_not_named_by_the_criteria(updates, rules, age):
    seen = {each.update_id: TODAY - timedelta(days=age) for each in updates}
    selection = select_by_rules("A=0", Offer(tuple(updates), first_seen=seen), rules, TODAY)
    out = {item.update.update_id for item in selection.excluded}
    assert {each.update_id for each in selection.updates} | out == {each.update_id for each in updates}
    assert all((each.update_id in selection.criteria) == (each.update_id not in out) for each in updates)


@pytest.mark.parametrize(
    ("rules", "superseded"),
    [
        ({}, {PREVIEW.update_id}),
        ({"reject_kbs": [CUMULATIVE.kb]}, set()),
        ({"accept_kbs": [PREVIEW.kb]}, set()),
        ({"minimum_age_days": 7}, set()),
    ],
)
def test_only_what_is_installed_itself_replaces_anything(rules, superseded):
    seen = {each.update_id: TODAY - timedelta(days=1 if each is CUMULATIVE else 30) for each in ALL}
    given = Offer(ALL, feature_ids=frozenset({FEATURE.update_id}), first_seen=seen)
    chosen = UpdateSelection.model_validate(rules)
    assert set(mark_superseded(given, chosen, TODAY).superseded) == superseded


def test_the_selection_gives_the_reason_for_each_update_and_tells_the_superseded_apart():
    selection = select_by_rules("A=0", mark_superseded(offer(), UpdateSelection(), TODAY), UpdateSelection(), TODAY)
    assert set(selection.reasons) == {each.update_id for each in selection.updates}
    assert [item.update for item in selection.excluded if item.is_superseded] == [PREVIEW]
