"""What every event of a run's record has in common."""

from __future__ import annotations

from typing import ClassVar, Literal

from include.hci.report.values import Frozen

Kind = Literal["decision", "intent", "done", "outcome", "problem"]
StepName = Literal[
    "readiness",
    "scan",
    "plan",
    "approve",
    "take_lock",
    "stage",
    "turn",
    "drain",
    "install",
    "restart",
    "resume",
    "resync",
    "verify",
    "hardware",
    "conclude",
    "operator",
    # runs that leave the updating to CAU
    "prepare",
    "firewall",
    "cau_setup",
    "configure_role",
    "verify_role",
    "preview",
    "run_cau",
    "collect",
    # feature updates
    "prerequisites",
    "remoting",
    "validate",
    "preview_channel",
    "restart_for_preview",
    "builds",
    "further_updates",
    "approve_functional_level",
    "functional_level",
    "approve_pool_version",
    "pool_version",
    "approve_vm_versions",
    "vm_versions",
    "move_role",
    "validate_after",
    # the fast offline update
    "downtime_gate",
    "install_before",
    "stop_vms",
    "stop_cluster",
    "install_offline",
    "restart_offline",
    "start_cluster",
    "start_vms",
]
#: What a run is for.
RunKind = Literal["rolling-update", "cau-self-updating", "cau-remote-updating", "feature-update", "offline-update"]
#: What a run may change beside pausing nodes, storage maintenance mode and the lock, and takes back at its end.
ChangeKind = Literal[
    "credssp-client",
    "credssp-server",
    "service-start-type",
    "firewall-group",
    "scheduled-task",
    "file",
    "monitoring-silence",
    "virtual-disk-offline",
    "cluster-stopped",
    "vm-stopped",
    "vm-moved",
    "cau-run",
    "remote-session",
]
#: Where a run can be held: before anything is touched on a node, before it restarts, and before the next node begins.
PausePoint = Literal["before-drain", "before-restart", "after-resume"]


class RunEvent(Frozen):
    """What every event has. ``event`` is the name under which it is stored and read back."""

    kind: ClassVar[Kind]
    event: str
    step: StepName
    node: str | None = None
