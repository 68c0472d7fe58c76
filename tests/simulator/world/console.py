"""Runs command lines on the machines of a world through the vendor's syntax, as a remote client's pipelines are run."""

from __future__ import annotations

from include.simulator.cluster import make_cluster
from include.simulator.host import Argument, CommandCall
from include.simulator.world.machines import Machine
from include.simulator.world.spec import WorldSpec, demo_world
from tests.simulator.world.driver import Command, Lab, Output


class Console(Lab):
    """A lab whose pipelines are bound and journalled by the runtime."""

    def __init__(self, spec: WorldSpec | None = None, *, nodes: int = 4, os: str = "21H2", seed: int = 1) -> None:
        super().__init__(spec, nodes=nodes, os=os, seed=seed)
        self.cluster = cluster = make_cluster(spec or demo_world(nodes, os), self.clock, seed=seed)
        self.world, self.hosts, self.journal = cluster.world, cluster.hosts, cluster.journal
        self.world.on_event(self.recorder.event)

    async def _pipeline(self, host: str | Machine, commands: tuple[Command, ...]) -> Output:
        name = host if isinstance(host, str) else host.name
        statement = tuple(
            CommandCall(command, tuple(Argument(key, value) for key, value in parameters.items()))
            for command, parameters in commands
        )
        sink = Output()
        await self.hosts[name].invoke(self.session, (statement,), sink)
        return sink
