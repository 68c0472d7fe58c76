"""What a run left behind: what its end named, and every change of which nobody noted that it was taken back."""

from __future__ import annotations

from collections.abc import Sequence

from include.hci.cluster.cluster_power import show_starting
from include.hci.powershell.quoting import quoted
from include.hci.report import events as ev
from include.hci.report.facts import Change, RunFacts
from include.hci.report.model_parts import LeftReport
from include.hci.report.record import Entry

_WHY = "The record does not say that this was taken back. Read the cluster before you change anything."
_LOCK = ("run lock", "update lock", "MSFT_CAURun")


def left_behind(entries: Sequence[Entry], facts: RunFacts, *, over: bool) -> tuple[LeftReport, ...]:
    """Return what was noted as left, and, after the end, every change of which nobody noted that it was taken back.

    A run that was made safe after its end has been concluded twice: what its first end had left was read again by the second.
    """
    ends = [position for position, entry in enumerate(entries) if isinstance(entry.event, ev.Concluded)]
    noted = [
        LeftReport(entry.event.what, entry.event.why, entry.event.command, entry.node)
        for entry in entries[ends[-2] if len(ends) > 1 else 0 :]
        if isinstance(entry.event, ev.Left)
    ]
    if over:

        def unsaid(node: str | None, *words: str) -> bool:
            said = (f"{left.what} {left.command or ''}" for left in noted if left.node == node)
            return not any(word in text for text in said for word in words)

        noted += [
            LeftReport(
                f"{node} may still be in storage maintenance mode.",
                _WHY,
                "Get-StorageFaultDomain -Type StorageScaleUnit | Where-Object -Property FriendlyName -EQ -Value "
                f"{node} | Disable-StorageMaintenanceMode",
                node,
            )
            for node in facts.in_maintenance
            if unsaid(node, "maintenance mode", "StorageMaintenanceMode")
        ]
        noted += [
            LeftReport(
                f"{node} may still be paused by this run.",
                _WHY,
                f"Resume-ClusterNode -Name {node} -Failback Immediate",
                node,
            )
            for node in facts.paused
            if unsaid(node, "paused", "Resume-ClusterNode")
        ]
        noted += [
            LeftReport(*_words(change), node=change.node or None)
            for change in facts.changes
            if unsaid(change.node or None, change.subject)
        ]
        locked = [node for node in facts.lock_nodes if unsaid(node, *_LOCK)]
        if locked and unsaid(None, *_LOCK):
            nodes = ", ".join(locked)
            noted.append(
                LeftReport(
                    f"The update lock {facts.lock_guid} may still be held on {nodes}.",
                    f"{_WHY} The cluster drops it by itself after one hour without activity.",
                )
            )
    return tuple(dict.fromkeys(noted))


def _words(change: Change) -> tuple[str, str, str | None]:
    """Return what may still be changed, why that is not known, and the command that puts it back."""
    where, subject = f" on {change.node}" if change.node else "", change.subject
    name = quoted(subject)
    was = f", it was {change.before}" if change.before else ""
    match change.kind:
        case "credssp-server" | "credssp-client":
            role = "Server" if change.kind == "credssp-server" else "Client"
            return f"CredSSP (role {role}) may still be enabled{where}.", _WHY, f"Disable-WSManCredSSP -Role {role}"
        case "service-start-type":
            command = f"Set-Service -Name {name} -StartupType {change.before}" if change.before else None
            return f"The start type of {subject} may still be {change.after}{where}{was}.", _WHY, command
        case "cluster-stopped":
            return f"The service {subject} may still be stopped{where}.", _WHY, f"Start-Service -Name {name}"
        case "virtual-disk-offline":
            return f"{subject} may still be offline.", _WHY, show_starting(subject)
        case "vm-stopped":
            return f"The virtual machine {subject} may still be off or saved.", _WHY, f"Start-ClusterGroup -Name {name}"
        case "vm-moved":
            command = f"Move-ClusterVirtualMachineRole -Name {name} -Node {change.before} -MigrationType Live"
            return f"{subject} may still be on {change.after}{was and f', it was on {change.before}'}.", _WHY, command
        case "scheduled-task":
            command = f"Unregister-ScheduledTask -TaskName {name} -TaskPath \\"
            return f"The scheduled task {subject} may still be registered{where}.", _WHY, command
        case "file":
            return f"{subject} may still be there{where}.", _WHY, f"Remove-Item -LiteralPath {name} -Recurse"
        case "monitoring-silence":
            tell = "Tell the monitoring system by hand that the maintenance is over."
            return f"{subject} may still be in force{where}.", f"{_WHY} {tell}", None
        case "remote-session" | "cau-run" | "firewall-group":
            return f"{subject[:1].upper()}{subject[1:]} may still be as this run changed it{where}{was}.", _WHY, None
