"""Planning a fast offline update: which virtual machines go down, for how long, and what a person approves of it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from include.hci.cluster.facade import Cluster
from include.hci.cluster.nodes import get_cluster_resources
from include.hci.cluster.vm_power import clustered_vms
from include.hci.policy.downtime import estimate_downtime, needed_open
from include.hci.policy.estimates import Estimate
from include.hci.policy.outlook import History
from include.hci.policy.plan import Plan
from include.hci.policy.plan_hash import plan_hash
from include.hci.report import events as ev
from include.hci.report.offline_events import OfflinePlanned, PhaseMinutes, PlannedVm
from include.hci.report.record import RunRecord
from include.hci.settings.offline import OfflineRequest
from include.hci.steps.base import read_members
from include.hci.steps.context import StepContext


def plan_offline(
    cluster: Cluster, context: StepContext, plan: Plan, now: datetime, history: History | None = None
) -> OfflinePlanned:
    """Read the virtual machines and return what goes down, which is on record then.

    The nodes are kept with it: a cluster that is stopped cannot be asked for them. Raises what the shell raises.
    """
    request = OfflineRequest.from_parameters(context.request)
    shell, members = read_members(cluster)
    vms = clustered_vms(get_cluster_resources(shell))
    per_node = Counter(vm.node for vm in vms if vm.is_running)
    patience = timedelta(minutes=request.vm_patience_minutes if request.vm_action == "shutdown" else 0)
    phases = estimate_downtime(per_node.values(), patience, install_before=request.install_before, seen=history)
    window = needed_open(phases, install_before=request.install_before, seen=history)
    event = OfflinePlanned(
        nodes=tuple(node.name for node in members.nodes),
        vms=tuple(PlannedVm(name=vm.name, node=vm.node, running=vm.is_running) for vm in vms),
        request=request.to_json(),
        phases={name: _minutes(phase) for name, phase in phases.items()},
        window_minutes=round(window.total_seconds() / 60, 1),
    )
    context.record.add(event, now)
    return event


def offline_plan(record: RunRecord) -> OfflinePlanned | None:
    """Return what the run's record says goes down, or None before it was planned."""
    found = record.last(ev.OfflinePlanned)
    return None if found is None else found.event


def is_cleared(record: RunRecord) -> bool:
    """Return whether the gate before the downtime was passed, and the run has not ended since."""
    cleared, ended = record.last(ev.DowntimeCleared), record.last(ev.Concluded)
    return cleared is not None and (ended is None or ended.at < cleared.at)


def offline_hash(plan: Plan, options: Mapping[str, Any], planned: OfflinePlanned) -> str:
    """Return the SHA-256 of what matters in the plan: the servers' part, the virtual machines that go down, and how."""
    content = {
        "servers": plan_hash(plan, options),
        "nodes": sorted(name.lower() for name in planned.nodes),
        "stopped": sorted(vm.name.lower() for vm in planned.running),
        "how": {key: planned.request.get(key) for key in ("vm_action", "vm_fallback", "install_before")},
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def _minutes(phase: Estimate) -> PhaseMinutes:
    low, expected, high = (round(part.total_seconds() / 60, 1) for part in (phase.low, phase.expected, phase.high))
    return PhaseMinutes(low=low, expected=expected, high=high)
