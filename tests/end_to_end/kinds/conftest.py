"""One Airflow and some simulated clusters: every kind of run goes on at the same time, on a cluster of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.stack import Cluster, Stack, free_base, running_stack

#: The vendor's own example of a self-updating role: its options, its schedule, its prestaged computer object.
ROLE_OPTIONS = {
    "max_failed_nodes": 0,
    "max_retries_per_node": 3,
    "require_all_nodes_online": True,
    "enable_firewall_rules": True,
    # CAU counts in simulated minutes.
    "reboot_timeout_minutes": 60,
}
ROLE = {
    "schedule": {
        "timezone": "UTC",
        "run_by": "cau",
        "lines": [{"start_date": "2020-03-02 03:00", "days_of_week": 4, "weeks_of_month": [3]}],
    },
    "cau_role": {"virtual_computer_object_name": "ROLE-CAU"},
}


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    base = free_base(100)
    clusters = (
        Cluster("pair", 2, "PAIR", base + 20, {"max_failed_nodes": 0}),
        # CAU counts in simulated minutes, and restarts nodes from outside.
        Cluster("cau", 2, "CAU", base + 30, {"reboot_timeout_minutes": 60, "enable_firewall_rules": True}),
        Cluster("down", 2, "DOWN", base + 40),
        Cluster("wide", 16, "WIDE", base + 50),
        Cluster("role", 2, "ROLE", base + 75, ROLE_OPTIONS, ROLE, passes_credentials=True),
    )
    with running_stack(tmp_path_factory.mktemp("stack"), clusters, base) as running:
        yield running
