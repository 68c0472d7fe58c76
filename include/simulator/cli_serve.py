"""``serve``: a simulated cluster on this computer's ports until it is told to stop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from include.simulator import cli_machines, cli_own_commands
from include.simulator.clock import RealTimeClock
from include.simulator.cluster import DEFAULT_START, SimulatedCluster, make_cluster
from include.simulator.cluster_server import HTTPS_OFFSET, ClusterServer, ServerSettings
from include.simulator.cmdlets.runtime_session import SessionConfiguration, jea
from include.simulator.faults import scenarios
from include.simulator.wire.accounts import Account
from include.simulator.world.spec import demo_world

if TYPE_CHECKING:
    SubParsers = argparse._SubParsersAction[argparse.ArgumentParser]

USER_VARIABLE, PASSWORD_VARIABLE = "HCI_SIM_USER", "HCI_SIM_PASSWORD"


class CannotServe(Exception):
    """What was asked for cannot be served; the text says why and what to do."""


def add_parser(commands: SubParsers) -> None:
    """Add the command to the command line."""
    parser = commands.add_parser(
        "serve",
        help="serve a simulated cluster",
        description="Serve a simulated cluster: one port per node from the base port on, then the management host, then the "
        f"control interface. The account that may log in comes from the environment variables {USER_VARIABLE} (DOMAIN\\name or "
        f"name) and {PASSWORD_VARIABLE}.",
    )
    parser.add_argument("--nodes", type=int, default=4, help="number of servers, 1 to 16 (default 4)")
    parser.add_argument(
        "--os", default="22H2", metavar="VERSION", help="20H2, 21H2, 22H2, 23H2, WS2019, WS2022, WS2025 (default 22H2)"
    )
    parser.add_argument("--cluster", default="HCI-CL01", metavar="NAME", help="the cluster's name (default HCI-CL01)")
    parser.add_argument(
        "--prefix", default="HCI", help="what the nodes' names begin with (default HCI: HCI01, HCI02 ...)"
    )
    parser.add_argument("--vms", type=int, default=3, help="virtual machines per node (default 3)")
    parser.add_argument("--speed", type=float, default=600.0, help="simulated seconds per real second (default 600)")
    parser.add_argument(
        "--start", type=_moment, default=DEFAULT_START, metavar="ISO", help="simulated start time (default a fixed one)"
    )
    parser.add_argument(
        "--seed", type=int, default=1, help="the same seed gives the same cluster and the same chances (default 1)"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default 127.0.0.1)"
    )
    parser.add_argument(
        "--base-port", type=int, default=15985, metavar="PORT", help="first port (default 15985); 0 takes free ones"
    )
    parser.add_argument(
        "--https", action="store_true", help=f"also serve HTTPS, {HTTPS_OFFSET} ports above each HTTP port"
    )
    parser.add_argument(
        "--allow-basic", action="store_true", help="also take Basic log-ins and unencrypted messages over HTTP"
    )
    parser.add_argument(
        "--jea",
        action="append",
        default=[],
        type=_configuration,
        metavar="NAME=COMMAND,...",
        help="add a no-language session configuration; NAME=@FILE reads one command a line",
    )
    cli_machines.add_options(parser)
    cli_own_commands.add_options(parser)
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=_fault,
        metavar="ID[:KEY=VALUE,...]",
        help="inject a fault at the start; may be given several times",
    )
    parser.add_argument(
        "--scenario",
        action="append",
        default=[],
        metavar="NAME",
        help="play a scenario from the start: a name that the command faults lists, or swizzle:SEED[:COUNT]",
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME",
        help="take the other reading of an unconfirmed fact; the command faults --variants lists them",
    )
    parser.add_argument("--journal", type=Path, metavar="PATH", help="write the world's journal here (must not exist)")
    parser.add_argument(
        "--ready-file", type=Path, metavar="PATH", help="written when every port is open, removed at the end"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until stopped; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        account = _account(os.environ)
        cluster = _furnished(options)
    except CannotServe as reason:
        print(reason, file=sys.stderr)
        return 2
    try:
        return asyncio.run(_serve(options, cluster, account))
    except (CannotServe, OSError) as reason:
        cluster.journal.close()
        if options.journal is not None:
            options.journal.unlink(missing_ok=True)
        print(reason.strerror if isinstance(reason, OSError) and reason.strerror else reason, file=sys.stderr)
        return 2


def _account(environment: Mapping[str, str]) -> Account:
    user, password = environment.get(USER_VARIABLE, ""), environment.get(PASSWORD_VARIABLE, "")
    if not user or not password:
        raise CannotServe(f"Nobody could log in: set {USER_VARIABLE} and {PASSWORD_VARIABLE} to the account that may.")
    domain, _, name = user.rpartition("\\")
    return Account(name, password, domain) if domain else Account(name, password)


def _cluster(options: argparse.Namespace) -> SimulatedCluster:
    try:
        spec = demo_world(
            options.nodes, options.os, cluster=options.cluster, prefix=options.prefix, vms_per_node=options.vms
        )
        spec = cli_machines.furnished(replace(spec, variants=frozenset(options.variant)), options)
        clock = RealTimeClock(options.start, options.speed)
    except (KeyError, ValueError) as reason:
        raise CannotServe(str(reason.args[0])) from reason
    try:
        return make_cluster(spec, clock, seed=options.seed, journal_path=options.journal, configurations=options.jea)
    except FileExistsError as reason:
        raise CannotServe(
            f"{options.journal} exists already; a journal is never continued. Name another file."
        ) from reason
    except OSError as reason:
        raise CannotServe(f"Cannot write the journal {options.journal}: {reason.strerror}.") from reason


def _furnished(options: argparse.Namespace) -> SimulatedCluster:
    cluster = _cluster(options)
    try:
        # Before the ports are opened: a listener knows the endpoints that there are when it begins.
        cli_own_commands.furnish(cluster, options.script, options.function)
    except ValueError as reason:
        cluster.journal.close()
        raise CannotServe(str(reason)) from reason
    return cluster


async def _serve(options: argparse.Namespace, cluster: SimulatedCluster, account: Account) -> int:
    settings = ServerSettings(options.host, options.base_port, https=options.https, lenient=options.allow_basic)
    server = ClusterServer(cluster, settings, [account])
    await server.start()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, server.stopping.set)
    try:
        _inject(cluster, options.fault)
        _play(cluster, options.scenario)
        _announce(options.ready_file, {**server.describe(), "pid": os.getpid()})
        await server.stopping.wait()
    finally:
        await server.stop()
        if options.ready_file is not None:
            options.ready_file.unlink(missing_ok=True)
    return 0


def _inject(cluster: SimulatedCluster, faults: Iterable[tuple[str, dict[str, object]]]) -> None:
    for fault, arguments in faults:
        try:
            cluster.world.inject(fault, **arguments)
        except (KeyError, TypeError, ValueError) as reason:
            raise CannotServe(f"Fault {fault!r} cannot be injected: {reason}") from reason


def _play(cluster: SimulatedCluster, names: Iterable[str]) -> None:
    for name in names:
        try:
            scenarios.play(cluster.world, scenarios.find(name, len(cluster.world.nodes)))
        except ValueError as reason:
            raise CannotServe(str(reason)) from reason


def _announce(ready_file: Path | None, description: Mapping[str, object]) -> None:
    print(json.dumps(description), flush=True)
    if ready_file is None:
        return
    ready_file.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=ready_file.parent, prefix=f".{ready_file.name}-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(description, file)
        Path(name).replace(ready_file)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _configuration(text: str) -> SessionConfiguration:
    name, _, commands = text.partition("=")
    if not name or not commands:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=COMMAND,... or NAME=@FILE")
    if not commands.startswith("@"):
        return jea(name, commands.split(","))
    try:
        lines = Path(commands[1:]).read_text(encoding="utf-8").split()
    except OSError as reason:
        raise argparse.ArgumentTypeError(f"{commands[1:]} cannot be read: {reason.strerror}") from reason
    return jea(name, lines)


def _fault(text: str) -> tuple[str, dict[str, object]]:
    fault, _, rest = text.partition(":")
    arguments: dict[str, object] = {}
    for pair in filter(None, rest.split(",")):
        key, separator, value = pair.partition("=")
        if not separator:
            raise argparse.ArgumentTypeError(f"{pair!r} in {text!r} is not KEY=VALUE")
        arguments[key] = _value(value)
    return fault, arguments


def _value(text: str) -> object:
    converters: tuple[Callable[[str], object], ...] = (int, float)
    for converter in converters:
        with contextlib.suppress(ValueError):
            return converter(text)
    words: Mapping[str, object] = {"true": True, "false": False, "null": None}
    return words.get(text.lower(), text)
