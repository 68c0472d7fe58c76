"""The preview channel (azure-stack-docs, update-cluster; SConfig)."""

import pytest

from include.simulator.world.software import SoftwareSpec
from include.simulator.world.spec import demo_world
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.software import with_software


async def test_without_parameters_the_release_preview_is_chosen_and_a_restart_asked_for_once() -> None:
    lab = Console()
    before = await lab.one("HCI01", cmd("Get-PreviewChannel"))
    assert before.get("Enabled") is False
    first = await lab.one("HCI01", cmd("Set-PreviewChannel"))
    assert (first.get("Succeeded"), first.get("RestartRequired")) == (True, True)
    after = await lab.one("HCI01", cmd("Get-PreviewChannel"))
    assert (after.get("Enabled"), after.get("Channel")) == (True, "ReleasePreview")
    assert (await lab.one("HCI01", cmd("Set-PreviewChannel"))).get("RestartRequired") is False


async def test_a_channel_that_there_is_not_is_an_argument_exception() -> None:
    record = await Console().refusal("HCI01", cmd("Set-PreviewChannel", Channel="Nightly"))
    assert record.exception_types[0] == "System.ArgumentException"


@pytest.mark.parametrize(
    ("os", "ubr", "available"),
    [("WS2019", None, False), ("20H2", 1736, False), ("20H2", 1737, True), ("22H2", None, True)],
)
async def test_the_cmdlets_are_not_there_before_kb5003237_on_20h2(os: str, ubr: int | None, available: bool) -> None:
    lab = Console(with_software(demo_world(2, os), SoftwareSpec(ubr=ubr)))
    listed = await lab.run("HCI01", cmd("Get-Command", Name="Set-PreviewChannel"))
    assert bool(listed.values) is available
    if available:
        assert (await lab.one("HCI01", cmd("Set-PreviewChannel"))).get("Succeeded")
    else:
        record = await lab.refusal("HCI01", cmd("Set-PreviewChannel"))
        assert record.fully_qualified_error_id == "CommandNotFoundException"
