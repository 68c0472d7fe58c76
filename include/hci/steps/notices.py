"""Telling a monitoring system about maintenance: when a hook's command is due, that it was given, and that its end is owed.

What has to be ended is a change of the run like any other: announced before, taken back on every way out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from include.hci.policy.hooks import HookCall, Occasion, due_hooks
from include.hci.powershell.errors import EndpointRefused, NodeUnreachable, RemotingError
from include.hci.report import events as ev
from include.hci.report.facts import Change
from include.hci.report.values import Problem
from include.hci.settings.hooks import ENDS, HookMoment
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Decision, Scene, Stop
from include.hci.steps.failures import is_unknown

SILENCE: ev.ChangeKind = "monitoring-silence"
#: What a silence is begun with, by whether it is a node's.
_BEGINS: dict[bool, HookMoment] = {True: "node-leaves", False: "run-begins"}


@dataclass(frozen=True, slots=True)
class Notice:
    """What a step has to tell: ``begin`` before it does its work, ``end`` after it; ``refused`` is why it must not begin."""

    begin: BeginSilence | None = None
    end: EndSilence | None = None
    refused: ev.HookGiven | None = None


class Notices:
    """The hooks of one try of a step about the run, or about ``node``."""

    def __init__(self, context: StepContext, step: ev.StepName, node: str = "") -> None:
        self._context = context
        self._step = step
        self._node = node
        self._began = len(_given(context, node)) if context.options.hooks else 0

    def read(self) -> Notice:
        """Return what is to be told now, by the run's record."""
        context = self._context
        if not context.options.hooks:
            return Notice()
        given = _given(context, self._node)
        here = given[self._began :]
        begins = _BEGINS[bool(self._node)]
        refused = next((each for each in here if each.required and each.result != "sent"), None)
        return Notice(self._begin(begins, here), self._end(), refused)

    def _begin(self, when: HookMoment, here: list[ev.HookGiven]) -> BeginSilence | None:
        context = self._context
        told = _told(context, self._node, when)
        tried_here = {each.hook for each in here}
        calls = []
        for call in due_hooks(context.options.hooks, occasion(context, when, self._node)):
            last = told.get(call.position)
            if last is None or (call.required and last.result != "sent" and call.position not in tried_here):
                calls.append(call)
        ends = due_hooks(context.options.hooks, occasion(context, ENDS[when], self._node))
        announce = bool(ends) and not told and (bool(calls) or open_silence(context, self._node) is None)
        if not calls and not announce:
            return None
        return BeginSilence(self._step, occasion(context, when, self._node), tuple(calls), announce)

    def _end(self) -> EndSilence | None:
        change = open_silence(self._context, self._node)
        if change is None:
            return None
        calls = owed_calls(self._context, change)
        untried = owed_calls(self._context, change, tried=True)
        # What was refused once is left to the end of the run, which tries again and names what it cannot do.
        return EndSilence(self._step, self._context, change, untried) if untried or not calls else None


@dataclass(frozen=True, slots=True)
class BeginSilence:
    """Give the commands that begin a silence; ``announce``: its end is owed from here on."""

    step: ev.StepName
    occasion: Occasion
    calls: tuple[HookCall, ...]
    announce: bool

    def describe(self) -> str:
        """Return it as one line."""
        return f"tell {_listeners(self.calls)} that {_about(self.occasion)}"

    def perform(self, scene: Scene) -> None:
        """Give them; what came of each is on record, and nothing is raised."""
        if self.announce:
            node = self.occasion.node or None
            subject = silence_of(self.occasion)
            event = ev.Changing(
                step=self.step, node=node, change=SILENCE, subject=subject, before="on", after="told of maintenance"
            )
            scene.record.add(event, scene.clock())
        give(scene, self.step, self.occasion, self.calls)


@dataclass(frozen=True, slots=True)
class EndSilence:
    """Give the commands that end a silence, and put on record that it is over where all of them arrived."""

    step: ev.StepName
    context: StepContext
    change: Change
    calls: tuple[HookCall, ...]
    note: bool = True

    def describe(self) -> str:
        """Return it as one line."""
        return f"tell {_listeners(self.calls)} that {_about(end_of(self.context, self.change))}"

    def perform(self, scene: Scene) -> None:
        """Give them; what came of each is on record, and nothing is raised."""
        give(scene, self.step, end_of(self.context, self.change), self.calls)
        if self.note and not owed_calls(self.context, self.change):
            node = self.change.node or None
            event = ev.ChangeTakenBack(step=self.step, node=node, change=SILENCE, subject=self.change.subject)
            scene.record.add(event, scene.clock())


def notice_decision(notice: Notice, before: str) -> Decision | None:
    """Return what has to be told before ``before`` is done, or why it must not be done; None: nothing is in the way."""
    if notice.refused is not None:
        return Stop(refusal(notice.refused, before))
    return Act(notice.begin, f"before {before}") if notice.begin is not None else None


def refusal(given: ev.HookGiven, before: str) -> Problem:
    """Return why ``before`` must not be done: a required hook did not arrive."""
    ended = "failed" if given.result == "failed" else "may not have arrived"
    return Problem(
        title=f"The monitoring system could not be told: {given.command} over the connection {given.connection} {ended}:"
        f" {given.why}",
        meaning=f"The hook is required and stands before this: {before}. Nothing of that was done.",
        next_action="Mend the endpoint or the Airflow connection, or make the hook not required; then try again.",
        retry_is_safe=True,
    )


def give(scene: Scene, step: ev.StepName, occasion: Occasion, calls: Iterable[HookCall]) -> None:
    """Give ``calls`` one after another; each one's outcome goes on record."""
    for call in calls:
        result: Literal["sent", "failed", "unknown"] = "sent"
        why = ""
        try:
            scene.cluster.endpoint(call.connection).run(call.command, timeout=call.timeout).require()
        except RemotingError as error:
            lost = is_unknown(error) and not isinstance(error, NodeUnreachable | EndpointRefused)
            result, why = "unknown" if lost else "failed", error.detail
        event = ev.HookGiven(
            step=step,
            node=occasion.node or None,
            when=occasion.when,
            hook=call.position,
            connection=call.connection,
            command=call.command.describe(),
            result=result,
            required=call.required,
            why=why,
        )
        scene.record.add(event, scene.clock())


def occasion(context: StepContext, when: HookMoment, node: str = "") -> Occasion:
    """Return a moment of the run in ``context``."""
    return Occasion(when, context.cluster, context.run_id, node, f"update of {node or context.cluster}")


def end_of(context: StepContext, change: Change) -> Occasion:
    """Return the moment that ends the silence ``change``."""
    return occasion(context, ENDS[_BEGINS[bool(change.node)]], change.node)


def silence_of(moment: Occasion) -> str:
    """Return what the silence of a node, or of the run, is called on record."""
    return f"monitoring of {moment.node or moment.cluster}"


def open_silence(context: StepContext, node: str) -> Change | None:
    """Return the silence of ``node``, or of the run, that has not been ended yet."""
    found = [change for change in context.record.facts.open_changes(SILENCE) if change.node == node]
    return found[-1] if found else None


def owed_calls(context: StepContext, change: Change, *, tried: bool = False) -> tuple[HookCall, ...]:
    """Return the commands that end ``change`` and have not arrived since it began; with ``tried`` those never even given."""
    moment = end_of(context, change)
    done: set[int] = set()
    for entry in context.record.events(change.node or None):
        match entry.event:
            case ev.Changing(change="monitoring-silence") as begun if (begun.node or "") == change.node:
                done.clear()
            case ev.HookGiven() as given if (given.node or "") == change.node:
                if given.when != moment.when:
                    done.clear()
                elif tried or given.result == "sent":
                    done.add(given.hook)
            case _:
                pass
    return tuple(call for call in due_hooks(context.options.hooks, moment) if call.position not in done)


def _given(context: StepContext, node: str) -> list[ev.HookGiven]:
    found = context.record.all_of(ev.HookGiven, node or None)
    return [each.event for each in found if (each.event.node or "") == node]


def _told(context: StepContext, node: str, when: HookMoment) -> dict[int, ev.HookGiven]:
    """Return the last outcome of each command of ``when`` since the node's turn began, or since the silence before was ended."""
    told: dict[int, ev.HookGiven] = {}
    for entry in context.record.events(node or None):
        match entry.event:
            case ev.TurnGiven() if node:
                told = {}
            case ev.HookGiven() as given if (given.node or "") == node:
                if given.when == when:
                    told[given.hook] = given
                elif given.when == ENDS[when]:
                    told = {}
            case _:
                pass
    return told


def _listeners(calls: Iterable[HookCall]) -> str:
    return ", ".join(dict.fromkeys(call.connection for call in calls)) or "nobody"


def _about(moment: Occasion) -> str:
    words: dict[HookMoment, str] = {
        "run-begins": f"the update of {moment.cluster} begins",
        "run-ends": f"the update of {moment.cluster} is over",
        "node-leaves": f"{moment.node} leaves service",
        "node-returns": f"{moment.node} is in service again",
    }
    return words[moment.when]
