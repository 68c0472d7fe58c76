"""Planning: the nodes in their order with what each one gets, read once and kept for the whole run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from include.hci.cluster.facade import Cluster
from include.hci.cluster.nodes import get_cluster_resources
from include.hci.policy.estimates import estimate_node_range
from include.hci.policy.order import coordinator_owner, order_nodes
from include.hci.policy.outlook import History
from include.hci.policy.plan import Plan, make_plan
from include.hci.policy.plan_hash import plan_hash
from include.hci.report import events as ev
from include.hci.steps.base import read_members
from include.hci.steps.comparing import read_fingerprint
from include.hci.steps.context import StepContext
from include.hci.steps.work import refs


def plan_run(
    cluster: Cluster,
    context: StepContext,
    scans: Mapping[str, Mapping[str, Any]],
    now: datetime,
    history: History | None = None,
) -> Plan:
    """Read the nodes and their roles and return the plan, which is on record then under its hash.

    ``scans`` maps node names to the ``Done.details`` of their scan steps, ``history`` phases to how long they took in earlier
    runs, oldest first. Raises what the shell raises.
    """
    shell, members = read_members(cluster)
    options = context.options
    resources = get_cluster_resources(shell)
    last = coordinator_owner(resources)
    order = order_nodes([node.name for node in members.nodes], members.groups, options.node_order, last)
    each = estimate_node_range(history)
    plan = make_plan(
        cluster.name,
        now,
        members.nodes,
        scans,
        order,
        options.max_failed_nodes,
        each.expected,
        each.high,
        options.restart_nodes,
    )
    seen = read_fingerprint(cluster, shell, members, resources, [node.name for node in plan.nodes if not node.skip])
    # The plan stands on what the scans saw: a node that was patched since has changed.
    scanned = {node.name: node.build for node in plan.nodes if node.build}
    fingerprint = replace(seen, builds={**seen.builds, **scanned})
    plan = replace(plan, options=options.to_json(), fingerprint=fingerprint)
    working = [node for node in plan.nodes if node.has_work]
    event = ev.Planned(
        order=tuple(node.name for node in plan.nodes),
        updates={node.name: refs(node.updates) for node in plan.nodes},
        why={node.name: node.skip or order.why[node.name] for node in plan.nodes},
        restart_asked=tuple(node.name for node in working if node.restart_asked),
        max_failed_nodes=plan.max_failed_nodes,
        estimated_minutes=round(len(working) * each.expected.total_seconds() / 60, 1),
        plan_id=plan_hash(plan, plan.options),
    )
    context.record.add(event, now)
    return plan
