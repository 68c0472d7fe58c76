"""CAU's pre-update and post-update scripts, run on the node by their path (windowsserverdocs, cluster-aware-updating-options)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from include.hci.cluster.scripts import printed, run_script, script_exists
from include.hci.policy.scripts import Next, ScriptState, after_resume, before_pause
from include.hci.powershell.errors import (
    AuthenticationRefused,
    CertificateRefused,
    ChangeDeadlineExceeded,
    CommandFailed,
    EndpointRefused,
    NodeUnreachable,
    RemotingError,
)
from include.hci.report import events as ev
from include.hci.report.hook_events import ScriptPart, ScriptResult
from include.hci.report.values import Problem
from include.hci.settings import RunOptions
from include.hci.settings.profile import DEFAULT_SESSION_CONFIGURATION
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Decision, Scene, Stop

#: So much of what a script writes is kept: its beginning, and its end, where errors stand.
MOST_OUTPUT = 4000
#: A command that ended so has never reached the node.
_NEVER_ARRIVED = (NodeUnreachable, EndpointRefused, AuthenticationRefused, CertificateRefused)


@dataclass(frozen=True, slots=True)
class ScriptFacts:
    """A script of the node: its ``path``, empty for none, how it stands, and what is to be done about it."""

    part: ScriptPart = "pre-update"
    path: str = ""
    configuration: str = ""
    timeout: timedelta = timedelta(minutes=30)
    state: ScriptState = field(default_factory=ScriptState)
    next: Next = Next.GO_ON


def script_state(events: Iterable[ev.RunEvent], script: str) -> ScriptState:
    """Return how ``script`` (``pre-update`` or ``post-update``) stands after the events of its node, oldest first."""
    state = ScriptState()
    for event in events:
        match event:
            case ev.TurnGiven():
                state = ScriptState()
            case ev.ScriptStarting() if event.script == script:
                state = ScriptState(state.starts + 1, "unknown", "the run was interrupted while it ran")
            case ev.ScriptEnded(result="not-begun") if event.script == script:
                state = ScriptState(max(0, state.starts - 1), "", event.why)
            case ev.ScriptEnded() if event.script == script:
                state = ScriptState(state.starts, event.result, event.why)
            case _:
                pass
    return state


def read_script(context: StepContext, node: str, part: ScriptPart, starts_before: int = 0) -> ScriptFacts:
    """Return how the run's ``part`` script stands on ``node``, by the run's record."""
    options = context.options
    path = options.pre_update_script if part == "pre-update" else options.post_update_script
    if not path:
        return ScriptFacts(part)
    events = (entry.event for entry in context.record.events(node) if entry.event is not None)
    state = script_state(events, part)
    then = before_pause(state, starts_before) if part == "pre-update" else after_resume(state)
    return ScriptFacts(
        part, path, own_configuration(options), timedelta(minutes=options.script_timeout_minutes), state, then
    )


def own_configuration(options: RunOptions) -> str:
    """Return the session configuration of the scripts where it is not the default one, which stands for the connection's own."""
    name = options.configuration_name
    return "" if name.lower() == DEFAULT_SESSION_CONFIGURATION.lower() else name


def pre_update_decision(facts: ScriptFacts, node: str) -> Decision | None:
    """Return what the pre-update script wants before ``node`` is paused, or None: it may be."""
    match facts.next:
        case Next.RUN:
            again = (
                "it failed before; the whole step is tried again" if facts.state.starts else "it runs before the pause"
            )
            return Act(RunScript(node, facts, "drain"), again)
        case Next.GIVE_UP:
            return Stop(script_problem(facts, node))
    return None


def post_update_decision(facts: ScriptFacts, node: str) -> Decision | None:
    """Return what the post-update script wants after ``node`` was resumed, or None: nothing, or nothing any more."""
    return Act(RunScript(node, facts, "resume"), f"{node} is Up") if facts.next is Next.RUN else None


def post_update_problem(facts: ScriptFacts, node: str) -> Problem | None:
    """Return why the post-update script fails ``node`` although it is in service again, or None."""
    return script_problem(facts, node) if facts.next is Next.GIVE_UP else None


def script_problem(facts: ScriptFacts, node: str) -> Problem:
    """Return what it means that the script did not succeed."""
    before = facts.part == "pre-update"
    words = {"failed": "failed", "timed-out": "was not over in time"}
    ended = words.get(facts.state.result, "may have run or not")
    known = facts.state.result == "failed"
    then = "The node was not paused; nothing else was done on it." if before else "The node is in service again."
    rerun = "its 'turn' with everything downstream" if before else "the node's 'turn' with everything downstream"
    advice = f"Look at {facts.path} on {node}, put right what it left, then clear {rerun}: that runs it again."
    if not before:
        advice = f"Look at {facts.path} on {node} and run it by hand; the node itself needs nothing else."
    return Problem(
        title=f"The {facts.part} script {ended} on {node}{f': {facts.state.why}' if facts.state.why else ''}",
        meaning=then if known else f"{then} A script that may have run is not run again by itself.",
        next_action=advice,
        retry_is_safe=known and before,
    )


@dataclass(frozen=True, slots=True)
class RunScript:
    """Run a script on ``node``. Its end, whatever it is, goes on record; what it means is decided by the record."""

    node: str
    facts: ScriptFacts
    step: ev.StepName

    def describe(self) -> str:
        """Return it as one line."""
        return f"run the {self.facts.part} script {self.facts.path} on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Run it; raises only where nothing of it can have reached the node."""
        facts = self.facts
        shell = scene.cluster.on(self.node, facts.configuration) if facts.configuration else scene.cluster.on(self.node)
        # Read first: what cannot be reached raises here, before a start is on record that might have happened.
        found = script_exists(shell, facts.path)
        event = ev.ScriptStarting(
            step=self.step, node=self.node, script=facts.part, path=facts.path, configuration=facts.configuration
        )
        scene.record.add(event, scene.clock())
        if found is False:
            self._end(scene, "failed", why="the node does not find it at that path")
            return
        try:
            result = run_script(shell, facts.path, facts.timeout)
        except _NEVER_ARRIVED as error:
            self._end(scene, "not-begun", why=error.detail)
            raise
        except ChangeDeadlineExceeded:
            minutes = int(facts.timeout.total_seconds() // 60)
            self._end(scene, "timed-out", why=f"it was not over after {minutes} min (script_timeout_minutes)")
        except CommandFailed as error:
            self._end(scene, "failed", why=error.detail)
        except RemotingError as error:
            self._end(scene, "unknown", why=error.detail)
        else:
            why = "; ".join(error.describe() for error in result.errors)
            self._end(scene, "failed" if result.errors else "succeeded", shorten(printed(result)), why)

    def _end(self, scene: Scene, result: ScriptResult, output: str = "", why: str = "") -> None:
        facts = self.facts
        ended = ev.ScriptEnded(
            step=self.step,
            node=self.node,
            script=facts.part,
            path=facts.path,
            result=result,
            output=output,
            why=shorten(why),
        )
        scene.record.add(ended, scene.clock())


def shorten(text: str, most: int = MOST_OUTPUT) -> str:
    """Return ``text``, its middle left out where it is longer than ``most`` characters."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
