"""Worlds whose first node has other software."""

from dataclasses import replace

from include.simulator.world.software import SoftwareSpec
from include.simulator.world.spec import WorldSpec


def with_software(spec: WorldSpec, software: SoftwareSpec) -> WorldSpec:
    """Return ``spec`` with ``software`` on its first node."""
    first, *others = spec.nodes
    return replace(spec, nodes=(replace(first, software=software), *others))


def with_variant(spec: WorldSpec, *names: str) -> WorldSpec:
    """Return ``spec`` with open facts read the other way."""
    return replace(spec, variants=frozenset(names))
