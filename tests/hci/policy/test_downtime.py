from __future__ import annotations

from datetime import timedelta

from include.hci.policy.downtime import PHASES, estimate_downtime, needed_open, whole
from include.hci.policy.estimates import FIRST_RANGE

TEN = timedelta(minutes=10)


def minutes(*counts: float) -> list[timedelta]:
    return [timedelta(minutes=count) for count in counts]


def test_servers_work_side_by_side_so_the_one_with_most_machines_counts():
    few, many = (estimate_downtime(counts, TEN, install_before=False) for counts in ([4], [1, 4, 2, 4]))
    assert few == many
    assert tuple(few) == PHASES


def test_a_machine_that_does_not_shut_down_takes_its_whole_patience_in_the_worst_case():
    shut, saved = (
        estimate_downtime([2], patience, install_before=False)["stop_vms"] for patience in (TEN, timedelta(0))
    )
    assert shut.high - saved.high == TEN
    assert shut.expected == saved.expected


def test_what_is_installed_before_is_no_downtime_but_the_window_must_hold_it():
    before, within = (estimate_downtime([2], TEN, install_before=asked) for asked in (True, False))
    assert before["install_offline"].high == timedelta(0)
    assert whole(before).high == whole(within).high - FIRST_RANGE["install"][1]
    assert needed_open(before, install_before=True) == needed_open(within, install_before=False)


def test_the_clusters_own_history_counts():
    seen = {"install": minutes(8, 9, 10), "restart": minutes(6, 6, 6)}
    phases = estimate_downtime([1], TEN, install_before=False, seen=seen)
    assert phases["install_offline"].expected == timedelta(minutes=9)
    # Two restarts: more updates may be offered after the first one.
    assert phases["restart_offline"].high == timedelta(minutes=12)


def test_a_cluster_without_machines_has_none_to_stop_or_start():
    phases = estimate_downtime([], TEN, install_before=False)
    assert phases["stop_vms"].high == phases["start_vms"].high == timedelta(0)
