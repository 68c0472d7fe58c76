"""The answer to a client that asks which commands a session has (MS-PSRP 2.2.2.14, 2.2.3.21 to 2.2.3.23)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import psrpcore

from include.simulator.host_interaction import CommandDescription, ParameterDescription
from include.simulator.objects import SimEnum, SimObject
from include.simulator.wire.clixml import Typed

_AUTOMATION: Final = "System.Management.Automation"
_ASSEMBLY: Final = f"{_AUTOMATION}, Version=3.0.0.0, Culture=neutral, PublicKeyToken=31bf3856ad364e35"
_MSCORLIB: Final = "mscorlib, Version=4.0.0.0, Culture=neutral, PublicKeyToken=b77a5c561934e089"
_TYPE_NAMES: Final = (
    f"System.Collections.ObjectModel.ReadOnlyCollection`1[[{_AUTOMATION}.PSTypeName, {_ASSEMBLY}]]",
    "System.Object",
)
_ALIASES: Final = (
    f"System.Collections.ObjectModel.Collection`1[[System.String, {_MSCORLIB}]]",
    "System.Object",
)
_PARAMETERS: Final = (
    f"System.Collections.Generic.Dictionary`2[[System.String, {_MSCORLIB}],[{_AUTOMATION}.ParameterMetadata, {_ASSEMBLY}]]",
    "System.Object",
)
_CUSTOM: Final = (f"{_AUTOMATION}.PSCustomObject", "System.Object")
_KINDS: Final = {"Function": 2, "Cmdlet": 8}


def answer(question: psrpcore.GetMetadata, commands: Iterable[CommandDescription]) -> Iterator[SimObject]:
    """Yield the number of commands that match and then each of them."""
    wanted = [str(name) for name in question.name or ["*"]]
    modules = {str(module).lower() for module in question.namespace or ()}
    found = [
        each
        for each in commands
        if _matches(each.name, wanted)
        and (not modules or each.module.lower() in modules)
        and int(question.command_type) & _KINDS[each.kind]
    ]
    yield SimObject(("Selected.Microsoft.PowerShell.Commands.GenericMeasureInfo", *_CUSTOM), {}, {"Count": len(found)})
    for each in found:
        yield _command(each)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    expressions = (re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") for pattern in patterns)
    return any(re.fullmatch(expression, name, re.IGNORECASE) for expression in expressions)


def _command(command: CommandDescription) -> SimObject:
    return SimObject(
        (f"Selected.{_AUTOMATION}.{command.kind}Info", *_CUSTOM),
        {},
        {
            "Name": command.name,
            "Namespace": command.module,
            "HelpUri": "",
            "CommandType": SimEnum(f"{_AUTOMATION}.CommandTypes", _KINDS[command.kind], command.kind),
            "ResolvedCommandName": None,
            "OutputType": Typed(_TYPE_NAMES, command.outputs),
            "Parameters": Typed(_PARAMETERS, {each.name: _parameter(each) for each in command.parameters}),
        },
    )


def _parameter(parameter: ParameterDescription) -> SimObject:
    name = f"{_AUTOMATION}.ParameterMetadata"
    return SimObject(
        (name, "System.Object"),
        {
            "Name": parameter.name,
            "ParameterType": parameter.type_name,
            "Aliases": Typed(_ALIASES, parameter.aliases),
            "IsDynamic": False,
            "SwitchParameter": parameter.is_switch,
        },
        to_string=name,
    )
