"""Turning an argument into the type that a parameter declares, as PowerShell's binder does."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

from include.simulator.cmdlets import binder_errors
from include.simulator.cmdlets.binder_values import CONVERTERS, INTEGERS, NotConvertible, no_conversion, to_integer
from include.simulator.cmdlets.syntax import CmdletSyntax, ParameterSyntax
from include.simulator.objects import (
    Credential,
    SecureString,
    SimEnum,
    SimObject,
    TerminatingError,
)

_OBJECT_TYPES = {
    "CimClass": "Microsoft.Management.Infrastructure.CimClass",
    "CimInstance": "Microsoft.Management.Infrastructure.CimInstance",
    "CimSession": "Microsoft.Management.Infrastructure.CimSession",
    "ServiceController": "System.ServiceProcess.ServiceController",
}
#: Enumerations whose values may be added.
_FLAGS = frozenset({"Weekdays"})
#: Numbers of enumerations whose members do not simply count from zero in the order of the documentation.
_ENUM_NUMBERS: Mapping[str, Mapping[int, str]] = {
    "ResumeClusterNodeFailbackType": {0: "NoFailback", 1: "Immediate", 2: "Policy"},
    "FailbackType": {0: "NoFailback", 1: "Immediate", 2: "Policy"},
    "Weekdays": {
        0: "None",
        1: "Sunday",
        2: "Monday",
        4: "Tuesday",
        8: "Wednesday",
        16: "Thursday",
        32: "Friday",
        64: "Saturday",
    },
    "HealthStatus": {0: "Healthy", 1: "Warning", 2: "Unhealthy", 5: "Unknown"},
    "PhysicalDiskHealthStatus": {0: "Healthy", 1: "Warning", 2: "Unhealthy", 5: "Unknown"},
    "ServiceStartMode": {0: "Boot", 1: "System", 2: "Automatic", 3: "Manual", 4: "Disabled"},
}


def coerce(syntax: CmdletSyntax, parameter: ParameterSyntax, value: object) -> object:
    """Return ``value`` as ``parameter`` declares it; raises TerminatingError with the binder's own error."""
    try:
        if parameter.is_array:
            items = list(value) if isinstance(value, list | tuple) else [value]
            return [_validated(syntax, parameter, _convert(item, parameter)) for item in items]
        return _validated(syntax, parameter, _convert(value, parameter))
    except NotConvertible as why:
        raise binder_errors.binding_error(
            syntax, "CannotConvertArgumentNoMessage", f"Cannot bind parameter '{parameter.name}'. {why}"
        ) from None


def fits(parameter: ParameterSyntax, value: object) -> bool:
    """Whether ``value`` already has the parameter's type, so that it binds without any conversion."""
    if isinstance(value, list | tuple):
        return parameter.is_array and all(_is_exactly(parameter.element_type, item) for item in value)
    return _is_exactly(parameter.element_type, value)


def convertible(syntax: CmdletSyntax, parameter: ParameterSyntax, value: object) -> bool:
    """Whether ``value`` can become the parameter's type."""
    try:
        coerce(syntax, parameter, value)
    except TerminatingError:
        return False
    return True


def is_secret(parameter_name: str, value: object) -> bool:
    """Whether an argument must never be written down."""
    lowered = parameter_name.lower()
    return (
        isinstance(value, SecureString | Credential)
        or "password" in lowered
        or "secret" in lowered
        or "credential" in lowered
    )


def _is_exactly(wanted: str, value: object) -> bool:
    if wanted in ("Object", "PSObject"):
        return True
    if wanted in _OBJECT_TYPES:
        return isinstance(value, SimObject) and _has_type(value, _OBJECT_TYPES[wanted])
    if isinstance(value, SimEnum):
        return value.type_name.rsplit(".", 1)[-1] == wanted
    expected: dict[str, type | tuple[type, ...]] = {
        "String": str,
        "StringCollection": str,
        "Boolean": bool,
        "SwitchParameter": bool,
        "DateTime": datetime,
        "TimeSpan": timedelta,
        "Hashtable": dict,
        "Guid": uuid.UUID,
        "PSCredential": Credential,
        "SecureString": SecureString,
    }
    if wanted in expected:
        return isinstance(value, expected[wanted])
    return wanted in INTEGERS and isinstance(value, int) and not isinstance(value, bool)


def _convert(value: object, parameter: ParameterSyntax) -> object:
    wanted = parameter.element_type
    if wanted in ("Object", "PSObject"):
        return value
    if isinstance(value, list | tuple):
        raise NotConvertible(
            f"Cannot convert 'System.Object[]' to the type 'System.{wanted}' required by parameter '{parameter.name}'."
        )
    if parameter.accepted_values and wanted != "String":
        return _enumeration(value, parameter)
    if wanted in INTEGERS:
        return to_integer(value, wanted)
    converter = CONVERTERS.get(wanted)
    if converter is not None:
        return converter(value)
    if wanted in _OBJECT_TYPES and not _is_exactly(wanted, value):
        raise no_conversion(value, _OBJECT_TYPES[wanted])
    return value


def _validated(syntax: CmdletSyntax, parameter: ParameterSyntax, value: object) -> object:
    """Apply ValidateSet: accepted values of a String parameter, compared without case and kept as the caller wrote them."""
    if parameter.element_type != "String" or not parameter.accepted_values:
        return value
    if str(value).lower() in {accepted.lower() for accepted in parameter.accepted_values}:
        return value
    accepted = ",".join(parameter.accepted_values)
    raise binder_errors.binding_error(
        syntax,
        "ParameterArgumentValidationError",
        f"Cannot validate argument on parameter '{parameter.name}'. The argument \"{value}\" does not belong to the set "
        f'"{accepted}" specified by the ValidateSet attribute. Supply an argument that is in the set and then try the command '
        "again.",
        category="InvalidData",
        validation=True,
    )


def _enumeration(value: object, parameter: ParameterSyntax) -> str:
    """Return the canonical name of an enumeration value given by name, unambiguous beginning or number."""
    wanted, accepted = parameter.element_type, parameter.accepted_values
    if isinstance(value, int) and not isinstance(value, bool):
        name = _ENUM_NUMBERS.get(wanted, {}).get(value) or _flags(wanted, value)
        if name is None:
            raise NotConvertible(
                f'Cannot convert value "{value}" to type "{wanted}" due to enumeration values that are not valid. Specify one of '
                f'the following enumeration values and try again. The possible enumeration values are "{",".join(accepted)}".'
            )
        return name
    text = str(value).strip().lower()
    if text.isdigit():
        return _enumeration(int(text), parameter)
    if wanted in _FLAGS and "," in text:
        parts = [part.strip() for part in text.split(",")]
        return ", ".join(dict.fromkeys(_enumeration(part, parameter) for part in parts))
    exact = [name for name in accepted if name.lower() == text]
    beginning = exact or [name for name in accepted if text and name.lower().startswith(text)]
    if len(beginning) == 1:
        return beginning[0]
    raise NotConvertible(
        f'Cannot convert value "{value}" to type "{wanted}". Error: "Unable to match the identifier name {value} to a valid '
        f'enumerator name. Specify one of the following enumerator names and try again:\r\n{", ".join(accepted)}"'
    )


def _flags(wanted: str, value: int) -> str | None:
    """Return the names of the flags that ``value`` is the sum of, or None where it is no such sum."""
    bits = {bit: name for bit, name in _ENUM_NUMBERS.get(wanted, {}).items() if bit} if wanted in _FLAGS else {}
    names = [name for bit, name in sorted(bits.items()) if bit & value]
    return ", ".join(names) if names and sum(bit for bit in bits if bit & value) == value else None


def _has_type(value: SimObject, wanted: str) -> bool:
    return any(
        name.lower().removeprefix("deserialized.").partition("#")[0] == wanted.lower() for name in value.type_names
    )
