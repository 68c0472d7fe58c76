"""Preparing a feature update: as for any run that is left to CAU, with this kind's own readiness after a recovery."""

from __future__ import annotations

from include.hci.steps.cau_run_prepare import CauPrepare
from include.hci.steps.feature_readiness import FeatureReadiness


class FeaturePrepare(CauPrepare):
    """Ends 'ready' once CAU's commands reach the nodes and CAU is free to begin."""

    readiness = FeatureReadiness
