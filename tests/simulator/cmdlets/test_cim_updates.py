"""The classes of root/Microsoft/Windows/WindowsUpdate, version by version."""

from dataclasses import replace

import pytest

from include.simulator.objects import SimObject, UInt32
from include.simulator.world.spec import demo_world
from include.simulator.world.versions import VERSIONS
from tests.simulator.world.console import Console
from tests.simulator.world.driver import QUERY, cmd
from tests.simulator.world.software import with_variant

NAMESPACE = "root/Microsoft/Windows/WindowsUpdate"
GONE = ("23H2", "24H2", "WS2025")


def static(cls: str, method: str, **arguments: object):
    more = {"Arguments": arguments} if arguments else {}
    return cmd("Invoke-CimMethod", Namespace=NAMESPACE, ClassName=cls, MethodName=method, **more)


SCAN = static("MSFT_WUOperations", "ScanForUpdates", SearchCriteria=QUERY)
PENDING = static("MSFT_WUSettings", "IsPendingReboot")


@pytest.mark.parametrize("variant", [False, True])
@pytest.mark.parametrize("os", list(VERSIONS))
async def test_where_the_namespace_is(os: str, variant: bool) -> None:
    spec = demo_world(2, os)
    lab = Console(with_variant(spec, "windows-update-classes-on-23h2") if variant else spec)
    look = cmd("Get-CimClass", Namespace=NAMESPACE, ClassName="MSFT_WUOperations")
    if os in GONE and not variant:
        record = await lab.refusal("HCI01", look)
        assert record.fully_qualified_error_id.startswith("HRESULT 0x8004100e,")
        return
    methods = (await lab.one("HCI01", look)).get("CimClassMethods")
    assert [each.get("Name") for each in methods] == ["ScanForUpdates", "InstallUpdates"]


async def test_a_scan_gives_updates_with_their_article_and_severity() -> None:
    result = await Console().one("HCI01", SCAN)
    assert (result.get("ReturnValue"), type(result.get("ReturnValue"))) == (0, UInt32)
    updates = {each.get("KBArticleID"): each for each in result.get("Updates")}
    assert updates["5099101"].get("MsrcSeverity") == "Critical"
    assert set(updates["5099101"].properties) == {
        "Description",
        "KBArticleID",
        "MsrcSeverity",
        "RevisionNumber",
        "Title",
        "UpdateID",
    }


async def test_bad_criteria_are_the_agent_s_error() -> None:
    bad = static("MSFT_WUOperations", "ScanForUpdates", SearchCriteria="Colour='red'")
    assert (await Console().one("HCI01", bad)).get("ReturnValue") == 0x80240032


async def test_the_very_instances_of_a_scan_are_downloaded_and_installed() -> None:
    lab = Console()
    query = QUERY + " and IsInstalled=0"
    updates = [
        each
        for each in (await lab.one("HCI01", static("MSFT_WUOperations", "ScanForUpdates", SearchCriteria=query))).get(
            "Updates"
        )
        if each.get("KBArticleID") == "5099101"
    ]
    only = await lab.one("HCI01", static("MSFT_WUOperations", "InstallUpdates", Updates=updates, DownloadOnly=True))
    assert (only.get("ReturnValue"), only.get("RebootRequired")) == (0, False)
    assert lab.events("install.started") == []
    done = await lab.one("HCI01", static("MSFT_WUOperations", "InstallUpdates", Updates=updates))
    assert (done.get("ReturnValue"), done.get("RebootRequired")) == (0, True)
    assert (await lab.one("HCI01", PENDING)).get("PendingReboot") is True


async def test_copies_that_crossed_the_wire_are_no_instances_any_more() -> None:
    lab = Console()
    copies = [replace(each, source=None) for each in (await lab.one("HCI01", SCAN)).get("Updates")]
    assert isinstance(copies[0], SimObject)
    record = await lab.refusal("HCI01", static("MSFT_WUOperations", "InstallUpdates", Updates=copies))
    assert record.fully_qualified_error_id.startswith("MI RESULT 13,")
    assert lab.events("install.started") == []


async def test_settings_and_dates_that_tell_nothing_on_server_core() -> None:
    lab = Console()
    assert (await lab.one("HCI01", PENDING)).get("PendingReboot") is False
    assert (
        str((await lab.one("HCI01", static("MSFT_WUSettings", "GetWUAVersion"))).get("WUAVersion")) == "10.0.20348.2113"
    )
    last = await lab.one("HCI01", static("MSFT_WUSettings", "GetLastUpdateInstallationDate"))
    assert last.get("LastUpdateInstallationDate").year == 1601


@pytest.mark.parametrize(
    ("command", "result"),
    [
        (static("MSFT_WUOperations", "ApplyApplicableUpdates"), "MI RESULT 17,"),
        (static("MSFT_WUOperations", "ScanForUpdates", OnlineScan=True), "MI RESULT 4,"),
        (static("MSFT_WUNothing", "ScanForUpdates"), "HRESULT 0x80041010,"),
    ],
)
async def test_methods_of_other_versions_are_not_there(command, result: str) -> None:
    assert (await Console().refusal("HCI01", command)).fully_qualified_error_id.startswith(result)


async def test_static_classes_have_no_instances() -> None:
    lab = Console()
    found = await lab.run("HCI01", cmd("Get-CimInstance", Namespace=NAMESPACE, ClassName="MSFT_WUSettings"))
    assert (found.values, found.errors) == ([], [])
