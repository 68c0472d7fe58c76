"""How long a cluster is down while all its servers are updated at once."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import timedelta

from include.hci.policy.estimates import Estimate, estimate_range, total
from include.hci.policy.outlook import History

#: The phases of a downtime in their order.
PHASES = ("stop_vms", "stop_cluster", "install_offline", "restart_offline", "start_cluster", "start_vms")
_MINUTE = timedelta(minutes=1)
#: A first guess: one virtual machine of a node, after another; all disks and the cluster; and so on.
_PER_VM = Estimate(timedelta(seconds=15), _MINUTE, 2 * _MINUTE, from_history=False)
_STOP_CLUSTER = Estimate(_MINUTE, 3 * _MINUTE, 10 * _MINUTE, from_history=False)
_START_CLUSTER = Estimate(2 * _MINUTE, 6 * _MINUTE, 20 * _MINUTE, from_history=False)
_START_VMS = Estimate(_MINUTE, 3 * _MINUTE, 10 * _MINUTE, from_history=False)
_NOTHING = Estimate(timedelta(0), timedelta(0), timedelta(0))


def estimate_downtime(
    vms_per_node: Collection[int], patience: timedelta, *, install_before: bool, seen: History | None = None
) -> Mapping[str, Estimate]:
    """Return how long each phase of the downtime takes; ``seen`` are past durations of a node's phases, oldest first.

    Nodes work side by side, so a phase takes as long as its slowest node: the one with most virtual machines, which are stopped
    one after another. One that does not shut down takes the whole ``patience`` (and is then saved).
    """
    known = seen or {}
    most = max(vms_per_node, default=0)
    stop = _PER_VM.times(most)
    if most:
        stop = Estimate(stop.low, stop.expected, stop.high + patience, from_history=False)
    install = _NOTHING if install_before else estimate_range("install", known.get("install", ()))
    once = estimate_range("restart", known.get("restart", ()))
    # What is offered only after the first restart is installed at once, with a restart of its own.
    restart = Estimate(once.low, 2 * once.expected, 2 * once.high, once.from_history)
    start = _START_VMS if most else _NOTHING
    return dict(zip(PHASES, (stop, _STOP_CLUSTER, install, restart, _START_CLUSTER, start), strict=True))


def whole(phases: Mapping[str, Estimate]) -> Estimate:
    """Return how long the whole downtime takes."""
    return total(phases.values())


def needed_open(phases: Mapping[str, Estimate], *, install_before: bool, seen: History | None = None) -> timedelta:
    """Return for how long a window must be open before anything begins: the high ends, the installs before it included."""
    installing = estimate_range("install", (seen or {}).get("install", ())).high if install_before else timedelta(0)
    return installing + whole(phases).high
