"""windows-powershell-docs, Test-Cluster; the findings are those of the world at that moment."""

import pytest

from include.simulator.objects import SimObject
from include.simulator.world.spec import without_witness
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.test_levels import mixed


async def results(lab: Console, **parameters: object) -> dict[str, str]:
    await lab.run("HCI01", cmd("Test-Cluster", Force=None, **parameters))
    return dict(lab.events("validation")[-1].detail["results"])  # type: ignore[call-overload]


async def test_a_healthy_cluster_passes_and_leaves_a_report() -> None:
    lab = Console()
    began = lab.clock.now()
    report = await lab.one("HCI01", cmd("Test-Cluster", Force=None, ReportName="Before"))
    assert report.type_names[0] == "System.IO.FileInfo"
    assert report.properties["FullName"] == "C:\\Windows\\Cluster\\Reports\\Before.htm"
    assert lab.clock.now() > began
    assert {finding.result for finding in lab.world.reports["Before"]} == {"Success"}


async def test_reports_have_a_name_of_their_own_by_default() -> None:
    report = await Console().one("HCI01", cmd("Test-Cluster", Confirm=False))
    assert str(report.properties["Name"]).startswith("Validation Report 2026.11.0")


async def test_it_asks_and_nobody_can_answer() -> None:
    assert (await Console().refusal("HCI01", cmd("Test-Cluster"))).category == "InvalidOperation"


async def test_the_tests_are_listed() -> None:
    found = (await Console().run("HCI01", cmd("Test-Cluster", List=None))).values
    categories = {str(each.get("Category")) for each in found if isinstance(each, SimObject)}
    assert categories == {"Cluster", "Inventory", "Network", "Storage", "Storage Spaces Direct", "System"}


async def test_include_and_ignore_choose_tests() -> None:
    lab = Console()
    included = await results(lab, Include=["Network", "Validate Node Status"])
    ignored = await results(lab, Ignore="System")
    assert {test for test, result in included.items() if result != "Skipped"} == {
        "Validate Network Communication",
        "Validate Node Status",
    }
    assert {test for test, result in ignored.items() if result == "Skipped"} == {
        "Validate Pending Restarts",
        "Validate Software Update Levels",
    }
    assert (await lab.refusal("HCI01", cmd("Test-Cluster", Include="Colour"))).native_error_code == 87


def paused(lab: Console) -> None:
    lab.world.membership.pause(lab.nodes[1])


def isolated(lab: Console) -> None:
    lab.world.membership.isolate(lab.nodes[1])


def pending(lab: Console) -> None:
    lab.nodes[1].pending_restart = True


def patched(lab: Console) -> None:
    lab.nodes[1].ubr += 1


def degraded(lab: Console) -> None:
    lab.world.storage.enter_maintenance(lab.nodes[1], "test")


def detached(lab: Console) -> None:
    lab.world.storage.take_offline(lab.world.storage.virtual_disks[0], "test")


def slow_drive(lab: Console) -> None:
    lab.world.storage.physical_disks[0].fault = "Abnormal Latency"


def lost_witness(lab: Console) -> None:
    lab.world.quorum.set_witness(online=False)


def failed_role(lab: Console) -> None:
    lab.world.groups.stop(lab.world.groups.find("VM-1-1"), "test")


@pytest.mark.parametrize(
    ("trouble", "test", "result"),
    [
        (paused, "Validate Node Status", "Warning"),
        (isolated, "Validate Node Status", "Failed"),
        (isolated, "Validate Network Communication", "Failed"),
        (pending, "Validate Pending Restarts", "Warning"),
        (patched, "Validate Software Update Levels", "Warning"),
        (degraded, "Verify Virtual Disks", "Warning"),
        (detached, "Verify Virtual Disks", "Failed"),
        (slow_drive, "Verify Disks", "Warning"),
        (lost_witness, "Validate Quorum Configuration", "Warning"),
        (failed_role, "List Cluster Core Groups", "Warning"),
    ],
)
async def test_trouble_is_found(trouble, test: str, result: str) -> None:
    lab = Console()
    trouble(lab)
    assert (await results(lab, Include=test))[test] == result


async def test_different_versions_fail_and_a_level_left_behind_warns() -> None:
    lab = Console(mixed("21H2", "22H2"))
    assert (await results(lab))["Validate Software Update Levels"] == "Failed"
    lab.nodes[0].build = 20349
    assert (await results(lab))["Validate Cluster Functional Level"] == "Warning"


async def test_an_even_number_without_a_witness_warns() -> None:
    lab = Console(without_witness(Console().world.spec))
    assert (await results(lab))["Validate Quorum Configuration"] == "Warning"


async def test_the_report_links_every_test_that_ran_and_shows_how_it_came_out() -> None:
    lab = Console()
    lab.nodes[1].pending_restart = True
    parameters = {"Force": None, "ReportName": "R", "Include": ["System", "Network"]}
    report = await lab.one("HCI01", cmd("Test-Cluster", **parameters))
    text = lab.world.files.read(lab.nodes[0], str(report.properties["FullName"]))
    assert report.properties["Length"] == len(text.encode())
    assert text.count("<tr>") == 5
    assert '">Validate Pending Restarts</a></td><td><result><IMG name="WarningImg">' in text
    assert '">System</a></td><td><result><IMG name="WarningImg">' in text
    assert '">Network</a></td><td><result><IMG name="SuccessImg">' in text
    assert "HCI02 has a restart pending." in text
    assert "Validate Node Status" not in text


async def test_every_test_that_is_not_well_is_a_warning_and_so_is_the_whole() -> None:
    lab = Console()
    lab.nodes[1].pending_restart = True
    first, whole = (await lab.run("HCI01", cmd("Test-Cluster", Force=None, Include="System"))).warnings
    assert first == "System - Validate Pending Restarts: The test reported some warnings.."
    assert whole.splitlines()[2] == "HadUnselectedTests, ClusterConditionallyApproved"


async def test_from_outside_of_the_cluster_it_needs_credentials_to_go_on_with() -> None:
    assert (await Console().refusal("MGMT01", cmd("Test-Cluster", Force=None))).native_error_code == 5
