"""windows-powershell-docs, ClusterAwareUpdating: Invoke-CauRun, Invoke-CauScan, Get-CauRun, Stop-CauRun."""

import asyncio
from datetime import timedelta

import pytest
from pypsrp.serializer import Serializer

from include.simulator.host import Argument, CommandCall
from include.simulator.objects import Credential, SecureString, SimObject
from include.simulator.wire.clixml import Writer
from include.simulator.world.locks import NODE, RUN
from tests.simulator.world.console import Console
from tests.simulator.world.driver import Output, cmd
from tests.simulator.world.updating import LONG, begin, console, delegated, end

OTHER = "22222222-0000-0000-0000-000000000002"
ROLLING = "Microsoft.RollingUpgradePlugin"
SPACE = "Microsoft.ClusterAwareUpdating."
SECRET = Credential("CORP\\admin", SecureString("not a real one"))


def ready(*variants: str, nodes: int = 2, os: str = "21H2") -> Console:
    return delegated(console(*variants, nodes=nodes, os=os))


def kinds(output: Output) -> dict[str, list[SimObject]]:
    found: dict[str, list[SimObject]] = {}
    for each in output.values:
        assert isinstance(each, SimObject)
        found.setdefault(each.type_names[0].removeprefix(SPACE), []).append(each)
    return found


async def invoke(lab: Console, host: str = "MGMT01", **parameters: object) -> Output:
    base = {"ClusterName": "HCI-CL01", "Force": None, "EnableFirewallRules": None}
    return await lab.run(host, cmd("Invoke-CauRun", **base | parameters))


async def test_what_a_run_writes() -> None:
    output = await invoke(ready())
    found = kinds(output)
    assert next(iter(found)) == "ActivityIdMap"
    assert list(found)[-1] == "ClusterResult"
    (result,) = found["ClusterResult"]
    assert (str(result.get("Status")), result.get("ErrorRecordData")) == ("Succeeded", None)
    assert [each.get("Node").get("NodeName") for each in found["NodeResult"]] == ["HCI01", "HCI02"]  # type: ignore[attr-defined]
    assert {str(each.get("UpdateResultCode")) for each in found["UpdateInstallResult"]} == {"Succeeded"}
    assert found["UpdateStagingResult"]
    assert {str(each.get("Status")) for each in found["NodeStatusNotification"]} >= {"Waiting", "Scanning"}
    assert output.errors == []


async def test_a_failed_run_writes_its_result_and_an_error() -> None:
    lab = ready(nodes=4)
    lab.world.inject("install-fails")
    output = await invoke(lab, MaxFailedNodes=0, MaxRetriesPerNode=0)
    (result,) = kinds(output)["ClusterResult"]
    assert result.get("ErrorRecordData").get("FullyQualifiedErrorId") == "MaxFailedNodesExceeded"  # type: ignore[attr-defined]
    (record,) = output.errors
    assert record.fully_qualified_error_id.startswith("MaxFailedNodesExceeded,")
    assert {str(each.get("Status")) for each in result.get("NodeResults")} == {"PartiallyFailed", "Canceled"}  # type: ignore[attr-defined]


async def test_everything_survives_serialisation() -> None:
    lab = ready()
    values = list((await invoke(lab)).values)
    begin(lab)
    for command in (
        cmd("Get-CauRun", ClusterName="HCI-CL01"),
        cmd("Get-CauReport", Detailed=None),
        cmd("Get-CauPlugin"),
        cmd("Test-CauSetup", ClusterName="HCI-CL01"),
    ):
        values += (await lab.run("MGMT01", command)).values
    for value in values:
        text = Writer(lambda secret: secret).write(value).text().decode()
        assert Serializer().deserialize(text) is not None


async def test_a_member_does_not_coordinate() -> None:
    record = await ready().refusal("HCI01", cmd("Invoke-CauRun", Force=None))
    assert record.fully_qualified_error_id.startswith("RunFromClusterNode")


@pytest.mark.parametrize(
    ("variants", "credential", "authentication", "reaches"),
    [
        ((), None, "negotiate", False),
        ((), SECRET, "negotiate", False),
        (("cau-credential-crosses-the-second-hop",), None, "negotiate", False),
        (("cau-credential-crosses-the-second-hop",), SECRET, "negotiate", True),
        ((), None, "credssp", True),
        ((), None, "basic", True),
    ],
    ids=str,
)
@pytest.mark.parametrize("name", ["Invoke-CauRun", "Invoke-CauScan", "Test-CauSetup", "Save-CauDebugTrace"])
async def test_the_second_hop(
    name: str, variants: tuple[str, ...], credential: Credential | None, authentication: str, reaches: bool
) -> None:
    lab = console(*variants, nodes=2)
    lab.session.authentication, lab.session.delegated = authentication, authentication == "credssp"
    parameters: dict[str, object] = {"ClusterName": "HCI-CL01"}
    parameters |= {"Credential": credential} if credential else {}
    parameters |= {"Force": None} if name == "Invoke-CauRun" else {}
    if reaches:
        await lab.run("MGMT01", cmd(name, **parameters))
    else:
        record = await lab.refusal("MGMT01", cmd(name, **parameters))
        assert (record.category, record.hresult) == ("PermissionDenied", 0x80070005 - (1 << 32))


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ("lock", "ClusterLocked"),
        ("run", "RunInProgress"),
        ("offline", "NodesNotOnline"),
        ("plugin", "PluginNotRegistered"),
    ],
)
async def test_what_keeps_a_run_from_beginning(trouble: str, error: str) -> None:
    lab = ready(os="WS2019")
    parameters: dict[str, object] = {"RequireAllNodesOnline": None}
    if trouble == "lock":
        lab.world.locks.create(lab.nodes[1], RUN, OTHER)
    elif trouble == "run":
        begin(lab)
    elif trouble == "offline":
        lab.world.power.crash(lab.nodes[1], stay_down=True)
    else:
        # The module of Windows Server 2019 lacks it: MSLab copies it from a node.
        parameters["CauPluginName"] = [ROLLING]
    record = await lab.refusal("MGMT01", cmd("Invoke-CauRun", ClusterName="HCI-CL01", Force=None, **parameters))
    assert record.fully_qualified_error_id.startswith(error)


@pytest.mark.parametrize(
    ("variants", "state"), [((), "RunInProgress"), (("cau-run-ends-with-its-console",), "RunLocked")]
)
async def test_a_console_that_goes_away(variants: tuple[str, ...], state: str) -> None:
    lab = ready(*variants)
    task = lab.start("MGMT01", cmd("Invoke-CauRun", ClusterName="HCI-CL01", Force=None, EnableFirewallRules=None))
    await lab.wait(timedelta(minutes=20))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert lab.world.cau.state.name == state
    assert all(RUN in node.locks for node in lab.nodes)
    if state == "RunLocked":
        await lab.run("MGMT01", cmd("Invoke-CauRun", ClusterName="HCI-CL01", ForceRecovery=None, Force=None))
        assert lab.world.cau.state.name == "RunNotInProgress"
        assert {node.state.name for node in lab.nodes} == {"Up"}


@pytest.mark.parametrize("switch", ["SeparateReboots", "RunPluginsSerially", "StopOnPluginFailure"])
async def test_options_for_several_plug_ins_warn_beside_one(switch: str) -> None:
    lab = ready()
    warnings: list[str] = []
    output = Output()
    output.warning = warnings.append  # type: ignore[method-assign]
    lab.world.updates.catalogue.clear()
    call = cmd("Invoke-CauRun", ClusterName="HCI-CL01", Force=None, **{switch: None})
    task = asyncio.ensure_future(_into(lab, output, call))
    await lab.wait_for(task.done, LONG)
    assert [switch in text for text in warnings] == [True]


async def _into(lab: Console, sink: Output, command: tuple[str, dict[str, object]]) -> None:
    call = CommandCall(command[0], tuple(Argument(key, value) for key, value in command[1].items()))
    await lab.hosts["MGMT01"].invoke(lab.session, ((call,),), sink)


@pytest.mark.parametrize(("os", "known"), [("22H2", False), ("23H2", False), ("WS2025", True)])
async def test_clear_corrupt_reports_came_late(os: str, known: bool) -> None:
    # AzureLocal-Supportability: "A parameter cannot be found that matches parameter name 'ClearCorruptReports'."
    lab = ready(os=os)
    run = await end(lab, begin(lab))
    lab.world.cau.corrupt.add(run.id)
    output = await lab.run("MGMT01", cmd("Get-CauReport", Last=None))
    assert [record.category for record in output.errors] == ["InvalidData"]
    recover = cmd("Invoke-CauRun", ClusterName="HCI-CL01", ForceRecovery=None, ClearCorruptReports=None, Force=None)
    if known:
        await lab.run("MGMT01", recover)
        assert lab.world.cau.reports == []
    else:
        record = await lab.refusal("MGMT01", recover)
        assert record.message == "A parameter cannot be found that matches parameter name 'ClearCorruptReports'."


async def test_suspend_and_resume_one_node() -> None:
    lab = ready(nodes=4, os="WS2025")
    await lab.run("MGMT01", cmd("Invoke-CauRun", ClusterName="HCI-CL01", SuspendNode="HCI02", Force=None))
    assert (lab.nodes[1].state.name, lab.nodes[1].drain_status.name) == ("Paused", "Completed")
    await lab.run("MGMT01", cmd("Invoke-CauRun", ClusterName="HCI-CL01", ResumeNode="HCI02", Force=None))
    assert lab.nodes[1].state.name == "Up"


async def test_get_cau_run_shows_what_every_node_does() -> None:
    lab = ready()
    run = begin(lab)
    await lab.wait(timedelta(minutes=1))
    state, shown = (await lab.run("HCI02", cmd("Get-CauRun"))).values
    assert str(state) == "RunInProgress"
    nodes = shown.get("NodeStatusNotifications")  # type: ignore[attr-defined]
    assert {each.get("Status") for each in nodes} == {"Staging"}
    _, *locks = (await lab.run("HCI02", cmd("Get-CauRun", ShowClusterNodeState=None))).values
    assert [each.get("NodeName") for each in locks] == [node.name for node in lab.nodes]  # type: ignore[attr-defined]
    assert not any(each.get("Status") for each in locks), "these are about the locks"  # type: ignore[attr-defined]
    await lab.wait_for(lambda: bool(run.results["HCI01"].status is not None), LONG)
    _, shown = (await lab.run("HCI02", cmd("Get-CauRun"))).values
    assert (shown.get("RunId"), shown.get("CurrentOrchestrator")) == (run.id, "MGMT01")  # type: ignore[attr-defined]
    (result,) = shown.get("NodeResults")  # type: ignore[attr-defined]
    assert (result.get("NumberOfSucceededUpdates"), result.get("NumberOfFailedUpdates")) == (4, 0)


async def test_wait_for_start() -> None:
    lab = ready()
    task = lab.start("MGMT01", cmd("Get-CauRun", WaitForStart=None))
    await lab.wait(timedelta(minutes=30))
    assert not task.done()
    begin(lab)
    await lab.wait_for(task.done)
    assert str(task.result().values[0]) == "RunInProgress"


@pytest.mark.parametrize("wait", [True, False])
async def test_stop_cau_run(wait: bool) -> None:
    lab = ready()
    run = begin(lab)
    await lab.wait(timedelta(minutes=30))
    more: dict[str, object] = {"Wait": None} if wait else {}
    output = await lab.run("MGMT01", cmd("Stop-CauRun", ClusterName="HCI-CL01", Force=None, **more))
    assert output.values == [True]
    assert (run.ended is not None) is wait
    _state, *shown = (await lab.run("MGMT01", cmd("Get-CauRun"))).values
    assert [each.get("CancelPending") for each in shown] == ([] if wait else [True])  # type: ignore[attr-defined]


async def test_stop_without_a_run() -> None:
    output = await ready().run("MGMT01", cmd("Stop-CauRun", ClusterName="HCI-CL01", Force=None))
    assert output.values == [False]


async def test_a_scan_lists_first_order_updates_and_changes_nothing() -> None:
    lab = ready()
    output = await lab.run("MGMT01", cmd("Invoke-CauScan", ClusterName="HCI-CL01"))
    found = kinds(output)
    assert found["ActivityIdMap"][0].get("NodeName") is None
    titles = [str(each.get("UpdateTitle")) for each in found["UpdateInfo"] if each.get("NodeName") == "HCI01"]
    assert any("KB5099101" in title for title in titles)
    assert not any("KB5099377" in title or "Feature update" in title for title in titles)
    assert not any(node.locks for node in lab.nodes)
    assert not lab.events("update.downloaded")


@pytest.mark.parametrize("recommended", ["True", "False"])
async def test_a_scan_with_arguments(recommended: str) -> None:
    lab = ready()
    arguments = [{"IncludeRecommendedUpdates": recommended}]
    output = await lab.run("MGMT01", cmd("Invoke-CauScan", ClusterName="HCI-CL01", CauPluginArguments=arguments))
    titles = " ".join(str(each.get("UpdateTitle")) for each in kinds(output)["UpdateInfo"])
    assert ("KB890830" in titles) is (recommended == "True")


async def test_a_scan_for_a_rolling_upgrade() -> None:
    call = cmd(
        "Invoke-CauScan", ClusterName="HCI-CL01", CauPluginName=[ROLLING], CauPluginArguments=[{"WuConnected": "true"}]
    )
    found = kinds(await ready().run("MGMT01", call))
    assert [each.get("NodeName") for each in found["UpgradeSetupInfo"]] == ["HCI01", "HCI02"]
    (info,) = found["UpgradeSetupInfo"][0].get("UpgradeInstallProperties").get("WuUpdatesInfo")  # type: ignore[attr-defined]
    assert str(info.get("UpdateTitle")).startswith("Feature update")


@pytest.mark.parametrize(
    ("trouble", "error"),
    [("down", "NodeUnreachable"), ("fails", "ScanFailed"), ("locked", "NodeLocked"), ("query", "PluginFailed")],
)
async def test_a_node_that_cannot_be_scanned_is_an_error_beside_the_others(trouble: str, error: str) -> None:
    lab = ready()
    parameters: dict[str, object] = {}
    if trouble == "down":
        lab.world.power.crash(lab.nodes[1], stay_down=True)
    elif trouble == "fails":
        lab.world.inject("scan-fails-on-node-2")
    elif trouble == "locked":
        lab.world.locks.create(lab.nodes[1], NODE, OTHER)
    else:
        parameters["CauPluginArguments"] = [{"QueryString": "Nonsense=1"}]
    output = await lab.run("MGMT01", cmd("Invoke-CauScan", ClusterName="HCI-CL01", **parameters))
    assert {record.fully_qualified_error_id.split(",")[0] for record in output.errors} == {error}
    nodes = {each.get("NodeName") for each in kinds(output).get("UpdateInfo", [])}
    assert nodes == (set() if trouble == "query" else {"HCI01"})
