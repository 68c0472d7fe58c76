"""Waiting for a job that a task does on a node: how far it is, taking its answer, and clearing away one that broke off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from include.hci.cluster.facade import Cluster
from include.hci.cluster.system_task.job import AtWork, Broken, Finished, Job, JobState, look, tidy
from include.hci.cluster.system_task.protocol import Answer
from include.hci.cluster.system_task.updater import result_of
from include.hci.cluster.updates import UpdateResult, hresult_of
from include.hci.policy.progress import Progress, show_duration
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.records import ErrorRecord
from include.hci.report import events as ev
from include.hci.report.values import Problem
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Act, Decision, Scene, Stop, Wait
from include.hci.steps.updaters import changes_of, open_job
from include.hci.steps.work import Work, finish_download, finish_install

#: How often jobs of one step may break off.
MOST_BROKEN = 3
#: How long a task may take from its order to start until it is seen to run.
STARTS_WITHIN = timedelta(minutes=1)
_SCAN_LIMIT = timedelta(minutes=60)
_DOING = {"scan": "searches for updates", "download": "downloads updates", "install": "installs updates"}


def look_at_job(cluster: Cluster, context: StepContext, node: str, work: Work) -> JobState | None:
    """Read how the job stands that this run has open on ``node``, into ``work`` as well; None where it has none."""
    job = open_job(context, node)
    work.job = None if job is None else look(cluster.on(node), job)
    return work.job


def job_decision(
    context: StepContext, node: str, work: Work, state: JobState | None, step: ev.StepName, now: datetime
) -> Decision | None:
    """Return what is to be done about the job on ``node`` before anything else, or None where there is none.

    A process that goes on after a crash finds the job by the record: it is waited for, and never begun a second time.
    """
    match state:
        case None if work.broken >= MOST_BROKEN:
            return Stop(_broken(node, work))
        case None:
            return None
        case AtWork(job=job):
            limit = _limit(context, job)
            why = f"{node} {_DOING[job.mode]} through its scheduled task"
            return Wait(why, _progress(state), job.began + limit, _late(job, limit))
        case Finished(job=job):
            return Act(CollectJob(context, state, work, step), f"the task on {node} has finished its {job.mode}")
        case Broken(job=job, never_ran=True) if now < job.began + STARTS_WITHIN:
            return Wait(f"the task on {node} was started and does not run yet")
        case Broken(why=why):
            return Act(DropJob(context, state, work, step), why)


@dataclass(frozen=True, slots=True)
class CollectJob:
    """Take the answer of a finished job: on record first, then everything of it is taken away."""

    context: StepContext
    state: Finished
    work: Work
    step: ev.StepName

    def describe(self) -> str:
        """Return it as one line."""
        return f"take the answer of {self.state.job.task_name} on {self.state.job.node} and remove it"

    def perform(self, scene: Scene) -> None:
        """Use the answer; raises CommandFailed with the job's own error where it failed as a whole."""
        job, answer = self.state.job, self.state.answer
        results = tuple(map(result_of, answer.results))
        problem: CommandFailed | None = None
        try:
            self._use(scene, answer, results)
        except CommandFailed as error:
            problem = error
        clear_away(scene, job, self.step, _outcome(answer))
        if problem is not None:
            raise problem
        if answer.error is not None:
            code = hresult_of(answer.error.hresult)
            record = ErrorRecord(f"{job.mode} failed: {answer.error.message}", hresult=code, command=job.task_name)
            raise CommandFailed([record], node=job.node)

    def _use(self, scene: Scene, answer: Answer, results: tuple[UpdateResult, ...]) -> None:
        node = self.state.job.node
        whole = answer.error is None
        match answer.mode:
            case "scan" if whole:
                self.work.memory.take(answer)
            case "download" if whole or results:
                finish_download(scene, node, self.step, self.work, results)
            case "install" if whole or results:
                number = scene.record.facts.installing.get(node)
                # Without one its results are on record already: the process died before it could clear the job away.
                if number is not None:
                    finish_install(scene, node, self.step, self.work, number, results)
            case _:
                pass
        if answer.mode == "install":
            self.work.forget()


@dataclass(frozen=True, slots=True)
class DropJob:
    """Clear away a job that broke off: what it did is for the next scan to tell."""

    context: StepContext
    state: Broken
    work: Work
    step: ev.StepName

    def describe(self) -> str:
        """Return it as one line."""
        return f"remove {self.state.job.task_name} from {self.state.job.node}"

    def perform(self, scene: Scene) -> None:
        """Remove task and files."""
        self.work.broken += 1
        self.work.broken_why = self.state.why
        self.work.forget()
        clear_away(scene, self.state.job, self.step, f"broken off: {self.state.why}")


def clear_away(scene: Scene, job: Job, step: ev.StepName, why: str) -> None:
    """Take task and files of ``job`` away, and put on record that they were seen to be gone."""
    tidy(scene.cluster.on(job.node), job)
    now = scene.clock()
    for change in reversed(changes_of(job, step)):
        gone = ev.ChangeTakenBack(step=step, node=job.node, change=change.change, subject=change.subject)
        scene.record.add(gone, now)
    scene.record.add(ev.UpdateTaskEnded(step=step, node=job.node, number=job.number, why=why), now)


def _outcome(answer: Answer) -> str:
    if answer.error is not None:
        return f"failed with 0x{hresult_of(answer.error.hresult):08X}"
    return f"{answer.done} of {answer.total} {'searches' if answer.mode == 'scan' else 'updates'}"


def _limit(context: StepContext, job: Job) -> timedelta:
    return _SCAN_LIMIT if job.mode == "scan" else timedelta(minutes=context.options.install_timeout_minutes)


def _progress(state: AtWork) -> Progress | None:
    answer = state.answer
    if answer is None or not answer.total:
        return None
    unit = "searches" if answer.mode == "scan" else "updates"
    return Progress(answer.doing or state.job.mode, answer.done, answer.total, unit)


def _late(job: Job, limit: timedelta) -> Problem:
    return Problem(
        title=f"The task {job.task_name} on {job.node} has not finished its {job.mode} within {show_duration(limit)}.",
        meaning="It is ended and removed at the end of the run; what it has installed stays installed.",
        next_action="Look at Windows Update and at component servicing on the node.",
        retry_is_safe=True,
    )


def _broken(node: str, work: Work) -> Problem:
    return Problem(
        title=f"The task that updates {node} broke off {work.broken} times: {work.broken_why}.",
        meaning="Something on the node ends its tasks, or keeps them from their work.",
        next_action="Look at the Task Scheduler's history and at the security products of the node, or set node_updater to"
        " cau_provider.",
        retry_is_safe=True,
    )
