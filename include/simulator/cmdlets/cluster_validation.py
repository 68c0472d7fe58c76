"""Test-Cluster: its tests, which of them run, and the report it leaves behind."""

from __future__ import annotations

from datetime import timedelta

from include.simulator.cmdlets.cluster_errors import check_service, cluster_error, find_node
from include.simulator.cmdlets.cluster_whole import file_info
from include.simulator.cmdlets.registry import Call, ask, cmdlet
from include.simulator.objects import SimObject
from include.simulator.world.machines import Node
from include.simulator.world.validation import CHECKS, FAILED, WARNING, tests, validate

_REPORTS = "C:\\Windows\\Cluster\\Reports"
#: How long one test takes.
_TAKES = timedelta(seconds=12)


@cmdlet("Test-Cluster")
async def test_cluster(call: Call) -> None:
    """Validate the cluster and write the report's file; with -List write the tests.

    Given one member, all are tested. -Include and -Ignore take categories and names of tests; the local account CliTest2 that it
    uses on every node comes and goes. It asks unless -Force or -Confirm:$false is given (windows-powershell-docs, Test-Cluster).
    """
    if call.has("List"):
        for category, name in tests():
            properties: dict[str, object] = {"Category": category, "Description": "", "DisplayName": name}
            types = ("Microsoft.FailoverClusters.PowerShell.ClusterTestInfo", "System.Object")
            call.sink.output(SimObject(types, properties, to_string=name))
        return
    check_service(call)
    for name in call.texts("Node"):
        find_node(call, name)
    wanted = _wanted(call)
    ask(call)
    started = call.world.now
    for number, (category, test) in enumerate(wanted):
        call.sink.progress("Test-Cluster", f"{category}: {test}", 100 * number // len(wanted))
        await call.clock.sleep(_TAKES)
        call.world.advance()
    findings = validate(call.world, wanted)
    results = {finding.result for finding in findings}
    if FAILED in results or WARNING in results:
        worst = "failed" if FAILED in results else "completed with warnings"
        names = [each.test for each in findings if each.result in (FAILED, WARNING)]
        call.sink.warning(f"Some tests {worst}: {', '.join(names)}. Review the report.")
    report = (call.text("ReportName") or f"Validation Report {started:%Y.%m.%d} At {started:%H.%M.%S}").removesuffix(
        ".htm"
    )
    call.world.reports[report] = findings
    home = call.host.name if isinstance(call.host, Node) else call.world.nodes[0].name
    call.world.emit(
        "validation",
        None,
        {"report": report, "node": home, "results": {finding.test: finding.result for finding in findings}},
    )
    call.sink.output(file_info(_REPORTS, f"{report}.htm", call.world))


def _wanted(call: Call) -> list[tuple[str, str]]:
    include, ignore = _names(call, "Include"), _names(call, "Ignore")
    return [
        (category, name)
        for category, name in tests()
        if (not include or category.lower() in include or name.lower() in include)
        and category.lower() not in ignore
        and name.lower() not in ignore
    ]


def _names(call: Call, parameter: str) -> set[str]:
    known = {each.lower() for each in CHECKS} | {name.lower() for _, name in tests()}
    names = {each.lower() for each in call.texts(parameter)}
    for name in sorted(names - known):
        raise cluster_error(call, f"There is no validation test or category '{name}'.", 87, "InvalidArgument")
    return names
