"""Raising the version of the cluster's storage pool, once the functional level is raised and while the pool is well."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from types import MappingProxyType

from include.hci.cluster.facade import Cluster
from include.hci.cluster.levels import Pool, get_pools, update_storage_pool
from include.hci.policy.post_question import Question
from include.hci.report import events as ev
from include.hci.steps.base import BaseStep
from include.hci.steps.cau_run_access import feature_request
from include.hci.steps.decisions import Act, Decision, Done, Stop, Wait
from include.hci.steps.engine import CANCELLED
from include.hci.steps.feature_consent import Asking, consent, left, level_left, not_allowed
from include.hci.steps.feature_raise import SETTLE, Order, Raise, open_order, unresolved
from include.hci.steps.feature_reading import ClusterFacts, level_missing, read_cluster, unfit
from include.hci.steps.gates import lock_decision

WHAT = "the version of the storage pool"
#: What a pool that was made by this build calls its version. Only what is known is taken for raised; any other text is asked
#: about.
NEWEST: Mapping[int, str] = MappingProxyType(
    {
        17763: "Windows Server 2019",
        17784: "Windows Server 2019",
        20348: "Windows Server 2022",
        20349: "Windows Server 2022",
        26100: "Windows Server 2025",
    }
)


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """The cluster, its pools, and what this run has ordered for each of them."""

    cluster: ClusterFacts
    pools: tuple[Pool, ...] = ()
    orders: Mapping[str, Order] = field(default_factory=dict)

    def found(self, pool: Pool) -> str:
        """Return the version with which this run found ``pool``."""
        order = self.orders.get(pool.identity)
        return pool.version if order is None else order.before


class PoolVersion(BaseStep[PoolFacts]):
    """Ends 'raised', 'already', or 'left' where it was not allowed."""

    name: ev.StepName = "pool_version"

    def observe(self, cluster: Cluster) -> PoolFacts:
        """Read the level and the pools; every pool that is not primordial counts, whatever it is called."""
        shell, found = read_cluster(cluster, self.context)
        pools = get_pools(shell)
        orders = {pool.identity: open_order(self.context.record, self.name, pool.identity) for pool in pools}
        return PoolFacts(found, pools, {key: order for key, order in orders.items() if order is not None})

    def decide(self, facts: PoolFacts, now: datetime) -> Decision:
        """Raise the pools that are not raised yet, each of them once."""
        if gate := lock_decision(facts.cluster.lock, self.name):
            return gate
        if not facts.pools:
            return Wait("no storage pool is to be seen")
        open_ones = [pool for pool in facts.pools if not _is_over(facts, pool, now)]
        if not open_ones:
            raised = [pool for pool in facts.pools if pool.version != facts.found(pool)]
            said = "; ".join(_said(facts, pool) for pool in facts.pools)
            return Done("raised" if raised else "already", f"{WHAT}: {said}", {"pools": said})
        for pool in open_ones:
            if pool.identity in facts.orders:
                return unresolved(facts.orders[pool.identity], f"the version of {pool.name}", now)
        if why := level_missing(facts.cluster, level_left(self.context.record)):
            return left(self._stays(facts), why)
        question = self.question(facts)
        allowed = consent(self.context.record, feature_request(self.context).pool_version, question)
        refused = not_allowed(allowed, self._stays(facts), question.step)
        if isinstance(refused, Done):
            return refused
        if problem := unfit(facts.cluster, WHAT):
            return Stop(problem)
        if refused is not None:
            return refused
        pool = open_ones[0]
        if pool.trouble:
            return Wait(f"the pool has to be well before its version is raised: {pool.trouble}")
        raising = Raise(
            self.name,
            pool.identity,
            pool.version,
            question.target,
            allowed.by,
            f"Update-StoragePool {pool.name}",
            partial(_update, identity=pool.identity),
        )
        return Act(raising, f"it is {pool.version} on nodes of build {facts.cluster.number}; {allowed.why}")

    def events(self, facts: PoolFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put on record how each pool ended."""
        if not isinstance(decision, Done) or decision.outcome == CANCELLED:
            return ()
        if decision.outcome == "left":
            return (ev.PostSkipped(step=self.name, why=decision.why),)
        return tuple(
            ev.VersionSettled(
                step=self.name,
                subject=pool.identity,
                name=pool.name,
                result="raised" if pool.version != facts.found(pool) else "already",
                before=facts.found(pool),
                after=pool.version,
            )
            for pool in facts.pools
        )

    def may_cancel(self, facts: PoolFacts, decision: Decision) -> bool:
        """Nothing is half done unless an order's outcome is open."""
        return not facts.orders and not isinstance(decision, Done | Stop)

    def asking(self, cluster: Cluster, facts: PoolFacts, now: datetime) -> Asking:
        """Return what a person is to be asked."""
        if facts.orders:
            return Asking(why="it was ordered by this run already")
        if facts.pools and all(_is_over(facts, pool, now) for pool in facts.pools):
            return Asking(why="; ".join(_said(facts, pool) for pool in facts.pools))
        if why := level_missing(facts.cluster, level_left(self.context.record)):
            return Asking(why=why)
        if problem := unfit(facts.cluster, WHAT):
            return Asking(problem=problem)
        return Asking(self.question(facts))

    def question(self, facts: PoolFacts) -> Question:
        """Return what is agreed to."""
        return Question(
            "approve_pool_version",
            self.context.cluster,
            {pool.identity: facts.found(pool) for pool in facts.pools},
            f"what build {facts.cluster.number} supports",
            facts.cluster.builds,
            terms=f"The cluster's functional level is {facts.cluster.level}.",
            names={pool.identity: f"Storage pool {pool.name}" for pool in facts.pools},
        )

    def _stays(self, facts: PoolFacts) -> str:
        return f"{WHAT} stays {', '.join(pool.version or 'unknown' for pool in facts.pools)}"


def _update(cluster: Cluster, identity: str) -> None:
    update_storage_pool(cluster.any(), identity)


def _is_over(facts: PoolFacts, pool: Pool, now: datetime) -> bool:
    """Tell whether ``pool`` is raised, or as high as it goes."""
    order = facts.orders.get(pool.identity)
    if order is not None:
        return pool.version != order.before or (order.taken and now - order.at >= SETTLE)
    numbers = {version.build.number for version in facts.cluster.versions.values()}
    return len(numbers) == 1 and NEWEST.get(min(numbers)) == pool.version


def _said(facts: PoolFacts, pool: Pool) -> str:
    before = facts.found(pool)
    if pool.version != before:
        return f"{pool.name} was raised from {before} to {pool.version}"
    return f"{pool.name} is {pool.version} already"
