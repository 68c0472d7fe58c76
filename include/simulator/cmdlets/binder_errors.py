"""The errors of PowerShell's parameter binder, with their true ids, categories, exception types and wording."""

from __future__ import annotations

from collections.abc import Sequence

from include.simulator.cmdlets.syntax import CmdletSyntax
from include.simulator.objects import SimError, TerminatingError

_BINDING = (
    "System.Management.Automation.ParameterBindingException",
    "System.Management.Automation.RuntimeException",
    "System.SystemException",
    "System.Exception",
)
_VALIDATION = ("System.Management.Automation.ParameterBindingValidationException", *_BINDING)
_NOT_FOUND = ("System.Management.Automation.CommandNotFoundException", *_BINDING[1:])

#: Modules whose commands are functions; their error ids carry the function's name instead of a class.
_FUNCTION_MODULES = frozenset({"storage", "netsecurity", "scheduledtasks", "bitlocker"})
_NAMESPACES = {
    "failoverclusters": "Microsoft.FailoverClusters.PowerShell",
    "cimcmdlets": "Microsoft.Management.Infrastructure.CimCmdlets",
    "clusterawareupdating": "Microsoft.ClusterAwareUpdating.Commands",
    "microsoft.wsman.management": "Microsoft.WSMan.Management",
}
#: Classes that are not named after their cmdlet.
_CLASSES = {
    "get-clusternode": "GetNodeCommand",
    "get-clusterresource": "GetResourceCommand",
    "get-ciminstance": "GetCimInstanceCommand",
}


def command_class(syntax: CmdletSyntax) -> str:
    """Return what stands behind the comma of a FullyQualifiedErrorId: the cmdlet's class, or a function's own name."""
    module = syntax.module.lower()
    if not module or module in _FUNCTION_MODULES:
        return syntax.name
    verb, _, noun = syntax.name.partition("-")
    if module == "hyper-v":
        return f"Microsoft.HyperV.PowerShell.Commands.{verb}{noun}"
    name = _CLASSES.get(syntax.name.lower(), f"{verb}{noun}Command")
    return f"{_NAMESPACES.get(module, 'Microsoft.PowerShell.Commands')}.{name}"


def binding_error(
    syntax: CmdletSyntax,
    error_id: str,
    message: str,
    *,
    category: str = "InvalidArgument",
    validation: bool = False,
) -> TerminatingError:
    """Return an error of the binder for ``syntax``; ``validation`` marks an argument that fits the type but is not allowed."""
    return TerminatingError(
        SimError(
            message=message,
            fully_qualified_error_id=f"{error_id},{command_class(syntax)}",
            category=category,
            exception_types=_VALIDATION if validation else _BINDING,
            reason="ParameterBindingValidationException" if validation else "ParameterBindingException",
            activity=syntax.name,
        )
    )


def parameter_not_found(syntax: CmdletSyntax, name: str) -> TerminatingError:
    """Return the error for a parameter that the cmdlet does not have in this version of Windows."""
    return binding_error(
        syntax, "NamedParameterNotFound", f"A parameter cannot be found that matches parameter name '{name}'."
    )


def parameter_ambiguous(syntax: CmdletSyntax, name: str, matches: Sequence[str]) -> TerminatingError:
    """Return the error for an abbreviated name that fits several parameters."""
    possible = " ".join(f"-{match}" for match in matches)
    return binding_error(
        syntax,
        "AmbiguousParameter",
        f"Parameter cannot be processed because the parameter name '{name}' is ambiguous. Possible matches include: {possible}.",
    )


def parameter_repeated(syntax: CmdletSyntax, name: str) -> TerminatingError:
    """Return the error for a parameter that is given twice."""
    return binding_error(
        syntax,
        "ParameterAlreadyBound",
        f"Cannot bind parameter because parameter '{name}' is specified more than once. To provide multiple values to parameters "
        'that can accept multiple values, use the array syntax. For example, "-parameter value1,value2,value3".',
    )


def positional_not_found(syntax: CmdletSyntax, value: object) -> TerminatingError:
    """Return the error for an argument without a name for which no position is left."""
    return binding_error(
        syntax,
        "PositionalParameterNotFound",
        f"A positional parameter cannot be found that accepts argument '{value}'.",
    )


def mandatory_missing(syntax: CmdletSyntax, names: Sequence[str]) -> TerminatingError:
    """Return the error that a session without a person to ask ends with."""
    listed = " ".join(names)
    return binding_error(
        syntax,
        "MissingMandatoryParameter",
        f"Cannot process command because of one or more missing mandatory parameters: {listed}.",
    )


def set_ambiguous(syntax: CmdletSyntax) -> TerminatingError:
    """Return the error for parameters that fit no parameter set, or several."""
    return binding_error(
        syntax, "AmbiguousParameterSet", "Parameter set cannot be resolved using the specified named parameters."
    )


def null_not_allowed(syntax: CmdletSyntax, name: str) -> TerminatingError:
    """Return the error for a mandatory parameter whose argument is null."""
    return binding_error(
        syntax,
        "ParameterArgumentValidationErrorNullNotAllowed",
        f"Cannot bind argument to parameter '{name}' because it is null.",
        category="InvalidData",
        validation=True,
    )


def input_not_bound(syntax: CmdletSyntax) -> SimError:
    """Return the non-terminating error for a piped object that no parameter takes."""
    return binding_error(
        syntax,
        "InputObjectNotBound",
        "The input object cannot be bound to any parameters for the command either because the command does not take pipeline "
        "input or the input and its properties do not match any of the parameters that take pipeline input.",
    ).record


def input_incomplete(syntax: CmdletSyntax, names: Sequence[str]) -> SimError:
    """Return the non-terminating error for a piped object that leaves mandatory parameters open."""
    return binding_error(
        syntax,
        "InputObjectMissingMandatory",
        "The input object cannot be bound because it did not contain the information required to bind all mandatory parameters:  "
        + " ".join(names),
    ).record


def command_not_found(name: str) -> TerminatingError:
    """Return the error for a command that does not exist or is not visible in this session."""
    return TerminatingError(
        SimError(
            message=f"The term '{name}' is not recognized as the name of a cmdlet, function, script file, or operable program. "
            "Check the spelling of the name, or if a path was included, verify that the path is correct and try again.",
            fully_qualified_error_id="CommandNotFoundException",
            category="ObjectNotFound",
            exception_types=_NOT_FOUND,
            reason="CommandNotFoundException",
            target=name,
            target_type="String",
            hresult=-2146233087,
            properties={"CommandName": name},
        )
    )
