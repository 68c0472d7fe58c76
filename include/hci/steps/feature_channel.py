"""The preview channel: every node joins it that has not yet, so that it is offered builds which are not released."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from include.hci.cluster.facade import Cluster
from include.hci.cluster.machine import Build, get_operating_system, get_windows_version
from include.hci.cluster.nodes import ClusterNode
from include.hci.cluster.preview_channel import (
    BUILD_20H2,
    FIRST_20H2,
    PreviewChannel,
    get_preview_channel,
    set_preview_channel,
)
from include.hci.cluster.values import NodeState
from include.hci.powershell.errors import CommandFailed, CommandNotAvailable
from include.hci.report import events as ev
from include.hci.report.feature_channel import NO_WAY_BACK
from include.hci.report.feature_channel_events import ChannelSeen
from include.hci.report.values import Problem
from include.hci.steps.actions import Note
from include.hci.steps.answer import LATER
from include.hci.steps.base import BaseStep, read_members
from include.hci.steps.cau_run_access import feature_request
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Action, Decision, Done, Scene, Stop, Wait

_PASSING = frozenset({NodeState.JOINING, NodeState.UNKNOWN})


@dataclass(frozen=True, slots=True)
class NodeChannel:
    """One node: its build, since when it runs, and its preview channel; None: it does not know the cmdlet."""

    name: str
    build: Build
    boot_time: datetime
    channel: PreviewChannel | None

    @property
    def lacks(self) -> str:
        """Why it cannot join the preview channel as it is; empty: it can."""
        if self.build.number == BUILD_20H2 and self.build < FIRST_20H2:
            return f"{self.name} has build {self.build}; there the channel needs {FIRST_20H2} (KB5003237) or later"
        if self.channel is not None:
            return ""
        if self.build.number < BUILD_20H2:
            return f"{self.name} has build {self.build}, a Windows without a preview channel"
        return f"{self.name} (build {self.build}) does not know Get-PreviewChannel, or its session does not show it"


@dataclass(frozen=True, slots=True)
class ChannelFacts:
    """The nodes and their channels, beside what this run has on record.

    ``announced`` maps nodes to what they were set to when this run was about to change that and has not heard how it ended;
    ``refused`` are the exit codes with which this try was refused; ``done`` is what this run has set.
    """

    wanted: bool
    members: tuple[ClusterNode, ...] = ()
    nodes: tuple[NodeChannel, ...] = ()
    announced: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, int | None] = field(default_factory=dict)
    done: Mapping[str, ev.PreviewChannelSet] = field(default_factory=dict)

    @property
    def restart(self) -> tuple[str, ...]:
        """The nodes that still have to restart for what this run has set; one that did not say so is restarted as well."""
        return tuple(
            node.name
            for node in self.nodes
            if (event := self.done.get(node.name)) is not None
            and event.restart_needed is not False
            and node.boot_time < event.boot_time + LATER
        )


class JoinPreviewChannel(BaseStep[ChannelFacts]):
    """Ends 'not-wanted', 'joined' or 'nothing-to-do'; the nodes that must restart then are its details and on record."""

    name: ev.StepName = "preview_channel"

    def __init__(self, context: StepContext) -> None:
        super().__init__(context)
        self._refused: dict[str, int | None] = {}

    def observe(self, cluster: Cluster) -> ChannelFacts:
        """Read every node; nothing is set before all of them have answered."""
        if not feature_request(self.context).preview_channel:
            return ChannelFacts(wanted=False)
        _, members = read_members(cluster)
        if not all(node.is_up for node in members.nodes):
            return ChannelFacts(wanted=True, members=members.nodes)
        nodes = tuple(_read(cluster, name) for name in cluster.nodes)
        done = {each.event.node: each.event for each in self.context.record.all_of(ev.PreviewChannelSet)}
        announced: dict[str, str] = {}
        for entry in self.context.record.events():
            match entry.event:
                case ev.PreviewChannelSetting() as event:
                    announced.setdefault(event.node, event.before)
                case ev.PreviewChannelSet() as event:
                    announced.pop(event.node, None)
                case _:
                    pass
        return ChannelFacts(
            wanted=True, members=members.nodes, nodes=nodes, announced=announced, refused=dict(self._refused), done=done
        )

    def decide(self, facts: ChannelFacts, now: datetime) -> Decision:
        """Set the channel where it is not, one node after the other, once every node can."""
        if not facts.wanted:
            return Done("not-wanted", "the run was not told to join the preview channel")
        out = [node for node in facts.members if not node.is_up]
        if out:
            return _out(out)
        if lacking := [node.lacks for node in facts.nodes if node.lacks]:
            return Stop(_lacking(lacking))
        if facts.refused:
            return Stop(_refused(facts.refused))
        for node in facts.nodes:
            channel = node.channel or PreviewChannel()
            if node.name in facts.announced and channel.enabled:
                return Act(_found_set(node, channel, facts.announced[node.name]), "nobody heard how that ended")
        for node in facts.nodes:
            channel = node.channel or PreviewChannel()
            if not channel.enabled:
                why = f"{node.name} is on no preview channel. {NO_WAY_BACK}"
                return Act(SetChannel(node.name, channel.describe(), node.boot_time, self._refused), why)
        return self._done(facts)

    def refused(self, action: Action, error: CommandFailed, facts: ChannelFacts, now: datetime) -> Decision | None:
        """A node that reads its channel and cannot set it shows a part of the cmdlets only."""
        if isinstance(action, SetChannel) and isinstance(error, CommandNotAvailable):
            return Stop(_lacking([f"{action.node} does not know Set-PreviewChannel, or its session does not show it"]))
        return None

    def events(self, facts: ChannelFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put every node's channel, and who must restart, on record."""
        if not isinstance(decision, Done) or not facts.nodes:
            return ()
        channels = tuple(
            ChannelSeen(node=node.name, channel=(node.channel or PreviewChannel()).describe(), build=str(node.build))
            for node in facts.nodes
        )
        return (ev.PreviewChannelRead(channels=channels, restart=facts.restart),)

    def _done(self, facts: ChannelFacts) -> Done:
        restart = facts.restart
        details = {"restart": list(restart), "joined": list(facts.done)}
        if not facts.done:
            # Nothing on a node tells whether it has restarted since somebody else set its channel.
            since = ", ".join(f"{node.name} since {node.boot_time:%Y-%m-%d %H:%M} UTC" for node in facts.nodes)
            why = (
                "every node is on a preview channel already: nothing to do. The nodes run without a restart: "
                f"{since}; a node that joined later than that is offered preview builds only after a restart (restart_nodes)"
            )
            return Done("nothing-to-do", why, details)
        said = f"{', '.join(facts.done)} joined the preview channel. {NO_WAY_BACK}"
        rest = f" {', '.join(restart)} must restart for it." if restart else " No node has to restart for it any more."
        return Done("joined", said + rest, details)


@dataclass(frozen=True, slots=True)
class SetChannel:
    """Let ``node`` join the preview channel; an exit code that says it did not goes into ``refused``."""

    node: str
    before: str
    boot_time: datetime
    refused: dict[str, int | None] = field(hash=False, compare=False)

    def describe(self) -> str:
        """Return the command."""
        return f"Set-PreviewChannel on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Order it in the node's own session, and read there what has come of it."""
        shell = scene.cluster.on(self.node)
        intent = ev.PreviewChannelSetting(node=self.node, before=self.before, boot_time=self.boot_time)
        scene.record.add(intent, scene.clock())
        result = set_preview_channel(shell)
        if not result.succeeded:
            self.refused[self.node] = result.exit_code
            scene.record.add(ev.PreviewChannelNotSet(node=self.node, exit_code=result.exit_code), scene.clock())
            return
        done = ev.PreviewChannelSet(
            node=self.node,
            before=self.before,
            after=get_preview_channel(shell).describe(),
            boot_time=self.boot_time,
            restart_needed=result.restart_required,
            exit_code=result.exit_code,
        )
        scene.record.add(done, scene.clock())


def _read(cluster: Cluster, name: str) -> NodeChannel:
    shell = cluster.on(name)
    try:
        channel = get_preview_channel(shell)
    except CommandNotAvailable:
        channel = None
    return NodeChannel(name, get_windows_version(shell).build, get_operating_system(shell).boot_time, channel)


def _found_set(node: NodeChannel, channel: PreviewChannel, before: str) -> Note:
    seen = ev.PreviewChannelSet(
        node=node.name, before=before, after=channel.describe(), boot_time=node.boot_time, restart_needed=None
    )
    return Note(f"{node.name} is on {channel.describe()} now", (seen,))


def _out(out: list[ClusterNode]) -> Wait | Stop:
    listed = ", ".join(f"{node.name} is {node.state}" for node in out)
    problem = Problem(
        title=f"The preview channel was not set: {listed}.",
        meaning="All servers of the cluster have to be online for it, and a cluster must not be left half on a channel.",
        next_action="Bring the node back into service, then start the run again: it goes on from what it finds.",
        retry_is_safe=True,
    )
    if all(node.state in _PASSING for node in out):
        return Wait(f"all servers have to be online: {listed}", on_deadline=problem)
    return Stop(problem)


def _lacking(reasons: list[str]) -> Problem:
    return Problem(
        title=f"The preview channel cannot be set: {'; '.join(reasons)}.",
        meaning="The preview channel comes with Azure Stack HCI 20H2 with KB5003237, and with later versions. Nothing was set "
        "on a node that cannot, and without it that node is offered no preview build.",
        next_action="Bring the servers up to date first (the cluster's rolling update), or start the run without "
        "preview_channel: released versions do not need it.",
        retry_is_safe=False,
    )


def _refused(codes: Mapping[str, int | None]) -> Problem:
    listed = ", ".join(
        f"{node} ({'no exit code' if code is None else f'exit code {code}'})" for node, code in codes.items()
    )
    return Problem(
        title=f"Set-PreviewChannel did not succeed on {listed}.",
        meaning="Its result object says so. What the earlier nodes joined stays as it is, and is not set again.",
        next_action="Run Set-PreviewChannel on that server to see what it says (the cluster has to be registered), "
        "then start the run again.",
        retry_is_safe=True,
    )
