"""What CAU's own report has is on our page and in our CSV: nobody has to export it on the management host as well."""

from __future__ import annotations

import csv
import html
import io
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from include.hci.powershell.command import Command
from include.hci.powershell.values import SWITCH
from include.hci.report.html import render_html
from include.hci.report.updates_csv import updates_csv
from include.simulator.cmdlets import cau_objects
from include.simulator.objects import SimEnum, SimObject
from include.simulator.world.spec import demo_world
from tests.hci.steps.cau_coordinator import CauCoordinator, options
from tests.hci.steps.judging import report
from tests.hci.steps.simulated import SimulatedShell

#: What is left out of CAU's report, and why.
LEFT_OUT = {
    "UpdateDescription": "prose of the vendor's, which is the same for every update of a kind",
    "LongRebootHint": "not documented; what matters is whether a restart is needed",
    "TimingBreakdownUTC": "not documented; the page has CAU's states with the times at which they were seen",
    "UpgradingOs": "told by runs that upgrade the operating system",
    "UpgradeResult": "told by runs that upgrade the operating system",
    "RebootRequired": "yes or no, compared line by line in the CSV",
    "UpdateResultCode": "in this program's words, compared line by line in the CSV",
    "Name": "the cluster's",
}
FAULTS = {
    "all well": (),
    "a failure that a later try makes good": ("install-fails-once-on-node-2",),
    "a server that fails": ("install-fails-on-node-1",),
}


@pytest.fixture(params=FAULTS)
def run(request, simulate) -> CauCoordinator:
    done = CauCoordinator(simulate(demo_world(2), 0, *FAULTS[request.param]), options(2))
    done.run()
    last = done.simulation.cluster.world.cau.last_report()
    assert last is not None
    if "good" in request.param:
        assert any(result.transient for result in last.results.values())
    elif "fails" in request.param:
        assert any(result.failed for result in last.results.values())
    return done


def leaves(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """Yield the name and the text of every value in an object of CAU's, as our page writes such values."""
    if name in LEFT_OUT or value is None:
        return
    if isinstance(value, SimObject):
        for each, inner in value.properties.items():
            yield from leaves(inner, each)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner, name)
    elif isinstance(value, SimEnum):
        yield name, value.name
    elif isinstance(value, datetime):
        yield name, f"{value:%Y-%m-%d %H:%M:%S}"
    elif isinstance(value, timedelta):
        yield name, str(timedelta(seconds=round(value.total_seconds())))
    elif name == "ErrorCode":
        yield name, f"0x{int(str(value)) & 0xFFFFFFFF:08x}" if value else ""
    else:
        yield name, str(value)


def shown(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_the_page_has_everything_of_caus_report(run: CauCoordinator):
    world = run.simulation.cluster.world
    last = world.cau.last_report()
    assert last is not None
    page = shown(render_html(report(run)))
    found = list(leaves(cau_objects.report(world, last)))
    assert len(found) > 30
    assert [(name, text) for name, text in found if " ".join(text.split()).lower() not in page.lower()] == []


def lines_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text, newline="")))


def exported(run: CauCoordinator) -> list[dict[str, str]]:
    """What CAU itself writes as CSV, on the management host."""
    world, path = run.simulation.cluster.world, "C:\\report.csv"
    host = world.spec.management_host
    shell = SimulatedShell(run.simulation, run.simulation.cluster.hosts[host], delegated=True)
    last = Command("Get-CauReport", {"ClusterName": world.spec.cluster, "Last": SWITCH, "Detailed": SWITCH})
    shell.run(last | Command("Export-CauReport", {"Format": "Csv", "Path": path})).require()
    return lines_of(world.cau.files[host, path.lower()].decode())


def test_the_csv_has_every_line_of_the_file_that_cau_exports(run: CauCoordinator):
    words = {"Succeeded": "updated", "PartiallyFailed": "failed", "Failed": "failed", "Canceled": "skipped"}
    results = {"": "", "Succeeded": "succeeded", "SucceededWithErrors": "succeeded-with-errors", "Failed": "failed"}
    ours = lines_of(updates_csv(report(run)))
    last = [line for line in ours if not line["meaning"].startswith("tried again")]
    theirs = exported(run)
    seen = [
        {
            "cluster": line["ClusterName"],
            "node": line["NodeName"],
            "node_outcome": words[line["NodeStatus"]],
            "title": line["UpdateTitle"],
            "update_id": line["UpdateId"],
            "result": results[line["UpdateResult"]],
            "hresult": line["ErrorCode"].replace("0x00000000", ""),
        }
        for line in theirs
    ]
    assert [{name: line[name] for name in seen[0]} for line in last] == seen
    assert theirs
    for line in ours:
        if line["update_id"]:
            assert line["plugin"] == "Microsoft.WindowsUpdatePlugin"
            assert datetime.fromisoformat(line["at"]).tzinfo


def test_the_csv_has_the_tries_that_failed_as_well(run: CauCoordinator):
    last = run.simulation.cluster.world.cau.last_report()
    assert last is not None
    good = {update.result.update.update_id for result in last.results.values() for update in result.succeeded}
    wanted = [
        (result.node, each.result.update.update_id, each.result.update.update_id in good)
        for result in last.results.values()
        for each in result.transient
    ]
    again = [line for line in lines_of(updates_csv(report(run))) if line["meaning"].startswith("tried again")]
    assert [(line["node"], line["update_id"], "made good" in line["meaning"]) for line in again] == wanted
