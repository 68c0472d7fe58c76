"""The trigger in which a step waits and acts: in the triggerer, on threads of its own, until the step is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from include.hci.airflow.events import addressed, finished, skipped, unexpected
from include.hci.airflow.log_text import END, StepLog
from include.hci.airflow.progress import describe, publish, under_way
from include.hci.airflow.shared import Answers, Keepers
from include.hci.airflow.turn import GroupStates, Turn, TurnVerdict, group_states, verdict
from include.hci.airflow.work import StepWork
from include.hci.powershell.threads import remoting_threads, short_threads
from include.hci.steps.decisions import Decision, Done, Stop

#: How often the run's lock is touched: after so many polls, and every ten minutes at the latest (it lasts an hour).
LOCK_POLLS = 5
LOCK_SECONDS = 600.0
#: For which part of a poll what one waiting trigger was told of the task states holds for the others as well.
STATES_HOLD = 0.5
#: How long the run's record may be out of reach.
RECORD_PATIENCE = timedelta(minutes=10)
#: How long the task states may be asked for in vain, as while a database is restarted.
STATES_PATIENCE = timedelta(minutes=10)
_KEEPERS = Keepers()
_STATES: Answers[tuple[GroupStates, tuple[str, ...]]] = Answers()


class TurnUnknown(Exception):
    """Nobody could tell for too long whose turn it is; the text says why."""


class StepTrigger(BaseTrigger):
    """Runs one step of one run until it is done or stops.

    The arguments hold everything that a restarted triggerer needs to go on, and no secret: ``deadline`` is an absolute time
    (ISO 8601), connections are looked up again by their ids. With ``group_id`` the step begins only when it is the node's turn
    in that task group.
    """

    def __init__(
        self,
        step: str,
        cluster: str,
        run_id: str,
        options: Mapping[str, Any],
        deadline: str,
        first_check_seconds: float,
        poll_seconds: float,
        node: str | None = None,
        group_id: str | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.step = step
        self.cluster = cluster
        self.run_id = run_id
        self.options = dict(options)
        self.deadline = deadline
        self.first_check_seconds = first_check_seconds
        self.poll_seconds = poll_seconds
        self.node = node
        self.group_id = group_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return what rebuilds this trigger."""
        names = (
            "step",
            "cluster",
            "run_id",
            "options",
            "deadline",
            "first_check_seconds",
            "poll_seconds",
            "node",
            "group_id",
        )
        return f"{__name__}.{type(self).__name__}", {name: getattr(self, name) for name in names}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, tick, show progress; yield one event when the step is over."""
        # A trigger that fires at once can overtake the scheduler's own note that the task was deferred, which then fails the
        # task; so nothing is looked at before this pause is over.
        await asyncio.sleep(self.first_check_seconds)
        try:
            event = await self._work()
        except Exception as error:
            self.log.exception("The step could not go on")
            event = finished(Stop(unexpected(self.step, self.node, error)))
        yield addressed(event, (self.cluster, self.run_id, self.step, self.node))

    async def _work(self) -> TriggerEvent:
        """Run the step to its end; where a person ends the task before, or another triggerer takes over, this is cancelled.

        A record that cannot be reached for a while is no failure of the step: it goes on from there as after a crash.
        """
        lost_since: datetime | None = None
        while True:
            began = datetime.now(UTC)
            try:
                return await self._by_the_record()
            except OSError as error:
                now = datetime.now(UTC)
                if lost_since is None or now - began >= RECORD_PATIENCE:
                    lost_since = now
                if now >= (until := lost_since + RECORD_PATIENCE):
                    raise
                why = f"The run's record cannot be reached, without which nothing is done ({type(error).__name__}: {error})."
                self.log.warning("%s It is tried again until %s UTC.", why, f"{until:%H:%M}")
                await publish(self.task_instance, {"step": self.step, "text": why})
            await asyncio.sleep(self.poll_seconds)

    async def _by_the_record(self) -> TriggerEvent:
        work = await StepWork.open_async(self.step, self.cluster, self.run_id, self.options, self.node, self.deadline)
        pause = min(LOCK_SECONDS, LOCK_POLLS * self.poll_seconds)
        # The lock is the run's: fifteen nodes that wait for their turn need not all keep it alive on all of them.
        with _KEEPERS.keeping((self.cluster, self.run_id), lambda: short_threads().run(work.keep_lock), pause):
            refusal = await self._wait_for_turn(work)
            return refusal or await self._run_step(work)

    async def _wait_for_turn(self, work: StepWork) -> TriggerEvent | None:
        """Return when it is the node's turn; with an event when it will not have one."""
        said = shown = ""
        failing_since: datetime | None = None
        while self.group_id is not None:
            try:
                answer = await self._turn(work)
            except Exception as error:
                # Every server that waits asks at once: a database that is gone for a moment must not fail them all.
                failing_since = failing_since or datetime.now(UTC)
                if datetime.now(UTC) - failing_since >= STATES_PATIENCE:
                    raise TurnUnknown(str(error)) from error
                answer = TurnVerdict(Turn.WAIT, f"Airflow does not tell now whose turn it is: {type(error).__name__}")
            else:
                failing_since = None
            if answer.turn is Turn.STOP:
                return skipped(answer.why)
            if answer.turn is Turn.GO:
                work.begin()
                return None
            # How Airflow gets on with the other server's tasks is shown as progress, and in their own logs.
            if (who := answer.why.partition(":")[0]) != said:
                said = who
                self._say((f"Waits for its turn: {who}.",))
            if answer.why != shown:
                shown = answer.why
                await publish(self.task_instance, {"step": self.step, "text": f"waits for its turn: {shown}"})
            await asyncio.sleep(self.poll_seconds)
        return None

    async def _run_step(self, work: StepWork) -> TriggerEvent:
        lines = StepLog()
        # A triggerer that died may have left something folded, which would swallow what follows.
        self._say((END,))
        try:
            return await self._go_on(work, lines)
        finally:
            self._say(lines.close())

    async def _go_on(self, work: StepWork, lines: StepLog) -> TriggerEvent:
        warned = ""
        while True:
            decision = await self._tick(work)
            self._say(lines.lines(decision, datetime.now(UTC)))
            # Reads the record: a file or an object store must not hold up the loop that all triggers share.
            if (said := await short_threads().run(work.late_warning)) != warned:
                warned = said
                self.log.warning("%s", warned)
            if isinstance(decision, Done | Stop):
                return finished(decision)
            await publish(self.task_instance, {"step": self.step, **describe(decision)})
            await asyncio.sleep(min(self.poll_seconds, work.runner.pause_after(decision).total_seconds() or 0.05))

    def _say(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.log.info("%s", line)

    async def _tick(self, work: StepWork) -> Decision:
        """Do one round on a thread of ours and show how long it has been going while it lasts."""
        started, acting = datetime.now(UTC), None
        future = asyncio.ensure_future(remoting_threads().run(work.runner.tick))
        try:
            while not (await asyncio.wait({future}, timeout=max(1.0, self.poll_seconds)))[0]:
                with contextlib.suppress(OSError):  # what is only shown must not end a round that is under way
                    acting = await short_threads().run(work.acting)
                await publish(self.task_instance, {"step": self.step, **under_way(acting, started, datetime.now(UTC))})
            return future.result()
        except BaseException:
            # A person has ended the task, or another triggerer goes on with it. The round has a thread of its own, which nobody
            # ends: one that has not begun never will, and one that only looks so far must not act any more.
            work.runner.halt()
            future.cancel()
            raise

    async def _turn(self, work: StepWork) -> TurnVerdict:
        """Return whether it is the node's turn; only from fresh task states that it is, or that it never will be."""
        instance: Any = self.task_instance
        key = (instance.dag_id, instance.run_id, self.group_id)
        index: int = instance.map_index
        for max_age in (STATES_HOLD * self.poll_seconds, 0.0):
            known, is_fresh = await _STATES.ask(key, lambda: short_threads().run(self._states, work), max_age)
            states, failed = known
            answer = verdict(states, index, work.order, failed, work.max_failed_nodes, work.broken_nodes)
            if is_fresh or answer.turn is Turn.WAIT:
                break
        return answer

    def _states(self, work: StepWork) -> tuple[GroupStates, tuple[str, ...]]:
        """Return the task states of the group, and the nodes that the record calls failed."""
        from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

        instance: Any = self.task_instance
        answer = RuntimeTaskInstance.get_task_states(
            dag_id=instance.dag_id, run_ids=[instance.run_id], task_group_id=self.group_id
        )
        return group_states(answer.get(instance.run_id, {})), work.failed_nodes
