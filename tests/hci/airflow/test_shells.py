from __future__ import annotations

import contextlib
from dataclasses import replace

import pytest

from include.hci.airflow.shells import REFUSED_LOGINS, lend, shell_pool
from include.hci.airflow.storage import airflow_home
from include.hci.cluster.facade import FleetCluster
from include.hci.cluster.witness import read_from_witness
from include.hci.powershell.command import Command
from include.hci.powershell.errors import AuthenticationRefused, RemotingError
from include.hci.powershell.logins import MOST, shared_logins
from include.hci.powershell.values import Secret
from include.simulator.wire.auth import Authenticator
from include.simulator.world.spec import demo_world
from tests.hci.airflow.served import served_cluster


def test_a_wrong_password_costs_its_account_a_few_logins_however_many_tasks_and_nodes(monkeypatch):
    """The lowest thresholds after which domains lock an account are five wrong passwords."""
    # Whatever ran before in this process: a pool of its own, which shares what it was told.
    shell_pool.cache_clear()
    shared_logins().forget()
    asked: list[str] = []
    begin = Authenticator._new_context
    monkeypatch.setattr(
        Authenticator, "_new_context", lambda self, offered: asked.append(offered) or begin(self, offered)
    )
    with served_cluster(demo_world(4)) as served:
        wrong = {name: replace(served.settings(name), password=Secret("Last-Months-1")) for name in served.nodes}
        cluster = FleetCluster("HCI-CL01", served.nodes, lend(wrong))
        for _ in range(3):
            with contextlib.suppress(RemotingError):
                read_from_witness(cluster)
            for node in served.nodes:
                with pytest.raises(AuthenticationRefused):
                    cluster.on(node).run(Command("Get-Cluster"))
            # The next task is a process of its own: it knows what stands in the folder.
            shared_logins().forget()
        assert len(asked) == MOST
        right = FleetCluster("HCI-CL01", served.nodes, lend({name: served.settings(name) for name in served.nodes}))
        assert read_from_witness(right)[1]
    assert (airflow_home() / REFUSED_LOGINS).is_dir()
