"""Test-Cluster: its tests, which of them run, and the report it leaves behind."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from html import escape

from include.simulator.cmdlets.cluster_errors import check_service, cluster_error, find_node, require_delegation
from include.simulator.cmdlets.cluster_whole import file_info
from include.simulator.cmdlets.registry import Call, ask, cmdlet
from include.simulator.objects import SimObject
from include.simulator.world.files import PathExistsError
from include.simulator.world.machines import Node
from include.simulator.world.validation import CHECKS, FAILED, SKIPPED, SUCCESS, WARNING, Finding, tests, validate

#: Where the report lies: on a node, and on a machine outside of the cluster.
_REPORTS, _TEMPORARY = "C:\\Windows\\Cluster\\Reports", "C:\\Users\\hci-update\\AppData\\Local\\Temp"
#: How long one test takes.
_TAKES = timedelta(seconds=12)


@cmdlet("Test-Cluster")
async def test_cluster(call: Call) -> None:
    """Validate the cluster and write the report's file; with -List write the tests.

    Given one member, all are tested. -Include and -Ignore take categories and names of tests; the local account CliTest2 that it
    uses on every node comes and goes. It asks unless -Force or -Confirm:$false is given (windows-powershell-docs, Test-Cluster).
    From outside of the cluster it goes on to every node, with the credentials of the session if it has any.
    """
    if call.has("List"):
        for category, name in tests():
            properties: dict[str, object] = {"Category": category, "Description": "", "DisplayName": name}
            types = ("Microsoft.FailoverClusters.PowerShell.ClusterTestInfo", "System.Object")
            call.sink.output(SimObject(types, properties, to_string=name))
        return
    check_service(call)
    if not isinstance(call.host, Node):
        require_delegation(call)
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
    report = (call.text("ReportName") or f"Validation Report {started:%Y.%m.%d} At {started:%H.%M.%S}").removesuffix(
        ".htm"
    )
    folder = _REPORTS if isinstance(call.host, Node) else _TEMPORARY
    _say(call, findings, f"{folder}\\{report}.htm")
    call.world.reports[report] = findings
    text = report_html(findings)
    with suppress(PathExistsError):
        call.world.files.make_folder(call.host, folder)
    call.world.files.write(call.host, f"{folder}\\{report}.htm", text)
    home = call.host.name
    call.world.emit(
        "validation",
        None,
        {"report": report, "node": home, "results": {finding.test: finding.result for finding in findings}},
    )
    call.sink.output(file_info(folder, f"{report}.htm", call.world, len(text.encode())))


def _say(call: Call, findings: list[Finding], path: str) -> None:
    """Warn of every test that was not well, and say how it came out as a whole.

    The first line of the whole's names are flags that no language changes; of the others only the order is known.
    """
    troubled = [each for each in findings if each.result in (FAILED, WARNING)]
    for each in troubled:
        how = "failures" if each.result == FAILED else "some warnings"
        call.sink.warning(f"{each.category} - {each.test}: The test reported {how}..")
    if not troubled:
        return
    flags = ["HadUnselectedTests"] if any(each.result == SKIPPED for each in findings) else []
    failed = any(each.result == FAILED for each in troubled)
    flags += ["HadFailures", "ClusterNotApproved"] if failed else ["ClusterConditionallyApproved"]
    said = "You should review the failures" if failed else "You should review the warnings"
    call.sink.warning(
        f"\r\nTest Result:\r\n{', '.join(flags)}\r\nTesting has completed for the tests you selected. {said} in the Report.\r\n"
        f"Test report file path: {path}\r\n"
    )


def report_html(findings: list[Finding]) -> str:
    """Return the report as the cmdlet writes it: a table of the categories, then one of the tests of each.

    A row links a name to its details and shows how it came out as an image, whose name is the result's, and in words.
    """
    ran = [each for each in findings if each.result != SKIPPED]
    categories = list(dict.fromkeys(each.category for each in ran))
    parts = ["<html><body>", "<h2>Results by Category</h2>", "<table>"]
    anchors: dict[str, int] = {}
    for number, category in enumerate(categories, start=1):
        results = [each.result for each in ran if each.category == category]
        worst = next(result for result in (FAILED, WARNING, SUCCESS) if result in results)
        parts.append(_row(category, number, worst))
    parts.append("</table>")
    for number, category in enumerate(categories, start=1):
        parts += [f'<a name="{number}"></a><h2>{escape(category)}</h2>', "<table>"]
        for each in (each for each in ran if each.category == category):
            anchors[each.test] = 10 * number + len(anchors)
            parts.append(_row(each.test, anchors[each.test], each.result))
        parts.append("</table>")
    for each in ran:
        details = "<br>".join(map(escape, each.messages)) or "No issues found."
        parts.append(f'<a name="{anchors[each.test]}"></a><h3>{escape(each.test)}</h3><p>{details}</p>')
    return "\r\n".join((*parts, "</body></html>", ""))


def _row(name: str, target: int, result: str) -> str:
    return (
        f'<tr><td><a href="#{target}">{escape(name)}</a></td><td><result><IMG name="{result}Img"></result></td>'
        f"<td><description>{result}</description></td></tr>"
    )


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
