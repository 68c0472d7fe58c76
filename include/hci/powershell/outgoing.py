"""Turning the values of a command into what pypsrp's serializer sends as the right .NET type."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from pypsrp.powershell import PowerShell, RunspacePool
from pypsrp.serializer import TaggedValue

from include.hci.powershell.command import Pipeline
from include.hci.powershell.moments import format_duration, format_moment
from include.hci.powershell.values import SWITCH, Secret, SizedInteger

_INT32 = range(-(2**31), 2**31)


def build(pool: RunspacePool, pipeline: Pipeline) -> PowerShell:
    """Return a pypsrp pipeline with the commands and parameters of ``pipeline``, not started."""
    shell = PowerShell(pool)
    for command in pipeline:
        shell.add_cmdlet(command.name)
        for name, value in command.parameters.items():
            # pypsrp sends a parameter without a value as a switch.
            shell.add_parameter(name, None if value is SWITCH else outgoing(value))
    return shell


def outgoing(value: object) -> Any:
    """Return ``value`` as pypsrp's serializer needs it.

    pypsrp guesses types by the Python type, and guesses narrow: whole numbers as Int32, fractions as Single. Dates it cannot
    send at all, lengths of time it spells in a way Windows does not read.
    """
    match value:
        case None | bool() | str() | bytes():
            return value
        case Secret():
            return TaggedValue("SS", value.reveal())
        case SizedInteger():
            return TaggedValue(value.tag, int(value))
        case int():
            return value if value in _INT32 else TaggedValue("I64", value)
        case float():
            return TaggedValue("Db", value)
        case datetime():
            return _element("DT", format_moment(value))
        case timedelta():
            return _element("TS", format_duration(value))
        case Mapping():
            return {key: outgoing(item) for key, item in value.items()}
        case Sequence():
            return [outgoing(item) for item in value]
        case _:
            return value


def _element(tag: str, text: str) -> ET.Element:
    element = ET.Element(tag)
    element.text = text
    return element
