"""Every command of the vendor's how-to (azure-stack-docs, update-cluster, October 2021), and what the simulated clusters saw of it.

Each row has the command as the page gives it, and what this program sends in its place; where that is not the same, a sentence
says why. Below the page's own sections stand the commands of CAU that it names in passing or that its runs need.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.hci.steps.vendor_page import HOST, NODE, Seen, everything_seen

DISK = "Cluster Virtual Disk (Volume01)"
QUALITY = {"CauPluginName": ["Microsoft.WindowsUpdatePlugin"]}
RECOMMENDED = {"CauPluginArguments": [{"IncludeRecommendedUpdates": "False"}]}
FEATURE = {
    "CauPluginName": ["Microsoft.RollingUpgradePlugin"],
    "CauPluginArguments": [{"WuConnected": "true"}],
}
OWN_SESSION = "every server is asked in a session of its own, so that no credentials have to go on from one to another"
SAYS_ALL = (
    "whether recommended updates are taken is said, not left to a default; nobody reads what -Verbose writes, and a prompt would wait"
    " for ever, so there is -Confirm:$false"
)


@dataclass(frozen=True)
class Row:
    """A command of the page, and what is seen instead of it: on which machine, with which parameters as PowerShell binds them.

    ``seen`` is the command's name where that is another one. ``prompts`` are parameters beside those that were bound, which only
    say what to write or whether to ask.
    """

    page: str
    on: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seen: str = ""
    prompts: tuple[str, ...] = ()
    why: str = ""

    @property
    def name(self) -> str:
        return self.page.split()[0]

    @property
    def asked(self) -> set[str]:
        """The names of the parameters that the page gives."""
        return {name.lower() for name in re.findall(r"\s-([A-Za-z]+)", self.page)}


PAGE = [
    # --- install failover clustering and its tools
    Row(
        "Get-WindowsFeature -Name Failover*, RSAT-Clustering* -ComputerName Server1",
        NODE,
        {"Name": ["Failover*", "RSAT-Clustering*"]},
        why=OWN_SESSION,
    ),
    Row(
        "Install-WindowsFeature -Name Failover-Clustering -IncludeAllSubFeature -IncludeManagementTools -ComputerName Server1",
        NODE,
        {"Name": ["Failover-Clustering"], "IncludeAllSubFeature": True, "IncludeManagementTools": True},
        why=OWN_SESSION,
    ),
    Row(
        "Install-WindowsFeature -Name RSAT-Clustering-PowerShell -ComputerName Server1",
        NODE,
        {"Name": ["RSAT-Clustering-PowerShell"]},
        why=OWN_SESSION,
    ),
    # --- add the cluster role
    Row("Get-CauClusterRole -ClusterName Cluster1", HOST, {"ClusterName": "Cluster1"}),
    Row(
        "Add-CauClusterRole -ClusterName Cluster1 -MaxFailedNodes 0 -RequireAllNodesOnline -EnableFirewallRules"
        " -VirtualComputerObjectName Cluster1-CAU -Force -CauPluginName Microsoft.WindowsUpdatePlugin -MaxRetriesPerNode 3"
        " -CauPluginArguments @{ 'IncludeRecommendedUpdates' = 'False' } -StartDate \"3/2/2020 3:00:00 AM\" -DaysOfWeek 4"
        " -WeeksOfMonth @(3) -verbose",
        HOST,
        {
            "ClusterName": "Cluster1",
            "MaxFailedNodes": 0,
            "RequireAllNodesOnline": True,
            "EnableFirewallRules": True,
            "VirtualComputerObjectName": "Cluster1-CAU",
            "Force": True,
            "MaxRetriesPerNode": 3,
            "StartDate": "2020-03-02T03:00:00+00:00",
            "DaysOfWeek": "Tuesday",
            "WeeksOfMonth": [3],
            **QUALITY,
            **RECOMMENDED,
        },
        prompts=("verbose",),
    ),
    # --- check for updates, install them
    Row(
        "Invoke-CauScan -ClusterName Cluster1 -CauPluginName Microsoft.WindowsUpdatePlugin -Verbose",
        HOST,
        {"ClusterName": "Cluster1", **QUALITY, **RECOMMENDED},
        why=SAYS_ALL,
    ),
    Row(
        "Invoke-CauRun -ClusterName Cluster1 -CauPluginName Microsoft.WindowsUpdatePlugin -MaxFailedNodes 1 -MaxRetriesPerNode 3"
        " -RequireAllNodesOnline -EnableFirewallRules -Force",
        HOST,
        {
            "ClusterName": "Cluster1",
            "MaxFailedNodes": 1,
            "MaxRetriesPerNode": 3,
            "RequireAllNodesOnline": True,
            "EnableFirewallRules": True,
            "Force": True,
            **QUALITY,
            **RECOMMENDED,
        },
        prompts=("confirm",),
        why=SAYS_ALL,
    ),
    # --- install feature updates
    Row("Set-WSManQuickConfig", NODE, {"Force": True}, why="it would ask, and nobody is there to answer"),
    Row("Enable-PSRemoting", NODE, {"Force": True}, why="it would ask, and nobody is there to answer"),
    Row(
        'Set-NetFirewallRule -Group "@firewallapi.dll,-36751" -Profile Domain -Enabled true',
        NODE,
        {"Group": ["@firewallapi.dll,-36751"], "Profile": "Domain", "Enabled": "True"},
    ),
    Row("Test-CauSetup -ClusterName Cluster1", HOST, {"ClusterName": "Cluster1"}),
    Row(
        "Test-Cluster",
        NODE,
        {"Include": ["Storage Spaces Direct", "Inventory", "Network"]},
        prompts=("confirm",),
        why="these are the tests of a cluster in use that the vendor names for Storage Spaces Direct, and a prompt would wait for ever",
    ),
    Row("Set-PreviewChannel", NODE),
    Row(
        'Invoke-CauScan -ClusterName Cluster1 -CauPluginName "Microsoft.RollingUpgradePlugin"'
        " -CauPluginArguments @{'WuConnected'='true';} -Verbose",
        HOST,
        {"ClusterName": "Cluster1", **FEATURE},
        why="nobody reads what -Verbose writes; what it gives is expanded to objects, where the page shows it (| fl *)",
    ),
    Row(
        'Invoke-CauRun -ClusterName Cluster1 -CauPluginName "Microsoft.RollingUpgradePlugin"'
        " -CauPluginArguments @{'WuConnected'='true';} -Verbose -EnableFirewallRules -Force",
        HOST,
        {
            "ClusterName": "Cluster1",
            "EnableFirewallRules": True,
            "Force": True,
            "MaxFailedNodes": 0,
            "MaxRetriesPerNode": 3,
            **FEATURE,
        },
        prompts=("confirm",),
        why="how many nodes may fail is said, not left to a third of the nodes; nobody reads what -Verbose writes, and a prompt would"
        " wait for ever",
    ),
    # --- check on the status of an updating run
    Row("Get-CauRun -ClusterName Cluster1", HOST, {"ClusterName": "Cluster1"}),
    # --- post-installation steps
    Row(
        "Update-ClusterFunctionalLevel",
        NODE,
        {"Force": True},
        why="a person has confirmed it before, in Airflow: the cmdlet's own question would wait for ever",
    ),
    Row(
        "Get-StoragePool",
        NODE,
        {"IsPrimordial": [False]},
        why="the primordial pools, of disks in no pool, are not the cluster's",
    ),
    Row(
        'Update-StoragePool -FriendlyName "S2D on Cluster1"',
        NODE,
        {"UniqueId": [...]},
        prompts=("confirm",),
        why="a friendly name may stand for several pools, an id for one; a person has confirmed it before",
    ),
    Row(
        "Update-VMVersion",
        NODE,
        {"Force": True},
        why="it is asked for the machine that comes down the pipeline, and would ask whether it may",
    ),
    # --- a fast, offline update of all servers; of the services the page says only what is to be set in Services.msc
    Row("Get-ClusterSharedVolume", NODE, {"Name": [DISK]}, why="Get-ClusterResource does not give shared volumes"),
    # The page takes the virtual disks offline and online in a user interface; shared volumes come down the pipeline (MSLab).
    Row("Stop-ClusterResource", NODE),
    Row("Stop-Cluster", NODE, {"Force": True}, why="it would ask, and nobody is there to answer"),
    Row("Set-Service -Name ClusSvc -StartupType Disabled", NODE, {"Name": "ClusSvc", "StartupType": "Disabled"}),
    Row("Set-Service -Name ClusSvc -StartupType Automatic", NODE, {"Name": "ClusSvc", "StartupType": "Automatic"}),
    Row(
        "Start-Cluster",
        NODE,
        {"Name": ["ClusSvc"]},
        seen="Start-Service",
        why="from a remote session Start-Cluster needs delegated credentials; every server starts its own service instead (MSLab)",
    ),
    Row("Start-ClusterResource", NODE),
    Row("Get-Volume", NODE),
    Row("Get-VirtualDisk", NODE),
    # --- of CAU, beside the page (windows-powershell-docs, ClusterAwareUpdating)
    Row(
        "Set-CauClusterRole -ClusterName Cluster1 -UpdateNow -Force",
        HOST,
        {"ClusterName": "Cluster1", "UpdateNow": True, "Force": True},
    ),
    Row("Disable-CauClusterRole -ClusterName Cluster1 -Force", HOST, {"ClusterName": "Cluster1", "Force": True}),
    Row("Enable-CauClusterRole -ClusterName Cluster1 -Force", HOST, {"ClusterName": "Cluster1", "Force": True}),
    Row("Remove-CauClusterRole -ClusterName Cluster1 -Force", HOST, {"ClusterName": "Cluster1", "Force": True}),
    Row(
        "Get-CauReport -ClusterName Cluster1 -Last -Detailed",
        HOST,
        {"ClusterName": "Cluster1", "Last": True, "Detailed": True},
    ),
]


@pytest.fixture(scope="module")
def seen() -> list[Seen]:
    return everything_seen()


@pytest.mark.parametrize("row", PAGE, ids=lambda row: row.page[:60])
def test_the_cluster_has_seen_it_as_the_page_gives_it_or_as_the_row_says(seen: list[Seen], row: Row):
    there = [each for each in seen if each.name == (row.seen or row.name)]
    wanted = {name: value for name, value in row.parameters.items() if value != [...]}
    fitting = [
        each
        for each in there
        if each.on == row.on
        and set(each.parameters) == set(row.parameters)
        and wanted.items() <= each.parameters.items()
    ]
    assert fitting, [f"{each.on}: {each.name} {dict(each.parameters)}" for each in there]
    given = {name.lower() for name in row.parameters} | set(row.prompts)
    assert given in [{name.lower() for name in each.sent} for each in fitting]


@pytest.mark.parametrize("row", PAGE, ids=lambda row: row.page[:60])
def test_a_row_has_a_reason_where_it_differs_from_the_page_and_only_there(row: Row):
    given = {name.lower() for name in row.parameters} | set(row.prompts)
    assert bool(row.why) is (bool(row.seen) or given != row.asked)
    assert "\n" not in row.why
    assert not row.why.endswith(".")


@pytest.mark.parametrize("name", ["Start-Cluster"])
def test_what_another_command_stands_for_is_not_sent(seen: list[Seen], name: str):
    assert [each for each in seen if each.name == name] == []
