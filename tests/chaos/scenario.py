"""What a random run is made of: a cluster, faults and when they strike, and the deaths of the process that coordinates it."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import timedelta

from include.hci.settings import RunOptions
from include.simulator.faults.catalogue import catalogue
from include.simulator.world.spec import WorldSpec, demo_world
from include.simulator.world.variants import VARIANTS

#: How often each size of cluster is played, in a hundred runs: small ones are over soon and meet the same faults.
SIZES = {2: 60, 3: 26, 4: 11, 8: 2.5, 16: 0.5}
#: The variant that only feature updates know.
ROLLING = "cau-rolling-upgrade-goes-on-to-later-versions"
VERSIONS = ("20H2", "21H2", "22H2", "WS2019", "WS2022", "WS2025")


@dataclass(frozen=True, slots=True)
class Trouble:
    """One fault: after so many minutes, or None when the catalogue says; ``lasts`` minutes, or as long as it stands by itself."""

    fault: str
    after: float | None = None
    lasts: float | None = None

    def __str__(self) -> str:
        after = "" if self.after is None else f" after {self.after:g} min"
        return f"{self.fault}{after}{'' if self.lasts is None else f' for {self.lasts:g} min'}"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One run. ``kills`` and ``cancel`` count the moments right before and right after every command.

    At each of ``kills`` the process dies and another one goes on; at ``cancel`` it dies for good and only the end of the run is
    still played. ``patience`` None reads at every poll, else a waiting step sleeps over polls at which nothing can have changed.
    """

    seed: int
    nodes: int
    version: str
    troubles: tuple[Trouble, ...] = ()
    kills: tuple[int, ...] = ()
    cancel: int | None = None
    variants: frozenset[str] = frozenset()
    max_failed_nodes: int = 1
    patience: timedelta | None = timedelta(minutes=5)

    @property
    def world(self) -> WorldSpec:
        """The cluster as the run finds it."""
        return replace(demo_world(self.nodes, self.version), variants=self.variants)

    @property
    def options(self) -> RunOptions:
        """The options of the run."""
        return RunOptions(max_failed_nodes=self.max_failed_nodes)

    @property
    def limit(self) -> timedelta:
        """How long the run may take in simulated time: more than all its steps with all their retries together."""
        return timedelta(hours=24 + 90 * self.nodes)

    def describe(self) -> str:
        """Return the run in one line."""
        parts = [f"seed {self.seed}", f"{self.nodes} nodes", self.version, f"max_failed_nodes {self.max_failed_nodes}"]
        parts += [str(trouble) for trouble in self.troubles]
        if self.kills:
            parts.append(f"killed at {', '.join(map(str, self.kills))}")
        if self.cancel is not None:
            parts.append(f"cancelled at {self.cancel}")
        parts += sorted(self.variants)
        return "; ".join(parts) + ("" if self.patience else "; every poll")


def scenario(seed: int) -> Scenario:
    """Return the run that ``seed`` stands for; the same seed gives the same run as long as the catalogue stays the same."""
    chance = random.Random(f"chaos:{seed}")
    nodes = chance.choices(list(SIZES), list(SIZES.values()))[0]
    version = chance.choice(VERSIONS)
    troubles = tuple(_trouble(chance, nodes) for _ in range(chance.choices((0, 1, 2, 3), (1, 5, 3, 1))[0]))
    moments = 700 * nodes
    kills = tuple(sorted(chance.randrange(1, moments) for _ in range(chance.choices((0, 1, 3, 6), (5, 2, 2, 1))[0])))
    return Scenario(
        seed,
        nodes,
        version,
        troubles,
        kills,
        cancel=chance.randrange(1, moments) if chance.random() < 0.15 else None,
        variants=frozenset(each for each in sorted(VARIANTS) if each != ROLLING and chance.random() < 0.1),
        max_failed_nodes=chance.choices((0, 1, 2), (1, 6, 1))[0],
        patience=None if chance.random() < 0.02 else timedelta(minutes=5),
    )


def _trouble(chance: random.Random, nodes: int) -> Trouble:
    # What only a feature update meets is played elsewhere.
    row = catalogue()[chance.choice(sorted(name for name, row in catalogue().items() if row.theme != "feature"))]
    fault = row.id
    if row.node == "required" or (row.node == "optional" and chance.random() < 0.7):
        fault += f"-on-node-{chance.randint(1, nodes)}"
    at_its_time = row.when is not None and chance.random() < 0.7
    after = None if at_its_time else float(chance.choice((0, chance.randint(1, 75 * nodes))))
    lasts = float(chance.randint(2, 180)) if chance.random() < 0.4 else None
    return Trouble(fault, after, lasts)
