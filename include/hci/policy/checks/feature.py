"""Checks of a cluster that is to get the next version of Windows: from where it comes, and what would end half-way or be refused.

Sources: azure-stack-docs, update-cluster, install-preview-version and kernel-soft-reboot; the readiness checks of Windows Admin
Center; windowsserverdocs, cluster-operating-system-rolling-upgrade and upgrade-virtual-machine-version.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from include.hci.cluster.agents import Agents
from include.hci.cluster.levels import Level
from include.hci.cluster.machine import Build, WindowsVersion
from include.hci.policy.checks.facts import ReadinessFacts
from include.hci.policy.checks.judging import Row, judge
from include.hci.policy.checks.result import CheckResult, Severity, Status

#: The versions that this program knows, by build: those of Azure Stack HCI, and those of Windows Server.
HCI_BUILDS, SERVER_BUILDS = frozenset({17784, 20348, 20349}), frozenset({17763, 20348, 26100})
#: 20H2 knows the preview channel and the rolling upgrade from KB5003237 on.
KB5003237 = Build(17784, 1737)
#: System Center 2022; the agent of an older one must not manage the update of 20H2.
VMM_2022 = (10, 22)
#: Hosts from Windows Server 2022 on start no machine of an older configuration.
OLDEST_CONFIGURATION = (8, 0)
#: A cluster should not run two versions beside each other for longer.
MIXED_FOR = timedelta(weeks=4)
_STORAGE_REPLICA = "storage replica"

_KNOWN = Row(
    "known-version",
    "The nodes run versions of Windows that are known",
    Severity.CRITICAL,
    "Update a cluster of this version by the vendor's own tools.",
    ("versions",),
)
_ENOUGH_20H2 = Row(
    "rolling-upgrade-20h2",
    "Nodes of version 20H2 know the rolling upgrade",
    Severity.CRITICAL,
    "Install the newest updates first (the cluster's rolling update): 20H2 needs KB5003237 of 20 May 2021 or later.",
    ("versions",),
)
_LEVEL = Row(
    "patch-level",
    "The nodes that are to be upgraded are at one patch level",
    Severity.CRITICAL,
    "Bring them to one build first (the cluster's rolling update): servers at different levels are offered different feature"
    " updates.",
    ("versions",),
)
_ONE_VERSION = Row(
    "patch-level",
    "Every node has the new version",
    Severity.CRITICAL,
    "Start the feature update again without post_steps_only: it goes on with the nodes that do not have the new version yet.",
    ("versions",),
)
_SOFT_REBOOT = Row(
    "soft-reboot",
    "Kernel Soft Reboot is off",
    Severity.CRITICAL,
    "Switch it off: Get-Cluster | Set-ClusterParameter -Name CauEnableSoftReboot -Value 0, and attempt_soft_reboot in the"
    " profile; a feature update needs full restarts.",
    ("soft-reboot",),
)
_VMM = Row(
    "vmm-agent",
    "No node has an agent of Virtual Machine Manager 2019 or older",
    Severity.CRITICAL,
    "Move to System Center 2022 first, or take the cluster out of Virtual Machine Manager for the time of the update.",
    ("agents",),
)
_CONFIGURATIONS = Row(
    "vm-versions",
    "The new version starts every virtual machine",
    Severity.CRITICAL,
    "Raise the configuration version of these machines first (Update-VMVersion, while they are off).",
    ("virtual-machines", "vm-versions"),
)
_PROCESSOR = Row(
    "processor",
    "Without any one node the others have the processors for the virtual machines",
    Severity.WARNING,
    "Update at a time with less load, or shut virtual machines down: they will be slow while a node is away.",
    ("virtual-machines",),
)
_MIXED = Row(
    "mixed-mode",
    "The cluster does not run two versions for longer than four weeks",
    Severity.WARNING,
    "Bring the remaining nodes to the new version and raise the functional level; until then the cluster is only meant to be on"
    " its way.",
    ("versions", "levels"),
)
_ROLE_FOR_MEDIA = Row(
    "media-role",
    "The cluster has CAU's role, which an update from media needs",
    Severity.CRITICAL,
    "Add it with the DAG for CAU's self-updating role, disabled (Add-CauClusterRole), or update from Windows Update.",
    ("cau-role",),
)
_REPLICA = Row(
    "storage-replica",
    "The cluster uses no Storage Replica",
    Severity.INFORMATION,
    "After an update to 21H2 restart every server a second time before the functional level is raised: leave that for later"
    " (functional_level: no), run the rolling update with restart_nodes, then this one with post_steps_only.",
    ("cluster",),
)
_NETWORK = Row(
    "network-controller",
    "The cluster takes no part in software defined networking",
    Severity.INFORMATION,
    "After the update look whether SkipMigrationDestinationCheck is 0 again on every server with switch embedded teaming.",
    ("agents",),
)


@dataclass(frozen=True, slots=True)
class FeatureFacts:
    """What is read for a feature update beside everything else; mappings go by the node's name.

    ``soft_reboot`` is the value of CauEnableSoftReboot, empty where it is not set. ``level`` is the cluster's, ``supported`` what
    each node supports. ``takes`` are the configuration versions that nodes of the newest build take, ``installed`` since when
    they run it. None: not read, for the reason in the facts beside these.
    """

    soft_reboot: str | None = None
    agents: Mapping[str, Agents] | None = None
    level: Level | None = None
    supported: Mapping[str, Level | None] = field(default_factory=dict)
    takes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    installed: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FeatureRules:
    """What the run was told. ``full_reboot``: it has CAU restart fully, whatever the cluster's own setting is."""

    media: bool = False
    post_steps_only: bool = False
    attempt_soft_reboot: bool = False
    full_reboot: bool = False


def check_feature(
    facts: ReadinessFacts, found: FeatureFacts, rules: FeatureRules, now: datetime
) -> tuple[CheckResult, ...]:
    """Return the checks of a feature update; ``now`` is aware.

    A run that only does what comes after the installation is not asked for what matters to that alone.
    """
    always = (_mixed_mode(facts, found, now), _storage_replica(facts), _networking(facts, found))
    if rules.post_steps_only:
        return (_one_version(facts), *always)
    return (
        _known_versions(facts),
        _enough_20h2(facts),
        _patch_level(facts),
        _soft_reboot(facts, found, rules),
        _vmm(facts, found),
        _configurations(facts, found),
        _processors(facts),
        *((_role_for_media(facts),) if rules.media else ()),
        *always,
    )


def newest_nodes(versions: Mapping[str, WindowsVersion]) -> tuple[str, ...]:
    """Return the nodes on the newest build where the cluster has more than one, else none: what they run is the target."""
    numbers = {version.build.number for version in versions.values()}
    if len(numbers) < 2:
        return ()
    return tuple(sorted(name for name, version in versions.items() if version.build.number == max(numbers)))


def _named(versions: Mapping[str, WindowsVersion]) -> str:
    return ", ".join(f"{node} {version.build}" for node, version in sorted(versions.items()))


def _is_known(version: WindowsVersion) -> bool:
    known = HCI_BUILDS if version.is_azure_stack else SERVER_BUILDS
    if not version.product and not version.edition:
        known = HCI_BUILDS | SERVER_BUILDS
    return version.build.number in known


def _known_versions(facts: ReadinessFacts) -> CheckResult:
    ahead = newest_nodes(facts.versions)
    strange = {node: version for node, version in facts.versions.items() if not _is_known(version)}
    problems = [
        f"{node} runs {version.product or 'Windows'} build {version.build}" for node, version in sorted(strange.items())
    ]
    # What the new version is, a preview for instance, need not be known to go on with the others.
    severity = Severity.WARNING if strange and set(strange) <= set(ahead) else None
    return judge(_KNOWN, facts, problems, _named(facts.versions) or "no version was read", severity)


def _enough_20h2(facts: ReadinessFacts) -> CheckResult:
    problems = [
        f"{node} has build {version.build}, before KB5003237 ({KB5003237})"
        for node, version in sorted(facts.versions.items())
        if version.build.number == KB5003237.number and version.build < KB5003237
    ]
    return judge(_ENOUGH_20H2, facts, problems, f"no node is of 20H2 before build {KB5003237}")


def _patch_level(facts: ReadinessFacts) -> CheckResult:
    numbers = sorted({version.build.number for version in facts.versions.values()})
    ahead = newest_nodes(facts.versions)
    rest = {node: version for node, version in facts.versions.items() if node not in ahead}
    builds = {version.build for version in rest.values()}
    if len(numbers) > 2:
        return judge(_LEVEL, facts, [f"the nodes run {len(numbers)} versions of Windows: {_named(facts.versions)}"], "")
    problems = [f"they are at different builds: {_named(rest)}"] if len(builds) > 1 else []
    fine = f"build {next(iter(builds), 'unknown')} on {', '.join(sorted(rest))}"
    if ahead:
        fine += f"; {', '.join(ahead)} have the new version already ({numbers[-1]})"
    return judge(_LEVEL, facts, problems, fine)


def _one_version(facts: ReadinessFacts) -> CheckResult:
    numbers = {version.build.number for version in facts.versions.values()}
    problems = [f"the nodes run different versions: {_named(facts.versions)}"] if len(numbers) > 1 else []
    return judge(_ONE_VERSION, facts, problems, f"every node runs build {next(iter(numbers), 'unknown')}")


def _soft_reboot(facts: ReadinessFacts, found: FeatureFacts, rules: FeatureRules) -> CheckResult:
    asked = ["the run's own option attempt_soft_reboot is on"] if rules.attempt_soft_reboot else []
    if found.soft_reboot is None:
        return judge(_SOFT_REBOOT, facts, asked or None, "")
    value = found.soft_reboot.strip()
    if value == "1" and rules.full_reboot and not asked:
        return judge(
            _SOFT_REBOOT, facts, [], "CauEnableSoftReboot is 1, and this run asks for full restarts (reboot_mode)"
        )
    if value == "1":
        asked.append("the cluster's CauEnableSoftReboot is 1")
    return judge(_SOFT_REBOOT, facts, asked, f"CauEnableSoftReboot is {value or 'not set'}")


def _vmm(facts: ReadinessFacts, found: FeatureFacts) -> CheckResult:
    if found.agents is None:
        return judge(_VMM, facts, None, "")
    there = {node: agents for node, agents in sorted(found.agents.items()) if agents.vmm}
    old = [
        f"{node} has version {agents.vmm_version} of the agent"
        for node, agents in there.items()
        if agents.vmm_version and not _is_vmm_2022(agents.vmm_version)
    ]
    unknown = [
        f"{node} has the agent ({agents.vmm}), whose version cannot be read: it is taken to be of System Center 2022"
        for node, agents in there.items()
        if not agents.vmm_version
    ]
    listed = ", ".join(f"{node} {agents.vmm_version}" for node, agents in there.items())
    severity = None if old else Severity.WARNING if unknown else None
    return judge(
        _VMM, facts, [*old, *unknown], f"the agents are new enough: {listed}" if there else "no node has one", severity
    )


def _is_vmm_2022(text: str) -> bool:
    parts = [int(part) for part in text.split(" ")[0].split(".")[:2] if part.isdigit()]
    return tuple(parts) >= VMM_2022


def _configurations(facts: ReadinessFacts, found: FeatureFacts) -> CheckResult:
    machines = facts.virtual_machines
    if machines is None:
        return judge(_CONFIGURATIONS, facts, None, "")
    lists = list(found.takes.values())
    taken = set.intersection(*map(set, lists)) if lists else None
    problems, unread = [], []
    for machine in machines:
        order = _order(machine.version)
        if order is None:
            unread.append(machine.name)
        elif machine.version not in taken if taken is not None else order < OLDEST_CONFIGURATION:
            problems.append(f"{machine.name} has version {machine.version}")
    if taken is not None:
        where = f"taken by {', '.join(sorted(found.takes))}, which have the new version"
    else:
        where = f"from {'.'.join(map(str, OLDEST_CONFIGURATION))} on, which every newer version takes"
    if unread and not problems:
        said = [f"the host does not tell the version of {', '.join(unread)}"]
        return judge(_CONFIGURATIONS, facts, said, "", Severity.WARNING)
    return judge(_CONFIGURATIONS, facts, problems, f"{len(machines)} virtual machines have versions {where}")


def _order(version: str) -> tuple[int, ...] | None:
    try:
        return tuple(int(part) for part in version.split("."))
    except ValueError:
        return None


def _processors(facts: ReadinessFacts) -> CheckResult:
    up = [node.name for node in facts.nodes if node.is_up]
    machines = [machine for machine in facts.virtual_machines or () if machine.uses_memory]
    if facts.virtual_machines is None:
        return judge(_PROCESSOR, facts, None, "")
    if len(up) < 2 or any(machine.processor is None for machine in machines):
        said = "not read in this run: the hosts do not say how much their virtual machines use (Get-VM, CPUUsage)"
        return CheckResult(_PROCESSOR.id, _PROCESSOR.title, _PROCESSOR.severity, Status.NOT_APPLICABLE, said)
    # A share of one host counts as the same share of another: that they are alike is what the cluster is built on.
    used = sum(machine.processor or 0 for machine in machines) / len(up)
    room = 100 * (len(up) - 1) / len(up)
    said = f"the virtual machines use {used:.0f} % of the processors of {len(up)} nodes at this moment"
    fits = f"{room:.0f} % is what {len(up) - 1} have"
    return judge(_PROCESSOR, facts, [f"{said}, {fits}"] if used > room else [], f"{said}, {fits}")


def _mixed_mode(facts: ReadinessFacts, found: FeatureFacts, now: datetime) -> CheckResult:
    ahead = set(newest_nodes(facts.versions))
    if not ahead and found.level is not None:
        behind = [level is not None and level > found.level for level in found.supported.values()]
        ahead = set(facts.versions) if behind and all(behind) else set()
    if not ahead:
        if found.level is None:
            return judge(_MIXED, facts, None, "")
        return judge(_MIXED, facts, [], f"all nodes have one version, and the functional level {found.level} is theirs")
    since = min((at for node, at in found.installed.items() if node in ahead), default=None)
    named = ", ".join(sorted(ahead))
    if since is None:
        said = f"{named} are ahead of the cluster; since when cannot be read"
        return CheckResult(_MIXED.id, _MIXED.title, _MIXED.severity, Status.NOT_APPLICABLE, said)
    said = f"{named} are ahead of the cluster since {since:%Y-%m-%d} (Win32_OperatingSystem, InstallDate)"
    return judge(_MIXED, facts, [said] if now - since > MIXED_FOR else [], said)


def _role_for_media(facts: ReadinessFacts) -> CheckResult:
    if facts.cau_role is None and "cau-role" in facts.not_asked:
        return judge(_ROLE_FOR_MEDIA, facts, ["whether the cluster has the role could not be asked"], "")
    return judge(
        _ROLE_FOR_MEDIA, facts, [] if facts.cau_role is not None else ["the cluster has no such role"], "it has"
    )


def _storage_replica(facts: ReadinessFacts) -> CheckResult:
    groups = {each.group for each in facts.resources if each.kind.lower() == _STORAGE_REPLICA}
    problems = [f"Storage Replica works in {', '.join(sorted(groups))}"] if groups else []
    return judge(_REPLICA, facts, problems, "the cluster has no resource of Storage Replica")


def _networking(facts: ReadinessFacts, found: FeatureFacts) -> CheckResult:
    if found.agents is None:
        return judge(_NETWORK, facts, None, "")
    nodes = [node for node, agents in sorted(found.agents.items()) if agents.networking]
    problems = [f"the network controller's agent runs on {', '.join(nodes)}"] if nodes else []
    return judge(_NETWORK, facts, problems, "the network controller's agent runs on no node")
