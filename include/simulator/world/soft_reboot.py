"""Kernel soft reboot: whether CAU may restart a node without its firmware (azure-stack-docs, kernel-soft-reboot)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.simulator.world.machines import Node

if TYPE_CHECKING:
    from include.simulator.world.world import World

PARAMETER = "CauEnableSoftReboot"
OPT_OUT_KEY = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\ClusterAwareUpdating"
OPT_OUT = "CauBypassSoftBootOnNode"


def status(world: World, node: Node, *, attempt: bool = False) -> str:
    """Return SoftBootStatus of ``node``: Enabled, NotEnabled, NotInstalled or Bypassed; ``attempt``: this one run asks for it.

    Azure Stack HCI has it from 21H2 on. The cluster's parameter enables it with the value 1 and no other.
    """
    if not node.os.edition_id.startswith("ServerAzureStackHCI") or node.build < 20348:
        return "NotInstalled"
    if str(world.registry.value(node, OPT_OUT_KEY, OPT_OUT)).lower() == "true":
        return "Bypassed"
    enabled = attempt or str(world.cluster_parameters.get(PARAMETER)) == "1"
    return "Enabled" if enabled else "NotEnabled"
