"""Which management products have an agent on a node: System Center Virtual Machine Manager, and software defined networking."""

from __future__ import annotations

from dataclasses import dataclass

from include.hci.cluster.values import SERVICE_STATES, enum_name
from include.hci.powershell.command import Command
from include.hci.powershell.errors import CommandFailed, command_failed
from include.hci.powershell.shell import Shell
from include.hci.powershell.values import SWITCH

#: The agents' services: of Virtual Machine Manager, and of the network controller, which every HCI server has and few run.
VMM, NETWORK_CONTROLLER = "SCVMMAgent", "NcHostAgent"
#: The program that the service of Virtual Machine Manager runs.
_PROGRAM = "vmmAgent"


@dataclass(frozen=True, slots=True)
class Agents:
    """The agents on one node.

    ``vmm`` is the state of Virtual Machine Manager's service, empty where there is none, and ``vmm_version`` the version of its
    program, empty where that does not run or tells none. ``networking``: the network controller's agent runs.
    """

    vmm: str = ""
    vmm_version: str = ""
    networking: bool = False


def get_agents(shell: Shell) -> Agents:
    """Return the agents on the node that ``shell`` talks to; a service that is not there is no error (Get-Service)."""
    result = shell.run(Command("Get-Service", {"Name": [VMM, NETWORK_CONTROLLER]}))
    if others := [record for record in result.errors if record.category != "ObjectNotFound"]:
        raise command_failed(others, node=result.node, command=result.command)
    states = {item.string("Name").lower(): enum_name(item, "Status", SERVICE_STATES) for item in result.objects()}
    vmm = states.get(VMM.lower(), "")
    version = _program_version(shell) if vmm == "Running" else ""
    return Agents(vmm, version, states.get(NETWORK_CONTROLLER.lower()) == "Running")


def _program_version(shell: Shell) -> str:
    """Return the file version of the agent's program (Get-Process -FileVersionInfo), empty where it cannot be had."""
    command = Command("Get-Process", {"Name": [_PROGRAM], "FileVersionInfo": SWITCH})
    try:
        found = shell.run(command).require().objects()
    except CommandFailed:
        return ""
    return next((text for item in found if (text := item.string("FileVersion", "") or "")), "")
