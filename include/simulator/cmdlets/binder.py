"""Binds the arguments of a command to the vendor's parameters the way PowerShell's binder does, or fails the way it does."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from include.simulator.cmdlets import binder_errors
from include.simulator.cmdlets.binder_coercion import coerce, convertible, fits
from include.simulator.cmdlets.binder_common import COMMON_PARAMETERS, CommonParameters, read_common
from include.simulator.cmdlets.syntax import CmdletSyntax, ParameterSyntax
from include.simulator.host import Argument
from include.simulator.objects import TerminatingError


@dataclass(slots=True)
class Binding:
    """The outcome of binding: ``parameters`` by canonical name, switches that are off left out; ``sets`` still possible."""

    syntax: CmdletSyntax
    parameters: dict[str, object] = field(default_factory=dict)
    common: CommonParameters = field(default_factory=CommonParameters)
    sets: frozenset[str] = frozenset()
    bound: set[str] = field(default_factory=set)

    @property
    def parameter_set(self) -> str:
        """The set in force: the only one left, else the default one, else the first that remains."""
        default = self.syntax.default_set
        if len(self.sets) != 1 and default in self.sets:
            return str(default)
        return next(name for name in self.syntax.sets if name in self.sets)


#: Clients send the same few commands over and over: what bound well once binds the same way again.
_KNOWN: dict[tuple[object, ...], Binding] = {}
_MOST_KNOWN = 4096
_SIMPLE = frozenset({str, int, bool, type(None)})


def bind(syntax: CmdletSyntax, arguments: Sequence[Argument], *, expects_input: bool = False) -> Binding:
    """Bind ``arguments`` to ``syntax``; raises TerminatingError exactly where PowerShell would.

    ``expects_input`` says that another command stands before this one, so that mandatory parameters may still come
    from its output.
    """
    key = _key(syntax, arguments, expects_input)
    known = _KNOWN.get(key) if key is not None else None
    if known is None:
        known = _bind(syntax, arguments, expects_input)
        if key is None:
            return known
        if len(_KNOWN) >= _MOST_KNOWN:
            _KNOWN.clear()
        _KNOWN[key] = known
    parameters = {name: list(value) if isinstance(value, list) else value for name, value in known.parameters.items()}
    return Binding(syntax, parameters, known.common, known.sets, set(known.bound))


def _key(syntax: CmdletSyntax, arguments: Sequence[Argument], expects_input: bool) -> tuple[object, ...] | None:
    """Return what tells one binding from all others, or None for arguments that are not plain texts and numbers."""
    key: list[object] = [
        id(syntax),
        expects_input,
    ]  # a binding that is kept keeps its syntax, so that no id comes twice
    for argument in arguments:
        value = argument.value
        kind = type(value)
        if isinstance(value, list):
            value = tuple(value)
            if any(type(item) is not str for item in value):
                return None
        elif kind not in _SIMPLE:
            return None
        key += (argument.name, kind, value)
    return tuple(key)


def _bind(syntax: CmdletSyntax, arguments: Sequence[Argument], expects_input: bool) -> Binding:
    binding = Binding(syntax, sets=frozenset(syntax.sets))
    common: dict[str, object] = {}
    positional: list[object] = []
    for argument in arguments:
        if argument.name is None:
            positional.append(argument.value)
        else:
            _bind_named(binding, common, argument)
    binding.common = read_common(syntax, common)
    _bind_positions(binding, positional)
    _resolve_set(binding, expects_input)
    return binding


def missing_mandatory(binding: Binding, parameter_set: str) -> list[ParameterSyntax]:
    """Return the mandatory parameters of ``parameter_set`` that have no argument yet."""
    parameters = binding.syntax.parameters.values()
    return [each for each in parameters if parameter_set in each.required_in and each.name not in binding.bound]


def _bind_named(binding: Binding, common: dict[str, object], argument: Argument) -> None:
    syntax = binding.syntax
    parameter = _find_parameter(syntax, str(argument.name).removeprefix("-").removesuffix(":"))
    if parameter.name in binding.bound:
        raise binder_errors.parameter_repeated(syntax, parameter.name)
    binding.bound.add(parameter.name)
    value = argument.value
    if parameter.is_switch:
        value = True if value is None else coerce(syntax, parameter, value)
    elif value is None:
        if parameter.required_in:
            raise binder_errors.null_not_allowed(syntax, parameter.name)
        return
    else:
        value = coerce(syntax, parameter, value)
    if parameter.name in COMMON_PARAMETERS or parameter.name in ("WhatIf", "Confirm"):
        common[parameter.name] = value
        return
    _take(binding, parameter, value)


def _find_parameter(syntax: CmdletSyntax, name: str) -> ParameterSyntax:
    """Return the parameter that ``name`` (a name, an alias or the unambiguous beginning of one) means."""
    wanted = name.lower()
    own = list(syntax.parameters.values())
    everything = [*own, *(each for each in COMMON_PARAMETERS.values() if each.name not in syntax.parameters)]
    for parameter in everything:
        if wanted in (parameter.name.lower(), *(alias.lower() for alias in parameter.aliases)):
            return parameter
    matches = _beginning_with(everything, wanted)
    if len(matches) > 1:  # the cmdlet's own parameters go before the common ones
        matches = _beginning_with(own, wanted) or matches
    if not matches or not wanted:
        raise binder_errors.parameter_not_found(syntax, name)
    if len(matches) > 1:
        raise binder_errors.parameter_ambiguous(syntax, name, [match.name for match in matches])
    return matches[0]


def _beginning_with(parameters: Iterable[ParameterSyntax], wanted: str) -> list[ParameterSyntax]:
    return [each for each in parameters if any(text.lower().startswith(wanted) for text in (each.name, *each.aliases))]


def _take(binding: Binding, parameter: ParameterSyntax, value: object) -> None:
    sets = binding.sets & parameter.sets
    if not sets:
        raise binder_errors.set_ambiguous(binding.syntax)
    binding.sets = sets
    binding.bound.add(parameter.name)
    if value is not False or not parameter.is_switch:
        binding.parameters[parameter.name] = value


def _bind_positions(binding: Binding, values: list[object]) -> None:
    """Bind arguments without a name, position by position: the default set first, and without conversion before with it."""
    syntax = binding.syntax
    remaining = list(values)
    positions = sorted({each.position for each in syntax.parameters.values() if each.position is not None})
    for position in positions:
        if not remaining:
            return
        candidates = [
            each
            for each in syntax.parameters.values()
            if each.position == position and each.name not in binding.bound and each.sets & binding.sets
        ]
        if not candidates:
            continue
        value = remaining.pop(0)
        parameter = _best_for_position(binding, candidates, value)
        if value is None:
            raise binder_errors.null_not_allowed(syntax, parameter.name)
        _take(binding, parameter, coerce(syntax, parameter, value))
    if remaining:
        raise binder_errors.positional_not_found(syntax, remaining[0])


def _best_for_position(binding: Binding, candidates: list[ParameterSyntax], value: object) -> ParameterSyntax:
    default = binding.syntax.default_set
    in_default = [each for each in candidates if default in (each.sets & binding.sets)]
    for group in (in_default, candidates):
        for each in group:
            if fits(each, value):
                return each
    for group in (in_default, candidates):
        for each in group:
            if convertible(binding.syntax, each, value):
                return each
    return (in_default or candidates)[0]


def _resolve_set(binding: Binding, expects_input: bool) -> None:
    """Keep the parameter sets that can still be completed; none of them is an error."""
    syntax = binding.syntax
    complete = frozenset(name for name in binding.sets if not missing_mandatory(binding, name))
    if expects_input:
        possible = frozenset(
            name
            for name in binding.sets
            if all(each.by_value or each.by_property_name for each in missing_mandatory(binding, name))
        )
        if possible:
            binding.sets = possible
            return
    elif complete:
        binding.sets = complete
        if len(complete) > 1 and syntax.default_set not in complete and _differ(binding, complete):
            raise binder_errors.set_ambiguous(syntax)
        return
    raise _nothing_complete(binding)


def _differ(binding: Binding, sets: frozenset[str]) -> bool:
    """Whether the choice between ``sets`` matters: one of them has a mandatory parameter that only it knows."""
    required = {
        name: frozenset(each.name for each in binding.syntax.parameters.values() if name in each.required_in)
        for name in sets
    }
    return len(set(required.values())) > 1


def _nothing_complete(binding: Binding) -> TerminatingError:
    syntax = binding.syntax
    if syntax.default_set in binding.sets:
        names = missing_mandatory(binding, str(syntax.default_set))
    elif len(binding.sets) == 1:
        names = missing_mandatory(binding, next(iter(binding.sets)))
    else:
        return binder_errors.set_ambiguous(syntax)
    return binder_errors.mandatory_missing(syntax, [each.name for each in names])
