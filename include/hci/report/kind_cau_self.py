"""The report of a run that looks after CAU's self-updating role: what was asked, what the role says now, when it updates next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from include.hci.report import events as ev
from include.hci.report.cau_role_events import RoleDifference
from include.hci.report.folded import Folded
from include.hci.report.model import RunOutcome, RunReport, Section
from include.hci.report.record import Entry

E = TypeVar("E", bound=ev.RunEvent)
_ASKED: Mapping[str, str] = {
    "configure": "Set the role up as the fleet file asks, enabled.",
    "check": "Compare the role with the fleet file; change nothing.",
    "enable": "Enable the role as it is.",
    "disable": "Disable the role; keep its settings.",
    "remove": "Remove the role.",
    "update_now": "Let the role update the cluster now.",
}
_DONE: Mapping[str, str] = {
    "configure": "The role is set up and enabled, and reads back as asked for.",
    "check": "The role is as the fleet file asks.",
    "enable": "The role is enabled and reads back as asked for.",
    "disable": "The role is off.",
    "remove": "The cluster has no self-updating role.",
    "update_now": "The role updates the cluster: follow it with Get-CauRun, or in the DAG for CAU's runs.",
}
_CHANGES: Mapping[str, str] = {
    "add": "added",
    "set": "set",
    "enable": "enabled",
    "disable": "disabled",
    "remove": "removed",
    "update-now": "told to update now",
}


def cau_self(folded: Folded) -> RunReport:
    """Return the report without nodes: no node is updated by such a run."""
    entries, report = folded.entries, folded.report
    started, read = _last(entries, ev.RunStarted), _last(entries, ev.RoleRead)
    request = started.request if started is not None else {}
    action = str(request.get("action", "configure"))
    outcome = _outcome(folded, read)
    return replace(
        report,
        outcome=outcome,
        headline=_headline(folded, outcome, action, read),
        nodes=(),
        sections=(
            _asked(request, action, read),
            *_role(read),
            *_next_times(read),
            _done(entries),
            *_nodes(entries),
            *report.sections,
        ),
    )


def _outcome(folded: Folded, read: ev.RoleRead | None) -> RunOutcome:
    if not folded.is_over:
        return "running"
    if folded.report.outcome == "cancelled":
        return "cancelled"
    if read is None or not read.proven or folded.is_troubled:
        return "failed"
    return "succeeded" if _has_changed(folded.entries) else "nothing-to-do"


def _has_changed(entries: Sequence[Entry]) -> bool:
    """Return whether anything was ordered that was not refused: a process that died right after it did not note its end."""
    ordered = [entry.event for entry in entries if isinstance(entry.event, ev.RoleChanging)]
    refused = [entry.event for entry in entries if isinstance(entry.event, ev.RoleChangeRefused)]
    prepared = any(isinstance(entry.event, ev.FeaturesInstalling | ev.FirewallOpening) for entry in entries)
    return prepared or len(ordered) > len(refused)


def _headline(folded: Folded, outcome: RunOutcome, action: str, read: ev.RoleRead | None) -> str:
    if outcome == "running":
        return _ASKED.get(action, action)
    if outcome == "cancelled":
        return "The run was cancelled. What it had changed of the role by then stands below."
    wrong = [*read.findings, *map(_difference, read.differences)] if read is not None else []
    if outcome in ("succeeded", "nothing-to-do"):
        said = _DONE.get(action, "Done.")
        return f"{said} Nothing had to be changed." if outcome == "nothing-to-do" and action != "check" else said
    if wrong and read is not None and not read.proven:
        return f"The role is not right: {'; '.join(wrong)}."
    refused = [check.evidence for check in folded.report.checks if check.refused]
    reasons = [problem.title for problem in folded.report.problems] or refused
    return reasons[-1] if reasons else "The run ended before the role was read back."


def _asked(request: Mapping[str, object], action: str, read: ev.RoleRead | None) -> Section:
    schedule = request.get("schedule")
    by = schedule.get("run_by", "airflow") if isinstance(schedule, Mapping) else None
    who = {
        "cau": "The fleet file leaves the cadence of this cluster to its self-updating role.",
        "airflow": "Airflow runs the cadence of this cluster, so its self-updating role must be off.",
    }.get(str(by), "The fleet file gives this cluster no schedule, so its self-updating role must be off.")
    rows = tuple((name, value) for name, value in (read.asked or {}).items()) if read is not None else ()
    return Section(
        "What was asked for",
        (_ASKED.get(action, action), who),
        ("Parameter", "Asked for") if rows else (),
        rows,
    )


def _role(read: ev.RoleRead | None) -> Iterable[Section]:
    if read is None:
        return
    if not read.present:
        said = ("The cluster has no self-updating role.", *map(_sentence, read.findings))
        yield Section("The role", tuple(dict.fromkeys(said)))
        return
    state = {True: "enabled", False: "disabled", None: "there; nothing tells whether it is enabled"}[read.enabled]
    wrong = {each.name.lower(): each for each in read.differences}
    rows = [
        (name, value, f"asked for was {wrong[name.lower()].asked or 'nothing'}" if name.lower() in wrong else "")
        for name, value in read.parameters.items()
    ]
    shown = {name.lower() for name in read.parameters}
    rows += [(each.name, each.found, f"asked for was {each.asked}") for key, each in wrong.items() if key not in shown]
    yield Section(
        "The role",
        (f"The role is {state}.", f"CAU reports {read.cau_run}.", *map(_sentence, read.findings)),
        ("Parameter", "The role says", "Difference"),
        tuple(rows),
    )


def _next_times(read: ev.RoleRead | None) -> Iterable[Section]:
    if read is None or not read.present or read.enabled is False:
        return
    if not read.times:
        clocks = ", ".join(f"{node}: {zone}" for node, zone in read.zones.items())
        said = f"They cannot be told: the role's times are on the clocks of the node that owns it ({clocks})."
        yield Section("When it updates the cluster next", (said,))
        return
    yield Section("When it updates the cluster next", (), ("Time",), tuple((time,) for time in read.times))


def _done(entries: Sequence[Entry]) -> Section:
    rows = []
    for entry in entries:
        when = f"{entry.at:%Y-%m-%d %H:%M:%S} UTC"
        match entry.event:
            case ev.FeaturesInstalled(node=node, names=names, restart_needed=restart):
                rows.append((when, node, f"installed {', '.join(names)}{'; it must restart' if restart else ''}"))
            case ev.FirewallOpening(node=node):
                rows.append((when, node, "enabled the rules for remote restarts; they stay enabled"))
            case ev.RoleChanging(command=command):
                rows.append((when, "the role", command))
            case ev.RoleChanged(role_change=change, where=where):
                rows.append((when, "the role", f"was {_CHANGES[change]}, from {where}"))
            case ev.RoleChangeRefused(role_change=change, why=why):
                rows.append((when, "the role", f"could not be {_CHANGES[change]}: {why}"))
    if not rows:
        return Section("What was changed", ("Nothing was changed.",))
    return Section("What was changed", (), ("When", "Where", "What"), tuple(rows))


def _nodes(entries: Sequence[Entry]) -> Iterable[Section]:
    features = {event.node: event for event in _all(entries, ev.FeaturesRead)}
    firewall = {event.node: event.allowed for event in _all(entries, ev.FirewallRead)}
    names = dict.fromkeys((*features, *firewall))
    if not names:
        return
    words = {True: "enabled", False: "disabled", None: "there are none"}
    rows = []
    for name in names:
        found = features.get(name)
        installed = ", ".join(found.installed) if found is not None else ""
        missing = ", ".join(found.missing) if found is not None else ""
        rows.append((name, installed, missing or "none", words[firewall[name]] if name in firewall else "not read"))
    columns = ("Server", "Features", "Missing", "Rules for remote restarts")
    yield Section("What the role needs of the servers", (), columns, tuple(rows))


def _difference(each: RoleDifference) -> str:
    return f"{each.name} is {each.found or 'not set'}, asked for was {each.asked or 'nothing'}"


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


def _all(entries: Iterable[Entry], kind: type[E]) -> Iterable[E]:
    return (entry.event for entry in entries if isinstance(entry.event, kind))


def _last(entries: Iterable[Entry], kind: type[E]) -> E | None:
    found = list(_all(entries, kind))
    return found[-1] if found else None
