"""PowerShell-Docs, Get-Process: the file versions of programs."""

from __future__ import annotations

from include.simulator.objects import SimObject
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd


async def test_the_file_version_of_a_program_that_runs_is_shown() -> None:
    lab = Console()
    lab.nodes[0].programs["vmmAgent"] = "10.19.2591.0"
    [found] = (await lab.run("HCI01", cmd("Get-Process", Name="vmmagent", FileVersionInfo=None))).values
    assert isinstance(found, SimObject)
    assert found.get("FileVersion") == "10.19.2591.0"


async def test_a_program_that_does_not_run_is_an_error_of_its_own() -> None:
    result = await Console().run("HCI01", cmd("Get-Process", Name="vmmagent", FileVersionInfo=None))
    assert [record.category for record in result.errors] == ["ObjectNotFound"]
