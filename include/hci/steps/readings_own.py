"""What the readiness step reads of the operator's own commands: scripts on the nodes, and required hooks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from include.hci.cluster.facade import Cluster
from include.hci.cluster.scripts import command_exists, script_exists
from include.hci.powershell.errors import RemotingError
from include.hci.settings import RunOptions
from include.hci.settings.hooks import ENDS
from include.hci.steps.readings import Readings
from include.hci.steps.scripts import own_configuration


@dataclass(frozen=True, slots=True)
class OwnReadings:
    """Scripts that a node does not find, as (node, path), and what is wrong with required hooks; None: there are none."""

    missing_scripts: tuple[tuple[str, str], ...] | None
    hook_problems: tuple[str, ...] | None


def unused_commands(options: RunOptions) -> tuple[str, ...]:
    """Return which scripts and hooks have no moment in a run that takes a whole cluster down at once."""
    scripts = [name for name in ("pre_update_script", "post_update_script") if getattr(options, name)]
    hooks = [f"the hook {hook.command} ({hook.when})" for hook in options.hooks if hook.when.startswith("node-")]
    return (*scripts, *hooks)


def read_own(cluster: Cluster, names: Collection[str], options: RunOptions, readings: Readings) -> OwnReadings:
    """Look for the scripts on every node of ``names``, and for the commands of the hooks without which nothing is begun."""
    return OwnReadings(_scripts(cluster, names, options, readings), _hooks(cluster, options, readings))


def _scripts(
    cluster: Cluster, names: Collection[str], options: RunOptions, readings: Readings
) -> tuple[tuple[str, str], ...] | None:
    paths = [path for path in (options.pre_update_script, options.post_update_script) if path]
    if not paths:
        readings.not_asked["scripts"] = "the profile names no scripts"
        return None
    configuration, missing = own_configuration(options), []
    for name in names:
        try:
            shell = cluster.on(name, configuration) if configuration else cluster.on(name)
            for path in paths:
                # A role that does not let a session look says nothing about the script.
                if readings.node("scripts", name, lambda: script_exists(shell, path)) is False:  # noqa: B023
                    missing.append((name, path))
        except RemotingError as error:
            readings.miss("scripts", error, name)
    return tuple(missing)


def _hooks(cluster: Cluster, options: RunOptions, readings: Readings) -> tuple[str, ...] | None:
    required = [hook for hook in options.hooks if hook.required and hook.when in ENDS]
    if not required:
        readings.not_asked["hooks"] = "the profile has no required hooks"
        return None
    problems = []
    for connection, command in dict.fromkeys((hook.connection, hook.command) for hook in required):
        try:
            if command_exists(cluster.endpoint(connection), command) is False:
                problems.append(f"the endpoint of the connection {connection} has no command {command}")
        except RemotingError as error:
            problems.append(f"the endpoint of the connection {connection} does not answer: {error.detail}")
    return tuple(problems)
