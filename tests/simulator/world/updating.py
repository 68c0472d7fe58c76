"""Runs of CAU on the virtual clock, for tests that look at what became of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from include.simulator.world.cau_run import CauRun
from include.simulator.world.firewall import REMOTE_SHUTDOWN
from include.simulator.world.spec import WorldSpec, demo_world
from tests.simulator.world.console import Console

LONG = timedelta(hours=60)
EVERYTHING: dict[str, object] = {"EnableFirewallRules": True}


def variant_world(*variants: str, nodes: int = 4, os: str = "21H2") -> WorldSpec:
    """A healthy cluster in which the variants are on."""
    return replace(demo_world(nodes, os), variants=frozenset(variants))


def console(*variants: str, nodes: int = 4, os: str = "21H2", seed: int = 1) -> Console:
    return Console(variant_world(*variants, nodes=nodes, os=os), seed=seed)


def delegated(lab: Console) -> Console:
    """Give the session credentials that reach other machines, as CredSSP does."""
    lab.session.authentication, lab.session.delegated = "credssp", True
    return lab


def begin(lab: Console, **options: object) -> CauRun:
    """Begin a run from the management host, with the firewall opened by it."""
    return lab.world.cau.update_from(lab.world.management_host, EVERYTHING | options, "CORP\\operator")


async def end(lab: Console, run: CauRun, within: timedelta = LONG) -> CauRun:
    await lab.wait_for(lambda: run.ended is not None, within)
    return run


async def updated(lab: Console, **options: object) -> CauRun:
    """A whole run from the management host."""
    return await end(lab, begin(lab, **options))


async def until(lab: Console, condition: Callable[[], bool]) -> None:
    await lab.wait_for(condition, LONG)


def statuses(run: CauRun) -> dict[str, str]:
    return {name: "" if result.status is None else result.status.name for name, result in run.results.items()}


def stages(run: CauRun, node: str) -> list[str]:
    return [each.name for each in run.history if each.node == node]


def drained(lab: Console) -> list[str]:
    """The nodes in the order in which they were drained."""
    return [str(event.node) for event in lab.events("node.state", drain_status="InProgress")]


def open_firewall(lab: Console) -> None:
    for node in lab.nodes:
        lab.world.firewall.enable_group(node, REMOTE_SHUTDOWN)
