"""A feature update as far as the preview channel goes: its step, and the restarts that follow from it."""

from __future__ import annotations

from dataclasses import dataclass

from include.hci.report import events as ev
from include.hci.settings import RunOptions
from include.hci.steps.decisions import Done, Stop
from tests.hci.steps.coordinator import Coordinator


@dataclass
class ChannelRun(Coordinator):
    """One run that joins the preview channel, unless it was not told to."""

    wanted: bool = True

    def join(self) -> Done | Stop:
        """Begin the run, unless it has, and do the step."""
        if self.record.last(ev.RunStarted) is None:
            self._begin("feature-update", {"preview_channel": self.wanted})
            if self.wanted:
                self.simulation.cluster.rule("permission", what="preview-channel")
        return self.step("preview_channel", tries=1)

    @property
    def to_restart(self) -> tuple[str, ...]:
        """The nodes that must restart for the channel, as the record tells the task that has them restarted."""
        found = self.record.last(ev.PreviewChannelRead)
        return () if found is None else found.event.restart

    def restart(self, nodes: tuple[str, ...]) -> Coordinator:
        """Let a rolling update restart ``nodes``, as the feature update's task does; return it."""
        options = RunOptions.model_validate({"max_failed_nodes": 1, "restart_nodes": nodes})
        update = Coordinator(self.simulation, options, run_id=f"{self.run_id}-restarts")
        update.run()
        return update

    def sent(self, command: str) -> list[str]:
        """The machines that were sent the command of that name, in order."""
        return [machine for machine, whole in self.simulation.commands if whole.describe().startswith(command)]
