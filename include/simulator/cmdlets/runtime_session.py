"""Session configurations: which commands a remote session sees, and whether it may send scripts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from include.simulator.cmdlets import registry
from include.simulator.cmdlets.syntax import SyntaxTable
from include.simulator.host_interaction import CommandDescription, ParameterDescription
from include.simulator.objects import SimError, TerminatingError

#: What a RestrictedRemoteServer session shows before any role adds to it (PowerShell-Docs, jea/session-configurations).
RESTRICTED_REMOTE_SERVER = frozenset(
    {
        "clear-host",
        "exit-pssession",
        "get-command",
        "get-formatdata",
        "get-help",
        "measure-object",
        "out-default",
        "select-object",
    }
)
DEFAULT_CONFIGURATION = "microsoft.powershell"


@dataclass(frozen=True, slots=True)
class SessionConfiguration:
    """One registered endpoint; ``visible`` holds lower-case command names, None shows everything."""

    name: str
    language_mode: str = "FullLanguage"
    visible: frozenset[str] | None = None

    def shows(self, command: str) -> bool:
        """Whether a session of this configuration can see ``command``."""
        return self.visible is None or command.rpartition("\\")[2].lower() in self.visible

    def refuse_script(self, script: str) -> TerminatingError:
        """Return the error that a script ends with here.

        A no-language session refuses as Windows does. Elsewhere Windows would run the script; the simulator has no engine and
        says so.
        """
        if self.language_mode == "FullLanguage":
            return TerminatingError(
                SimError(
                    message="This simulated machine has no PowerShell engine and runs no scripts. Send the same work as "
                    "structured commands (one command with parameters, or several in a pipeline).",
                    fully_qualified_error_id="ScriptsNotSimulated",
                    category="NotImplemented",
                    exception_types=("System.NotImplementedException", "System.SystemException", "System.Exception"),
                    reason="NotImplementedException",
                    target=script,
                    target_type="String",
                )
            )
        return TerminatingError(
            SimError(
                message="The syntax is not supported by this runspace. This can occur if the runspace is in no-language mode.",
                fully_qualified_error_id="ScriptsNotAllowed",
                category="ParserError",
                exception_types=(
                    "System.Management.Automation.ParseException",
                    "System.Management.Automation.RuntimeException",
                    "System.SystemException",
                    "System.Exception",
                ),
                reason="ParseException",
                target=script,
                target_type="String",
            )
        )


def jea(name: str, commands: Iterable[str]) -> SessionConfiguration:
    """Return a no-language endpoint called ``name`` that shows ``commands`` beside the restricted defaults."""
    return SessionConfiguration(
        name, "NoLanguage", RESTRICTED_REMOTE_SERVER | {command.lower() for command in commands}
    )


def full_language(name: str = DEFAULT_CONFIGURATION) -> SessionConfiguration:
    """Return an endpoint that shows every command."""
    return SessionConfiguration(name)


#: .NET names of the parameter types that the vendor's syntax writes short.
_TYPE_NAMES = {
    "SwitchParameter": "System.Management.Automation.SwitchParameter",
    "PSCredential": "System.Management.Automation.PSCredential",
    "CimSession": "Microsoft.Management.Infrastructure.CimSession",
    "CimInstance": "Microsoft.Management.Infrastructure.CimInstance",
    "StringCollection": "System.Collections.Specialized.StringCollection",
}


def describe_commands(configuration: SessionConfiguration, table: SyntaxTable) -> list[CommandDescription]:
    """Return the commands that a session of ``configuration`` shows; restricted sessions have proxies of some, functions."""
    described = []
    for name in registry.names():
        syntax = table.find(name)
        if syntax is None or not configuration.shows(name):
            continue
        proxy = configuration.visible is not None and name.lower() in RESTRICTED_REMOTE_SERVER
        parameters = tuple(
            ParameterDescription(each.name, _type_name(each.type), each.aliases, each.is_switch)
            for each in syntax.parameters.values()
        )
        described.append(CommandDescription(syntax.name, syntax.module, "Function" if proxy else "Cmdlet", parameters))
    return described


def _type_name(short: str) -> str:
    bare = short.removesuffix("[]")
    full = bare if "." in bare else _TYPE_NAMES.get(bare, f"System.{bare}")
    return full + short[len(bare) :]
