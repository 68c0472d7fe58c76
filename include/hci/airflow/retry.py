"""How often a node's step is tried again: CAU's MaxRetriesPerNode, chosen per run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

#: What the storage of the run's record, or Airflow itself, keeps from being done passes by itself, but hardly within seconds.
OUTAGE = timedelta(minutes=1)
#: Airflow fixes ``retries`` when a DAG is parsed, so the ceiling is CAU's own (Invoke-CauRun: at most 64); the policy decides.
CEILING = 64


def attempt_of(try_number: int, max_tries: int, retries: int) -> int:
    """Return which attempt (from 1) a task is at since it was last cleared.

    Airflow counts ``try_number`` on through every clearing and lays ``retries`` on top of what it was then: ``max_tries``.
    """
    return try_number - max(0, max_tries - retries)


class RetriesPerNode(RetryPolicy):
    """Tries a failed step again until the run's ``max_retries_per_node`` is used up; never when trying again cannot help."""

    def __init__(self, delay_seconds: float) -> None:
        self.delay_seconds = delay_seconds

    def evaluate(
        self, exception: BaseException, try_number: int, max_tries: int, context: Any | None = None
    ) -> RetryDecision:
        """Return the decision for the attempt ``try_number`` (from 1) that ended with ``exception``."""
        allowed = int((context or {}).get("params", {}).get("max_retries_per_node", 3))
        attempt = attempt_of(try_number, max_tries, CEILING)
        if attempt > allowed:
            return RetryDecision.fail(reason=f"max_retries_per_node={allowed} is used up")
        delay = timedelta(seconds=self.delay_seconds)
        if isinstance(exception, OSError):
            delay = max(delay, OUTAGE)
        return RetryDecision.retry(delay=delay, reason=f"attempt {attempt} of {allowed + 1} failed")

    def serialize(self) -> dict[str, Any]:
        """Return what identifies this policy in the serialised DAG."""
        return {"__type": "RetriesPerNode", "delay_seconds": self.delay_seconds}


def node_retries(delay_seconds: float) -> dict[str, Any]:
    """Return the arguments of a task that is tried again as often as the run's ``max_retries_per_node`` says."""
    delay = timedelta(seconds=delay_seconds)
    return {"retries": CEILING, "retry_delay": delay, "retry_policy": RetriesPerNode(delay_seconds)}
