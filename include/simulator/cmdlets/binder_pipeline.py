"""Binds the objects that come down a pipeline, one at a time, after the arguments have been bound."""

from __future__ import annotations

from collections.abc import Mapping

from include.simulator.cmdlets import binder_errors
from include.simulator.cmdlets.binder import Binding, missing_mandatory
from include.simulator.cmdlets.binder_coercion import coerce, convertible, fits
from include.simulator.cmdlets.syntax import ParameterSyntax
from include.simulator.objects import SimError, SimObject

_MISSING = object()


def bind_object(binding: Binding, value: object) -> Mapping[str, object] | SimError:
    """Return the parameters that ``value`` fills, or the non-terminating error when it fits none.

    By value goes before by property name, and no conversion before conversion; each time the default parameter set goes first.
    """
    syntax = binding.syntax
    trial = Binding(syntax, sets=binding.sets, bound=set(binding.bound))
    found: dict[str, object] = {}
    for by_value, converting in ((True, False), (False, False), (True, True), (False, True)):
        _one_pass(trial, value, found, by_value=by_value, converting=converting)
    if not found:
        takes_nothing_more = not any((each.by_value or each.by_property_name) for each in _open(trial))
        already_complete = any(not missing_mandatory(trial, name) for name in trial.sets)
        if takes_nothing_more and already_complete and syntax.takes_pipeline_input:
            return {}
        return binder_errors.input_not_bound(syntax)
    complete = [name for name in trial.sets if not missing_mandatory(trial, name)]
    if not complete:
        name = trial.parameter_set
        return binder_errors.input_incomplete(syntax, [each.name for each in missing_mandatory(trial, name)])
    return found


def _one_pass(trial: Binding, value: object, found: dict[str, object], *, by_value: bool, converting: bool) -> None:
    default = trial.syntax.default_set
    groups = [[each for each in _open(trial) if default in each.sets]] if default in trial.sets else []
    groups.append(_open(trial))
    for group in groups:
        hit = False
        for parameter in group:
            if parameter.name in trial.bound or not parameter.sets & trial.sets:
                continue
            if not (parameter.by_value if by_value else parameter.by_property_name):
                continue
            candidate = value if by_value else _property(value, parameter)
            if candidate is _MISSING or not _acceptable(trial, parameter, candidate, converting):
                continue
            found[parameter.name] = coerce(trial.syntax, parameter, candidate)
            trial.bound.add(parameter.name)
            trial.sets &= parameter.sets
            hit = True
        if hit:
            return


def _open(trial: Binding) -> list[ParameterSyntax]:
    parameters = trial.syntax.parameters.values()
    return [each for each in parameters if each.name not in trial.bound and each.sets & trial.sets]


def _acceptable(trial: Binding, parameter: ParameterSyntax, candidate: object, converting: bool) -> bool:
    if candidate is None:
        return False
    if not _class_fits(trial.syntax.module, parameter, candidate):
        return False
    if converting:
        return convertible(trial.syntax, parameter, candidate)
    return fits(parameter, candidate)


def _class_fits(module: str, parameter: ParameterSyntax, candidate: object) -> bool:
    """Whether a CIM object is of the class that the parameter is named after.

    The Storage cmdlets declare the class of each parameter (StoragePool takes MSFT_StoragePool); the documentation only says
    CimInstance.
    """
    if module != "Storage" or parameter.element_type != "CimInstance" or parameter.name == "InputObject":
        return True
    if not isinstance(candidate, SimObject):
        return False
    wanted = parameter.name.lower()
    return any(name.lower().endswith(f"msft_{wanted}") for name in candidate.type_names)


def _property(value: object, parameter: ParameterSyntax) -> object:
    if not isinstance(value, SimObject):
        return _MISSING
    for name in (parameter.name, *parameter.aliases):
        for members in (value.properties, value.notes):
            for key, member in members.items():
                if key.lower() == name.lower():
                    return member
    return _MISSING
