from __future__ import annotations

from collections.abc import Callable

import pytest

from include.simulator.world.spec import WorldSpec, demo_world
from tests.hci.steps.simulated import Simulation


@pytest.fixture
def simulate() -> Callable[..., Simulation]:
    def make(spec: WorldSpec | None = None, seed: int = 0, *faults: str) -> Simulation:
        simulation = Simulation(spec or demo_world(4), seed)
        for fault in faults:
            simulation.cluster.world.inject(fault)
        return simulation

    return make
