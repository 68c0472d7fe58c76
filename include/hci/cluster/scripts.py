"""The commands that an operator has put beside a run: CAU's scripts on the nodes, and functions of a monitoring endpoint."""

from __future__ import annotations

from datetime import timedelta

from include.hci.powershell.command import Command
from include.hci.powershell.errors import CommandNotAvailable
from include.hci.powershell.psobject import PSObject
from include.hci.powershell.result import Result
from include.hci.powershell.shell import Shell


def script_exists(shell: Shell, path: str) -> bool | None:
    """Return whether the session of ``shell`` finds the script at ``path``; None where its role does not let it look."""
    try:
        return shell.run(Command("Test-Path", {"LiteralPath": path})).require().output == (True,)
    except CommandNotAvailable:
        return None


def run_script(shell: Shell, path: str, timeout: timedelta) -> Result:
    """Run the script at ``path``, which is the name of the command: nothing of it is sent; raises what the shell raises."""
    return shell.run(Command(path, changes=True), timeout=timeout)


def command_exists(shell: Shell, name: str) -> bool | None:
    """Return whether the session of ``shell`` shows a command called ``name``; None where its role does not let it look."""
    try:
        found = shell.run(Command("Get-Command", {"Name": name}))
    except CommandNotAvailable:
        return None
    if any(error.error_id.lower() == "commandnotfoundexception" for error in found.errors):
        return False
    return bool(found.require().output)


def printed(result: Result) -> str:
    """Return what a command wrote, warnings and errors included, as lines of text."""
    lines = [item.text or "" if isinstance(item, PSObject) else str(item) for item in result.output]
    lines += [f"WARNING: {message.text}" for message in result.warnings]
    lines += [f"ERROR: {error.describe()}" for error in result.errors]
    return "\n".join(line for line in lines if line.strip())
