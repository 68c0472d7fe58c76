"""A night in which a cluster gets a feature update, for faults that only such a night can show."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from include.simulator.world.spec import WorldSpec, demo_world
from tests.simulator.faults.night import Night
from tests.simulator.world.driver import cmd

PLUGIN = "Microsoft.RollingUpgradePlugin"
MEDIA = r"\\files\hci-22h2"


def world_of_the_feature_night() -> WorldSpec:
    # Every server is offered a later version in time: from 20H2 on there are two that Windows Update has.
    spec = demo_world(2, "20H2", vms_per_node=1)
    return replace(spec, management_os="WS2022", management_credssp=True, media=((MEDIA, "21H2"),))


class FeatureNight(Night):
    """Has CAU upgrade every node from outside, and looks at everything before and afterwards; nothing stops it."""

    def __init__(self, seed: int = 7) -> None:
        super().__init__(seed, world_of_the_feature_night())
        self.console.session.authentication, self.console.session.delegated = "CredSSP", True

    async def pass_by(self) -> FeatureNight:
        host, name = self.world.management_host.name, self.world.spec.cluster
        connected = {"ClusterName": name, "CauPluginName": [PLUGIN], "CauPluginArguments": [{"WuConnected": "true"}]}
        media = {**connected, "CauPluginArguments": [{"WuConnected": "false", "PathToSetupMedia": MEDIA}]}
        limits = {"RebootTimeoutMinutes": 90, "MaxRetriesPerNode": 1, "EnableFirewallRules": True, "Force": True}
        await self.look("before")
        await self.attempt(host, "media", cmd("Invoke-CauScan", **media))
        await self.attempt(host, "offered", cmd("Invoke-CauScan", **connected))
        await self.attempt(host, "upgrade", cmd("Invoke-CauRun", **connected, **limits))
        await self.console.wait(timedelta(hours=1))
        await self.look("upgraded")
        await self.attempt(host, "report", cmd("Get-CauReport", ClusterName=name, Last=True, Detailed=True))
        await self.attempt(host, "offered then", cmd("Invoke-CauScan", **connected))
        return self
