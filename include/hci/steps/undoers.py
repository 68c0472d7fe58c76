"""Every kind of change that steps announce, with what reads and undoes it."""

from __future__ import annotations

from collections.abc import Mapping

from include.hci.report.events import ChangeKind
from include.hci.steps.undo import Undoer

UNDOERS: Mapping[ChangeKind, Undoer] = {}
