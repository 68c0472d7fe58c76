"""The CAU cmdlets for what runs leave behind: Get-CauReport, Export-CauReport, Save-CauDebugTrace."""

from __future__ import annotations

import io
import uuid
import zipfile

from include.simulator.cmdlets import cau_objects as shape
from include.simulator.cmdlets.cau_common import cross_second_hop, error, reach, record
from include.simulator.cmdlets.cau_export import to_csv, to_html
from include.simulator.cmdlets.registry import Call, ask, cmdlet
from include.simulator.objects import SimObject
from include.simulator.world.cau_run import CauRun


@cmdlet("Get-CauReport")
async def get_cau_report(call: Call) -> None:
    """Write summaries of the runs that are over, newest first, or with -Detailed the whole reports."""
    reach(call)
    world, cau = call.world, call.world.cau
    asked = call.parameters.get("Report")
    if asked is not None:
        found = [_report_of(call, asked)]
    elif call.has("Last"):
        found = [cau.reports[-1]] if cau.reports else []
    else:
        start, end = shape.moment(call.parameters.get("StartDate")), shape.moment(call.parameters.get("EndDate"))
        found = cau.reports_between(start, end)
    for run in found:
        if run.id in cau.corrupt:
            text = f"The report of the run {run.id} is corrupt and cannot be read."
            call.sink.error(record(call, text, "InvalidData", "ReportCorrupt"))
        elif call.has("Detailed") or asked is not None:
            call.sink.output(shape.report(world, run))
        else:
            call.sink.output(shape.report_summary(world, run))


@cmdlet("Export-CauReport")
async def export_cau_report(call: Call) -> None:
    """Write reports into an HTML or CSV file of this machine; a file that is there is only replaced with -Force."""
    given = call.parameters.get("InputReport")
    items = list(given) if isinstance(given, list | tuple) else [given] if given is not None else list(call.input)
    runs = [_report_of(call, each) for each in items]
    path, files = str(call.text("Path")), call.world.cau.files
    key = (call.host.name, path.lower())
    if key in files and not call.has("Force"):
        raise error(call, f"The file {path} already exists.", "ResourceExists", "FileExists")
    render = to_html if str(call.text("Format")).lower() == "html" else to_csv
    files[key] = render(call.world.spec.cluster, runs).encode("utf-8")
    if call.has("PassThru"):
        for run in runs:
            call.sink.output(shape.report(call.world, run))


@cmdlet("Save-CauDebugTrace")
async def save_cau_debug_trace(call: Call) -> None:
    """Collect the traces of all nodes into a zip file of this machine; needs PowerShell remoting on the nodes."""
    reach(call)
    cross_second_hop(call)
    world, cau = call.world, call.world.cau
    wanted = call.parameters.get("RunId")
    runs = [each for each in (*cau.reports, *([cau.run] if cau.run else [])) if wanted in (None, each.id)]
    if isinstance(wanted, uuid.UUID) and not runs:
        raise error(call, f"There is no run {wanted}.", "ObjectNotFound", "RunNotFound")
    default = f"C:\\Users\\{call.session.user.rpartition(chr(92))[2]}\\CauDebugTrace-{world.now:%Y%m%d%H%M%S}.zip"
    path = call.text("FilePath") or default
    key = (call.host.name, path.lower())
    if key in cau.files:
        ask(call)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for node in world.nodes:
            if not node.member or not world.remoting.state(node).powershell:
                call.sink.warning(f"The debug trace of {node.name} could not be collected.")
                continue
            lines = [
                f"{each.at.isoformat()} [{run.id}] {each.name}"
                for run in runs
                for each in run.history
                if each.node == node.name
            ]
            archive.writestr(f"{node.name}/CauTrace.log", "\r\n".join(lines))
    cau.files[key] = buffer.getvalue()
    name = path.rpartition("\\")[2]
    properties: dict[str, object] = {
        "Name": name,
        "FullName": path,
        "Length": len(cau.files[key]),
        "DirectoryName": path.rpartition("\\")[0],
        "Extension": ".zip",
        "Exists": True,
        "CreationTimeUtc": world.now,
        "LastWriteTimeUtc": world.now,
    }
    types = ("System.IO.FileInfo", "System.IO.FileSystemInfo", "System.MarshalByRefObject", "System.Object")
    call.sink.output(SimObject(types, properties, to_string=path))


def _report_of(call: Call, value: object) -> CauRun:
    """Return the run behind a report object, also behind one that has been to a client and back."""
    if isinstance(value, SimObject):
        if isinstance(value.source, CauRun):
            return value.source
        result = value.get("ClusterResult")
        found = result.get("RunId") if isinstance(result, SimObject) else value.get("RunId")
        text = str(found.get("Guid") if isinstance(found, SimObject) else found)
        for run in call.world.cau.reports:
            if str(run.id) == text:
                return run
    raise error(call, "The object is not a report of this cluster.", "InvalidArgument", "NoReport")
