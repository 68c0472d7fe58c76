"""The sections of a feature update's report about the installation: who was offered what, builds, validation, further runs."""

from __future__ import annotations

from collections.abc import Sequence

from include.hci.report import events as ev
from include.hci.report.model import Section
from include.hci.report.record import Entry


def upgrade_sections(entries: Sequence[Entry]) -> tuple[Section, ...]:
    """Return what was done until every node has the new version."""
    return (*_offers(entries), *_versions(entries), *_remoting(entries), *_validation(entries), *_further(entries))


def _offers(entries: Sequence[Entry]) -> list[Section]:
    found = {
        entry.event.node: entry.event
        for entry in entries
        if isinstance(entry.event, ev.Scanned) and entry.event.step == "preview"
    }
    rows = tuple(
        (node, each.build or "unknown", ", ".join(update.title for update in each.updates) or "nothing")
        for node, each in found.items()
    )
    return [Section("What each node was offered", (), ("Node", "Build", "Feature update"), rows)] if rows else []


def _versions(entries: Sequence[Entry]) -> list[Section]:
    before: dict[str, str] = {}
    after: dict[str, str] = {}
    for entry in entries:
        match entry.event:
            case ev.CauNodeRead(moment="before") as event if event.build:
                before.setdefault(event.node, event.build)
            case ev.VersionsRead() as event:
                after = dict(event.builds)
            case _:
                pass
    if not after:
        return []
    rows = tuple((node, before.get(node, "unknown"), after.get(node, "unknown")) for node in {**before, **after})
    return [Section("Builds", (), ("Node", "Before", "After"), rows)]


def _remoting(entries: Sequence[Entry]) -> list[Section]:
    found = {entry.event.node: entry.event for entry in entries if isinstance(entry.event, ev.RemotingRead)}
    rows = tuple(
        (node, ", ".join(each.set_up) or "nothing", ", ".join(each.lacking) or "nothing")
        for node, each in found.items()
        if each.set_up or each.lacking
    )
    said = ("What was set up stays: taking it back would end the run's own sessions.",)
    return [Section("Remote management", said, ("Node", "Set up by this run", "Still lacking"), rows)] if rows else []


def _validation(entries: Sequence[Entry]) -> list[Section]:
    rows = []
    for entry in entries:
        event = entry.event
        if not isinstance(event, ev.ClusterValidated):
            continue
        report = event.kept or event.report or event.not_kept or "none"
        cells = (event.moment, str(event.tests), *(", ".join(each) or "none" for each in (event.failed, event.warned)))
        rows.append((*cells, ", ".join(event.new) or "none", report))
    columns = ("When", "Tests", "Failed", "Warnings", "New since before", "Report")
    return [Section("Cluster validation", (), columns, tuple(rows))] if rows else []


def _further(entries: Sequence[Entry]) -> list[Section]:
    found: dict[str, tuple[str, ...]] = {}
    for entry in entries:
        match entry.event:
            case ev.UpdatingBegun() as event:
                found.setdefault(
                    event.started_run, (event.step.replace("_", " "), event.dag_id, event.started_run, "begun", "")
                )
            case ev.UpdatingEnded() as event:
                end = event.outcome or event.state
                found[event.started_run] = (
                    event.step.replace("_", " "),
                    event.dag_id,
                    event.started_run,
                    end,
                    event.headline,
                )
            case _:
                pass
    columns = ("For", "DAG", "Run", "Outcome", "What it says")
    return [Section("Rolling updates in between", (), columns, tuple(found.values()))] if found else []
