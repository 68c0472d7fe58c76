"""The XML of a scheduled task (win32, Task Scheduler Schema)."""

from datetime import UTC, datetime, timedelta

import pytest

from include.simulator.world.task_definition import Action, DefinitionError, Trigger, duration, read
from tests.simulator.world.tasks import task_xml


def test_what_a_definition_says() -> None:
    found = read(task_xml(run_level="HighestAvailable", limit="PT2H", arguments="-File x.ps1"))
    assert found.actions == (Action("powershell.exe", "-File x.ps1"),)
    assert (found.user, found.logon_type, found.run_level) == ("SYSTEM", "ServiceAccount", "Highest")
    assert (found.limit, found.enabled, found.multiple) == (timedelta(hours=2), True, "IgnoreNew")


@pytest.mark.parametrize("user", ["S-1-5-18", "SYSTEM", "NT AUTHORITY\\SYSTEM"])
def test_the_system_account_has_many_names(user: str) -> None:
    assert read(task_xml(user=user)).user == "SYSTEM"


def test_a_user_without_a_password_has_an_interactive_token() -> None:
    assert read(task_xml(user="CORP\\operator")).logon_type == "InteractiveToken"


def test_triggers() -> None:
    times = "<TimeTrigger><StartBoundary>2026-11-03T02:00:00Z</StartBoundary></TimeTrigger>"
    boot = "<BootTrigger><Delay>PT5M</Delay><Enabled>false</Enabled></BootTrigger>"
    assert read(task_xml(triggers=times + boot)).triggers == (
        Trigger("TimeTrigger", datetime(2026, 11, 3, 2, tzinfo=UTC)),
        Trigger("BootTrigger", None, timedelta(minutes=5), enabled=False),
    )


def test_a_trigger_that_is_not_played_is_refused_by_name() -> None:
    with pytest.raises(NotImplementedError, match="EventTrigger"):
        read(task_xml(triggers="<EventTrigger/>"))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("no xml", 0x8004131A),
        (task_xml().replace("UTF-16", "UTF-8"), 0x8004131A),
        ("<Job/>", 0x80041316),
        (task_xml().replace("Exec>", "SendEmail>"), 0x80041319),
        (task_xml().replace("<Command>powershell.exe</Command>", ""), 0x80041319),
        (task_xml(limit="2 hours"), 0x80041318),
        (task_xml(triggers="<TimeTrigger><StartBoundary>soon</StartBoundary></TimeTrigger>"), 0x80041318),
        (task_xml(triggers="<TimeTrigger/>"), 0x80041319),
    ],
)
def test_what_the_task_scheduler_refuses(text: str, code: int) -> None:
    with pytest.raises(DefinitionError) as refused:
        read(text)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("text", "span"),
    [("PT0S", timedelta(0)), ("P1DT2H3M4S", timedelta(days=1, hours=2, minutes=3, seconds=4)), ("P3D", timedelta(3))],
)
def test_durations(text: str, span: timedelta) -> None:
    assert duration(text) == span
