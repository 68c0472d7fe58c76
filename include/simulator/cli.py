"""The command line of the simulator."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from include.simulator import cli_faults, cli_judge, cli_serve


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code: 0 well, 1 violations found, 2 could not be done."""
    parser = argparse.ArgumentParser(
        prog="python -m include.simulator", description="A simulated Storage Spaces Direct cluster."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (cli_serve, cli_judge, cli_faults):
        command.add_parser(commands)
    options = parser.parse_args(arguments)
    return int(options.run(options))
