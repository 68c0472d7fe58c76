"""One Airflow and three simulated clusters: every kind of run goes on at the same time, on a cluster of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.stack import Cluster, Stack, free_base, running_stack


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    base = free_base(100)
    clusters = (
        Cluster("pair", 2, "PAIR", base + 20, {"max_failed_nodes": 0}),
        # CAU counts in simulated minutes, and restarts nodes from outside.
        Cluster("cau", 2, "CAU", base + 30, {"reboot_timeout_minutes": 60, "enable_firewall_rules": True}),
        Cluster("down", 2, "DOWN", base + 40),
        Cluster("wide", 16, "WIDE", base + 50),
    )
    with running_stack(tmp_path_factory.mktemp("stack"), clusters, base) as running:
        yield running
