"""The common parameters that every cmdlet has, and what they ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from include.simulator.cmdlets import binder_errors
from include.simulator.cmdlets.syntax import ALL_SETS, CmdletSyntax, ParameterSyntax
from include.simulator.objects import SimEnum

#: Members of ActionPreference by number.
ACTIONS = ("SilentlyContinue", "Stop", "Continue", "Inquire", "Ignore", "Suspend")
_EVERYWHERE = frozenset({ALL_SETS})


def _common(name: str, type_name: str, alias: str) -> ParameterSyntax:
    return ParameterSyntax(name, type_name, _EVERYWHERE, aliases=(alias,))


COMMON_PARAMETERS: Mapping[str, ParameterSyntax] = {
    each.name: each
    for each in (
        _common("Verbose", "SwitchParameter", "vb"),
        _common("Debug", "SwitchParameter", "db"),
        _common("ErrorAction", "Object", "ea"),
        _common("WarningAction", "Object", "wa"),
        _common("InformationAction", "Object", "infa"),
        _common("ErrorVariable", "String", "ev"),
        _common("WarningVariable", "String", "wv"),
        _common("InformationVariable", "String", "iv"),
        _common("OutVariable", "String", "ov"),
        _common("OutBuffer", "Int32", "ob"),
        _common("PipelineVariable", "String", "pv"),
    )
}


@dataclass(frozen=True, slots=True)
class CommonParameters:
    """What the caller wants done with the streams of one command. The actions are names of ActionPreference members."""

    error_action: str = "Continue"
    warning_action: str = "Continue"
    information_action: str = "SilentlyContinue"
    verbose: bool = False
    debug: bool = False
    what_if: bool = False
    confirm: bool | None = None


def read_common(syntax: CmdletSyntax, given: Mapping[str, object]) -> CommonParameters:
    """Return the common parameters of one command; an unknown action raises TerminatingError as the binder does."""
    confirm = given.get("Confirm")
    return CommonParameters(
        error_action=_action(syntax, "ErrorAction", given, "Continue"),
        warning_action=_action(syntax, "WarningAction", given, "Continue"),
        information_action=_action(syntax, "InformationAction", given, "SilentlyContinue"),
        verbose=bool(given.get("Verbose", False)),
        debug=bool(given.get("Debug", False)),
        what_if=bool(given.get("WhatIf", False)),
        confirm=None if confirm is None else bool(confirm),
    )


def _action(syntax: CmdletSyntax, name: str, given: Mapping[str, object], otherwise: str) -> str:
    value = given.get(name)
    if value is None:
        return otherwise
    if isinstance(value, SimEnum):
        value = value.name
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(ACTIONS):
        return ACTIONS[value]
    matches = [action for action in ACTIONS if str(value) and action.lower().startswith(str(value).lower())]
    exact = [action for action in matches if action.lower() == str(value).lower()]
    if len(exact or matches) == 1:
        return (exact or matches)[0]
    raise binder_errors.binding_error(
        syntax,
        "CannotConvertArgumentNoMessage",
        f"Cannot bind parameter '{name}'. Cannot convert value \"{value}\" to type "
        '"System.Management.Automation.ActionPreference". '
        f'Error: "Unable to match the identifier name {value} to a valid enumerator name. Specify one of the following '
        f'enumerator names and try again:\r\n{", ".join(ACTIONS)}"',
    )
