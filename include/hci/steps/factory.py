"""Making a step by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from include.hci.report.events import RunKind, StepName
from include.hci.steps.cau_role_configure import ConfigureRole
from include.hci.steps.cau_role_prepare import Firewall, PrepareRole
from include.hci.steps.cau_role_setup import CauSetup
from include.hci.steps.cau_role_verify import VerifyRole
from include.hci.steps.cau_run import RunCau
from include.hci.steps.cau_run_collect import CollectCau
from include.hci.steps.cau_run_prepare import CauPrepare
from include.hci.steps.cau_run_preview import CauPreview
from include.hci.steps.cau_run_readiness import CauReadiness
from include.hci.steps.conclude import Conclude
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Clock
from include.hci.steps.drain import Drain
from include.hci.steps.engine import Step
from include.hci.steps.feature_builds import Builds
from include.hci.steps.feature_channel import JoinPreviewChannel
from include.hci.steps.feature_level import FunctionalLevel
from include.hci.steps.feature_lock import feature_lock
from include.hci.steps.feature_move import ProveMove
from include.hci.steps.feature_pool import PoolVersion
from include.hci.steps.feature_prepare import FeaturePrepare
from include.hci.steps.feature_preview import FeaturePreview
from include.hci.steps.feature_readiness import FeatureReadiness
from include.hci.steps.feature_remoting import Remoting
from include.hci.steps.feature_setup import FeatureSetup
from include.hci.steps.feature_validate import Validate, ValidateAfter
from include.hci.steps.feature_vms import VmVersions
from include.hci.steps.install import Install
from include.hci.steps.offline_gate import DowntimeGate
from include.hci.steps.offline_install import InstallBefore, InstallOffline
from include.hci.steps.offline_restart import RestartOffline
from include.hci.steps.offline_start import StartCluster, StartVms
from include.hci.steps.offline_stop import StopCluster
from include.hci.steps.offline_vms import StopVms
from include.hci.steps.readiness import Readiness
from include.hci.steps.restart import Restart
from include.hci.steps.resume import Resume
from include.hci.steps.resync import Resync
from include.hci.steps.scan import Scan
from include.hci.steps.stage import Stage
from include.hci.steps.take_lock import TakeLock
from include.hci.steps.turn import Turn
from include.hci.steps.verify import Verify

#: The steps of one node in their order.
NODE_STEPS: tuple[StepName, ...] = ("turn", "drain", "install", "restart", "resume", "resync")

#: Steps about the whole cluster.
CLUSTER: Mapping[StepName, Callable[[StepContext, Clock], Step[Any]]] = {
    "readiness": Readiness,
    "take_lock": lambda context, clock: TakeLock(context),
    "verify": Verify,
    "conclude": Conclude,
    "downtime_gate": lambda context, clock: DowntimeGate(context),
    "stop_cluster": StopCluster,
    "start_cluster": StartCluster,
    "start_vms": StartVms,
}
#: Steps about one node.
NODE: Mapping[StepName, Callable[[StepContext, str, Clock], Step[Any]]] = {
    "scan": lambda context, node, clock: Scan(context, node),
    "stage": lambda context, node, clock: Stage(context, node),
    "turn": Turn,
    "drain": lambda context, node, clock: Drain(context, node),
    "install": Install,
    "restart": Restart,
    "resume": lambda context, node, clock: Resume(context, node),
    "resync": Resync,
    "remoting": lambda context, node, clock: Remoting(context, node),
    "install_before": InstallBefore,
    "stop_vms": lambda context, node, clock: StopVms(context, node),
    "install_offline": InstallOffline,
    "restart_offline": RestartOffline,
}
#: Steps about the whole cluster that runs of one kind have alone, or do in a way of their own.
OF_KIND: Mapping[RunKind, Mapping[StepName, Callable[[StepContext, Clock], Step[Any]]]] = {
    "cau-remote-updating": {
        "readiness": CauReadiness,
        "prepare": CauPrepare,
        "preview": CauPreview,
        "run_cau": RunCau,
        "collect": CollectCau,
    },
    "feature-update": {
        "readiness": FeatureReadiness,
        "cau_setup": FeatureSetup,
        "validate": Validate,
        "validate_after": ValidateAfter,
        "prepare": FeaturePrepare,
        "preview_channel": lambda context, clock: JoinPreviewChannel(context),
        "preview": FeaturePreview,
        "run_cau": RunCau,
        "collect": CollectCau,
        "builds": Builds,
        "take_lock": lambda context, clock: feature_lock(context),
        "functional_level": lambda context, clock: FunctionalLevel(context),
        "pool_version": lambda context, clock: PoolVersion(context),
        "vm_versions": lambda context, clock: VmVersions(context),
        "move_role": lambda context, clock: ProveMove(context),
    },
    "cau-self-updating": {
        "prepare": lambda context, clock: PrepareRole(context),
        "firewall": lambda context, clock: Firewall(context),
        "cau_setup": CauSetup,
        "configure_role": lambda context, clock: ConfigureRole(context),
        "verify_role": VerifyRole,
    },
}


def utc_now() -> datetime:
    """Return the present time."""
    return datetime.now(UTC)


def make_step(name: StepName, context: StepContext, node: str | None = None, clock: Clock = utc_now) -> Step[Any]:
    """Return the step ``name`` of the run in ``context``.

    ``clock`` is the one that the step's runner uses. Raises ValueError for a name that is no step, and when ``node`` is missing
    for a step of one node or given for one of the whole cluster.
    """
    whole = {**CLUSTER, **OF_KIND.get(context.kind, {})}
    if name in whole:
        if node is not None:
            raise ValueError(f"The step {name} is about the whole cluster: it takes no node.")
        return whole[name](context, clock)
    if name not in NODE:
        raise ValueError(f"There is no step called {name}.")
    if node is None:
        raise ValueError(f"The step {name} is about one node: name it.")
    return NODE[name](context, node, clock)
