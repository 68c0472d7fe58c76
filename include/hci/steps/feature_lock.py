"""Taking the run's lock for what comes after a feature update: there is no plan any more that the cluster could differ from."""

from __future__ import annotations

from dataclasses import replace

from include.hci.steps.context import StepContext
from include.hci.steps.take_lock import TakeLock


def feature_lock(context: StepContext) -> TakeLock:
    """Return the step: what was approved of this kind of run is done by then, and what follows is asked about by itself."""
    return TakeLock(replace(context, plan=None))
