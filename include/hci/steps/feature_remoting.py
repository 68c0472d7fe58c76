"""Remote management on one node, as CAU needs it: WinRM, PowerShell remoting, and the firewall rules for remote restarts.

The steps of the vendor's own text (azure-stack-docs, update-cluster), each only where a reading says that it is lacking.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from include.hci.cluster.facade import Cluster
from include.hci.cluster.firewall import (
    REMOTE_MANAGEMENT,
    REMOTE_SHUTDOWN,
    FirewallRule,
    get_firewall_rules,
    is_open,
    open_remote_shutdown,
    show_rules,
)
from include.hci.cluster.remoting import (
    WINRM,
    RemoteManagement,
    enable_ps_remoting,
    get_remote_management,
    set_wsman_quick_config,
)
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.base import NodeStep
from include.hci.steps.cau_run_actions import FIREWALL_RULES
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Action, Decision, Done, Scene, Stop

QUICK_CONFIG, PS_REMOTING = "Set-WSManQuickConfig", "Enable-PSRemoting"
#: How often a command is given that leaves no trace: once more in case it never arrived.
_TRIES = 2


@dataclass(frozen=True, slots=True)
class RemotingFacts:
    """How remote management stands on the node: WinRM and PowerShell, its own firewall rules, those for remote restarts."""

    management: RemoteManagement
    own_rules: tuple[FirewallRule, ...]
    shutdown_rules: tuple[FirewallRule, ...]

    @property
    def of_winrm(self) -> tuple[str, ...]:
        """What Set-WSManQuickConfig would mend."""
        service = self.management.service
        found = []
        if not self.management.starts_by_itself:
            found.append(f"the service {WINRM} is {service.status} and starts {service.start_type}")
        if not self.management.listens:
            found.append("WinRM does not answer on the node itself (Test-WSMan)")
        # One is enough: versions of Windows have others beside it that stay disabled.
        if not any(rule.enabled and rule.is_for_domain for rule in self.own_rules):
            found.append("no firewall rule of WinRM is enabled in the domain")
        return tuple(found)

    @property
    def of_powershell(self) -> tuple[str, ...]:
        """What Enable-PSRemoting would mend."""
        return () if self.management.lets_in else ("PowerShell lets no remote user in",)

    @property
    def of_firewall(self) -> tuple[str, ...]:
        """What keeps the node from being restarted by another machine."""
        if not self.shutdown_rules:
            return ("it has no firewall rules of the group Remote Shutdown",)
        return () if is_open(self.shutdown_rules) else (f"{FIREWALL_RULES} are not enabled in the domain",)

    @property
    def lacking(self) -> tuple[str, ...]:
        """Everything that CAU would miss."""
        return (*self.of_winrm, *self.of_powershell, *self.of_firewall)


class Remoting(NodeStep[RemotingFacts]):
    """Ends 'ready' once nothing is lacking."""

    name: ev.StepName = "remoting"

    def __init__(self, context: StepContext, node: str) -> None:
        super().__init__(context, node)
        self._given: dict[str, int] = {}

    def observe(self, cluster: Cluster) -> RemotingFacts:
        """Read the node."""
        shell = cluster.on(self.node)
        return RemotingFacts(
            get_remote_management(shell),
            get_firewall_rules(shell, REMOTE_MANAGEMENT),
            get_firewall_rules(shell, REMOTE_SHUTDOWN),
        )

    def decide(self, facts: RemotingFacts, now: datetime) -> Decision:
        """Set up what is lacking, one thing after the other; what was set up and is lacking still is for a person."""
        for lacking, action in self._steps(facts):
            if not lacking:
                continue
            command = action.describe()
            if self._given.get(command, 0) >= _TRIES or (lacking == facts.of_firewall and not facts.shutdown_rules):
                return Stop(_stays_lacking(self.node, lacking, command))
            return Act(_Counted(action, self._given), "; ".join(lacking))
        made = self._made()
        if not made:
            return Done("ready", "remote management is set up, and another machine may restart the node")
        return Done("ready", f"remote management is set up now ({', '.join(made)}; {_STAYS})", {"set_up": list(made)})

    def events(self, facts: RemotingFacts, decision: Decision) -> tuple[ev.RunEvent, ...]:
        """Put on record how it stands."""
        if not isinstance(decision, Done | Stop):
            return ()
        return (ev.RemotingRead(node=self.node, lacking=facts.lacking, set_up=self._made()),)

    def may_cancel(self, facts: RemotingFacts, decision: Decision) -> bool:
        """Nothing is half done, and the firewall is put back at the end of the run."""
        return True

    def _steps(self, facts: RemotingFacts) -> tuple[tuple[tuple[str, ...], Action], ...]:
        start = facts.management.service.start_type
        return (
            (facts.of_winrm, SetUpRemoting(self.node, QUICK_CONFIG, facts.of_winrm, start)),
            (facts.of_powershell, SetUpRemoting(self.node, PS_REMOTING, facts.of_powershell, start)),
            (facts.of_firewall, OpenRemoteShutdown(self.node, show_rules(facts.shutdown_rules))),
        )

    def _made(self) -> tuple[str, ...]:
        given = self.context.record.all_of(ev.RemotingSettingUp, self.node)
        return tuple(dict.fromkeys(entry.event.command for entry in given))


_STAYS = (
    "listener, firewall rules of WinRM and session configurations stay as they are now: CAU needs them at every run"
)


@dataclass(frozen=True, slots=True)
class SetUpRemoting:
    """Give ``command`` on ``node``; ``start`` is how WinRM starts there now."""

    node: str
    command: str
    lacking: tuple[str, ...]
    start: str

    def describe(self) -> str:
        """Return the command."""
        return f"{self.command} -Force on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Give it; the session that it is given in may end with it, and only a reading tells what came of it."""
        intent = ev.RemotingSettingUp(node=self.node, command=self.command, lacking=self.lacking)
        scene.record.add(intent, scene.clock())
        standing = scene.record.facts.open_changes("service-start-type")
        known = any(each.node.lower() == self.node.lower() and each.subject == WINRM for each in standing)
        if self.start != "Automatic" and not known:
            change = ev.Changing(
                step="remoting",
                node=self.node,
                change="service-start-type",
                subject=WINRM,
                before=self.start,
                after="Automatic",
            )
            scene.record.add(change, scene.clock())
        shell = scene.cluster.on(self.node)
        if self.command == QUICK_CONFIG:
            set_wsman_quick_config(shell)
        else:
            enable_ps_remoting(shell)


@dataclass(frozen=True, slots=True)
class OpenRemoteShutdown:
    """Let other machines of the domain restart ``node``; ``before`` shows its rules as they were found."""

    node: str
    before: str

    def describe(self) -> str:
        """Return the command."""
        return f"Set-NetFirewallRule -Profile Domain -Enabled True for {FIREWALL_RULES} on {self.node}"

    def perform(self, scene: Scene) -> None:
        """Enable them; the end of the run puts them back."""
        standing = scene.record.facts.open_changes("firewall-group")
        if not any(change.node.lower() == self.node.lower() for change in standing):
            change = ev.Changing(
                step="remoting",
                node=self.node,
                change="firewall-group",
                subject=FIREWALL_RULES,
                before=self.before,
                after="enabled/Domain",
            )
            scene.record.add(change, scene.clock())
        open_remote_shutdown(scene.cluster.on(self.node))


@dataclass(frozen=True, slots=True)
class _Counted:
    """Counts how often ``action`` was done."""

    action: Action
    given: dict[str, int]

    def describe(self) -> str:
        """Return what the action says."""
        return self.action.describe()

    def perform(self, scene: Scene) -> None:
        """Count and do it."""
        self.given[self.describe()] = self.given.get(self.describe(), 0) + 1
        self.action.perform(scene)


def _stays_lacking(node: str, lacking: tuple[str, ...], command: str) -> Problem:
    return Problem(
        title=f"Remote management of {node} is not as CAU needs it: {'; '.join(lacking)}.",
        meaning=f"'{command}' does not change that; a group policy may say otherwise. Nothing was installed.",
        next_action=f"Look at {node} (Get-NetFirewallRule -PolicyStore ActiveStore, gpresult) and mend it, then clear this task.",
        retry_is_safe=True,
    )
