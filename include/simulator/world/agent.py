"""The Windows Update Agent as a caller meets it: what a caller may do depends on how it logged on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import TYPE_CHECKING

from include.simulator.world.catalogue import UpdateSpec
from include.simulator.world.criteria import Criteria
from include.simulator.world.machines import Node
from include.simulator.world.updates import ANOTHER_INSTALL, Operation

if TYPE_CHECKING:
    from include.simulator.world.world import World

E_ACCESSDENIED = 0x80070005
#: wusa.exe ends with this in a remote session, by design.
WUSA_REFUSED = 5


class Logon(Enum):
    """How the caller came onto the machine."""

    NETWORK = "network"
    BATCH = "batch"
    VIRTUAL_ACCOUNT = "virtual account"
    SYSTEM = "system"


class AgentError(Exception):
    """The agent refused with ``hresult``."""

    def __init__(self, hresult: int) -> None:
        super().__init__(f"The Windows Update Agent answered 0x{hresult:08X}.")
        self.hresult = hresult


class UpdateAgent:
    """One caller's agent.

    A network logon may search and read; creating the downloader or the installer, and asking for a pending restart
    (ISystemInformation), are refused to it (win32, using-wua-from-a-remote-computer).
    """

    def __init__(self, world: World, node: Node, logon: Logon, orchestrator: str = "") -> None:
        self._world = world
        self._node = node
        self._logon = logon
        self._orchestrator = orchestrator

    def search(self, criteria: Criteria, *, recommended: bool = True) -> list[UpdateSpec]:
        """Return what the criteria find; open to every caller."""
        return self._world.updates.search(self._node, criteria, recommended=recommended)

    def download(self, updates: Sequence[UpdateSpec], then: Callable[[Operation], None] | None = None) -> Operation:
        """Begin to download; raises AgentError for a network logon."""
        self._local_only()
        return self._world.updates.start(self._node, "download", list(updates), self._orchestrator, then)

    def install(self, updates: Sequence[UpdateSpec], then: Callable[[Operation], None] | None = None) -> Operation:
        """Begin to install; raises AgentError for a network logon and while another installation runs."""
        self._local_only()
        if self._world.updates.installing(self._node) or self._world.servicing.busy(self._node):
            raise AgentError(ANOTHER_INSTALL)
        return self._world.updates.start(self._node, "install", list(updates), self._orchestrator, then)

    def commit(self) -> None:
        """Commit staged feature updates (SConfig: IUpdateInstaller4.Commit before the restart); refused to a network logon."""
        self._local_only()
        self._world.updates.commit(self._node)

    def restart_required(self) -> bool:
        """Tell whether a restart is pending (ISystemInformation.RebootRequired); raises AgentError for a network logon."""
        self._local_only()
        return self._node.pending_restart

    def _local_only(self) -> None:
        if self._logon is Logon.NETWORK:
            raise AgentError(E_ACCESSDENIED)
