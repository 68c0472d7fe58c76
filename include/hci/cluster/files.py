"""Small text files on one server, one function per cmdlet (PowerShell-Docs, Microsoft.PowerShell.Management).

Paths are literal and contents are parameter values: neither is ever read as PowerShell.
"""

from __future__ import annotations

from include.hci.powershell.command import Command
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH

_ENCODING = "UTF8"


def path_exists(shell: Shell, path: str) -> bool:
    """Return whether there is a file or folder at ``path``."""
    return shell.run(Command("Test-Path", {"LiteralPath": path})).require().output == (True,)


def new_folder(shell: Shell, path: str) -> None:
    """Create a folder; raises CommandFailed when there is something at ``path``."""
    shell.run(Command("New-Item", {"Path": path, "ItemType": "Directory"})).require()


def write_text(shell: Shell, path: str, text: str) -> None:
    """Write ``text`` into a file of its own."""
    shell.run(Command("Set-Content", {"LiteralPath": path, "Value": text, "Encoding": _ENCODING})).require()


def read_text(shell: Shell, path: str) -> str | None:
    """Return the content of a file, or None where there is no such file."""
    try:
        found = shell.run(Command("Get-Content", {"LiteralPath": path, "Raw": SWITCH, "Encoding": _ENCODING})).require()
    except CommandFailed as error:
        if error.has_error_id("PathNotFound"):
            return None
        raise
    return "".join(map(str, found.output))


def remove_folder(shell: Shell, path: str) -> bool:
    """Remove a folder with what is in it, where it is there; return whether it is gone, as a last look tells."""
    if path_exists(shell, path):
        shell.run(
            Command("Remove-Item", {"LiteralPath": path, "Recurse": SWITCH, "Force": SWITCH, "Confirm": False})
        ).require()
    return not path_exists(shell, path)
