"""Which node updater works on a node: probed once, put on record with its reason, and made from the record ever after."""

from __future__ import annotations

from functools import partial

from include.hci.cluster.facade import Cluster
from include.hci.cluster.policies import blocks_wmi_processes
from include.hci.cluster.system_task.job import Job
from include.hci.cluster.system_task.protocol import FOLDER, Mode
from include.hci.cluster.system_task.updater import Memory, SystemTaskUpdater
from include.hci.cluster.updater import CauProviderUpdater, NodeUpdater, UpdaterProbe
from include.hci.policy.updater_choice import NodeProbe, UpdaterChoice, choose_updater
from include.hci.powershell.errors import CommandFailed, RemotingError
from include.hci.powershell.shell import Shell
from include.hci.report import events as ev
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Clock

#: What CAU's provider answers where Defender blocks what it starts (azure-stack-docs, updating troubleshooting).
_DENIED = (0x80070005, 0x80041003)
#: What a job's folder was before.
ABSENT = "absent"


class UpdaterUnusable(RemotingError):
    """The node updater cannot be used on a node."""

    title = "No way to install updates"
    default_meaning = (
        "neither the node's provider for installing updates nor a scheduled task can be used, or the one wanted cannot"
    )
    default_next_action = (
        "Check that the Failover-Clustering feature is whole on the node, that no policy blocks its WMI provider, that the"
        " Task Scheduler runs, and what node_updater says in the profile."
    )


def choose(cluster: Cluster, context: StepContext, node: str, *, denied: bool = False) -> UpdaterChoice:
    """Probe ``node`` and return its updater; ``denied``: CAU's provider was tried and refused with access denied."""
    shell, wanted = cluster.on(node), context.options.node_updater
    provider = UpdaterProbe(False, "it was not asked for")
    blocked: bool | None = None
    if wanted != "system_task":
        provider = CauProviderUpdater(shell, node, context.guid).probe()
        blocked = denied or _blocks(shell)
    tasks = UpdaterProbe(False, "it was not asked for")
    if wanted == "system_task" or (wanted == "auto" and (blocked or not provider.usable)):
        tasks = SystemTaskUpdater(shell, partial(_no_job, node)).probe()
    probe = NodeProbe(
        provider_usable=provider.usable,
        provider_why=provider.why,
        wmi_blocked=blocked,
        tasks_usable=tasks.usable,
        tasks_why=tasks.why,
    )
    return choose_updater(probe, wanted)


def is_denied(error: CommandFailed) -> bool:
    """Return whether CAU's provider was kept from its work by a security product."""
    return any(error.has_code(code) for code in _DENIED)


def chosen_name(context: StepContext, node: str) -> str:
    """Return the updater that is on record for ``node``."""
    chosen = context.record.last(ev.NodeUpdaterChosen, node)
    return CauProviderUpdater.name if chosen is None else chosen.event.updater


def node_updater(
    cluster: Cluster, context: StepContext, node: str, clock: Clock, step: ev.StepName, memory: Memory | None = None
) -> NodeUpdater:
    """Return the updater of ``node`` that is on record; ``memory`` is what finished scans have answered."""
    recommended = context.options.include_recommended_updates
    if chosen_name(context, node) == SystemTaskUpdater.name:
        return SystemTaskUpdater(cluster.on(node), partial(_new_job, context, node, clock, step), memory)
    return CauProviderUpdater(cluster.on(node), node, context.guid, recommended)


def job_of(context: StepContext, event: ev.UpdateTaskStarting) -> Job:
    """Return the job that ``event`` announced."""
    return Job(
        event.node,
        context.guid,
        event.number,
        event.mode,
        event.searches,
        event.include_recommended,
        event.began,
    )


def open_job(context: StepContext, node: str) -> Job | None:
    """Return the job on ``node`` that was announced and not seen to be gone."""
    found: ev.UpdateTaskStarting | None = None
    for entry in context.record.events(node):
        if isinstance(entry.event, ev.UpdateTaskStarting):
            found = entry.event
        elif isinstance(entry.event, ev.UpdateTaskEnded) and found is not None and entry.event.number == found.number:
            found = None
    return None if found is None else job_of(context, found)


def _new_job(
    context: StepContext, node: str, clock: Clock, step: ev.StepName, mode: Mode, searches: tuple[str, ...]
) -> Job:
    record, now = context.record, clock()
    event = ev.UpdateTaskStarting(
        step=step,
        node=node,
        number=len(record.all_of(ev.UpdateTaskStarting, node)) + 1,
        mode=mode,
        searches=searches,
        include_recommended=context.options.include_recommended_updates,
        began=now,
    )
    job = job_of(context, event)
    record.add(event, now)
    for change in changes_of(job, step):
        record.add(change, now)
    return job


def changes_of(job: Job, step: ev.StepName) -> tuple[ev.Changing, ev.Changing]:
    """Return what ``job`` changes on its node, in the order in which it does."""
    after = f"{job.mode} {job.guid}"
    folder = ev.Changing(step=step, node=job.node, change="file", subject=FOLDER, before=ABSENT, after=str(job.guid))
    task = ev.Changing(
        step=step, node=job.node, change="scheduled-task", subject=job.task_name, before=ABSENT, after=after
    )
    return folder, task


def _no_job(node: str, mode: Mode, searches: tuple[str, ...]) -> Job:
    raise ValueError(f"{node} is only probed.")


def _blocks(shell: Shell) -> bool | None:
    try:
        return blocks_wmi_processes(shell)
    except CommandFailed:
        return None
