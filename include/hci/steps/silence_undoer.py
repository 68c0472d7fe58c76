"""Ending what a monitoring system was told and not yet untold: the end of every run, whatever way it ended."""

from __future__ import annotations

from include.hci.cluster.facade import Cluster
from include.hci.report.facts import Change
from include.hci.steps.context import StepContext
from include.hci.steps.notices import EndSilence, owed_calls
from include.hci.steps.undo import Standing


class SilenceUndoer:
    """Gives the commands that end a silence until each of them has arrived."""

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        """Return how ``change`` stands; only the run's own record tells, a monitoring system is never asked."""
        calls = owed_calls(context, change)
        # The end of the run is told to nobody's surprise: it is no repair of something that went wrong.
        regular = not change.node
        what, command = self.describe(change)
        if calls:
            command = "; ".join(f"{call.command.describe()} (over the connection {call.connection})" for call in calls)
        undo = EndSilence("conclude", context, change, calls, note=regular) if calls else None
        return Standing(change, what, command, undo)

    def describe(self, change: Change) -> tuple[str, str]:
        """Return what the change is and what a person does about it."""
        return change.subject, "Tell the monitoring system by hand that the maintenance is over."
