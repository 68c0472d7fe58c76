"""Changing a Windows service of one server: when it starts, and starting it."""

from __future__ import annotations

from datetime import timedelta

from include.hci.powershell.command import Command
from include.hci.powershell.shell import Shell

CLUSTER_SERVICE = "ClusSvc"
#: What installs and cleans up on a server (Windows Modules Installer); while it runs, servicing is at work.
SERVICING = "TrustedInstaller"


def set_start_type(shell: Shell, service: str, start_type: str) -> None:
    """Change when ``service`` starts; whether it runs stays as it is (Set-Service)."""
    shell.run(Command("Set-Service", {"Name": service, "StartupType": start_type})).require()


def start_service(shell: Shell, service: str) -> None:
    """Start ``service`` and wait until it runs (Start-Service)."""
    shell.run(Command("Start-Service", {"Name": service}), timeout=timedelta(minutes=10)).require()
