"""Folds what is on record about one node into its part of the report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from include.hci.report import events as ev
from include.hci.report.facts import RunFacts
from include.hci.report.model import NodeOutcome, NodeReport, OutageReport, UpdateReport
from include.hci.report.moves import moves_of
from include.hci.report.record import Entry
from include.hci.report.timeline import node_timeline
from include.hci.report.values import ChosenUpdate, ExcludedUpdate, Problem, UpdateRef, UpdateResult

E = TypeVar("E", bound=ev.RunEvent)
_WELL = ("succeeded", "succeeded-with-errors")


def node_report(
    name: str,
    entries: Sequence[Entry],
    facts: RunFacts,
    planned: ev.Planned | None,
    end: datetime,
    *,
    over: bool,
    seen_out: Sequence[OutageReport] = (),
) -> NodeReport:
    """Return the report of node ``name`` from the ``entries`` of the run; ``over`` tells that the run has concluded.

    ``seen_out``: virtual machines that were not Online.
    """
    own = [entry for entry in entries if entry.node == name]
    scanned = _all(own, ev.Scanned)
    verified = _all(own, ev.Verified)
    updates = _updates(own)
    failure = _failure(own) if name in facts.failed else None
    wanted = _wanted(name, scanned, planned)
    problem = failure.problem if failure else None
    asked = planned is not None and name in planned.restart_asked
    outcome = _outcome(name, own, facts, updates, wanted=wanted, asked=asked, over=over)
    if problem is None and outcome == "failed":
        problem = _unnamed_problem(name, own, updates, facts, asked=asked)
    after = [entry.event.build for entry in own if isinstance(entry.event, ev.Restarted | ev.Verified)]
    builds = [build for build in after if build]
    resyncs = [event.gib for event in _all(own, ev.Resynced) if event.gib is not None]
    # A pause that the cluster refused took nothing out of service.
    taken_out = name in facts.paused or bool(_all(own, ev.Pausing) and _all(own, ev.Resumed))
    # Of a node that was not touched only a later look tells what it has now: others may have patched it.
    later = scanned if taken_out else scanned[1:]
    choices = _all(own, ev.NodeUpdaterChosen)
    found = _offered(scanned)
    moves = moves_of(name, own, seen_out)
    return NodeReport(
        name=name,
        outcome=outcome,
        taken_out=taken_out,
        resumed=taken_out and name not in facts.paused,
        restarts=facts.restarts.get(name, 0),
        build_before=next((event.build for event in scanned if event.build), None),
        build_after=builds[-1] if builds else next((event.build for event in reversed(later) if event.build), None),
        updates=updates,
        error=facts.skipped.get(name) if outcome == "skipped" else problem.title if problem else None,
        problem=problem,
        failed_step=failure.step if failure else None,
        excluded=tuple(each for each in found if isinstance(each, ExcludedUpdate)),
        chosen=tuple(each for each in found if isinstance(each, ChosenUpdate)),
        remaining=verified[-1].remaining if verified else (),
        timeline=node_timeline(own, end),
        node_updater=choices[-1].updater if choices else None,
        node_updater_why=choices[-1].why or None if choices else None,
        install_passes=len(_all(own, ev.InstallStarted)),
        resynced_gib=sum(resyncs) if resyncs else None,
        roles=moves.roles,
        drain_seconds=moves.drain_seconds,
        failback_seconds=moves.failback_seconds,
    )


def _all(entries: Sequence[Entry], event_type: type[E]) -> list[E]:
    return [entry.event for entry in entries if isinstance(entry.event, event_type)]


def _offered(scanned: Sequence[ev.Scanned]) -> tuple[ChosenUpdate | ExcludedUpdate, ...]:
    """Return every update that any scan found, with what the last one that found it made of it."""
    found: dict[str, ChosenUpdate | ExcludedUpdate] = {}
    for event in scanned:
        for update in event.updates:
            why = event.reasons.get(update.update_id, "")
            found[update.update_id] = ChosenUpdate(
                update_id=update.update_id, kb=update.kb, title=update.title, why=why
            )
        found.update({update.update_id: update for update in event.excluded})
    return tuple(found.values())


def _failure(own: Sequence[Entry]) -> ev.Failed | None:
    """Return what made the node fail in its last turn: the first step that failed, as it failed last.

    That it could not be resumed or resynced either is a consequence; what is left of it stands in the report as such.
    """
    turn = max((number for number, entry in enumerate(own) if isinstance(entry.event, ev.TurnGiven)), default=0)
    found = _all(own[turn:], ev.Failed) or _all(own, ev.Failed)
    same_step = [failure for failure in found if failure.step == found[0].step]
    return same_step[-1] if same_step else None


def _wanted(name: str, scanned: Sequence[ev.Scanned], planned: ev.Planned | None) -> bool | None:
    """Tell whether the node had something to install; None when nobody has looked."""
    if planned is not None and name in planned.updates:
        return bool(planned.updates[name])
    if scanned:
        return bool(scanned[-1].updates) or scanned[-1].restart_pending
    return None


def _updates(own: Sequence[Entry]) -> tuple[UpdateReport, ...]:
    """Return every update that was downloaded or installed, each with its last install result.

    A download that went well is no result: such an update was not installed. An install of which nobody heard how it ended
    leaves its updates in progress: to say that they were not started would be a guess. What is offered again after its install
    is not there, whatever the install said.
    """
    found: dict[str, UpdateReport] = {}
    unheard: dict[int, tuple[UpdateRef, ...]] = {}
    for entry in own:
        if isinstance(entry.event, ev.Staged):
            for result in entry.event.results:
                if result.update_id not in found:
                    found[result.update_id] = _not_started(result) if result.result in _WELL else _update(result)
        elif isinstance(entry.event, ev.InstallStarted):
            for update in entry.event.updates:
                found.setdefault(update.update_id, _not_started(update))
            unheard[entry.event.install_pass] = entry.event.updates
        elif isinstance(entry.event, ev.InstallFinished):
            for result in entry.event.results:
                found[result.update_id] = _update(result, entry.event.install_pass)
            if entry.event.restart_needed is not None:  # an install's own answer, which also settles the ones before it
                unheard = {number: each for number, each in unheard.items() if number > entry.event.install_pass}
        elif isinstance(entry.event, ev.Scanned):
            for update in entry.event.updates:
                if update.update_id in found and found[update.update_id].result in _WELL:
                    found[update.update_id] = _offered_again(found[update.update_id])
    for number, updates in unheard.items():
        for update in updates:
            if found[update.update_id].result == "not-started":
                found[update.update_id] = _unheard(update, number)
    return tuple(found.values())


def _update(result: UpdateResult, install_pass: int | None = None) -> UpdateReport:
    return UpdateReport(
        update_id=result.update_id,
        kb=result.kb,
        title=result.title,
        result=result.result,
        hresult=result.hresult,
        reboot_required=result.reboot_required,
        meaning=result.meaning,
        next_action=result.next_action,
        install_pass=install_pass,
    )


def _not_started(update: UpdateRef) -> UpdateReport:
    return UpdateReport(update.update_id, update.kb, update.title, "not-started")


def _unheard(update: UpdateRef, number: int) -> UpdateReport:
    meaning = "Its install began, and nobody heard how it ended."
    return UpdateReport(update.update_id, update.kb, update.title, "in-progress", meaning=meaning, install_pass=number)


def _offered_again(update: UpdateReport) -> UpdateReport:
    meaning = "The node called it installed, and a later scan offers it again: it was rolled back, or never there."
    return replace(update, result="failed", reboot_required=False, meaning=meaning)


def _outcome(
    name: str,
    own: Sequence[Entry],
    facts: RunFacts,
    updates: Sequence[UpdateReport],
    *,
    wanted: bool | None,
    asked: bool,
    over: bool,
) -> NodeOutcome:
    if name in facts.failed:
        return "failed"
    touched = any(isinstance(entry.event, ev.Pausing | ev.InstallStarted | ev.RestartOrdered) for entry in own)
    given_turn = any(isinstance(entry.event, ev.TurnGiven) for entry in own)
    if not touched and wanted is False and not asked:
        return "nothing-to-install"
    if name in facts.skipped:
        return "skipped"
    if not over and (touched or given_turn):
        is_back = touched and any(isinstance(entry.event, ev.Resynced | ev.Verified) for entry in own)
        if not is_back:
            return "in-progress"
    if not touched:
        return "not-started"
    is_open = name in facts.paused or name in facts.restarting or name in facts.installing
    installed = any(update.result in _WELL for update in updates)
    if is_open or _missing(own, updates) or _owes_restart(own) or (asked and not _all(own, ev.Restarted)):
        return "failed"
    if asked and not installed and not any(event.restart_pending for event in _all(own, ev.Scanned)):
        return "restarted"
    if installed or facts.restarts.get(name):
        return "updated"
    # Paused and resumed, and nothing came of it: well only when there was nothing to install any more.
    return (
        "failed"
        if wanted and not any(isinstance(entry.event, ev.InstallFinished) for entry in own)
        else "nothing-to-install"
    )


def _owes_restart(own: Sequence[Entry]) -> bool:
    """Tell whether what was installed last still waits for the restart that finishes it: until then the build is the old one."""
    owed = False
    for entry in own:
        match entry.event:
            case ev.InstallFinished(restart_needed=needed, results=results):
                # One that asks for none does not settle what an earlier one asked for.
                owed = owed or bool(needed) or any(item.reboot_required for item in results if item.result in _WELL)
            case ev.Restarted():
                owed = False
            case _:
                pass
    return owed


def _missing(own: Sequence[Entry], updates: Sequence[UpdateReport]) -> list[UpdateReport]:
    """Return the updates that should be on the node and are not.

    One that was downloaded and never came up when the node installed is missing only when it is still offered afterwards:
    another update may have replaced it.
    """
    verified = _all(own, ev.Verified)
    offered = {update.update_id for update in verified[-1].remaining} if verified else set()
    has_installed = bool(_all(own, ev.InstallFinished))
    return [
        update
        for update in updates
        if update.result not in (*_WELL, "not-started")
        or (update.result == "not-started" and (not has_installed or update.update_id in offered))
    ]


def _unnamed_problem(
    name: str, own: Sequence[Entry], updates: Sequence[UpdateReport], facts: RunFacts, *, asked: bool
) -> Problem:
    """Return the problem of a node that failed without a step saying so, as when the run was ended in its midst."""
    bad = _missing(own, updates)
    if name in facts.installing:
        title = f"The run ended while {name} was installing: how that ended is not known."
    elif name in facts.restarting:
        title = f"The run ended before {name} was seen to restart."
    elif _owes_restart(own):
        title = f"The updates on {name} are installed, but the restart that finishes them was not made."
    elif bad:
        named = ", ".join(update.kb or update.title or update.update_id for update in bad)
        title = (
            f"{named}: not installed on {name}." if len(bad) < 4 else f"{len(bad)} updates are not installed on {name}."
        )
    elif asked and not _all(own, ev.Restarted):
        title = f"{name} was to be restarted, and the run ended before it was."
    else:
        title = f"The run ended before {name} was finished."
    return Problem(
        title=title,
        meaning="The node may be only partly updated.",
        next_action=f"Look at {name} in the cluster, then start another run: it goes on with what is missing.",
    )
