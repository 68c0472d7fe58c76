"""Kernel soft reboot (azure-stack-docs, kernel-soft-reboot)."""

import pytest

from include.simulator.world.soft_reboot import OPT_OUT, OPT_OUT_KEY, PARAMETER, status
from include.simulator.world.spec import demo_world
from tests.simulator.world.driver import Lab


@pytest.mark.parametrize(
    ("os", "parameter", "opt_out", "attempt", "expected"),
    [
        ("20H2", 1, "", True, "NotInstalled"),
        ("WS2022", 1, "", True, "NotInstalled"),
        ("21H2", None, "", False, "NotEnabled"),
        ("21H2", 0, "", False, "NotEnabled"),
        ("21H2", 2, "", False, "NotEnabled"),
        ("21H2", 1, "", False, "Enabled"),
        ("22H2", None, "", True, "Enabled"),
        ("21H2", 1, "True", False, "Bypassed"),
    ],
)
def test_status(os: str, parameter: int | None, opt_out: str, attempt: bool, expected: str) -> None:
    lab = Lab(demo_world(2, os))
    node = lab.nodes[0]
    if parameter is not None:
        lab.world.cluster_parameters[PARAMETER] = parameter
    if opt_out:
        lab.world.registry.set(node, OPT_OUT_KEY, OPT_OUT, opt_out)
    assert status(lab.world, node, attempt=attempt) == expected
