"""A simulated cluster without a network: world, clock, journal and one host per machine, put together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from include.simulator.clock import Clock
from include.simulator.cmdlets.runtime import SimulatedHost
from include.simulator.cmdlets.runtime_session import SessionConfiguration, full_language, jea
from include.simulator.journal import Journal
from include.simulator.referee.rules import make_rule
from include.simulator.world.own_commands import OwnCommand
from include.simulator.world.spec import WorldSpec
from include.simulator.world.world import World

#: Where simulated time begins unless told otherwise: a Saturday evening.
DEFAULT_START = datetime(2026, 11, 7, 20, 0, tzinfo=UTC)


class WorldTime:
    """The time of what is happening in a world, which may be a little behind its clock while it catches up."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        """Return the world's time."""
        return self._world.now


@dataclass(slots=True)
class SimulatedCluster:
    """One cluster: ``hosts`` are its nodes in order and then the management host, by name."""

    world: World
    clock: Clock
    journal: Journal
    hosts: Mapping[str, SimulatedHost]

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.world.spec.cluster

    def snapshot(self, actor: str = "control") -> dict[str, object]:
        """Journal the state of everything and return it."""
        self.world.advance()
        state = self.world.snapshot()
        self.journal.event("world.snapshot", None, state, actor)
        return state

    def offer(self, machine: str, endpoint: str, command: OwnCommand) -> None:
        """Let the constrained endpoint ``endpoint`` of ``machine`` offer ``command``; one that is not there is made.

        A server that listens already knows only the endpoints that there were when it began.
        """
        host = self.hosts[machine]
        if endpoint.lower() not in host.configurations:
            host.configurations = {**host.configurations, endpoint.lower(): jea(endpoint, ())}
        self.world.own_commands.put(machine, endpoint, command)

    def rule(self, kind: str, *, actor: str = "control", **detail: object) -> None:
        """Journal what the operator allows from now on, for the referee; ValueError where nobody could make sense of it.

        Kinds: window {opens, closes}, blackout {begins, ends} (datetimes or ISO 8601 in simulated time), budget {nodes_out},
        approval {plan_hash}, permission {what: functional-level, pool-version, vm-power, vm-version,
        restart-with-roles, cluster-stop, cau-role, remote-management or preview-channel}, restart {nodes: names or "all"}:
        each of them once.
        """
        self.world.advance()
        written = {key: value.isoformat() if isinstance(value, datetime) else value for key, value in detail.items()}
        self.journal.event("rule", None, make_rule(kind, written), actor)


def make_cluster(
    spec: WorldSpec,
    clock: Clock,
    *,
    seed: int = 0,
    journal_path: Path | None = None,
    configurations: Iterable[SessionConfiguration] = (),
) -> SimulatedCluster:
    """Build the world that ``spec`` and ``seed`` describe, with its first snapshot journalled.

    Every machine has the default session configuration and ``configurations`` beside it. Raises FileExistsError where
    ``journal_path`` exists.
    """
    journal = Journal(clock, journal_path)
    try:
        world = World(spec, clock, journal, seed)
        journal.follow(WorldTime(world))
        registered = {each.name.lower(): each for each in (full_language(), *configurations)}
        hosts = {
            name: SimulatedHost(machine, world, clock, journal, registered) for name, machine in world.machines.items()
        }
        cluster = SimulatedCluster(world, clock, journal, hosts)
        cluster.snapshot("world")
    except BaseException:
        journal.close()
        raise
    return cluster
