"""CimCmdlets over Win32_OperatingSystem and the CAU provider (MSFT_CAURun class, MSFT_CAUNode class)."""

from datetime import datetime, timedelta

import pytest

from include.simulator.objects import SimObject, UInt32
from include.simulator.world.spec import demo_world
from include.simulator.world.versions import VERSIONS
from tests.simulator.world.console import Console
from tests.simulator.world.driver import CAU, QUERY, cmd

MINE, YOURS = "11111111-0000-0000-0000-000000000001", "22222222-0000-0000-0000-000000000002"


def read(cls: str, guid: str | None = None):
    return cmd(
        "Get-CimInstance", Namespace=CAU, ClassName=cls, **({"Filter": f"OrchestratorGuid='{guid}'"} if guid else {})
    )


def create(cls: str, guid: str = MINE):
    return cmd("New-CimInstance", Namespace=CAU, ClassName=cls, Property={"OrchestratorGuid": guid})


def call(method: str, **arguments: object):
    return cmd("Invoke-CimMethod", MethodName=method, Arguments=arguments)


SCAN = call("ScanUpdates", QueryString=QUERY, IncludeRecommendedUpdates=False)


async def test_operating_system() -> None:
    lab = Console()
    found = await lab.one("HCI01", cmd("Get-CimInstance", ClassName="Win32_OperatingSystem"))
    assert found.type_names[0] == "Microsoft.Management.Infrastructure.CimInstance#root/cimv2/Win32_OperatingSystem"
    assert found.properties["LastBootUpTime"] == lab.nodes[0].boot_time
    assert isinstance(found.properties["LastBootUpTime"], datetime)
    assert found.properties["Version"] == "10.0.20348"
    assert found.properties["BuildNumber"] == "20348"
    assert found.notes["PSComputerName"] == "HCI01"


@pytest.mark.parametrize(
    ("host", "arguments", "code"),
    [
        ("HCI01", {"ClassName": "Win32_Nothing"}, "HRESULT 0x80041010"),
        ("HCI01", {"ClassName": "X", "Namespace": "root/nowhere"}, "HRESULT 0x8004100e"),
        ("MGMT01", {"ClassName": "MSFT_CAURun", "Namespace": CAU}, "HRESULT 0x8004100e"),
        ("HCI01", {"ClassName": "MSFT_CAURun", "Namespace": CAU, "Filter": "nonsense"}, "HRESULT 0x80041017"),
        ("HCI01", {"ClassName": "MSFT_CAURun", "Namespace": CAU, "Filter": "Colour='red'"}, "HRESULT 0x80041017"),
    ],
)
async def test_what_the_machine_does_not_have(host: str, arguments: dict[str, object], code: str) -> None:
    record = await Console().refusal(host, ("Get-CimInstance", arguments))
    assert record.fully_qualified_error_id.startswith(
        code + ",Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstance"
    )


async def test_lock_life() -> None:
    lab = Console()
    assert (await lab.run("HCI01", read("MSFT_CAURun"))).values == []
    made = await lab.one("HCI01", create("MSFT_CAURun"))
    assert made.properties == {"OrchestratorGuid": MINE}
    assert (await lab.one("HCI01", read("MSFT_CAURun"))).properties["OrchestratorGuid"] == MINE
    assert (await lab.run("HCI01", read("MSFT_CAURun", YOURS))).values == []
    assert (await lab.run("HCI02", read("MSFT_CAURun"))).values == [], "every node has its own"
    for guid in (YOURS, MINE):
        record = await lab.refusal("HCI01", create("MSFT_CAURun", guid))
        assert record.category == "ResourceExists"
        assert record.fully_qualified_error_id.startswith("MI RESULT 11,")
    await lab.run("HCI01", read("MSFT_CAURun", MINE), cmd("Remove-CimInstance"))
    assert (await lab.run("HCI01", read("MSFT_CAURun"))).values == []


@pytest.mark.parametrize("properties", [{}, {"OrchestratorGuid": MINE, "Colour": "red"}, {"Other": "x"}])
async def test_a_lock_has_one_property(properties: dict[str, object]) -> None:
    record = await Console().refusal(
        "HCI01", cmd("New-CimInstance", Namespace=CAU, ClassName="MSFT_CAURun", Property=properties)
    )
    assert record.fully_qualified_error_id.startswith("MI RESULT 4,")


async def test_methods_belong_to_an_instance_of_msft_caunode() -> None:
    lab = Console()
    static = cmd("Invoke-CimMethod", Namespace=CAU, ClassName="MSFT_CAUNode", MethodName="InstallUpdates")
    assert (await lab.refusal("HCI01", static)).category == "InvalidArgument"
    await lab.run("HCI01", create("MSFT_CAURun"))
    record = await lab.refusal("HCI01", read("MSFT_CAURun", MINE), SCAN)
    assert record.fully_qualified_error_id.startswith("MI RESULT 17,")
    assert (await lab.run("HCI01", read("MSFT_CAUNode", MINE), SCAN)).values == [], (
        "without the node's lock nothing runs"
    )


async def test_scan_names_updates() -> None:
    lab = Console()
    await lab.run("HCI01", create("MSFT_CAUNode"))
    began = lab.clock.now()
    result = await lab.one("HCI01", read("MSFT_CAUNode", MINE), SCAN)
    assert timedelta(seconds=20) < lab.clock.now() - began < timedelta(seconds=30)
    info = result.notes["Info"]
    assert isinstance(info, list)
    assert isinstance(info[0], SimObject)
    assert info[0].type_names[0].endswith("/MSFT_CAU_ScanUpdateInfo")
    assert set(info[0].properties) == {"UpdateId", "UpdateTitle", "UpdateDesc"}
    assert (result.notes["ReturnValue"], type(result.notes["ReturnValue"])) == (0, UInt32)
    assert result.notes["PSComputerName"] == "HCI01"


@pytest.mark.parametrize("os", list(VERSIONS))
async def test_signatures_by_version(os: str) -> None:
    lab = Console(demo_world(2, os))
    found = await lab.one("HCI01", cmd("Get-CimClass", Namespace=CAU, ClassName="MSFT_CAUNode"))
    methods = {
        method.get("Name"): [each.get("Name") for each in method.get("Parameters")]
        for method in found.get("CimClassMethods")
    }
    newer = os in ("23H2", "24H2", "WS2025")
    assert {"ScanUpdates", "DownloadUpdates", "InstallUpdates", "RebootRequired"} <= set(methods)
    assert ("FeatureUpdatesOnly" in methods["ScanUpdates"]) is newer
    assert ("CommitFUpdatesWua" in methods) is newer
    await lab.run("HCI01", create("MSFT_CAUNode"))
    features = call("ScanUpdates", QueryString=QUERY, IncludeRecommendedUpdates=False, FeatureUpdatesOnly=True)
    if not newer:
        record = await lab.refusal("HCI01", read("MSFT_CAUNode", MINE), features)
        assert record.category == "InvalidArgument"
        return
    titles = [
        info.get("UpdateTitle") for info in (await lab.one("HCI01", read("MSFT_CAUNode", MINE), features)).get("Info")
    ]
    assert all("Feature update" in title for title in titles)


async def test_parameters_have_their_names_only_where_they_are_expanded_themselves() -> None:
    lab = Console(os="23H2")
    expanded = (
        cmd("Get-CimClass", Namespace=CAU, ClassName="MSFT_CAUNode"),
        cmd("Select-Object", ExpandProperty="CimClassMethods"),
    )
    methods = (await lab.run("HCI01", *expanded)).values
    scan = next(method for method in methods if method.get("Name") == "ScanUpdates")
    assert not any("FeatureUpdatesOnly" in each.to_string for each in scan.get("Parameters"))
    only = cmd("Where-Object", Property="Name", EQ=None, Value="ScanUpdates")
    parameters = await lab.run("HCI01", *expanded, only, cmd("Select-Object", ExpandProperty="Parameters"))
    assert [each.get("Name") for each in parameters.values] == [
        "QueryString",
        "IncludeRecommendedUpdates",
        "FeatureUpdatesOnly",
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        {"QueryString": QUERY, "IncludeRecommendedUpdates": "False"},
        {"QueryString": QUERY, "Sideways": True},
        {"QueryString": 5, "IncludeRecommendedUpdates": False},
    ],
)
async def test_arguments_have_names_and_types(arguments: dict[str, object]) -> None:
    lab = Console()
    await lab.run("HCI01", create("MSFT_CAUNode"))
    record = await lab.refusal("HCI01", read("MSFT_CAUNode", MINE), call("ScanUpdates", **arguments))
    assert record.category == "InvalidArgument"


async def test_bad_criteria_are_the_agent_s_error() -> None:
    lab = Console()
    await lab.run("HCI01", create("MSFT_CAUNode"))
    bad = call("ScanUpdates", QueryString="Colour='red'", IncludeRecommendedUpdates=False)
    result = await lab.one("HCI01", read("MSFT_CAUNode", MINE), bad)
    assert (result.notes["ReturnValue"], result.notes["Info"]) == (0x80240032, [])


async def test_install_reports_each_update_and_asks_for_a_restart() -> None:
    lab = Console(os="23H2")
    node = lab.nodes[0]
    await lab.take(node, "MSFT_CAUNode", MINE)
    assert (await lab.one(node, read("MSFT_CAUNode", MINE), call("RebootRequired"))).notes["ReturnValue"] is False
    query = QUERY + f" and UpdateID!='{next(u.update_id for u in lab.world.spec.updates if u.is_feature_update)}'"
    arguments = {"QueryString": query, "IncludeRecommendedUpdates": False}
    downloaded = await lab.one(node, read("MSFT_CAUNode", MINE), call("DownloadUpdates", **arguments))
    assert {info.get("UpdateResultCode") for info in downloaded.notes["Info"]} == {2}
    installed = await lab.one(node, read("MSFT_CAUNode", MINE), call("InstallUpdates", **arguments))
    first = installed.notes["Info"][0]
    assert first.type_names[0].endswith("/MSFT_CAU_InstallUpdateInfo")
    assert (first.get("UpdateResultCode"), first.get("UpdateErrorCode"), first.get("RebootRequired")) == (2, 0, True)
    assert first.get("LongRebootHint") is True
    assert first.get("CommitRequired") is False
    assert (await lab.one(node, read("MSFT_CAUNode", MINE), call("RebootRequired"))).notes["ReturnValue"] is True


async def test_installing_goes_on_when_the_caller_is_gone_and_a_second_one_is_refused() -> None:
    lab = Console()
    node = lab.nodes[0]
    await lab.take(node, "MSFT_CAUNode", MINE)
    arguments = {"QueryString": "IsInstalled=0 and IsAssigned=1", "IncludeRecommendedUpdates": False}
    await lab.run(node, read("MSFT_CAUNode", MINE), call("DownloadUpdates", **arguments))
    task = lab.start(node, read("MSFT_CAUNode", MINE), call("InstallUpdates", **arguments))
    await lab.wait(timedelta(minutes=2))
    task.cancel()
    await lab.breathe()
    assert lab.world.updates.installing(node)
    again = await lab.one(node, read("MSFT_CAUNode", MINE), call("InstallUpdates", **arguments))
    assert again.notes["ReturnValue"] == 0x80240016
    await lab.wait_for(lambda: not lab.world.updates.installing(node))
    assert lab.events("install.finished")
    assert node.pending_restart


async def test_nothing_installs_while_servicing_goes_on_after_the_boot() -> None:
    # ansible-collections/ansible.windows PR 898: the second round fails as servicing still works.
    lab = Console()
    node = lab.nodes[0]
    await lab.take(node, "MSFT_CAUNode", MINE)
    cumulative = next(update for update in lab.world.spec.updates if update.long_reboot_hint)
    lab.world.updates.record(node).installed[cumulative.update_id] = False
    await lab.drain(node)
    await lab.restart(node)
    arguments = {"QueryString": QUERY, "IncludeRecommendedUpdates": False}
    busy = await lab.one(node, read("MSFT_CAUNode", MINE), call("InstallUpdates", **arguments))
    assert busy.notes["ReturnValue"] == 0x80240016
    await lab.wait_for(lambda: node.services["TrustedInstaller"].status == "Stopped")
    free = await lab.one(node, read("MSFT_CAUNode", MINE), call("InstallUpdates", **arguments))
    assert free.notes["ReturnValue"] == 0


async def test_methods_that_are_declared_but_not_played_say_so() -> None:
    lab = Console()
    await lab.run("HCI01", create("MSFT_CAUNode"))
    record = await lab.refusal("HCI01", read("MSFT_CAUNode", MINE), call("RunUpdateInstaller", UpdatePath="C:\\x.msu"))
    assert record.category == "NotImplemented"
    missing = await lab.refusal("HCI01", read("MSFT_CAUNode", MINE), call("MakeCoffee"))
    assert missing.fully_qualified_error_id.startswith("MI RESULT 17,")
