"""``serve``'s options for what administrators have on their machines: scripts, and functions of a constrained endpoint."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable

from include.simulator.cluster import SimulatedCluster
from include.simulator.world.cau_scripts import Script
from include.simulator.world.own_commands import OwnCommand

_FUNCTION = re.compile(
    r"(?P<machine>[^/]+)/(?P<endpoint>[^/]+)/(?P<name>[A-Za-z]+-[A-Za-z0-9]+)(?:=(?P<parameters>[\w,]*))?"
)
#: Machine, endpoint and the function.
Offer = tuple[str, str, OwnCommand]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the options to ``serve``."""
    parser.add_argument(
        "--script",
        action="append",
        default=[],
        metavar="PATH",
        help="put a script at this path of every node; the faults script-fails and script-hangs set what comes of it",
    )
    parser.add_argument(
        "--function",
        action="append",
        default=[],
        type=function,
        metavar="MACHINE/ENDPOINT/NAME=PARAMETER,...",
        help="let a constrained endpoint of a machine offer a function with these text parameters; the fault monitoring-refuses"
        " lets it fail",
    )


def function(text: str) -> Offer:
    """Return the function that ``text`` describes; raises argparse.ArgumentTypeError."""
    found = _FUNCTION.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not MACHINE/ENDPOINT/NAME=PARAMETER,...")
    names = filter(None, (found["parameters"] or "").split(","))
    return found["machine"], found["endpoint"], OwnCommand(found["name"], dict.fromkeys(names, "String"))


def furnish(cluster: SimulatedCluster, scripts: Iterable[str], functions: Iterable[Offer]) -> None:
    """Put everything in its place; raises ValueError for a machine that there is not."""
    for path in scripts:
        cluster.world.cau.scripts.put(path, Script())
    for machine, endpoint, command in functions:
        if machine not in cluster.hosts:
            raise ValueError(
                f"There is no machine {machine} to offer {command.name}; there are {', '.join(cluster.hosts)}."
            )
        cluster.offer(machine, endpoint, command)
