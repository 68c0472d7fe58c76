"""Checks of the nodes themselves: who is a member, who answers, who is in service, and whether the votes suffice."""

from __future__ import annotations

from include.hci.cluster.values import NodeState
from include.hci.policy.budget import out_of_service
from include.hci.policy.checks.facts import ReadinessFacts, ReadinessRules
from include.hci.policy.checks.judging import Row, judge
from include.hci.policy.checks.result import CheckResult, Severity
from include.hci.policy.gates import nodes_out, quorum_reason, witness_votes

_MEMBERS = Row(
    "members",
    "The cluster has the nodes that the settings name",
    Severity.CRITICAL,
    "Correct the list of nodes in the settings; a node that is not named cannot be watched or locked.",
    ("nodes",),
)
_REACHABLE = Row(
    "reachability",
    "Every node answers over PowerShell remoting",
    Severity.CRITICAL,
    "Check WinRM, the firewall and the connection of the node.",
)
_UP = Row(
    "nodes-up",
    "Every node is Up",
    Severity.CRITICAL,
    "Bring the node up, or resume it if it is paused; this run does not touch what somebody else has paused.",
    ("nodes",),
)
_KEPT_OUT = Row(
    "quarantine",
    "No node is quarantined or isolated",
    Severity.CRITICAL,
    "Find out why the node left the cluster; clear a quarantine only then (Start-ClusterNode -ClearQuarantine).",
    ("nodes",),
)
_QUORUM = Row(
    "quorum",
    "The cluster keeps its quorum without any one node",
    Severity.CRITICAL,
    "Bring the other nodes and the witness online, or configure a witness (Set-ClusterQuorum).",
    ("cluster", "nodes"),
)
_WITNESS = Row(
    "witness",
    "The witness is online",
    Severity.WARNING,
    "Bring the witness resource online (Start-ClusterResource); while a node is out, its vote may decide.",
    ("cluster",),
)


def check_nodes(facts: ReadinessFacts, rules: ReadinessRules) -> tuple[CheckResult, ...]:
    """Return the checks of the nodes and their votes."""
    return (
        _members(facts),
        _reachable(facts),
        _nodes_up(facts, rules),
        _nobody_kept_out(facts),
        _quorum_survives(facts),
        _witness(facts),
    )


def _members(facts: ReadinessFacts) -> CheckResult:
    found = {node.name.lower(): node.name for node in facts.nodes}
    wanted = {name.lower(): name for name in facts.expected}
    problems = [
        f"{wanted[key]} is in the settings but not in the cluster" for key in sorted(wanted.keys() - found.keys())
    ]
    problems += [
        f"{found[key]} is in the cluster but not in the settings" for key in sorted(found.keys() - wanted.keys())
    ]
    return judge(_MEMBERS, facts, problems, f"{len(found)} nodes, all of them in the settings")


def _reachable(facts: ReadinessFacts) -> CheckResult:
    down = {node.name.lower() for node in facts.nodes if node.state is NodeState.DOWN}
    problems = [f"{node}: {why}" for node, why in sorted(facts.unreachable.items()) if node.lower() not in down]
    return judge(_REACHABLE, facts, problems, "every running node answers")


def _nodes_up(facts: ReadinessFacts, rules: ReadinessRules) -> CheckResult:
    out = nodes_out(facts.nodes)
    said = [f"{node.name} is {node.state}" for node in out]
    budget = out_of_service(rules.max_failed_nodes, [node.name for node in out])
    if out and not rules.require_all_nodes_online and budget.allows:
        said.append(f"{budget.why}, so the run may start and leaves them alone")
        return judge(_UP, facts, said, "", Severity.WARNING)
    if out and rules.require_all_nodes_online:
        said.append("require_all_nodes_online is on")
    elif out:
        said.append(budget.why)
    return judge(_UP, facts, said, f"{len(facts.nodes)} nodes are Up")


def _nobody_kept_out(facts: ReadinessFacts) -> CheckResult:
    problems = [f"{node.name} is {node.kept_out}" for node in facts.nodes if node.kept_out]
    return judge(_KEPT_OUT, facts, problems, "no node is quarantined or isolated")


def _quorum_survives(facts: ReadinessFacts) -> CheckResult:
    reasons = (
        quorum_reason(facts.nodes, node.name, facts.quorum, facts.resources) for node in facts.nodes if node.is_up
    )
    return judge(_QUORUM, facts, [reason for reason in reasons if reason], "every single node can leave")


def _witness(facts: ReadinessFacts) -> CheckResult:
    name = facts.quorum.resource
    if not name:
        return judge(_WITNESS, facts, [], "the cluster has no witness")
    is_online = witness_votes(facts.quorum, facts.resources) == 1
    return judge(_WITNESS, facts, [] if is_online else [f"the witness {name} is not online"], f"{name} is online")
