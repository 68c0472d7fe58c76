"""The XML of a scheduled task, read as far as the simulated machines act on it (win32, Task Scheduler Schema)."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

NAMESPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
#: SCHED_E_... codes (win32, Task Scheduler error and success constants).
UNEXPECTED, INVALID_VALUE, MISSING, MALFORMED = 0x80041316, 0x80041318, 0x80041319, 0x8004131A

SYSTEM = "SYSTEM"
_SYSTEM_NAMES = frozenset({"s-1-5-18", "system", "nt authority\\system", "localsystem"})
_PLAYED_TRIGGERS = ("TimeTrigger", "BootTrigger", "RegistrationTrigger")
_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_DECLARED = re.compile(r"""^\s*<\?xml[^>]*encoding\s*=\s*["']([^"']+)["']""")


class DefinitionError(ValueError):
    """The definition is refused with HRESULT ``code``."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class Action:
    """One program to run."""

    command: str
    arguments: str = ""
    directory: str = ""


@dataclass(frozen=True, slots=True)
class Trigger:
    """What starts a task by itself: ``at`` for a point in time, ``delay`` after a start of Windows or the registration."""

    kind: str
    at: datetime | None = None
    delay: timedelta = timedelta(0)
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class Definition:
    """What a task does and as whom; ``limit`` None lets it run for ever."""

    actions: tuple[Action, ...]
    triggers: tuple[Trigger, ...] = ()
    user: str = SYSTEM
    logon_type: str = "ServiceAccount"
    run_level: str = "Limited"
    enabled: bool = True
    limit: timedelta | None = timedelta(hours=72)
    multiple: str = "IgnoreNew"
    hidden: bool = False
    description: str = ""
    author: str = ""


def is_system(user: str) -> bool:
    """Tell whether a user name means the machine's own account."""
    return user.lower() in _SYSTEM_NAMES


def read(text: str) -> Definition:
    """Return what ``text`` defines; raises DefinitionError as the Task Scheduler refuses it."""
    declared = _DECLARED.match(text)
    if declared and declared[1].lower() not in ("utf-16", "unicode"):
        raise DefinitionError(MALFORMED, "The task XML is malformed. (1,40)::ERROR: unable to switch the encoding")
    try:
        root = ET.fromstring(text)  # noqa: S314 - only what a test or a coordinator registers
    except ET.ParseError as reason:
        line, column = reason.position
        raise DefinitionError(MALFORMED, f"The task XML is malformed. ({line},{column})::") from None
    if root.tag != NAMESPACE + "Task":
        raise DefinitionError(UNEXPECTED, "The task XML contains an unexpected node. (1,2)::")
    actions = tuple(_action(each) for each in root.findall(f"{NAMESPACE}Actions/{NAMESPACE}Exec"))
    if not actions:
        raise DefinitionError(MISSING, "The task XML is missing a required element or attribute. (1,2):Actions:")
    principal = root.find(f"{NAMESPACE}Principals/{NAMESPACE}Principal")
    settings = root.find(f"{NAMESPACE}Settings")
    information = root.find(f"{NAMESPACE}RegistrationInfo")
    triggers = root.find(f"{NAMESPACE}Triggers")
    user = _text(principal, "UserId") or _text(principal, "GroupId") or SYSTEM
    system = is_system(user)
    return Definition(
        actions,
        tuple(_trigger(each) for each in (() if triggers is None else triggers)),
        SYSTEM if system else user,
        "ServiceAccount" if system else _text(principal, "LogonType") or "InteractiveToken",
        {"HighestAvailable": "Highest"}.get(_text(principal, "RunLevel"), "Limited"),
        _flag(settings, "Enabled", True),
        _limit(_text(settings, "ExecutionTimeLimit")),
        _text(settings, "MultipleInstancesPolicy") or "IgnoreNew",
        _flag(settings, "Hidden", False),
        _text(information, "Description"),
        _text(information, "Author"),
    )


def duration(text: str) -> timedelta:
    """Return an XML duration such as PT2H30M; raises DefinitionError for another text."""
    match = _DURATION.fullmatch(text)
    if match is None or text in ("P", "PT"):
        raise DefinitionError(
            INVALID_VALUE,
            "The task XML contains a value which is incorrectly formatted or out of range. (1,2)::" + text,
        )
    days, hours, minutes, seconds = (int(each or 0) for each in match.groups())
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)


def _action(element: ET.Element) -> Action:
    command = _text(element, "Command")
    if not command:
        raise DefinitionError(MISSING, "The task XML is missing a required element or attribute. (1,2):Command:")
    return Action(command, _text(element, "Arguments"), _text(element, "WorkingDirectory"))


def _trigger(element: ET.Element) -> Trigger:
    kind = element.tag.removeprefix(NAMESPACE)
    if kind not in _PLAYED_TRIGGERS:
        raise NotImplementedError(f"This simulated machine plays {', '.join(_PLAYED_TRIGGERS)}, not {kind}.")
    boundary, at = _text(element, "StartBoundary"), None
    if kind == "TimeTrigger":
        if not boundary:
            raise DefinitionError(
                MISSING, "The task XML is missing a required element or attribute. (1,2):StartBoundary:"
            )
        try:
            at = datetime.fromisoformat(boundary)
        except ValueError:
            raise DefinitionError(
                INVALID_VALUE,
                f"The task XML contains a value which is incorrectly formatted or out of range. (1,2):StartBoundary:{boundary}",
            ) from None
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    delay = _text(element, "Delay")
    return Trigger(kind, at, duration(delay) if delay else timedelta(0), _flag(element, "Enabled", True))


def _limit(text: str) -> timedelta | None:
    if not text:
        return timedelta(hours=72)
    return duration(text) or None


def _text(element: ET.Element | None, name: str) -> str:
    return (element.findtext(NAMESPACE + name) or "").strip() if element is not None else ""


def _flag(element: ET.Element | None, name: str, default: bool) -> bool:
    text = _text(element, name).lower()
    return default if not text else text in ("true", "1")
