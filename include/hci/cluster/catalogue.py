"""The catalogue: every command and parameter that the product sends to a cluster, and nothing beside it.

The vocabulary is checked against it, it is checked against the vendor's syntax, and the least-privilege role of a constrained
endpoint is made from it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from include.hci.cluster.as_found import CREDSSP_SETTINGS, FIREWALL_GROUPS
from include.hci.cluster.cau_role import ROLE_OPTIONS, ROLE_SCHEDULE
from include.hci.cluster.cau_runs import RUN_PARAMETERS, SCAN_PARAMETERS
from include.hci.cluster.rollout import COMPONENTS_SETTING, ROLLOUT_SETTING
from include.hci.cluster.system_task.build import DEFINITION
from include.hci.cluster.system_task.protocol import ARGUMENTS, FOLDER
from include.hci.powershell.command import Command, Pipeline, as_pipeline


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """One command as the product uses it.

    ``changes`` says whether it may change the cluster. ``role`` says whether a constrained endpoint must show it. ``values``
    limits parameters to the values that are ever sent.
    """

    name: str
    module: str
    parameters: tuple[str, ...] = ()
    changes: bool = False
    role: bool = True
    values: dict[str, tuple[str, ...]] = field(default_factory=dict)


_CLUSTERS, _STORAGE, _CIM, _CAU = "FailoverClusters", "Storage", "CimCmdlets", "ClusterAwareUpdating"
_MANAGEMENT = "Microsoft.PowerShell.Management"
_TASKS = "ScheduledTasks"
_NAMESPACE = ("root/Microsoft/Windows/ClusterUpdate",)

CATALOGUE: tuple[CatalogueEntry, ...] = (
    CatalogueEntry("Get-Cluster", _CLUSTERS),
    CatalogueEntry("Get-ClusterNode", _CLUSTERS),
    CatalogueEntry("Get-ClusterGroup", _CLUSTERS, ("Name",)),
    CatalogueEntry("Get-ClusterResource", _CLUSTERS),
    CatalogueEntry("Get-ClusterQuorum", _CLUSTERS),
    CatalogueEntry("Get-ClusterSharedVolume", _CLUSTERS, ("Name",)),
    CatalogueEntry("Get-ClusterSharedVolumeState", _CLUSTERS),
    # On the management host or a node, as an administrator: a constrained endpoint does not show it.
    CatalogueEntry("Test-Cluster", _CLUSTERS, ("Cluster", "Include", "Confirm"), changes=True, role=False),
    CatalogueEntry("Suspend-ClusterNode", _CLUSTERS, ("Name", "Drain"), changes=True),
    CatalogueEntry(
        "Resume-ClusterNode",
        _CLUSTERS,
        ("Name", "Failback"),
        changes=True,
        values={"Failback": ("Immediate", "NoFailback", "Policy")},
    ),
    CatalogueEntry("Stop-Cluster", _CLUSTERS, ("Force",), changes=True),
    CatalogueEntry("Stop-ClusterResource", _CLUSTERS, ("Name",), changes=True),
    CatalogueEntry("Start-ClusterResource", _CLUSTERS, ("Name",), changes=True),
    CatalogueEntry("Start-ClusterGroup", _CLUSTERS, ("Name", "Wait"), changes=True),
    CatalogueEntry("Update-ClusterFunctionalLevel", _CLUSTERS, ("Force", "WhatIf"), changes=True),
    CatalogueEntry("Move-ClusterGroup", _CLUSTERS, ("Name", "Node", "Wait"), changes=True),
    # On the management host, in a session that passes its credentials on: a constrained endpoint of a node does not show it.
    CatalogueEntry(
        "Move-ClusterVirtualMachineRole",
        _CLUSTERS,
        ("Name", "Node", "MigrationType", "Wait", "Cancel", "Cluster"),
        changes=True,
        role=False,
        values={"MigrationType": ("Live",)},
    ),
    CatalogueEntry("Get-VirtualDisk", _STORAGE),
    CatalogueEntry("Get-StoragePool", _STORAGE, ("IsPrimordial",)),
    CatalogueEntry("Update-StoragePool", _STORAGE, ("UniqueId", "Confirm"), changes=True),
    CatalogueEntry("Get-StorageJob", _STORAGE),
    CatalogueEntry("Get-PhysicalDisk", _STORAGE),
    CatalogueEntry(
        "Get-StorageFaultDomain", _STORAGE, ("Type",), values={"Type": ("StorageScaleUnit", "PhysicalDisk")}
    ),
    CatalogueEntry("Enable-StorageMaintenanceMode", _STORAGE, changes=True),
    CatalogueEntry("Disable-StorageMaintenanceMode", _STORAGE, changes=True),
    CatalogueEntry("Get-StorageSubSystem", _STORAGE, ("FriendlyName",), values={"FriendlyName": ("Clustered*",)}),
    CatalogueEntry("Debug-StorageSubSystem", _STORAGE),
    CatalogueEntry(
        "Get-StorageHealthSetting", _STORAGE, ("Name",), values={"Name": (COMPONENTS_SETTING, ROLLOUT_SETTING)}
    ),
    CatalogueEntry("Get-Volume", _STORAGE, ("DriveLetter",)),
    CatalogueEntry("Repair-VirtualDisk", _STORAGE, ("FriendlyName", "AsJob"), changes=True),
    CatalogueEntry("Get-CimInstance", _CIM, ("ClassName", "Namespace", "Filter")),
    CatalogueEntry("Get-CimClass", _CIM, ("ClassName", "Namespace"), values={"ClassName": ("MSFT_CAUNode",)}),
    CatalogueEntry(
        "New-CimInstance",
        _CIM,
        ("ClassName", "Namespace", "Property"),
        changes=True,
        values={"ClassName": ("MSFT_CAURun", "MSFT_CAUNode"), "Namespace": _NAMESPACE},
    ),
    CatalogueEntry("Remove-CimInstance", _CIM, changes=True),
    CatalogueEntry(
        "Invoke-CimMethod",
        _CIM,
        ("MethodName", "Arguments"),
        changes=True,
        values={"MethodName": ("ScanUpdates", "DownloadUpdates", "InstallUpdates", "RebootRequired")},
    ),
    CatalogueEntry("Get-ItemProperty", _MANAGEMENT, ("LiteralPath",)),
    CatalogueEntry("Test-Path", _MANAGEMENT, ("LiteralPath",)),
    CatalogueEntry("Get-Service", _MANAGEMENT, ("Name",)),
    CatalogueEntry(
        "Set-Service",
        _MANAGEMENT,
        ("Name", "StartupType"),
        changes=True,
        values={"StartupType": ("Automatic", "Manual", "Disabled")},
    ),
    CatalogueEntry("Start-Service", _MANAGEMENT, ("Name",), changes=True),
    CatalogueEntry("Restart-Computer", _MANAGEMENT, ("Force",), changes=True),
    CatalogueEntry("Get-CauRun", _CAU, ("ClusterName",)),
    CatalogueEntry("Get-CauClusterRole", _CAU, ("ClusterName",)),
    CatalogueEntry("Test-CauSetup", _CAU, ("ClusterName",)),
    CatalogueEntry("Get-CauReport", _CAU, ("ClusterName", "Last", "Detailed")),
    # On the management host only, as an administrator: a constrained endpoint of a node does not show them.
    CatalogueEntry("Get-CauPlugin", _CAU, role=False),
    CatalogueEntry("Invoke-CauScan", _CAU, ("ClusterName", *SCAN_PARAMETERS), role=False),
    CatalogueEntry(
        "Invoke-CauRun",
        _CAU,
        ("ClusterName", *RUN_PARAMETERS, "ForceRecovery", "Force", "Confirm"),
        changes=True,
        role=False,
    ),
    CatalogueEntry("Stop-CauRun", _CAU, ("ClusterName", "Force"), changes=True, role=False),
    CatalogueEntry(
        "Add-CauClusterRole",
        _CAU,
        (
            *("ClusterName", "VirtualComputerObjectName", "GroupName", "Force", "Verbose"),
            *ROLE_SCHEDULE,
            *ROLE_OPTIONS,
        ),
        changes=True,
        role=False,
    ),
    CatalogueEntry(
        "Set-CauClusterRole",
        _CAU,
        ("ClusterName", "UseDefault", "UpdateNow", "Force", "Verbose", *ROLE_SCHEDULE, *ROLE_OPTIONS),
        changes=True,
        role=False,
    ),
    CatalogueEntry("Enable-CauClusterRole", _CAU, ("ClusterName", "Force"), changes=True, role=False),
    CatalogueEntry("Disable-CauClusterRole", _CAU, ("ClusterName", "Force"), changes=True, role=False),
    CatalogueEntry("Remove-CauClusterRole", _CAU, ("ClusterName", "Force"), changes=True, role=False),
    CatalogueEntry("Get-WindowsFeature", "ServerManager", ("Name",), role=False),
    CatalogueEntry(
        "Install-WindowsFeature",
        "ServerManager",
        ("Name", "IncludeAllSubFeature", "IncludeManagementTools"),
        changes=True,
        role=False,
        values={"Name": ("Failover-Clustering", "RSAT-Clustering", "RSAT-Clustering-PowerShell")},
    ),
    CatalogueEntry(
        "Enable-NetFirewallRule",
        "NetSecurity",
        ("Group",),
        changes=True,
        role=False,
        values={"Group": FIREWALL_GROUPS[:1]},
    ),
    CatalogueEntry(
        "Enable-WSManCredSSP",
        "Microsoft.WSMan.Management",
        ("Role", "Force"),
        changes=True,
        role=False,
        values={"Role": ("Server",)},
    ),
    CatalogueEntry(
        "Disable-WSManCredSSP",
        "Microsoft.WSMan.Management",
        ("Role",),
        changes=True,
        role=False,
        values={"Role": ("Server",)},
    ),
    CatalogueEntry(
        "Disable-NetFirewallRule",
        "NetSecurity",
        ("Group",),
        changes=True,
        role=False,
        values={"Group": FIREWALL_GROUPS[:1]},
    ),
    # The vendor's reference has no page for these two; SConfig and Windows Admin Center call them, the latter by this module.
    CatalogueEntry("Get-PreviewChannel", "PreviewOptIn", role=False),
    CatalogueEntry("Set-PreviewChannel", "PreviewOptIn", changes=True, role=False),
    # Remote management of a node is set up and read as an administrator; nobody else could.
    CatalogueEntry(
        "Set-NetFirewallRule",
        "NetSecurity",
        ("Group", "Name", "Profile", "Enabled"),
        changes=True,
        role=False,
        values={"Group": FIREWALL_GROUPS[:1], "Enabled": ("True", "False")},
    ),
    CatalogueEntry("Test-WSMan", "Microsoft.WSMan.Management", role=False),
    CatalogueEntry("Set-WSManQuickConfig", "Microsoft.WSMan.Management", ("Force",), changes=True, role=False),
    CatalogueEntry("Enable-PSRemoting", "Microsoft.PowerShell.Core", ("Force",), changes=True, role=False),
    CatalogueEntry("Get-ClusterParameter", _CLUSTERS),
    CatalogueEntry("Get-Process", _MANAGEMENT, ("Name", "FileVersionInfo"), values={"Name": ("vmmAgent",)}),
    CatalogueEntry("Out-Null", "Microsoft.PowerShell.Core", role=False),
    CatalogueEntry("Get-VM", "Hyper-V"),
    CatalogueEntry("Get-VMDvdDrive", "Hyper-V"),
    CatalogueEntry("Get-VMHostSupportedVersion", "Hyper-V", ("Default",)),
    CatalogueEntry("Update-VMVersion", "Hyper-V", ("Force",), changes=True),
    CatalogueEntry("Stop-VM", "Hyper-V", changes=True),
    CatalogueEntry("Save-VM", "Hyper-V", changes=True),
    CatalogueEntry("Get-ScheduledTask", _TASKS, ("TaskName", "TaskPath")),
    CatalogueEntry("Get-ScheduledTaskInfo", _TASKS, ("TaskName", "TaskPath")),
    # The definition is one fixed text, and the folder and the encoding are fixed as well.
    CatalogueEntry(
        "Register-ScheduledTask",
        _TASKS,
        ("TaskName", "TaskPath", "Xml"),
        changes=True,
        values={"Xml": (DEFINITION.read_text(encoding="ascii"),), "TaskPath": ("\\",)},
    ),
    CatalogueEntry("Start-ScheduledTask", _TASKS, ("TaskName", "TaskPath"), changes=True),
    CatalogueEntry("Stop-ScheduledTask", _TASKS, ("TaskName", "TaskPath"), changes=True),
    CatalogueEntry("Unregister-ScheduledTask", _TASKS, ("TaskName", "TaskPath", "Confirm"), changes=True),
    CatalogueEntry(
        "New-Item",
        _MANAGEMENT,
        ("Path", "ItemType"),
        changes=True,
        values={"Path": (FOLDER,), "ItemType": ("Directory",)},
    ),
    CatalogueEntry(
        "Set-Content",
        _MANAGEMENT,
        ("LiteralPath", "Value", "Encoding"),
        changes=True,
        values={"LiteralPath": (ARGUMENTS,)},
    ),
    CatalogueEntry("Get-Content", _MANAGEMENT, ("LiteralPath", "Raw", "Encoding")),
    CatalogueEntry(
        "Remove-Item",
        _MANAGEMENT,
        ("LiteralPath", "Recurse", "Force", "Confirm"),
        changes=True,
        values={"LiteralPath": (FOLDER,)},
    ),
    CatalogueEntry("Get-Item", _MANAGEMENT, ("LiteralPath",), values={"LiteralPath": CREDSSP_SETTINGS}),
    CatalogueEntry("Get-NetFirewallRule", "NetSecurity", ("Group",), values={"Group": FIREWALL_GROUPS}),
    CatalogueEntry("Get-PSSessionConfiguration", "Microsoft.PowerShell.Core"),
    # On the endpoint of a monitoring system, to see whether the command of a required hook is there.
    CatalogueEntry("Get-Command", "Microsoft.PowerShell.Core", ("Name",), role=False),
    # The proxy that a RestrictedRemoteServer session has by itself knows no -ExpandProperty.
    CatalogueEntry("Select-Object", "Microsoft.PowerShell.Utility", ("ExpandProperty",)),
    CatalogueEntry("Where-Object", "Microsoft.PowerShell.Core", ("Property", "EQ", "Value")),
)

_BY_NAME = {entry.name.lower(): entry for entry in CATALOGUE}


def find_entry(name: str) -> CatalogueEntry | None:
    """Return the entry of the command ``name``, whatever the case, or None."""
    return _BY_NAME.get(name.lower())


def outside(pipeline: Command | Pipeline) -> tuple[str, ...]:
    """Return what in ``pipeline`` the catalogue does not have, each as one sentence; empty when it covers everything."""
    return tuple(problem for command in as_pipeline(pipeline) for problem in _outside(command))


def _outside(command: Command) -> list[str]:
    entry = find_entry(command.name)
    if entry is None:
        return [f"{command.name} is not in the catalogue"]
    known = {name.lower(): name for name in entry.parameters}
    problems = [
        f"{command.name} -{name} is not in the catalogue" for name in command.parameters if name.lower() not in known
    ]
    for name, value in command.parameters.items():
        allowed = entry.values.get(known.get(name.lower(), ""))
        given = value if isinstance(value, list | tuple) else (value,)
        if allowed is not None and any(each not in allowed for each in given):
            problems.append(f"{command.name} -{name} {value!r} is not in the catalogue")
    if command.is_change and not entry.changes:
        problems.append(f"{command.name} is sent as a change, but catalogued as reading")
    return problems
