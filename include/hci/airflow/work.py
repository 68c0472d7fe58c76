"""One step of one run, ready to be ticked: settings, connections, record and plan put together."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from include.hci.airflow import connections
from include.hci.airflow.begun_settings import kept_settings
from include.hci.airflow.names import make_safe_dag_id
from include.hci.airflow.shells import PooledShell, lend, lend_endpoint, lend_in
from include.hci.airflow.storage import open_cluster_storage, open_record, run_address
from include.hci.cluster.facade import FleetCluster, ManagementHost
from include.hci.cluster.lock import RunLock
from include.hci.policy.plan import Plan
from include.hci.powershell.connection import ConnectionSettings
from include.hci.powershell.errors import RemotingError
from include.hci.powershell.threads import short_threads
from include.hci.report.events import RunStarted
from include.hci.report.record import RunRecord
from include.hci.report.watch_events import RanLong
from include.hci.settings import ClusterSettings, Fleet, RunOptions, fleet_path, load_fleet
from include.hci.settings.cluster import slug
from include.hci.steps.context import StepContext, deadline_for, poll_for
from include.hci.steps.engine import StepRunner
from include.hci.steps.factory import make_step
from include.hci.steps.first_seen import StoredFirstSeen

_log = logging.getLogger(__name__)

PLAN = "plan.json"
#: The steps that ask the management host.
_ASKS_BESIDE = frozenset(
    {
        *("readiness", "prepare", "preview", "run_cau", "collect", "conclude"),
        *("cau_setup", "configure_role", "verify_role"),
        *("validate", "move_role", "validate_after"),
    }
)
#: The steps that give the commands of hooks, or look whether they could.
_TELLS = frozenset({"readiness", "take_lock", "drain", "resume", "conclude"})


class RecordMissing(ValueError):
    """A step was begun where the run's record cannot be seen; the text says what to do."""


def not_begun(address: str) -> str:
    """Return why nothing can be done for a run of which nothing is on record at ``address``."""
    return (
        f"Nothing is on record of this run at {address}. Either it never began: see the task that should have begun it. Or "
        "this process looks elsewhere than the one that began it: workers and triggerers must reach the same HCI_REPORTS."
    )


class ClusterUnknown(ValueError):
    """The fleet file has no usable cluster of that name; the text says what is wrong with it."""


@lru_cache(maxsize=1)
def _fleet(path: Path, changed: int) -> Fleet:
    """Return the fleet of the file as it was ``changed``; a large one takes a while to read and a task asks several times."""
    return load_fleet(path)


def cluster_settings(name: str) -> ClusterSettings:
    """Return the cluster ``name`` of the fleet file; raises ClusterUnknown with the file's own problems."""
    path = fleet_path()
    fleet = _fleet(path, path.stat().st_mtime_ns if path.exists() else 0)
    if name in fleet.clusters:
        return fleet.clusters[name]
    problems = "; ".join(str(problem) for problem in fleet.problems_of(name)) or "it is not there"
    raise ClusterUnknown(f"Cluster {name} cannot be used from {fleet.file}: {problems}")


def settings_for(step: str, name: str) -> ClusterSettings:
    """Return the cluster ``name`` for ``step``; raises ClusterUnknown.

    The end of a run goes by what the run began with where the fleet file has no usable cluster of that name any more: a mistake
    in a file must not keep nodes paused.
    """
    try:
        return cluster_settings(name)
    except ClusterUnknown as error:
        if step != "conclude":
            raise
        kept = kept_settings(slug(name))
        if kept is None:
            makes_safe = make_safe_dag_id(slug(name))
            raise ClusterUnknown(
                f"{error}. Mend the file: {makes_safe} then takes back what the run has left."
            ) from None
        _log.warning("The run ends with the cluster as it was when the run began: %s", error)
        return kept


def read_plan(record: RunRecord) -> Plan | None:
    """Return the run's plan, or None while there is none."""
    try:
        return Plan.from_json(json.loads(record.storage.read(PLAN)))
    except FileNotFoundError:
        return None


def keep_plan(record: RunRecord, plan: Plan) -> None:
    """Keep the plan for the whole run: a map index is a position in it, so it is never made twice."""
    record.storage.write(PLAN, json.dumps(plan.to_json(), indent=1))


def open_cluster(settings: ClusterSettings) -> FleetCluster:
    """Return the cluster as steps see it, from inside a task; raises ConnectionUnusable."""
    return FleetCluster(settings.name, settings.node_names, lend(connections.load(settings)))


def management_host(found: ConnectionSettings | str | None) -> ManagementHost | None:
    """Return the management host as steps see it; ``found`` is how it is reached, or why it cannot be."""
    if found is None:
        return None
    if isinstance(found, str):
        return ManagementHost(None, problem=found)
    by_credssp = None
    if not found.passes_credentials and found.user and found.password:
        # CredSSP goes by name and password alone: what other kinds of authentication were told stays with them.
        by_credssp = PooledShell(replace(found, auth="credssp"))
    return ManagementHost(PooledShell(found), found.passes_credentials, by_credssp=by_credssp)


def _hook_connections(step: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the Airflow connections over which ``step`` may have to give the commands of the run's hooks."""
    return tuple(hook.connection for hook in RunOptions.from_json(options).hooks) if step in _TELLS else ()


def now() -> datetime:
    """Return the time, aware and in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class StepWork:
    """A step with everything it needs."""

    settings: ClusterSettings
    context: StepContext
    cluster: FleetCluster
    runner: StepRunner[Any]

    @classmethod
    def open(
        cls,
        step: str,
        cluster: str,
        run_id: str,
        options: Mapping[str, Any],
        node: str | None = None,
        deadline: str | None = None,
    ) -> StepWork:
        """Return the work of one step, from inside a task; raises ClusterUnknown or ConnectionUnusable."""
        settings = settings_for(step, cluster)
        beside = connections.load_management(settings) if step in _ASKS_BESIDE else None
        endpoints = connections.load_endpoints(_hook_connections(step, options))
        found = connections.load(settings)
        return cls._build(step, settings, found, beside, endpoints, run_id, options, node, deadline)

    @classmethod
    async def open_async(
        cls,
        step: str,
        cluster: str,
        run_id: str,
        options: Mapping[str, Any],
        node: str | None = None,
        deadline: str | None = None,
    ) -> StepWork:
        """Return the work of one step, from inside a trigger."""
        # Reading files must not hold up the triggerer's event loop, which all its triggers share.
        threads = short_threads()
        settings = await threads.run(settings_for, step, cluster)
        found = await connections.load_async(settings)
        beside = await connections.load_management_async(settings) if step in _ASKS_BESIDE else None
        endpoints = await connections.load_endpoints_async(_hook_connections(step, options))
        return await threads.run(cls._build, step, settings, found, beside, endpoints, run_id, options, node, deadline)

    @classmethod
    def _build(
        cls,
        step: str,
        settings: ClusterSettings,
        found: Mapping[str, ConnectionSettings],
        beside: ConnectionSettings | str | None,
        endpoints: Mapping[str, ConnectionSettings | str],
        run_id: str,
        options: Mapping[str, Any],
        node: str | None,
        deadline: str | None,
    ) -> StepWork:
        record = open_record(settings.slug, run_id)
        if record.last(RunStarted) is None:
            raise RecordMissing(not_begun(run_address(settings.slug, run_id)))
        run_options = RunOptions.from_json(options)
        context = StepContext(
            settings.name,
            run_id,
            run_options,
            record,
            read_plan(record),
            StoredFirstSeen(open_cluster_storage(settings.slug)),
            settings.schedule,
        )
        cluster = FleetCluster(
            settings.name,
            settings.node_names,
            lend(found),
            management_host(beside),
            lend_in=lend_in(found),
            lend_endpoint=lend_endpoint(endpoints),
        )
        runner = StepRunner(
            make_step(step, context, node),  # type: ignore[arg-type]  # the engine checks the name
            cluster,
            record,
            now,
            datetime.fromisoformat(deadline) if deadline else now() + deadline_for(step, run_options),  # type: ignore[arg-type]
            poll_for(step),  # type: ignore[arg-type]
        )
        return cls(settings, context, cluster, runner)

    @property
    def order(self) -> tuple[str, ...]:
        """The planned nodes in their order."""
        plan = self.context.plan
        return () if plan is None else tuple(node.name for node in plan.nodes)

    @property
    def max_failed_nodes(self) -> int:
        """How many nodes may fail before the run stops."""
        plan = self.context.plan
        return self.settings.max_failed_nodes if plan is None else plan.max_failed_nodes

    @property
    def broken_nodes(self) -> tuple[str, ...]:
        """The nodes that were out of service when the run was planned."""
        plan = self.context.plan
        return () if plan is None else plan.already_out

    @property
    def failed_nodes(self) -> tuple[str, ...]:
        """The nodes that failed for good, by the run's own record."""
        return tuple(self.context.record.facts.failed)

    def late_warning(self) -> str:
        """Return that the run takes longer than it should, and when that was said; empty: it does not."""
        found = self.context.record.last(RanLong)
        return "" if found is None else f"Warned at {found.at:%H:%M} UTC: {found.event.why}"

    def begin(self) -> None:
        """Let the step's patience count from now: the hours in which other nodes had their turn are not its own."""
        step = self.runner.step.name
        self.runner.deadline = now() + deadline_for(step, self.context.options)

    def acting(self) -> str | None:
        """Return what the step is doing right now, from its last decision on record."""
        step = self.runner.step
        entry = self.context.record.latest(step.node, step.name, "decision", "decided")
        return None if entry is None else str(entry.data.get("action") or entry.data.get("why") or "") or None

    def keep_lock(self) -> None:
        """Ask for this run's lock on every node that has it, so that the provider counts it as in use.

        The provider drops a lock after an hour without activity (MSFT_CAURun class), and a step may wait much longer. What is
        lost is taken again, or refused, by the next step's own gate; here nothing is changed and no error counts.
        """
        lock = RunLock(self.cluster, self.context.guid)
        for node in self.context.record.facts.lock_nodes:
            with contextlib.suppress(RemotingError):
                lock.read([node])
