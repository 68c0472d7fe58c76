"""One Airflow and its simulated clusters, all of whose servers are updated at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.stack import Cluster, Stack, free_base, running_stack


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    base = free_base(100)
    clusters = (
        Cluster("calm", 4, "CALM", base + 20),
        # A minute is all that a server gets to come back: for that long the whole cluster is down.
        Cluster("lost", 4, "LOST", base + 30, {"reboot_timeout_minutes": 1}),
        Cluster("died", 4, "DIED", base + 40),
        Cluster("wide", 16, "WIDE", base + 50),
    )
    with running_stack(tmp_path_factory.mktemp("stack"), clusters, base) as running:
        yield running
