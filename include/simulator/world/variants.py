"""Facts that could not be confirmed: the world takes the less convenient reading, and the other one when asked for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variant:
    """One open fact: what the world does unless asked otherwise, what it does when this variant is on, and where the gap is."""

    id: str
    default: str
    alternative: str
    source: str


VARIANTS = {
    variant.id: variant
    for variant in (
        Variant(
            "cau-node-takes-feature-updates-only",
            "The methods of MSFT_CAUNode take FeatureUpdatesOnly only where a class dump shows it (23H2 and later).",
            "They take it on every version.",
            "class dumps of MSFT_CAUNode: present on 23H2, absent on Windows Server 2019, nothing known in between",
        ),
        Variant(
            "cau-node-has-the-newer-methods",
            "CommitFUpdatesWua and the upgrade methods of MSFT_CAUNode exist only on 23H2 and later.",
            "They exist on every version, and a staged feature update needs its commit there.",
            "class dumps of MSFT_CAUNode: present on 23H2, absent on Windows Server 2019, nothing known in between",
        ),
        Variant(
            "feature-updates-need-a-commit",
            "Without a commit method a staged feature update takes effect with the next restart, wanted or not.",
            "It takes effect only after the Windows Update Agent was told to commit.",
            "SConfig commits before it restarts; MSLab's virtual-account scripts for 20H2 and 21H2 do not",
        ),
        Variant(
            "windows-update-classes-on-23h2",
            "The namespace root/Microsoft/Windows/WindowsUpdate is missing from 23H2 and Windows Server 2025 on.",
            "It is there as on the versions before.",
            "the 23H2 class dump has other namespaces and lacks this one, which proves nothing",
        ),
        Variant(
            "functional-level-of-2019-is-11",
            "Windows Server 2019 and 20H2 are at functional level 10.",
            "They are at level 11.",
            "documents name 8 and 9 for older versions only; a blog with the programme manager has 10.x and 11",
        ),
        Variant(
            "functional-level-of-21h2-is-11",
            "21H2 is at functional level 12 with upgrade version 1.",
            "It is at level 11 with upgrade version 4, which Windows Admin Center's code takes for the same.",
            "no document tells the pair per Azure Stack HCI release",
        ),
        Variant(
            "upgrade-versions-count-on",
            "From 23H2 on ClusterUpgradeVersion is 32774 or higher.",
            "It is a small number that counts on from that of 22H2.",
            "32774 was only seen by third parties",
        ),
        Variant(
            "hci-vm-versions-lag-behind",
            "Azure Stack HCI takes the virtual machine configuration versions of the Windows Server of its time.",
            "Its newest one is missing, so that virtual machines stay where they are.",
            "the table of configuration versions names Windows Server only",
        ),
        Variant(
            "small-clusters-never-quarantine",
            "One node may always be quarantined, in a cluster of two or three as well.",
            "With fewer than four nodes a quarter is none, and no node is ever quarantined.",
            "at most 25 % of the nodes; nothing says how a small cluster rounds",
        ),
        Variant(
            "isolated-vms-pause-critical",
            "The virtual machines of an isolated node run on, unmonitored.",
            "They pause critically, because their shared volumes are out of reach.",
            "the description of compute resiliency tells storage on SMB and block storage apart, not Storage Spaces Direct",
        ),
        Variant(
            "failed-drain-with-wait-returns",
            "Suspend-ClusterNode -Wait ends with an error when the drain fails.",
            "It returns the node, whose DrainStatus is Failed.",
            "neither exception nor text of a failed -Wait is documented",
        ),
        Variant(
            "isolated-codes-are-generic",
            "What is refused on an isolated or quarantined node fails with 5984 or 5985.",
            "It fails with 5050, node down, as for any node that is away.",
            "the two codes are in header files, not on the page of system error codes",
        ),
        Variant(
            "drain-error-code-of-2022",
            "DrainErrorCode is on 23H2 and later only.",
            "21H2, 22H2 and Windows Server 2022 have it as well.",
            "class dumps of 2019 and 23H2; nothing in between",
        ),
        Variant(
            "pool-version-number-counts-on",
            "The number under StoragePool.Version says nothing (0) beyond Windows Server 2012 R2; its text tells the version.",
            "It counts on from 3: 2016, 2019, 2022, 23H2, 2025.",
            "the class page ends at 3",
        ),
        Variant(
            "severities-of-the-health-service",
            "PerceivedSeverity 4, 5 and 6 read Minor, Major and Critical, as the class page has them.",
            "They read Informational, Warning and Error, as the article on the Health Service has them.",
            "two documents of the vendor disagree",
        ),
        Variant(
            "soft-reboot-has-a-new-boot-time",
            "After a kernel soft reboot LastBootUpTime is what it was.",
            "It is new, as after any restart.",
            "the article on kernel soft reboot does not speak of the boot time",
        ),
        Variant(
            "get-health-fault-exists",
            "There is no Get-HealthFault.",
            "Get-HealthFault writes what Debug-StorageSubSystem writes.",
            "field scripts call it; no page of the cmdlet reference has it",
        ),
        Variant(
            "quorum-type-by-witness",
            "QuorumType is Majority whatever the witness.",
            "It names the witness: NodeAndCloudWitness, NodeAndFileShareMajority, NodeMajority.",
            "the members of QuorumType are not documented",
        ),
        Variant(
            "core-states-with-gaps",
            "A resource on its way says OnlinePending or OfflinePending.",
            "It says Pending.",
            "the numbers of ClusterResourceState were not read anew",
        ),
        Variant(
            "move-clustergroup-migrates-live",
            "Move-ClusterGroup saves a running virtual machine on the way.",
            "It migrates it live.",
            "the page of the cmdlet does not say how a virtual machine moves",
        ),
        Variant(
            "cau-node-statuses-have-other-names",
            "A node of an Updating Run is Suspending, Restarting and so on, under names that no document has.",
            "The same stages are called EnteringMaintenanceMode, Rebooting and so on.",
            "Get-CauRun: only Waiting and Scanning are shown in documents",
        ),
        Variant(
            "cau-has-no-locked-state",
            "Get-CauRun says RunLocked while the locks of a lost coordinator are there, and RunFailed after that.",
            "It says RunFailed from the start.",
            "Invoke-CauRun: ForceRecovery recovers a cluster from CAU's locked state; RunState beyond three names is not listed",
        ),
        Variant(
            "cau-waits-hours-for-degraded-storage",
            "CAU gives a node up after 15 minutes of degraded storage where SuspendClusterNodeTimeoutMinutes is not given.",
            "It gives the node up after six hours.",
            "Invoke-CauRun: SuspendClusterNodeTimeoutMinutes has no documented default",
        ),
        Variant(
            "cau-keeps-a-pause-it-found",
            "CAU resumes a node at the end of its turn even if somebody else had paused it before.",
            "It leaves such a node paused.",
            "nothing is documented about nodes that are paused when a run begins",
        ),
        Variant(
            "cau-run-ends-with-its-console",
            "Invoke-CauRun goes on when its pipeline is stopped or the client goes away.",
            "Its coordinator is lost with the pipeline; locks and a paused node stay behind.",
            "azure-stack-docs, update-cluster: the run usually goes on; nothing says what becomes of the coordinator",
        ),
        Variant(
            "cau-credential-crosses-the-second-hop",
            "Credential on a CAU cmdlet does not help in a network logon: only delegated credentials reach the nodes.",
            "Credential is enough.",
            "no document says whether the CAU cmdlets authenticate to the nodes with Credential from a network logon",
        ),
        Variant(
            "cau-role-can-be-added-from-a-member",
            "Add-CauClusterRole refuses on a member of the cluster.",
            "It works there.",
            "azure-stack-docs, update-cluster: not from a member; Windows Admin Center's own scripts run it on one",
        ),
        Variant(
            "cau-role-lists-every-option",
            "Get-CauClusterRole lists the group, the status, the schedule and the options that were given.",
            "It lists every option with its default as well.",
            "Get-CauClusterRole: the list of pairs is not documented",
        ),
        Variant(
            "cau-run-once-waits-for-update-now",
            "A role with RunOnce begins its run at once.",
            "It begins when Set-CauClusterRole -UpdateNow asks for it.",
            "Add-CauClusterRole: RunOnce is listed without a word on when",
        ),
        Variant(
            "cau-windows-update-plugin-takes-feature-updates",
            "Microsoft.WindowsUpdatePlugin leaves feature updates to Microsoft.RollingUpgradePlugin.",
            "It installs whatever its query finds, feature updates too.",
            "cluster-aware-updating-plug-ins: the default query does not exclude feature updates",
        ),
        Variant(
            "cau-rolling-upgrade-goes-on-to-later-versions",
            "A run with Microsoft.RollingUpgradePlugin takes every server one version further.",
            "It installs whatever the search after the restart finds, a feature update to a later version too.",
            "cluster-aware-updating: a run scans again until nothing is left; nothing is said of versions",
        ),
    )
}


def check(names: Iterable[str]) -> None:
    """Raise ValueError, naming those there are, when one of ``names`` is no variant."""
    for name in names:
        if name not in VARIANTS:
            raise ValueError(f"There is no variant {name!r}; there are {', '.join(sorted(VARIANTS))}.")
