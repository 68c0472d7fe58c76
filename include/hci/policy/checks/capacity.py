"""Checks that the other nodes have the memory for the virtual machines of each node in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from include.hci.cluster.virtual_machines import VirtualMachine
from include.hci.policy.checks.facts import ReadinessFacts
from include.hci.policy.checks.judging import Row, judge
from include.hci.policy.checks.result import CheckResult, Severity
from include.hci.policy.progress import show_bytes

_MEMORY = Row(
    "memory",
    "Without any one node the others have the memory for its virtual machines",
    Severity.CRITICAL,
    "Shut down or move virtual machines, or reduce their memory: what does not fit elsewhere keeps its node from being drained.",
    ("virtual-machines", "memory"),
)


def check_memory(facts: ReadinessFacts) -> CheckResult:
    """Return whether each node's virtual machines fit into the free memory of the others.

    Certain problems (too little memory in all, or a machine larger than any gap) refuse. That no arrangement was found for
    machines that would fit by their sum is a warning: the cluster may find one. With dynamic memory nothing is certain: hosts
    take memory back from machines that do not need it.
    """
    up = [node.name for node in facts.nodes if node.is_up]
    machines, memory = facts.virtual_machines, facts.memory
    if machines is None or memory is None or any(name not in memory for name in up):
        return judge(_MEMORY, facts, None, "")
    free = {name: memory[name].free for name in up}
    certain: list[str] = []
    likely: list[str] = []
    for node in up:
        moving = [vm for vm in machines if vm.node.lower() == node.lower() and vm.clustered and vm.uses_memory]
        others = {name: bytes_free for name, bytes_free in free.items() if name != node}
        problem = _too_little(node, moving, others)
        if problem:
            certain.append(problem)
        elif left := unplaced(moving, others):
            likely.append(f"no arrangement was found that has room for {', '.join(left)} of {node}")
    dynamic = any(vm.is_dynamic and vm.uses_memory for vm in machines)
    if dynamic and certain:
        certain.append("dynamic memory may make room for them")
    severity = Severity.WARNING if dynamic or (likely and not certain) else None
    return judge(_MEMORY, facts, certain + likely, f"the memory of {len(up)} nodes suffices", severity)


def unplaced(machines: Sequence[VirtualMachine], free: Mapping[str, int]) -> tuple[str, ...]:
    """Return the machines for which no node has room when the largest are placed first, each where it fits most tightly."""
    room = dict(free)
    left: list[str] = []
    for machine in sorted(machines, key=lambda vm: (-vm.memory, vm.name)):
        fitting = [name for name, bytes_free in room.items() if bytes_free >= machine.memory]
        if not fitting:
            left.append(machine.name)
            continue
        room[min(fitting, key=lambda name: (room[name], name))] -= machine.memory
    return tuple(left)


def _too_little(node: str, machines: Sequence[VirtualMachine], free: Mapping[str, int]) -> str:
    needed, there = sum(vm.memory for vm in machines), sum(free.values())
    if needed > there:
        return f"the virtual machines of {node} need {show_bytes(needed)}, the others have {show_bytes(there)} left"
    largest = max(machines, key=lambda vm: vm.memory, default=None)
    if largest is not None and largest.memory > max(free.values(), default=0):
        return f"{largest.name} of {node} needs {show_bytes(largest.memory)}, more than any other node has left"
    return ""
