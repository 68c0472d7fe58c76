"""CredSSP on the machine that is to coordinate a run: whether it accepts delegated credentials, and switching that.

This program is its own CredSSP client, so that the client role of a machine does not matter to it: what has to be on is the
server role of the machine whose session is to log on to others (PowerShell-Docs, Enable-WSManCredSSP). The role is read from
the WSMan drive (``as_found.get_credssp``), because Get-WSManCredSSP answers in sentences of the machine's own language.
"""

from __future__ import annotations

from include.hci.powershell.command import Command
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH


def enable_credssp_server(shell: Shell) -> None:
    """Let the machine accept delegated credentials; raises CommandFailed where a group policy stands against it."""
    shell.run(Command("Enable-WSManCredSSP", {"Role": "Server", "Force": SWITCH})).require()


def disable_credssp_server(shell: Shell) -> None:
    """Let the machine accept no delegated credentials any more; sessions that are open stay."""
    shell.run(Command("Disable-WSManCredSSP", {"Role": "Server"})).require()
