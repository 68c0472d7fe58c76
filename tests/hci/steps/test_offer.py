"""What a node is offered, and what of it may be installed."""

from __future__ import annotations

from datetime import date

import pytest

from include.hci.cluster.updates import Update
from include.hci.settings import RunOptions
from include.hci.steps.first_seen import FirstSeenInMemory
from include.hci.steps.offer import read_offer

MONTHLY = Update("11111111-1111-4111-8111-111111111111", "2026-11 Cumulative Update for Azure Stack HCI (KB5099101)")
UPGRADE = Update("22222222-2222-4222-8222-222222222222", "Feature update to Azure Stack HCI, version 23H2")


class Agent:
    """An update agent that answers the search for feature updates with ``features``."""

    def __init__(self, features: tuple[Update, ...]) -> None:
        self.features = features

    def ahead(self, searches: object) -> None: ...

    def scan(self, criteria: str) -> tuple[Update, ...]:
        return self.features if "CategoryIDs" in criteria else (MONTHLY, UPGRADE)


@pytest.mark.parametrize("features", [(UPGRADE,), ()])
def test_a_feature_update_is_left_out_even_where_the_search_for_it_finds_nothing(features):
    # One search may find nothing although updates apply (TSG/Update), and a new version of Windows cannot be taken back.
    agent, options = Agent(features), RunOptions(max_failed_nodes=1)
    offered, selection = read_offer(agent, options, FirstSeenInMemory(), date(2026, 11, 3))  # type: ignore[arg-type]
    assert offered == (MONTHLY, UPGRADE)
    assert selection.updates == (MONTHLY,)
    assert UPGRADE.update_id not in selection.criteria
    assert f"UpdateID='{MONTHLY.update_id}'" in selection.criteria
