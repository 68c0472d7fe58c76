"""The words of a task's log: what the task is about to do, what it decides while it goes on, how it ended and what comes next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

from include.hci.policy.progress import show_duration
from include.hci.report.event import StepName
from include.hci.report.model import RunReport
from include.hci.report.values import Problem
from include.hci.steps.decisions import Act, Decision, Wait

#: What each step does, to be read after its name.
DOES: Mapping[StepName, str] = MappingProxyType(
    {
        "readiness": "checks whether the cluster may be updated; changes nothing",
        "scan": "asks the server which updates it needs; changes nothing",
        "plan": "orders the servers and says what each one gets; changes nothing",
        "approve": "asks a person for the plan's approval",
        "take_lock": "takes the cluster's update lock, so that other coordinators keep out",
        "stage": "downloads the updates to the server; installs nothing",
        "turn": "waits until the server may be taken out of service",
        "drain": "pauses the server and waits until its roles run elsewhere",
        "install": "installs the updates on the server",
        "restart": "restarts the server where that is needed or was asked for, and installs what comes up after it",
        "resume": "brings the server back into service if this run has paused it, and waits for its roles",
        "resync": "waits until the storage is whole again",
        "verify": "compares the whole cluster with what the run was for",
        "hardware": "updates firmware and drivers of the server",
        "conclude": "takes back what the run has changed for its work and gives up the lock",
        "prepare": "prepares the management host for CAU",
        "firewall": "opens the firewall for CAU's restarts",
        "cau_setup": "lets CAU test the cluster",
        "configure_role": "brings CAU's self-updating role to what the fleet file says",
        "verify_role": "compares CAU's self-updating role with the fleet file",
        "preview_channel": "lets every server join the preview channel that is not on it, which cannot be undone",
        "restart_for_preview": "lets a rolling update restart the servers that have joined the preview channel",
        "preview": "asks CAU what it would install; changes nothing",
        "run_cau": "lets CAU update the cluster and watches it",
        "collect": "fetches CAU's own report",
        "prerequisites": "checks what the feature update needs; changes nothing",
        "remoting": "sets up remote management on the server where CAU would miss it",
        "validate": "lets the vendor's own tests check the cluster",
        "builds": "makes sure that every server has the new version, and waits until the storage is whole; changes nothing",
        "further_updates": "lets a rolling update bring what there is for the new version",
        "approve_functional_level": "asks a person whether the functional level may be raised",
        "approve_pool_version": "asks a person whether the storage pool's version may be raised",
        "approve_vm_versions": "asks a person whether the versions of virtual machines may be raised",
        "functional_level": "raises the cluster's functional level, which cannot be undone",
        "pool_version": "raises the storage pool's version, which cannot be undone",
        "vm_versions": "raises the configuration version of virtual machines",
        "move_role": "moves a role to another server and back, as a proof that roles move",
        "validate_after": "lets the vendor's own tests check the cluster again, and names what is new",
        "downtime_gate": "makes sure that the downtime may begin",
        "install_before": "installs the updates while the cluster still runs",
        "stop_vms": "takes the virtual machines down",
        "stop_cluster": "stops the cluster on every server",
        "install_offline": "installs the updates on the server while the cluster is stopped",
        "restart_offline": "restarts the server while the cluster is stopped",
        "start_cluster": "starts the cluster again",
        "start_vms": "starts the virtual machines that this run has taken down",
        "operator": "does what a person asked for",
    }
)
#: How often a wait that moves gets a line, and how often one that can be seen while everything is folded.
LINE_EVERY = timedelta(minutes=1)
HEADING_EVERY = timedelta(minutes=15)
#: Airflow folds what is between two such lines; what follows the first one is the folded part's heading.
GROUP, END = "::group::", "::endgroup::"


def name_of(step: str, node: str | None) -> str:
    """Return the step as a line begins with it: ``Drain of HCI02``."""
    words = step.replace("_", " ").capitalize().replace("vm", "VM").replace("cau", "CAU")
    return f"{words} of {node}" if node else words


def opening(step: str, node: str | None, cluster: str, patience: timedelta, page: str) -> tuple[str, ...]:
    """Return the first lines of a task: what it does, how long it may take, and where the run's report is."""
    does = next((text for name, text in DOES.items() if name == step), f"does the step {step}")
    return (
        f"{name_of(step, node)}, cluster {cluster}: {does}. It gives up after {show_duration(patience)}.",
        f"Report: the tab 'Update report' of this run, and {page} when the run is over.",
    )


def first_look(decision: Decision, now: datetime) -> tuple[str, ...]:
    """Return what is written of a look that did nothing yet; an end is told by the task itself."""
    if isinstance(decision, Act):
        return (f"To do: {decision}",)
    lines = StepLog()
    return (*lines.lines(decision, now), *lines.close())


def closing(downstream: Iterable[str]) -> str:
    """Return what comes next, from the ids of the tasks that follow; empty when none does."""
    names = sorted({name.rpartition(".")[2] for name in downstream})
    return f"Next: {', '.join(names)}." if names else "Nothing follows in this run."


def problem_lines(problem: Problem) -> tuple[str, ...]:
    """Return ``problem`` as lines: what, what it means, what to do, whether trying again is safe."""
    code = f" ({problem.code})" if problem.code and problem.code not in problem.title else ""
    safe = {True: "Trying again is safe.", False: "Do not simply try again.", None: ""}[problem.retry_is_safe]
    found = (
        f"Stopped: {problem.title}{code}",
        f"What it means: {problem.meaning}" if problem.meaning else "",
        f"What to do: {problem.next_action}" if problem.next_action else "",
        safe,
    )
    return tuple(line for line in found if line)


def after_stop(
    node: str | None, tries: int, allowed: int, delay: timedelta, *, final: bool, shared: bool = False
) -> str:
    """Return what happens after the attempt ``tries`` (from 1) has stopped; ``shared``: those of all the node's steps count."""
    if not final:
        counted = f", those of all steps of {node} counted" if shared else ""
        return f"This was attempt {tries} of {allowed + 1}{counted}: the next one begins in {show_duration(delay)}."
    who = f"{node} counts as failed" if node else "The run counts as failed"
    why = f"after attempt {tries} of {allowed + 1}" if tries > allowed else "because trying again cannot help"
    return f"{who}, {why}. What this run has changed for its work is taken back at its end."


def verdict_lines(report: RunReport, page: str) -> tuple[str, ...]:
    """Return the last lines of a run: what came of it, what a person has to do, and where the report is."""
    left = (
        f"Left to do: {' '.join(filter(None, (item.what, item.why)))}{f' Command: {item.command}' if item.command else ''}"
        for item in report.left
    )
    out = (f"Left to do: {item.vm} is not Online ({item.state})." for item in report.outages if item.ended_at is None)
    return (f"The run is over, {report.outcome.replace('-', ' ')}: {report.headline}", *left, *out, f"Report: {page}")


class StepLog:
    """Turns a step's decisions into lines: one for each that is new, with what moves while it lasts folded below it."""

    def __init__(self) -> None:
        self._said = ""
        self._progress = ""
        self._line_at: datetime | None = None
        self._heading_at: datetime | None = None
        self._is_open = False

    def lines(self, decision: Decision, now: datetime) -> tuple[str, ...]:
        """Return what is to be written about ``decision`` at ``now``; nothing when it says nothing new."""
        if isinstance(decision, Wait):
            return self._waiting(decision, now)
        said = f"Does: {decision}" if isinstance(decision, Act) else str(decision)
        if said == self._said:
            return ()
        self._said = said
        return (*self.close(), said) if isinstance(decision, Act) else self.close()

    def close(self) -> tuple[str, ...]:
        """Return the line that ends the folded part, if one is open."""
        was_open, self._is_open = self._is_open, False
        return (END,) if was_open else ()

    def _waiting(self, wait: Wait, now: datetime) -> tuple[str, ...]:
        progress = "" if wait.progress is None else str(wait.progress)
        is_new = wait.why != self._said
        is_due = self._heading_at is None or now - self._heading_at >= HEADING_EVERY
        if is_new or (is_due and progress != self._progress):
            self._said, self._progress, self._line_at, self._heading_at = wait.why, progress, now, now
            heading = f"Waits: {' - '.join(filter(None, (wait.why, progress)))}. {_until(wait, now)}".rstrip()
            if not progress:
                return (*self.close(), heading)
            lines = (*self.close(), f"{GROUP}{heading}")
            self._is_open = True
            return lines
        if progress and progress != self._progress and (self._line_at is None or now - self._line_at >= LINE_EVERY):
            self._progress, self._line_at = progress, now
            return (f"{progress}. {_until(wait, now)}".rstrip(),)
        return ()


def _until(wait: Wait, now: datetime) -> str:
    if wait.patient:
        return "It waits for a person and does not give up."
    if wait.deadline is None:
        return ""
    day = "" if wait.deadline.date() == now.date() else f"{wait.deadline:%Y-%m-%d} "
    return f"It gives up at {day}{wait.deadline:%H:%M} UTC, in {show_duration(wait.deadline - now)}."
