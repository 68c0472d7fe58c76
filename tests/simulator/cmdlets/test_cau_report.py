"""windows-powershell-docs, ClusterAwareUpdating: Get-CauReport, Export-CauReport, Save-CauDebugTrace."""

import csv
import io
import uuid
import zipfile
from datetime import timedelta

import pytest

from include.simulator.objects import SimEnum, SimObject
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.updating import console, delegated, updated

CSV = "C:\\Reports\\run.csv"


async def two_runs() -> Console:
    """A run that updated both nodes, and a day later one that found nothing."""
    lab = delegated(console(nodes=2))
    await updated(lab)
    await lab.wait(timedelta(days=1))
    await updated(lab)
    return lab


async def reports(lab: Console, **parameters: object) -> list[SimObject]:
    values = (await lab.run("MGMT01", cmd("Get-CauReport", ClusterName="HCI-CL01", **parameters))).values
    return [each for each in values if isinstance(each, SimObject)]


async def test_summaries_newest_first() -> None:
    lab = await two_runs()
    newest, oldest = await reports(lab)
    assert newest.type_names[0] == "Microsoft.ClusterAwareUpdating.CauReportSummary"
    assert newest.get("StartTimestamp") > oldest.get("StartTimestamp")  # type: ignore[operator]


async def test_the_last_one_in_detail() -> None:
    lab = await two_runs()
    (report,) = await reports(lab, Last=None, Detailed=None)
    result = report.get("ClusterResult")
    assert isinstance(result, SimObject)
    assert str(result.get("Status")) == "Succeeded", "nothing to install is no failure"
    assert str(result.get("RunId").get("Guid")) == str(lab.world.cau.reports[-1].id)  # type: ignore[attr-defined]
    assert [each.get("NumberOfSucceededUpdates") for each in result.get("NodeResults")] == [0, 0]  # type: ignore[attr-defined]
    assert report.get("OrchestratorMachine") == "MGMT01"


async def test_what_a_report_says_of_a_node() -> None:
    lab = await two_runs()
    report = (await reports(lab, Detailed=None))[-1]
    node = report.get("ClusterResult").get("NodeResults")[0]  # type: ignore[attr-defined]
    assert (node.get("NumberOfSucceededUpdates"), node.get("NumberOfFailedUpdates")) == (4, 0)
    first = node.get("InstallResults")[0]
    assert isinstance(first.get("UpdateResultCode"), SimEnum)
    assert (first.get("UpdateResultCode").value, first.get("ErrorCode")) == (2, 0)
    assert node.get("NodeSuspendedDuration") > timedelta(minutes=20)


@pytest.mark.parametrize(("first_day", "days", "found"), [(0, 30, 2), (0, 0.5, 1), (0.5, 30, 1), (9, 30, 0)])
async def test_a_range(first_day: float, days: float, found: int) -> None:
    lab = console(nodes=2)
    start = lab.clock.now()
    await updated(lab)
    await lab.wait(timedelta(days=1))
    await updated(lab)
    begins, ends = start + timedelta(days=first_day), start + timedelta(days=days)
    assert len(await reports(lab, StartDate=begins, EndDate=ends)) == found


async def test_a_summary_leads_to_its_report() -> None:
    lab = await two_runs()
    output = await lab.run("MGMT01", cmd("Get-CauReport", ClusterName="HCI-CL01", Last=None), cmd("Get-CauReport"))
    (report,) = output.values
    assert isinstance(report, SimObject)
    assert report.type_names[0] == "Microsoft.ClusterAwareUpdating.CauReport"


async def test_no_run_no_report() -> None:
    assert await reports(console(), Last=None, Detailed=None) == []


@pytest.mark.parametrize("form", ["Csv", "Html"])
async def test_export(form: str) -> None:
    lab = await two_runs()
    get = cmd("Get-CauReport", ClusterName="HCI-CL01", Detailed=None)
    export = cmd("Export-CauReport", Format=form, Path=CSV, PassThru=None)
    assert len((await lab.run("MGMT01", get, export)).values) == 2
    text = lab.world.cau.files["MGMT01", CSV.lower()].decode()
    if form == "Html":
        assert text.startswith("<!DOCTYPE html>")
        assert text.count("<tr>") == 1 + 8 + 2
        return
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 8 + 2, "four updates on two nodes, then two nodes with none"
    assert {row["UpdateResult"] for row in rows} == {"Succeeded", ""}


async def test_an_export_replaces_a_file_only_when_forced() -> None:
    lab = await two_runs()
    get = cmd("Get-CauReport", ClusterName="HCI-CL01", Last=None, Detailed=None)
    await lab.run("MGMT01", get, cmd("Export-CauReport", Format="Csv", Path=CSV))
    record = await lab.refusal("MGMT01", get, cmd("Export-CauReport", Format="Csv", Path=CSV))
    assert record.category == "ResourceExists"
    await lab.run("MGMT01", get, cmd("Export-CauReport", Format="Html", Path=CSV, Force=None))
    assert lab.world.cau.files["MGMT01", CSV.lower()].startswith(b"<!DOCTYPE")


async def test_what_is_no_report_is_not_exported() -> None:
    lab = console()
    call = cmd("Export-CauReport", Format="Csv", Path=CSV)
    record = await lab.refusal("MGMT01", cmd("Get-CauPlugin"), call)
    assert record.fully_qualified_error_id.startswith("NoReport")


async def test_a_debug_trace_is_a_zip_with_a_log_per_node() -> None:
    lab = await two_runs()
    call = cmd("Save-CauDebugTrace", ClusterName="HCI-CL01", FilePath="C:\\trace.zip")
    (file,) = (await lab.run("MGMT01", call)).values
    assert isinstance(file, SimObject)
    content = lab.world.cau.files["MGMT01", "c:\\trace.zip"]
    assert (file.get("FullName"), file.get("Length")) == ("C:\\trace.zip", len(content))
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["HCI01/CauTrace.log", "HCI02/CauTrace.log"]
        assert b"Installing" in archive.read("HCI01/CauTrace.log")
    assert "NonInteractive" in (await lab.refusal("MGMT01", call)).message


async def test_a_debug_trace_needs_remoting_and_a_run_that_there_is() -> None:
    lab = await two_runs()
    lab.world.remoting.disable_powershell(lab.nodes[1])
    run = lab.world.cau.reports[0].id
    await lab.run("MGMT01", cmd("Save-CauDebugTrace", ClusterName="HCI-CL01", FilePath="C:\\t.zip", RunId=run))
    with zipfile.ZipFile(io.BytesIO(lab.world.cau.files["MGMT01", "c:\\t.zip"])) as archive:
        assert archive.namelist() == ["HCI01/CauTrace.log"]
    unknown = cmd("Save-CauDebugTrace", ClusterName="HCI-CL01", RunId=uuid.UUID(int=1))
    assert (await lab.refusal("MGMT01", unknown)).category == "ObjectNotFound"
