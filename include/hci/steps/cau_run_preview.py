"""The preview: what CAU's plug-ins find for every node before anything is begun, as a plan that a person can approve."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from include.hci.cluster.cau_runs import CauScan
from include.hci.cluster.facade import Cluster
from include.hci.cluster.machine import get_operating_system, get_windows_version
from include.hci.cluster.nodes import ClusterNode
from include.hci.policy.estimates import estimate_node_range
from include.hci.policy.order import order_nodes
from include.hci.policy.plan import Plan, make_plan
from include.hci.powershell.errors import RemotingError
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.base import BaseStep, Members, read_members
from include.hci.steps.cau_run_actions import Found, ScanCluster
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Clock, Decision, Done, Stop
from include.hci.steps.work import refs


@dataclass(frozen=True, slots=True)
class NodeNow:
    """A node's build and boot time; empty and None where it did not say."""

    build: str = ""
    boot_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class PreviewFacts:
    """The nodes and roles, what each node runs, and what the scan gave, once it was made."""

    members: Members
    nodes: dict[str, NodeNow]
    scan: CauScan | None


class CauPreview(BaseStep[PreviewFacts]):
    """Ends 'previewed' with the plan, or stops when CAU could not scan a node that is up."""

    name: ev.StepName = "preview"

    def __init__(self, context: StepContext, clock: Clock) -> None:
        super().__init__(context)
        self.found = Found()

    def observe(self, cluster: Cluster) -> PreviewFacts:
        """Read the nodes; the scan itself is an action."""
        _, members = read_members(cluster)
        return PreviewFacts(members, read_nodes_now(cluster, members.nodes), self.found.scan)

    def decide(self, facts: PreviewFacts, now: datetime) -> Decision:
        """Scan once, then say what was found."""
        if facts.scan is None:
            return Act(
                ScanCluster(self.context, self.found), "nothing is begun before it is known what would be installed"
            )
        up = [node.name for node in facts.members.nodes if node.is_up]
        away = [node.name.lower() for node in facts.members.nodes if not node.is_up]
        troubled = [each for each in facts.scan.problems if not any(name in each.lower() for name in away)]
        if troubled:
            return Stop(_scan_failed(troubled))
        plan = self._plan(facts, now)
        working = [node.name for node in plan.nodes if node.has_work]
        said = (
            f"{len(working)} of {len(up)} nodes have something to install" if working else "nothing is to be installed"
        )
        return Done("previewed", said, {"plan": plan.to_json(), "work": bool(working)})

    def events(self, facts: PreviewFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put on record what was found for every node, and the order."""
        if not isinstance(decision, Done) or decision.outcome != "previewed" or facts.scan is None:
            return ()
        scan = facts.scan
        found: list[ev.RunEvent] = []
        for node in facts.members.nodes:
            now = facts.nodes.get(node.name, NodeNow())
            scanned = ev.Scanned(
                step="preview", node=node.name, updates=refs(scan.of(node.name)), build=now.build or None
            )
            found += [scanned, node_read(node, now, "before")]
        plan = Plan.from_json(decision.details["plan"])  # type: ignore[arg-type]
        each = estimate_node_range()
        working = sum(node.has_work for node in plan.nodes)
        planned = ev.Planned(
            step="preview",
            order=tuple(node.name for node in plan.nodes),
            updates={node.name: refs(node.updates) for node in plan.nodes},
            why={node.name: node.skip for node in plan.nodes if node.skip},
            max_failed_nodes=plan.max_failed_nodes,
            estimated_minutes=round(working * each.expected.total_seconds() / 60, 1),
        )
        return (*found, planned)

    def may_cancel(self, facts: PreviewFacts, decision: Decision) -> bool:
        """A scan leaves nothing behind."""
        return True

    def _plan(self, facts: PreviewFacts, now: datetime) -> Plan:
        """Return the plan: CAU takes the nodes in the order asked for, then by how few roles they own."""
        options, members, scan = self.context.options, facts.members, facts.scan or CauScan(())
        order = order_nodes([node.name for node in members.nodes], members.groups, options.node_order, "")
        scans = {
            node.name: {
                "node": node.name,
                "updates": [{"update_id": update.update_id, "title": update.title} for update in scan.of(node.name)],
                "excluded": {},
                "build": facts.nodes.get(node.name, NodeNow()).build,
                "restart_pending": False,
                "manual_maintenance": False,
            }
            for node in members.nodes
        }
        each = estimate_node_range()
        return make_plan(
            self.context.cluster,
            now,
            members.nodes,
            scans,
            order,
            options.max_failed_nodes,
            each.expected,
            each.high,
        )


def read_nodes_now(cluster: Cluster, nodes: tuple[ClusterNode, ...]) -> dict[str, NodeNow]:
    """Return build and boot time of every node that answers."""
    found: dict[str, NodeNow] = {}
    known = {name.lower() for name in cluster.nodes}
    for node in nodes:
        if node.name.lower() not in known:
            continue
        try:
            shell = cluster.on(node.name)
            build = str(get_windows_version(shell).build)
            found[node.name] = NodeNow(build, get_operating_system(shell).boot_time)
        except RemotingError:
            found[node.name] = NodeNow()
    return found


def node_read(node: ClusterNode, now: NodeNow, moment: Literal["before", "after"]) -> ev.CauNodeRead:
    """Return what goes on record about a node before CAU's run or after it."""
    build = now.build or None
    return ev.CauNodeRead(node=node.name, moment=moment, state=str(node.state), build=build, boot_time=now.boot_time)


def _scan_failed(reasons: list[str]) -> Problem:
    return Problem(
        title=f"CAU cannot say what it would install: {'; '.join(reasons)}.",
        meaning="Nothing was begun.",
        next_action="Remove the cause, then clear this task.",
        retry_is_safe=True,
    )
