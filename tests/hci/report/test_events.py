from __future__ import annotations

import typing
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from include.hci.report import events as ev
from include.hci.report.values import Problem

CLASSES: list[type[ev.RunEvent]] = list(typing.get_args(typing.get_args(ev.AnyEvent)[0]))
SAMPLES: dict[str, object] = {
    "node": "HCI01",
    "step": "drain",
    "run_id": "r",
    "cluster": "c",
    "checks": (),
    "moment": "before",
    "order": ("HCI01",),
    "by": "j.doe",
    "action": "pause",
    "point": "before-drain",
    "why": "because",
    "due": datetime(2026, 11, 3, tzinfo=UTC),
    "guid": "g",
    "nodes": ("HCI01",),
    "before": "no preview channel",
    "after": "ReleasePreview",
    "channels": (),
    "position": 1,
    "total": 2,
    "install_pass": 1,
    "boot_time_before": datetime(2026, 11, 3, tzinfo=UTC),
    "boot_time": datetime(2026, 11, 3, 1, tzinfo=UTC),
    "virtual_disk": "Volume1",
    "decision": "wait",
    "reason": "because",
    "problem": Problem(title="t", meaning="m", next_action="n", code="5987", retry_is_safe=False),
    "what": "w",
    "updater": "cau_provider",
    "change": "credssp-client",
    "subject": "CredSSP",
    "number": 1,
    "mode": "scan",
    "searches": ("IsInstalled=0",),
    "include_recommended": False,
    "began": datetime(2026, 11, 3, tzinfo=UTC),
    "script": "pre-update",
    "path": r"C:\Scripts\pre.ps1",
    "result": "failed",
    "when": "node-leaves",
    "hook": 0,
    "connection": "monitoring",
    "command": "Set-Maintenance",
    "vm": "SQL01",
    "state": "Offline",
    "session": "s",
    "host": "MGMT01",
    "status": "Waiting",
    "identity": "h",
    "role": "SQL01",
    "source": "HCI01",
    "target": "HCI02",
    "dag_id": "rolling_update__c",
    "started_run": "further_updates__r",
    "good": True,
    "settled": True,
}


def sample(event_type: type[ev.RunEvent]) -> ev.RunEvent:
    needed = {name for name, field in event_type.model_fields.items() if field.is_required()}
    return event_type.model_validate({name: SAMPLES[name] for name in needed})


def test_every_event_is_in_the_vocabulary_under_a_name_of_its_own():
    defined = {
        item for item in vars(ev).values()
        if isinstance(item, type) and issubclass(item, ev.RunEvent) and item is not ev.RunEvent
    }  # fmt: skip
    assert set(CLASSES) == defined
    names = [event_type.model_fields["event"].default for event_type in CLASSES]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("event_type", CLASSES, ids=lambda item: item.__name__)
def test_every_event_is_read_back_as_it_was_written(event_type: type[ev.RunEvent]):
    event = sample(event_type)
    assert event_type.kind in typing.get_args(ev.Kind)
    back = ev.parse_event(event.model_dump(mode="json"))
    assert back == event
    assert type(back) is event_type


def test_keys_of_a_newer_version_are_passed_over():
    data = {"event": "resumed", "step": "resume", "node": "A", "failback_mode": "Policy", "new_key": 1}
    assert ev.parse_event(data) == ev.Resumed(node="A", failback_mode="Policy")


@pytest.mark.parametrize(
    "data",
    [
        {"event": "unheard_of", "step": "drain"},
        {"event": "drained", "step": "drain"},
        {"event": "drained", "step": "dance", "node": "A"},
        {"event": "restarted", "step": "restart", "node": "A", "boot_time": "2026-11-03T01:00:00"},
    ],
)
def test_what_is_not_of_this_vocabulary_is_refused(data: dict[str, object]):
    with pytest.raises(ValidationError):
        ev.parse_event(data)


def test_changes_are_announced_before_and_confirmed_after():
    pairs = [
        (ev.LockTaking, ev.LockTaken),
        (ev.Staging, ev.Staged),
        (ev.Pausing, ev.Paused),
        (ev.Pausing, ev.Drained),
        (ev.InstallStarted, ev.InstallFinished),
        (ev.RestartOrdered, ev.Restarted),
        (ev.Resuming, ev.Resumed),
        (ev.MaintenanceEntering, ev.MaintenanceEntered),
    ]
    assert all((before.kind, after.kind) == ("intent", "done") for before, after in pairs)
