"""One Airflow and several simulated clusters, each at another point on its way to its next version."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.stack import Cluster, Stack, free_base, running_stack

#: CAU counts in simulated minutes, and a new version takes long to start.
OPTIONS = {"reboot_timeout_minutes": 60, "max_failed_nodes": 0}


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    base = free_base(100)
    clusters = tuple(
        Cluster(name, nodes, name.upper(), base + 20 + 10 * number, OPTIONS)
        for number, (name, nodes) in enumerate(
            (("leap", 2), ("span", 4), ("hush", 2), ("hand", 2), ("mixed", 2), ("flunk", 2), ("vast", 4))
        )
    )
    with running_stack(tmp_path_factory.mktemp("feature"), clusters, base) as running:
        yield running
