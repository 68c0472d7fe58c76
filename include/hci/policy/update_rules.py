"""Which updates a run installs: rules over what the scans show, and for every update the reason why it is in or out.

A scan of CAU's provider gives an update's id, title and description, no category and no date (MSFT_CAU_ScanUpdateInfo). So
categories are found by further scans with ``CategoryIDs contains``, and an age is that of our own first sight of the update; a
scan through a task tells when it was published as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from types import MappingProxyType
from uuid import UUID

from include.hci.cluster.updates import Update
from include.hci.policy.selection import FEATURE_REASON, ExcludedUpdate, Selection, only_updates, with_conditions
from include.hci.settings.selection import UpdateSelection

#: Classifications of updates (previous-versions, WSUS classification GUIDs).
CATEGORIES: Mapping[str, UUID] = MappingProxyType(
    {
        "Application": UUID("5c9376ab-8ce6-464a-b136-22113dd69801"),
        "Connectors": UUID("434de588-ed14-48f5-8eed-a15e09a991f6"),
        "CriticalUpdates": UUID("e6cf1350-c01b-414d-a61f-263d14d133b4"),
        "DefinitionUpdates": UUID("e0789628-ce08-4437-be74-2495b842f43b"),
        "DeveloperKits": UUID("e140075d-8433-45c3-ad87-e72345b36078"),
        "FeaturePacks": UUID("b54e7d24-7add-428f-8b75-90a396fa584f"),
        "Guidance": UUID("9511d615-35b2-47bb-927f-f73d8e9260bb"),
        "SecurityUpdates": UUID("0fa1201d-4330-4fa8-8ae9-b877473b6441"),
        "ServicePacks": UUID("68c5b0a3-d1a6-4553-ae49-01d3a7827828"),
        "Tools": UUID("b4832bd8-e735-4761-8daf-37f882276dab"),
        "UpdateRollups": UUID("28bc880e-0592-4cbf-8f95-c79b17911d5f"),
        "Updates": UUID("cd5ffd1e-e932-4e3a-bf74-18bf0b1bbd83"),
    }
)


@dataclass(frozen=True, slots=True)
class Offer:
    """What the scans of a node gave: ``updates``, those of them that are feature updates, and ids per category scanned for.

    ``first_seen`` maps update ids to the day on which the cluster was first offered them, ``superseded`` ids to the title of
    what replaces them.
    """

    updates: tuple[Update, ...]
    feature_ids: frozenset[str] = frozenset()
    category_ids: Mapping[str, frozenset[str]] = field(default_factory=dict)
    first_seen: Mapping[str, date] = field(default_factory=dict)
    superseded: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one update is installed, and why (not). ``is_superseded``: it is out because another one replaces it."""

    update: Update
    accepted: bool
    why: str
    is_superseded: bool = False


def category_criteria(criteria: str, category: str) -> str:
    """Return the criteria that find the updates of ``category`` among what ``criteria`` finds; raises KeyError."""
    return with_conditions(criteria, (f"CategoryIDs contains '{CATEGORIES[category]}'",))


def first_sight(known: Mapping[str, date], offered: Iterable[Update], today: date) -> Mapping[str, date]:
    """Return ``known`` with today for every update of ``offered`` that was never seen before."""
    return {update.update_id.lower(): today for update in offered} | {key.lower(): day for key, day in known.items()}


def superseded_by_title(updates: Sequence[Update]) -> dict[str, str]:
    """Return the ids of updates that a later one of the same kind in ``updates`` replaces, with that one's title.

    Only what titles tell, and of cumulative ones only: two titles that differ in nothing but the month and the article are one
    update in two editions (a preview and the release after it, say), and the later month counts. Where titles mislead, nothing
    is lost: once the later one is installed the other stands alone in the next scan.
    """
    kinds: dict[str, list[Update]] = {}
    for update in updates:
        if _MONTH.match(update.title) and _CUMULATIVE.search(update.title):
            kinds.setdefault(_kind(update.title), []).append(update)
    replaced: dict[str, str] = {}
    for editions in kinds.values():
        latest = max(editions, key=lambda update: (update.title[:7], update.kb or ""))
        for update in editions:
            if update.title[:7] < latest.title[:7]:
                replaced[update.update_id.lower()] = latest.title
    return replaced


def mark_superseded(offer: Offer, rules: UpdateSelection, today: date) -> Offer:
    """Return ``offer`` with those superseded that something else which would be installed replaces.

    Only that counts: an update whose successor is rejected, or too young yet, is installed.
    """
    accepted = [verdict.update for verdict in judge_updates(offer, rules, today) if verdict.accepted]
    return replace(offer, superseded={**superseded_by_title(accepted), **offer.superseded})


def judge_updates(offer: Offer, rules: UpdateSelection, today: date) -> tuple[Verdict, ...]:
    """Return for every offered update whether it is installed, with the reason, in the order of the scan."""
    features = {key.lower() for key in offer.feature_ids}
    return tuple(_judge(update, offer, rules, today, features) for update in offer.updates)


def select_by_rules(criteria: str, offer: Offer, rules: UpdateSelection, today: date) -> Selection:
    """Return what of ``offer`` is installed under ``rules``, and the criteria that say so to the Windows Update Agent.

    Feature updates are never in: no rule accepts them.
    """
    verdicts = judge_updates(offer, rules, today)
    out = tuple(verdict for verdict in verdicts if not verdict.accepted)
    accepted = tuple(verdict.update for verdict in verdicts if verdict.accepted)
    return Selection(
        updates=accepted,
        excluded=tuple(ExcludedUpdate(verdict.update, verdict.why, verdict.is_superseded) for verdict in out),
        criteria=only_updates(criteria, (update.update_id for update in accepted)),
        reasons={verdict.update.update_id: verdict.why for verdict in verdicts if verdict.accepted},
    )


def _judge(update: Update, offer: Offer, rules: UpdateSelection, today: date, features: set[str]) -> Verdict:
    key = update.update_id.lower()
    # The category is the proof; the title is a second net, for a source that does not tell categories.
    if key in features or _FEATURE_TITLE.match(update.title) or _VERSION_TITLE.fullmatch(update.title):
        return Verdict(update, False, FEATURE_REASON)
    if update.asks:
        return Verdict(update, False, _ASKS[update.asks])
    if reason := _rejected(update, offer, rules):
        return Verdict(update, False, reason)
    superseded = {name.lower(): title for name, title in offer.superseded.items()}
    if key in superseded:
        return Verdict(update, False, f"it is superseded by {superseded[key]}", True)
    if update.kb is not None and update.kb in _upper(rules.accept_kbs):
        return Verdict(update, True, f"{update.kb} is accepted by its number")
    why = _accepted(update, offer, rules)
    if why is None:
        return Verdict(update, False, "no rule accepts it: its number, category and title are none of those accepted")
    return _old_enough(update, offer, rules, today, why)


def _rejected(update: Update, offer: Offer, rules: UpdateSelection) -> str:
    if update.kb is not None and update.kb in _upper(rules.reject_kbs):
        return f"{update.kb} is rejected by its number"
    for category in rules.reject_categories:
        if _is_in(update, offer, category):
            return f"its category {category} is rejected"
    for pattern in rules.reject_titles:
        if re.search(pattern, update.title, re.IGNORECASE):
            return f"its title fits {pattern!r}, which is rejected"
    return ""


def _accepted(update: Update, offer: Offer, rules: UpdateSelection) -> str | None:
    for category in rules.accept_categories:
        if _is_in(update, offer, category):
            return f"its category {category} is accepted"
    for pattern in rules.accept_titles:
        if re.search(pattern, update.title, re.IGNORECASE):
            return f"its title fits {pattern!r}, which is accepted"
    if rules.accept_kbs or rules.accept_categories or rules.accept_titles:
        return None
    return "the query offers it and no rule rejects it"


def _old_enough(update: Update, offer: Offer, rules: UpdateSelection, today: date, why: str) -> Verdict:
    if rules.minimum_age_days <= 0:
        return Verdict(update, True, why)
    seen = {key.lower(): day for key, day in offer.first_seen.items()}.get(update.update_id.lower(), today)
    # CAU's provider tells no date of publication, so an update may be older than it seems, never younger.
    since = seen if update.published is None else min(seen, update.published)
    age = (today - since).days
    if since == update.published:
        said = f"published on {since.isoformat()}, {age} days ago"
    else:
        unknown = " (when it was published is not known)" if update.published is None else ""
        said = f"first seen on {since.isoformat()}, {age} days ago{unknown}"
    if age < rules.minimum_age_days:
        ripe = (since + timedelta(days=rules.minimum_age_days)).isoformat()
        due = f"it has to be {rules.minimum_age_days} days old, which it is on {ripe} if it is still offered then"
        return Verdict(update, False, f"{said}: {due}")
    return Verdict(update, True, f"{why}; {said}")


def _is_in(update: Update, offer: Offer, category: str) -> bool:
    return update.update_id.lower() in {key.lower() for key in offer.category_ids.get(category, ())}


def _upper(kbs: Iterable[str]) -> set[str]:
    return {kb.upper() for kb in kbs}


_FEATURE_TITLE = re.compile(r"\s*(feature update to|upgrade to) ", re.IGNORECASE)
#: A title that is nothing but the name of a Windows: so was Windows Server 2025 offered to servers of 2019 and 2022.
_VERSION_TITLE = re.compile(
    r"\s*(microsoft )?(windows server|windows|azure stack hci|azure local|(microsoft )?server operating system)"
    r",?( version)? \d\w*( r2)?(,? version \w+)?(,? x64)?( \(KB\d+\))?\s*",
    re.IGNORECASE,
)
#: Nobody is there to be asked (windowsserverdocs, cluster-aware-updating-faq: CAU leaves such updates out as well).
_ASKS = {
    "licence-terms": "its licence terms are not accepted on the node, and no run accepts them for anybody",
    "user-input": "its installer may ask for input, and nobody is there to answer",
}
_CUMULATIVE = re.compile(r"\b(cumulative|rollup|servicing stack)\b", re.IGNORECASE)
_MONTH = re.compile(r"\d{4}-\d{2} ")
_NUMBERS = re.compile(r"^\d{4}-\d{2} |\(?KB\d{6,8}\)?|\([\d.]+\)|\bPreview of\b|\bPreview\b|\s+", re.IGNORECASE)


def _kind(title: str) -> str:
    """Return what stays the same in the title of an update from month to month."""
    return _NUMBERS.sub(" ", title).lower().replace(" ", "")
