"""What every conformance test starts from: the wire with a machine of a few commands, and a simulated cluster on the wire."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from include.simulator.clock import RealTimeClock
from include.simulator.cluster import DEFAULT_START, SimulatedCluster, make_cluster
from include.simulator.cmdlets.runtime_session import full_language, jea
from include.simulator.wire import Endpoint, EndpointOptions
from include.simulator.world.spec import demo_world
from tests.fidelity.raw import Raw
from tests.simulator.wire.conftest import connect, lab, machine, open_pool
from tests.simulator.wire.lab import Lab

__all__ = ["connect", "lab", "machine", "open_pool"]


@pytest.fixture
def raw(lab: Lab) -> Raw:
    """Requests written by hand to the shared machine."""
    return Raw(lab.shared.http_port)


@dataclass(frozen=True, slots=True)
class ClusterOnTheWire:
    """A simulated cluster of two nodes; ``endpoint`` is its second node, with the endpoints Microsoft.PowerShell and HciUpdate."""

    cluster: SimulatedCluster
    endpoint: Endpoint


@pytest.fixture(scope="session")
def on_the_wire(lab: Lab) -> Iterator[ClusterOnTheWire]:
    cluster = make_cluster(demo_world(2, "22H2"), RealTimeClock(DEFAULT_START, 1), seed=1)
    host = cluster.hosts["HCI02"]
    host.configurations = {
        "microsoft.powershell": full_language(),
        "hciupdate": jea("HciUpdate", ["Get-ClusterNode", "Get-CimInstance"]),
    }
    endpoint = Endpoint(host, http_port=0, https_port=0, options=EndpointOptions.lenient())
    lab.run(lab.server.add(endpoint))
    yield ClusterOnTheWire(cluster, endpoint)
    lab.run(endpoint.stop())
