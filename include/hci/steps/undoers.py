"""Every kind of change that steps announce, with what reads and undoes it."""

from __future__ import annotations

from collections.abc import Mapping

from include.hci.report.events import ChangeKind
from include.hci.steps.cau_run_undoers import CauRunUndoer, CredSspUndoer, FirewallUndoer, RemoteSessionUndoer
from include.hci.steps.feature_move_actions import MovedRole
from include.hci.steps.job_undoers import FileUndoer, TaskUndoer
from include.hci.steps.offline_undo import OfflineDisk, StartType, StoppedService, StoppedVm
from include.hci.steps.silence_undoer import SilenceUndoer
from include.hci.steps.undo import Undoer

UNDOERS: Mapping[ChangeKind, Undoer] = {
    "file": FileUndoer(),
    "scheduled-task": TaskUndoer(),
    "cau-run": CauRunUndoer(),
    "credssp-server": CredSspUndoer(),
    "firewall-group": FirewallUndoer(),
    "remote-session": RemoteSessionUndoer(),
    "monitoring-silence": SilenceUndoer(),
    "service-start-type": StartType(),
    "cluster-stopped": StoppedService(),
    "virtual-disk-offline": OfflineDisk(),
    "vm-stopped": StoppedVm(),
    "vm-moved": MovedRole(),
}
