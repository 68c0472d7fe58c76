"""CIM instances as the CIM cmdlets and the CDXML modules hand them out, and how those fail."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from include.simulator.cmdlets.registry import Call
from include.simulator.objects import SimError, SimObject, TerminatingError

_BASE = "Microsoft.Management.Infrastructure.CimInstance"
_EXCEPTION = ("Microsoft.Management.Infrastructure.CimException", "System.Exception", "System.Object")
_CMDLETS = "Microsoft.Management.Infrastructure.CimCmdlets."
_FILTER = re.compile(
    r"\s*(?P<name>\w+)\s*(?P<op>=|<>|!=)\s*(?P<value>'[^']*'|\"[^\"]*\"|\w+)\s*(?P<and>and\b)?", re.IGNORECASE
)


def instance(
    namespace: str,
    classes: Sequence[str],
    properties: dict[str, object],
    *,
    host: str,
    texts: Mapping[str, object] | None = None,
    to_string: str | None = None,
    source: object = None,
) -> SimObject:
    """Return a CIM instance of ``classes`` (most derived first).

    ``properties`` are the raw values of the provider; ``texts`` are what a module's type data shows under the same name instead.
    """
    full = [f"{_BASE}#{namespace}/{name}" for name in classes] + [f"{_BASE}#{name}" for name in classes]
    notes: dict[str, object] = {**(texts or {}), "PSComputerName": host}
    return SimObject(
        (*full, _BASE, "System.Object"), properties, notes, to_string=to_string or classes[0], source=source
    )


def cim_error(call: Call, message: str, code: int, category: str, target: str = "") -> TerminatingError:
    """Return the error of a CIM operation that failed with WBEM code ``code``."""
    text = f"HRESULT 0x{code:08x}"
    return TerminatingError(_record(call, message, text, category, target, code))


def mi_error(call: Call, message: str, result: int, category: str, target: str = "") -> TerminatingError:
    """Return the error of a provider that answered with MI result ``result``."""
    return TerminatingError(_record(call, message, f"MI RESULT {result}", category, target, 0x80131500))


def _record(call: Call, message: str, identity: str, category: str, target: str, code: int) -> SimError:
    verb, _, noun = call.name.partition("-")
    return SimError(
        message,
        f"{identity},{_CMDLETS}{verb}{noun}Command",
        category,
        _EXCEPTION,
        reason="CimException",
        target=target or None,
        target_type="String" if target else "",
        activity=call.name,
        hresult=code - (1 << 32),
    )


def query_not_found(call: Call, cls: str, name: str, value: str) -> SimError:
    """Return what a CDXML cmdlet writes when nothing has the property value that was asked for."""
    return SimError(
        f"No {cls} objects found with property '{name}' equal to '{value}'.  Verify the value of the property and retry.",
        f"CmdletizationQuery_NotFound_{name},{call.name}",
        "ObjectNotFound",
        ("Microsoft.PowerShell.Cmdletization.Cim.CimJobException", "System.SystemException", "System.Exception"),
        reason="CimJobException",
        target=value,
        target_type="String",
        activity=call.name,
    )


def storage_error(call: Call, message: str, code: int) -> TerminatingError:
    """Return the error of a method of the storage provider."""
    return TerminatingError(
        SimError(
            message,
            f"StorageWMI {code},{call.name}",
            "NotSpecified",
            _EXCEPTION,
            reason="CimException",
            target="StorageWMI",
            activity=call.name,
        )
    )


def matches_filter(call: Call, text: str, properties: Mapping[str, object]) -> bool:
    """Tell whether properties satisfy a WQL filter of comparisons joined by AND; a bad filter raises the CIM error."""
    at, lowered = 0, {name.lower(): value for name, value in properties.items()}
    holds = True
    while True:
        match = _FILTER.match(text, at)
        if match is None or match["name"].lower() not in lowered:
            raise cim_error(call, "Invalid query ", 0x80041017, "InvalidArgument")
        equal = str(lowered[match["name"].lower()]).lower() == match["value"].strip("'\"").lower()
        holds = holds and equal is (match["op"] == "=")
        at = match.end()
        if not match["and"]:
            if text[at:].strip():
                raise cim_error(call, "Invalid query ", 0x80041017, "InvalidArgument")
            return holds
