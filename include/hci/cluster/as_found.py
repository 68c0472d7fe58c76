"""What a run must leave on a server as it found it: CredSSP, start types, firewall groups, tasks, session configurations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from types import MappingProxyType

from include.hci.cluster.values import START_TYPES, enum_name
from include.hci.powershell.command import Command
from include.hci.powershell.errors import AnswerNotUnderstood, command_failed
from include.hci.powershell.psobject import PSObject
from include.hci.powershell.shell import Shell

#: The settings themselves, since Get-WSManCredSSP answers in sentences of the server's own language (about_WSMan_Provider).
CREDSSP_SETTINGS = (r"WSMan:\localhost\Service\Auth\CredSSP", r"WSMan:\localhost\Client\Auth\CredSSP")
#: Remote Shutdown and Windows Remote Management, by the resources that name them in every language
#: (windowsserverdocs, cluster-aware-updating-requirements).
FIREWALL_GROUPS = ("@firewallapi.dll,-36751", "@FirewallAPI.dll,-30267")
#: Services that updating tools are known to stop or to disable; Hyper-V's need not be there.
SERVICES = ("ClusSvc", "vmms", "WinRM", "wuauserv")
#: Every scheduled task that this program registers is called so, with the id of its run.
OUR_TASKS = "HciUpdate-*"
#: No server may keep a run from ending: it answers in this time or it is not proven.
TIMEOUT = timedelta(minutes=1)

_ENABLED = MappingProxyType({1: "True", 2: "False"})


def get_credssp(shell: Shell) -> tuple[bool, bool]:
    """Return whether CredSSP is on for the server role and for the client role."""
    found = _objects(shell, Command("Get-Item", {"LiteralPath": list(CREDSSP_SETTINGS)}))
    if len(found) != len(CREDSSP_SETTINGS):
        raise AnswerNotUnderstood(f"{len(found)} settings of CredSSP were answered where two belong")
    server, client = (item.string("Value").strip().lower() == "true" for item in found)
    return server, client


def get_start_types(shell: Shell, names: Sequence[str] = SERVICES) -> dict[str, str]:
    """Return the start types of those services that the server has (Get-Service)."""
    services = _found(shell, Command("Get-Service", {"Name": list(names)}))
    return {item.string("Name"): enum_name(item, "StartType", START_TYPES) for item in services}


def get_firewall_groups(shell: Shell, groups: Sequence[str] = FIREWALL_GROUPS) -> dict[str, bool]:
    """Return by display group whether all of its rules are enabled in the server's own store (Get-NetFirewallRule)."""
    found: dict[str, bool] = {}
    for item in _found(shell, Command("Get-NetFirewallRule", {"Group": list(groups)})):
        name = item.string("DisplayGroup", "") or item.string("Group")
        found[name] = found.get(name, True) and enum_name(item, "Enabled", _ENABLED) == "True"
    return found


def get_our_tasks(shell: Shell) -> tuple[str, ...]:
    """Return the scheduled tasks that this program has registered; a name with a wildcard that nothing has is no error."""
    tasks = _objects(shell, Command("Get-ScheduledTask", {"TaskName": OUR_TASKS}))
    return tuple(sorted(item.string("TaskName") for item in tasks))


def get_session_configurations(shell: Shell) -> tuple[str, ...]:
    """Return the names of PowerShell's session configurations (Get-PSSessionConfiguration)."""
    return tuple(sorted(item.string("Name") for item in _objects(shell, Command("Get-PSSessionConfiguration"))))


def count_installed_updates(shell: Shell) -> int:
    """Return how many updates Windows names as installed (Win32_QuickFixEngineering)."""
    return len(_objects(shell, Command("Get-CimInstance", {"ClassName": "Win32_QuickFixEngineering"})))


def _objects(shell: Shell, command: Command) -> tuple[PSObject, ...]:
    return shell.run(command, timeout=TIMEOUT).require().objects()


def _found(shell: Shell, command: Command) -> tuple[PSObject, ...]:
    """Return the objects of ``command``; that one of those it names is not there is no error."""
    result = shell.run(command, timeout=TIMEOUT)
    if others := [record for record in result.errors if record.category != "ObjectNotFound"]:
        raise command_failed(others, node=result.node, command=result.command)
    return result.objects()
