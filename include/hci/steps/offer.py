"""What a node is offered, and what of it is installed under the run's rules."""

from __future__ import annotations

from datetime import date

from include.hci.cluster.updater import NodeUpdater
from include.hci.cluster.updates import Update
from include.hci.policy.selection import Selection, feature_criteria
from include.hci.policy.update_rules import Offer, category_criteria, mark_superseded, select_by_rules
from include.hci.settings import RunOptions
from include.hci.steps.first_seen import FirstSeen


def read_offer(
    updater: NodeUpdater, options: RunOptions, first_seen: FirstSeen, today: date
) -> tuple[tuple[Update, ...], Selection]:
    """Scan the node and return what it is offered with what is selected; a category is scanned for where a rule names it."""
    criteria, rules = options.query_string, options.updates
    categories = {name: category_criteria(criteria, name) for name in rules.categories}
    features = feature_criteria(criteria)
    updater.ahead((criteria, features, *categories.values()))
    offered = updater.scan(criteria)
    if not offered:
        return offered, Selection((), (), criteria)
    offer = Offer(
        updates=offered,
        feature_ids=_ids(updater.scan(features)),
        category_ids={name: _ids(updater.scan(text)) for name, text in categories.items()},
        first_seen=first_seen.note(offered, today),
    )
    return offered, select_by_rules(criteria, mark_superseded(offer, rules, today), rules, today)


def _ids(updates: tuple[Update, ...]) -> frozenset[str]:
    return frozenset(update.update_id.lower() for update in updates)
