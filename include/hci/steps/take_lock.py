"""Taking the run lock: ours on every node that runs, or on none, and only for a plan that still fits the cluster."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.cluster.lock import LockState
from include.hci.cluster.machine import get_windows_version
from include.hci.cluster.system_task.updater import SystemTaskUpdater
from include.hci.policy.plan import Plan
from include.hci.policy.plan_hash import NowFacts, differences, plan_hash, short_hash
from include.hci.powershell.errors import RemotingError
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.actions import ReleaseRunLock
from include.hci.steps.base import BaseStep, Members, read_lock, read_members
from include.hci.steps.comparing import touched_nodes
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Decision, Done, Scene, Stop
from include.hci.steps.gates import lock_decision
from include.hci.steps.hygiene import Sight, TakeSnapshot
from include.hci.steps.notices import Notice, Notices, notice_decision, refusal
from include.hci.steps.offer import read_offer
from include.hci.steps.updaters import UpdaterUnusable, chosen_name, node_updater

#: A plan older than this, one that waited for a person for example, is held against what the nodes are offered now as well.
FRESH = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Offers:
    """What the nodes are offered now, and what the run's rules pick of it, as update ids by node; ``unread`` with the reason.

    ``articles``: the article numbers of what is offered, by update id.
    """

    offered: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    selected: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    unread: Mapping[str, str] = field(default_factory=dict)
    articles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TakeLockFacts:
    """Who holds the lock, and the cluster as it is now beside the plan.

    ``now`` is None for a run without a plan. ``offers`` is None until the nodes were asked again, ``noted``: how the nodes were
    found is on record. ``unread``: nodes whose build could not be read, with the reason. ``notice``: who has to be told that the
    run begins.
    """

    lock: LockState
    sight: Sight = field(default_factory=lambda: Sight(()))
    plan: Plan | None = None
    now: NowFacts | None = None
    unread: Mapping[str, str] = field(default_factory=dict)
    offers: Offers | None = None
    noted: bool = True
    notice: Notice = field(default_factory=Notice)


class TakeLock(BaseStep[TakeLockFacts]):
    """Reads who holds the lock and whether the plan still fits, notes how everything was found, and takes the lock."""

    name: ev.StepName = "take_lock"

    def __init__(self, context: StepContext) -> None:
        super().__init__(context)
        self.offers: Offers | None = None
        self._notices = Notices(context, self.name)
        self._builds: dict[str, str] | None = None
        self._unread: dict[str, str] = {}

    def observe(self, cluster: Cluster) -> TakeLockFacts:
        """Read the lock on every node that can hold it, and once the builds of those that are planned."""
        _, members = read_members(cluster)
        lock = read_lock(cluster, self.context, _known(members, cluster))
        plan = self.context.plan
        held: dict[str, dict[str, str]] = {}
        for holder in lock.holders:
            held.setdefault(holder.node, {})[holder.kind] = str(holder.guid)
        snapshots = self.context.record.all_of(ev.SnapshotTaken)
        return TakeLockFacts(
            lock=lock,
            sight=Sight(members.nodes, held),
            plan=plan,
            now=None if plan is None else self._now(cluster, members, plan),
            unread=dict(self._unread),
            offers=self.offers,
            noted=any(each.event.moment == "before" for each in snapshots),
            notice=self._notices.read(),
        )

    def decide(self, facts: TakeLockFacts, now: datetime) -> Decision:
        """Refuse a plan that is void and a foreign lock, take a free one."""
        if not facts.lock.asked:
            advice = "Start the cluster service on the nodes, then start again."
            return Stop(
                Problem(title="No node of the cluster is running: there is nothing to lock.", next_action=advice)
            )
        if facts.notice.refused is not None:
            return self._step_back(facts, facts.notice.refused)
        if facts.lock.foreign and (gate := lock_decision(facts.lock, self.name)):
            return gate
        if facts.plan is not None and facts.now is not None:
            if differing := differences(facts.plan, facts.now, facts.plan.options or None):
                return Stop(self._void(facts.plan, differing))
            if facts.offers is None and now - facts.plan.made_at > FRESH:
                return Act(LookAgain(self.context, self, _open_nodes(facts.plan, facts.now)), _since(facts.plan, now))
        if not facts.noted:
            return Act(TakeSnapshot(facts.sight), "what is found now is what has to be left behind")
        if gate := lock_decision(facts.lock, self.name):
            return gate
        if telling := notice_decision(facts.notice, "the run begins"):
            return telling
        missing = {**facts.unread, **(facts.offers.unread if facts.offers else {})}
        unread = "".join(f"; {node} could not be compared with the plan ({why})" for node, why in missing.items())
        return Done(
            "taken",
            f"the run lock is ours on {', '.join(facts.lock.ours)}{unread}",
            {"guid": str(facts.lock.guid), "nodes": list(facts.lock.ours)},
        )

    def _step_back(self, facts: TakeLockFacts, given: ev.HookGiven) -> Decision:
        """Give back what was taken: Airflow never runs the end of a run whose lock was not taken."""
        if facts.notice.end is not None:
            return Act(facts.notice.end, "the run does not begin")
        if facts.lock.ours:
            return Act(ReleaseRunLock(self.context.guid, facts.lock.ours), "the run does not begin")
        return Stop(refusal(given, "the run begins"))

    def _now(self, cluster: Cluster, members: Members, plan: Plan) -> NowFacts:
        done = touched_nodes(self.context.record)
        if self._builds is None:
            self._builds = {}
            for node in plan.nodes:
                if node.skip or node.name in done or node.name not in members.lockable:
                    continue
                try:
                    self._builds[node.name] = str(get_windows_version(cluster.on(node.name)).build)
                except RemotingError as error:
                    self._unread[node.name] = error.detail
        offers = self.offers or Offers()
        return NowFacts(
            members.nodes,
            dict(self._builds),
            offers.offered,
            offers.selected,
            done,
            self.context.options.to_json(),
            offers.articles,
        )

    def _void(self, plan: Plan, differing: tuple[str, ...]) -> Problem:
        answer = self.context.record.last(ev.Approved)
        approved = ""
        if answer is not None and answer.event.accepted:
            approved = f" What {answer.event.by} approved was that plan and nothing else."
        identity = short_hash(plan_hash(plan, plan.options))
        return Problem(
            title=f"The plan is void: {'; '.join(differing)}.",
            meaning=f"Plan {identity} of {plan.made_at:%Y-%m-%d %H:%M} UTC does not fit the cluster any more.{approved}"
            " Nothing was changed.",
            next_action="Find out who changed it, then start a new run: its plan fits the cluster as it is then.",
            retry_is_safe=False,
        )


@dataclass(frozen=True, slots=True)
class LookAgain:
    """Nothing is changed: the planned nodes are asked once more what they are offered."""

    context: StepContext
    step: TakeLock
    nodes: tuple[str, ...]

    def describe(self) -> str:
        """Return it as one line."""
        return f"ask {', '.join(self.nodes) or 'no node'} again what is offered"

    def perform(self, scene: Scene) -> None:
        """Scan every node; one that does not answer is not compared, and said so."""
        offered, selected, unread = dict[str, tuple[str, ...]](), dict[str, tuple[str, ...]](), dict[str, str]()
        articles: dict[str, str] = {}
        today = scene.clock().astimezone(UTC).date()
        for node in self.nodes:
            try:
                if chosen_name(self.context, node) == SystemTaskUpdater.name:
                    unread[node] = "it is scanned by a task, which its own steps do again"
                    continue
                updater = node_updater(scene.cluster, self.context, node, scene.clock, self.step.name)
                probe = updater.probe()
                if not probe.usable:
                    raise UpdaterUnusable(probe.why, node=node)
                try:
                    found, selection = read_offer(updater, self.context.options, self.context.first_seen, today)
                finally:
                    with contextlib.suppress(RemotingError):  # what stays disappears after an hour by itself
                        updater.release()
            except RemotingError as error:
                unread[node] = error.detail
                continue
            offered[node] = tuple(update.update_id for update in found)
            selected[node] = tuple(update.update_id for update in selection.updates)
            articles.update({update.update_id: update.kb for update in found if update.kb})
        self.step.offers = Offers(offered, selected, unread, articles)


def _known(members: Members, cluster: Cluster) -> Members:
    """Return the members that the settings know: a node that was added is a difference, and nobody knows how to reach it."""
    known = {name.lower() for name in cluster.nodes}
    return Members(tuple(node for node in members.nodes if node.name.lower() in known), members.groups)


def _open_nodes(plan: Plan, now: NowFacts) -> tuple[str, ...]:
    return tuple(node.name for node in plan.nodes if not node.skip and node.name not in now.done)


def _since(plan: Plan, now: datetime) -> str:
    return f"the plan is {(now - plan.made_at).total_seconds() / 60:.0f} minutes old"
