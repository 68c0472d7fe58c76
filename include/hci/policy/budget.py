"""How many nodes may fail before a run stops."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Budget:
    """Whether the failure budget allows going on, and why."""

    allows: bool
    why: str


def failure_budget(limit: int, failed: Collection[str], broken: Collection[str] = ()) -> Budget:
    """Return whether another node may be begun.

    ``failed`` nodes failed in this run, ``broken`` ones were out of service before it. A run stops when one more than ``limit``
    of them are lost (windows-powershell-docs, Invoke-CauRun: MaxFailedNodes).
    """
    lost = sorted({name.lower(): name for name in (*broken, *failed)}.values(), key=str.lower)
    if not lost:
        return Budget(True, f"no node has failed, {limit} may")
    said = f"{', '.join(lost)} {'is' if len(lost) == 1 else 'are'} lost, max_failed_nodes is {limit}"
    return Budget(len(lost) <= limit, said)


def out_of_service(limit: int, out: Collection[str]) -> Budget:
    """Return whether one more node may be taken out of service while the nodes in ``out`` are out already.

    One node at a time may always leave; beside nodes that were found out of service only as long as all of them together are no
    more than ``limit``, the number of nodes that the cluster may do without.
    """
    if not out:
        return Budget(True, "every node is in service")
    listed = f"{', '.join(sorted(out))} {'is' if len(out) == 1 else 'are'} out of service"
    return Budget(
        len(out) + 1 <= limit, f"{listed}, with one more that makes {len(out) + 1}, max_failed_nodes is {limit}"
    )
