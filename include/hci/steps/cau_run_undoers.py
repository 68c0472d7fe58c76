"""Taking back what a run that is left to CAU has changed: CAU's run itself, its session, and CredSSP on the management host."""

from __future__ import annotations

from datetime import datetime, timedelta

from include.hci.cluster.as_found import get_credssp
from include.hci.cluster.cau_runs import get_cau_status
from include.hci.cluster.facade import Cluster
from include.hci.cluster.firewall import (
    REMOTE_SHUTDOWN,
    allows_remote_shutdown,
    get_firewall_rules,
    parse_rules,
    show_restoring,
    show_rules,
)
from include.hci.policy.checks.coordinator import is_same_machine
from include.hci.report import events as ev
from include.hci.report.facts import Change
from include.hci.steps.cau_run_access import ask, host_shell, readers
from include.hci.steps.cau_run_actions import (
    CAU_RUN,
    DisableCredSsp,
    DisableFirewallRules,
    EndSession,
    RestoreFirewallRules,
    StopCauRun,
)
from include.hci.steps.context import StepContext
from include.hci.steps.undo import Standing


class CredSspUndoer:
    """CredSSP's server role on the management host, which the run switched on."""

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        """Return whether it is still on."""
        is_on, _ = get_credssp(host_shell(cluster))
        return Standing(change, *self.describe(change), undo=DisableCredSsp(change.node) if is_on else None)

    def describe(self, change: Change) -> tuple[str, str]:
        """Return it in words, and the command that switches it off."""
        return f"CredSSP (role Server) on {change.node}", f"On {change.node}: Disable-WSManCredSSP -Role Server"


class CauRunUndoer:
    """CAU's run, which must not go on when nobody watches it any more."""

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        """Return whether it is still on; once it was told to stop it brings its present node to an end."""
        status = ask(readers(cluster), lambda shell: get_cau_status(shell, cluster.name))
        what, command = self.describe(change)
        seen = context.record.last(ev.CauRunSeen)
        is_ours = is_same_machine(status.coordinator, change.node)
        is_ours &= seen is None or not status.run_id or status.run_id == seen.event.run_id
        if not status.is_on or not is_ours:
            return Standing(change, what, command)
        if status.cancel_pending:
            said = "it was told to stop and brings its present node to an end"
            return Standing(change, what, command, wait=said, until=_stopped_by(context))
        return Standing(
            change, what, command, undo=StopCauRun(status.run_id, "this run ends before CAU's does", "conclude")
        )

    def describe(self, change: Change) -> tuple[str, str]:
        """Return it in words, and the command that stops it."""
        cluster = change.subject.removeprefix(CAU_RUN)
        return f"{change.subject} that {change.node} coordinates", f"Stop-CauRun -ClusterName {cluster} -Force"


class FirewallUndoer:
    """The firewall rules that CAU was told to enable, without which it could not restart the node."""

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        """Return whether they are still enabled; a run that is still on needs them."""
        what, command = self.describe(change)
        before, shell = parse_rules(change.before), cluster.on(change.node)
        if before:
            is_back = show_rules(get_firewall_rules(shell, REMOTE_SHUTDOWN)) == show_rules(before)
        else:
            is_back = not allows_remote_shutdown(shell)
        if is_back:
            return Standing(change, what, command)
        status = ask(readers(cluster), lambda shell: get_cau_status(shell, cluster.name))
        if status.is_on:
            return Standing(change, what, command, wait="CAU's run still needs them", until=_stopped_by(context))
        undo = RestoreFirewallRules(change.node, before) if before else DisableFirewallRules(change.node)
        return Standing(change, what, command, undo=undo)

    def describe(self, change: Change) -> tuple[str, str]:
        """Return them in words, and the command that puts them back."""
        command = f"On {change.node}: Disable-NetFirewallRule -Group '{REMOTE_SHUTDOWN}'"
        if before := parse_rules(change.before):
            command = f"On {change.node}: {'; '.join(map(show_restoring, before))}"
        return f"{change.subject} on {change.node}", command


class RemoteSessionUndoer:
    """The session in which CAU's run lives, which nobody else would end before its idle time-out."""

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        """Return whether it may be ended: a run that is still on would lose its coordinator with it."""
        status = ask(readers(cluster), lambda shell: get_cau_status(shell, cluster.name))
        what, command = self.describe(change)
        if status.is_on:
            return Standing(change, what, command, wait="CAU's run still lives in it", until=_stopped_by(context))
        said = ev.Undone(node=change.node or None, what=f"{what}: ended")
        return Standing(change, what, command, undo=EndSession(change.node, change.subject, (said,)))

    def describe(self, change: Change) -> tuple[str, str]:
        """Return it in words, and what to do about it."""
        what = f"the session {change.subject} on {change.node} in which CAU's run lived"
        return (
            what,
            f"On {change.node}, once CAU's run is over: end the wsmprovhost.exe of that session, or restart WinRM",
        )


def _stopped_by(context: StepContext) -> datetime | None:
    """Return until when CAU's run, once it was told to stop, may take to bring its present node to an end."""
    told = context.record.last(ev.CauRunStopping)
    if told is None:
        return None
    return told.at + timedelta(minutes=context.options.reboot_timeout_minutes + context.options.install_timeout_minutes)
