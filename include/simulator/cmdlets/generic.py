"""Cmdlets that work on any object, as far as command pipelines without script blocks use them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta

from include.simulator.cmdlets import availability, own_commands, registry
from include.simulator.cmdlets import generic_values as values
from include.simulator.cmdlets.cluster_errors import matching
from include.simulator.cmdlets.registry import Call, cmdlet, fail
from include.simulator.cmdlets.syntax import load_table
from include.simulator.objects import SimEnum, SimError, SimObject, Version

_CUSTOM = ("System.Management.Automation.PSCustomObject", "System.Object")

#: The comparison switches of Where-Object that read one value.
_OPERATORS: dict[str, Callable[[object, object], bool]] = {
    "EQ": values.equal,
    "CEQ": lambda left, right: values.equal(left, right, case=True),
    "NE": lambda left, right: not values.equal(left, right),
    "GT": lambda left, right: values.order(left, right) == 1,
    "GE": lambda left, right: values.order(left, right) in (0, 1),
    "LT": lambda left, right: values.order(left, right) == -1,
    "LE": lambda left, right: values.order(left, right) in (0, -1),
    "Like": values.like,
    "NotLike": lambda left, right: not values.like(left, right),
    "Match": values.match,
    "NotMatch": lambda left, right: not values.match(left, right),
    "Contains": lambda left, right: any(values.equal(each, right) for each in _many(left)),
    "NotContains": lambda left, right: not any(values.equal(each, right) for each in _many(left)),
    "In": lambda left, right: any(values.equal(each, left) for each in _many(right)),
    "NotIn": lambda left, right: not any(values.equal(each, left) for each in _many(right)),
}


def _many(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else [value]


@cmdlet("Where-Object")
async def where_object(call: Call) -> None:
    """Pass objects on whose property compares as asked; a property alone asks whether it is true."""
    name = call.text("Property") or ""
    wanted = call.parameters.get("Value")
    used = next((operator for operator in _OPERATORS if call.has(operator)), None)
    if used is None and any(call.has(each) for each in ("FilterScript", "Is", "IsNot")):
        raise fail(
            "The simulated machine plays no script blocks.",
            "ScriptsNotAllowed,Microsoft.PowerShell.Commands.WhereObjectCommand",
        )
    for item in call.input:
        value = values.member(item, name)
        if used in ("EQ", "NE", "Like", "Match") and isinstance(value, list | tuple):
            keep = any(_OPERATORS[used](each, wanted) for each in value)
        else:
            keep = bool(value) if used is None else _OPERATORS[used](value, wanted)
        if keep:
            call.sink.output(item)


@cmdlet("Select-Object")
async def select_object(call: Call) -> None:
    """Pass on some of the objects, some of their properties, or what one property holds."""
    items = _slice(call)
    names, expand = call.texts("Property"), call.text("ExpandProperty")
    for item in items:
        if expand:
            _expand(call, item, expand)
        elif names:
            call.sink.output(_selected(item, names))
        else:
            call.sink.output(item)


def _slice(call: Call) -> list[object]:
    items = list(call.input)
    skip, first, last = (call.parameters.get(name) for name in ("Skip", "First", "Last"))
    if isinstance(skip, int):
        items = items[skip:] if last is None else items[: len(items) - skip]
    if isinstance(first, int):
        items = items[:first]
    elif isinstance(last, int):
        items = items[len(items) - last :] if last < len(items) else items
    return items


def _expand(call: Call, item: object, name: str) -> None:
    known = isinstance(item, SimObject) and name.lower() in {key.lower() for key in values.members(item)}
    if not known:
        call.sink.error(
            SimError(
                f'Property "{name}" cannot be found.',
                "ExpandPropertyNotFound,Microsoft.PowerShell.Commands.SelectObjectCommand",
                "InvalidArgument",
                ("System.Management.Automation.PSArgumentException", "System.ArgumentException", "System.Exception"),
                reason="PSArgumentException",
                activity=call.name,
            )
        )
        return
    for value in _many(values.member(item, name)):
        call.sink.output(value)


def _selected(item: object, names: list[str]) -> SimObject:
    notes: dict[str, object] = {}
    for name in names:
        known = list(values.members(item)) if isinstance(item, SimObject) else []
        hits = [key for key in known if matching(name, [key])]
        if hits or "*" in name:
            notes |= {key: values.member(item, key) for key in hits}
        else:
            notes[name] = None
    first = item.type_names[0] if isinstance(item, SimObject) else "System.Object"
    printed = "@{" + "; ".join(f"{key}={values.text(value)}" for key, value in notes.items()) + "}"
    return SimObject((f"Selected.{first}", *_CUSTOM), {}, notes, to_string=printed)


@cmdlet("Measure-Object")
async def measure_object(call: Call) -> None:
    """Count objects, and sum up a property where asked."""
    names: list[str | None] = list(call.texts("Property")) or [None]
    for name in names:
        read = [item if name is None else values.member(item, name) for item in call.input]
        present = [value for value in read if value is not None]
        numbers = [value for value in present if isinstance(value, int | float) and not isinstance(value, bool)]
        total = float(sum(numbers))
        properties: dict[str, object] = {
            "Count": len(present),
            "Average": total / len(numbers) if call.has("Average") and numbers else None,
            "Sum": total if call.has("Sum") else None,
            "Maximum": float(max(numbers)) if call.has("Maximum") and numbers else None,
            "Minimum": float(min(numbers)) if call.has("Minimum") and numbers else None,
            "Property": name,
        }
        types = (
            "Microsoft.PowerShell.Commands.GenericMeasureInfo",
            "Microsoft.PowerShell.Commands.MeasureInfo",
            "System.Object",
        )
        call.sink.output(SimObject(types, properties, to_string=types[0]))


@cmdlet("Get-Command")
async def get_command(call: Call) -> None:
    """Write the commands that this machine's Windows has and the simulator plays."""
    table = load_table(call.host.os.docset)
    visible = call.session.visible
    available = [
        found
        for name in registry.names()
        if (visible is None or name.lower() in visible)
        and (found := table.find(name)) is not None
        and not availability.missing(call.world, call.host, name)
    ]
    own = call.world.own_commands.offered(call.host.name, own_commands.endpoint_of(call.session))
    available += map(own_commands.syntax_of, own)
    sought = call.texts("ParameterName")
    wanted = call.texts("Name")
    for name in wanted:
        if "*" not in name and not any(matching(name, [each.name]) for each in available):
            call.sink.error(
                SimError(
                    f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program.",
                    "CommandNotFoundException,Microsoft.PowerShell.Commands.GetCommandCommand",
                    "ObjectNotFound",
                    ("System.Management.Automation.CommandNotFoundException", "System.Exception"),
                    reason="CommandNotFoundException",
                    target=name,
                    target_type="String",
                    activity=call.name,
                )
            )
    modules = {module.lower() for module in call.texts("Module")}
    for each in available:
        if (wanted and not any(matching(name, [each.name]) for name in wanted)) or (
            modules and each.module.lower() not in modules
        ):
            continue
        if sought and not any(matching(parameter, each.parameters) for parameter in sought):
            continue
        kind = (8, "Cmdlet") if each.module else (2, "Function")
        properties: dict[str, object] = {
            "CommandType": SimEnum("System.Management.Automation.CommandTypes", *kind),
            "ModuleName": each.module,
            "Name": each.name,
            # One level down a remote client gets the metadata of a parameter as its type's name only.
            "Parameters": dict.fromkeys(each.parameters, "System.Management.Automation.ParameterMetadata"),
            "ParameterSets": list(each.sets),
            "Source": each.module,
            "Version": Version("2.0.0.0"),
        }
        types = (
            f"System.Management.Automation.{kind[1]}Info",
            "System.Management.Automation.CommandInfo",
            "System.Object",
        )
        call.sink.output(SimObject(types, properties, to_string=each.name))


@cmdlet("Write-Output")
async def write_output(call: Call) -> None:
    """Pass objects on."""
    for item in (*call.input, *_many(call.parameters.get("InputObject", []))):
        call.sink.output(item)


@cmdlet("Out-Default")
async def out_default(call: Call) -> None:
    """Pass objects on: in a remote session the client's end does the printing."""
    for item in call.input:
        call.sink.output(item)


@cmdlet("Out-Null")
async def out_null(call: Call) -> None:
    """Drop objects."""


@cmdlet("ConvertTo-Json")
async def convert_to_json(call: Call) -> None:
    """Write one JSON text of all objects."""
    items = [*call.input, *_many(call.parameters.get("InputObject", []))]
    depth = call.parameters.get("Depth")
    plain = [_plain(item, depth if isinstance(depth, int) else 2) for item in items]
    value = plain[0] if len(plain) == 1 else plain
    call.sink.output(json.dumps(value, separators=(",", ":")) if call.has("Compress") else json.dumps(value, indent=4))


def _plain(value: object, depth: int) -> object:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, SimEnum):
        return value.value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value
    if isinstance(value, datetime):
        return f"/Date({int(value.timestamp() * 1000)})/"
    if isinstance(value, list | tuple):
        return [_plain(each, depth) for each in value]
    if depth < 0 or not isinstance(value, dict | SimObject):
        return values.text(value)
    pairs = value.items() if isinstance(value, dict) else values.members(value).items()
    return {str(key): _plain(each, depth - 1) for key, each in pairs}


@cmdlet("Get-Date")
async def get_date(call: Call) -> None:
    """Write the simulated time."""
    call.sink.output(call.world.now)


@cmdlet("Start-Sleep")
async def start_sleep(call: Call) -> None:
    """Let simulated time pass."""
    seconds, milliseconds = call.parameters.get("Seconds"), call.parameters.get("Milliseconds")
    span = timedelta(seconds=seconds) if isinstance(seconds, int | float) else timedelta(0)
    if isinstance(milliseconds, int):
        span = timedelta(milliseconds=milliseconds)
    await call.clock.sleep(span)
