"""What the readiness step reads of the cluster as a whole, from a node in service or from the management host."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from include.hci.cluster.cau import CauRunState, get_cau_cluster_role, get_cau_run
from include.hci.cluster.facade import Cluster
from include.hci.cluster.nodes import (
    ClusterInfo,
    ClusterResource,
    Quorum,
    VolumeAccess,
    get_cluster,
    get_cluster_quorum,
    get_cluster_resources,
    get_cluster_shared_volume_states,
    get_volumes_in_backup,
)
from include.hci.cluster.rollout import FirmwareRollout, get_firmware_rollout
from include.hci.cluster.storage import get_health_faults
from include.hci.cluster.validation import CauFinding, ClusterValidation, test_cau_setup, test_cluster
from include.hci.policy.gates import StorageFacts
from include.hci.policy.readiness import Subject
from include.hci.powershell.shell import Shell
from include.hci.settings import RunOptions
from include.hci.steps.base import read_storage
from include.hci.steps.readings import Readings

T = TypeVar("T")

#: Categories of Test-Cluster that disturb nothing (azure-stack-docs, validate).
VALIDATED = ("Storage Spaces Direct", "Inventory", "Network")


@dataclass(frozen=True, slots=True)
class WholeReadings:
    """The cluster, its storage and its services; what is None was not asked for or not answered."""

    info: ClusterInfo
    resources: tuple[ClusterResource, ...]
    quorum: Quorum
    storage: StorageFacts
    health_faults: tuple[str, ...]
    volume_access: tuple[VolumeAccess, ...] | None
    volumes_in_backup: tuple[str, ...] | None
    rollout: FirmwareRollout | None
    validation: ClusterValidation | None


@dataclass(frozen=True, slots=True)
class CauReadings:
    """What Cluster-Aware Updating says of itself; ``problem`` is why ``run`` is None."""

    run: CauRunState | None
    problem: str
    role: Mapping[str, str] | None
    setup: tuple[CauFinding, ...] | None


def read_whole(name: str, shells: Sequence[Shell], options: RunOptions, readings: Readings) -> WholeReadings:
    """Read the cluster ``name`` from the first of ``shells`` that answers.

    They all show the same: what one of them alone cannot tell, for its storage provider or its own rights, another one can.
    """

    def ask(subject: Subject, read: Callable[[Shell], T]) -> T | None:
        return readings.cluster(subject, shells, read, any_answer=True)

    whole = ask("cluster", lambda shell: (get_cluster(shell), get_cluster_resources(shell), get_cluster_quorum(shell)))
    info, resources, quorum = whole or (ClusterInfo(name), (), Quorum())
    validation = None
    if options.validate_cluster:
        validation = readings.cluster("validation", shells[:1], lambda shell: test_cluster(shell, VALIDATED))
    else:
        readings.not_asked["validation"] = "the option validate_cluster is off"
    return WholeReadings(
        info,
        resources,
        quorum,
        ask("storage", read_storage) or StorageFacts(),
        ask("health", get_health_faults) or (),
        ask("volumes", get_cluster_shared_volume_states),
        ask("volumes", get_volumes_in_backup),
        ask("rollout", get_firmware_rollout),
        validation,
    )


def read_cau(cluster: Cluster, shells: Sequence[Shell], options: RunOptions, readings: Readings) -> CauReadings:
    """Ask CAU on the management host where there is one, and on a node where that does not answer."""
    management = cluster.management()
    hosts = [*([management.shell] if management is not None and management.shell is not None else []), *shells]
    run = readings.cluster("cau-run", hosts, lambda shell: get_cau_run(shell, cluster.name), any_error=True)
    problem = next((entry.reason for entry in readings.unread if entry.subject == "cau-run"), "")
    role: Mapping[str, str] | None = None
    if run is None:
        readings.not_asked["cau-role"] = "CAU's own state could not be asked either"
    else:
        role = readings.cluster(
            "cau-role", hosts, lambda shell: get_cau_cluster_role(shell, cluster.name), any_error=True
        )
    return CauReadings(run, problem, role, _setup(cluster, options, readings))


def _setup(cluster: Cluster, options: RunOptions, readings: Readings) -> tuple[CauFinding, ...] | None:
    """Run Test-CauSetup where it can reach every node.

    It goes on from where it runs to all nodes, so a session without credentials to pass on is no place for it (windowsserverdocs,
    cluster-aware-updating-requirements; PowerShell-Docs, ps-remoting-second-hop).
    """
    management = cluster.management()
    if not options.check_cau_setup:
        readings.not_asked["cau-setup"] = "the option check_cau_setup is off"
        return None
    if management is None:
        readings.not_asked["cau-setup"] = (
            "the cluster has no management_host, and from a session on a node Test-CauSetup cannot reach the other nodes"
        )
        return None
    shell = management.shell
    if shell is None or not management.passes_credentials:
        readings.not_asked["cau-setup"] = management.problem or (
            "the connection of the management host passes no credentials on, which Test-CauSetup needs to reach the nodes"
            " (auth credssp, or negotiate_delegate)"
        )
        return None
    return readings.cluster("cau-setup", (shell,), lambda own: test_cau_setup(own, cluster.name))
