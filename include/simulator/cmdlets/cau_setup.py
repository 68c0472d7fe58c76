"""Test-CauSetup: whether the cluster is ready for CAU (windowsserverdocs, cluster-aware-updating-requirements).

What it writes is as in the script of CAU's best practices analyser and its library (ClusterAwareUpdating.ps1, CauCommon.ps1): a
rule has a number and is written when it is begun and when its result is known; without the role the rules about it are left out,
and without the cluster all but the first.
"""

from __future__ import annotations

from datetime import timedelta

from include.simulator.cmdlets import cau_objects as shape
from include.simulator.cmdlets.cau_common import SPACE, cross_second_hop, reach
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimEnum
from include.simulator.world.cau_setup import RULES, BpaRule, judge

#: How long one rule takes; the whole test takes minutes.
RULE_TAKES = timedelta(seconds=8)
#: The rules that are not about the role.
_WITHOUT_ROLE = 11
_STATES = {"Started": 0, "Succeeded": 1, "Failed": 2}
_SEVERITIES = {"Info": 0, "Error": 1, "Warning": 2}
#: With this line it ends (windows-powershell-docs, Test-CauSetup, example 1); by which stream it comes is not documented.
_END = (
    'Test-CauSetup completed successfully. To view the results, run the "Get-BpaResult Microsoft/Windows/ClusterAwareUpdating" '
    "Windows PowerShell cmdlet."
)


@cmdlet("Test-CauSetup")
async def test_cau_setup(call: Call) -> None:
    """Write for every rule that it is begun and whether the cluster keeps it, one after another."""
    reach(call)
    cross_second_hop(call)
    rules = RULES if call.world.cau.role is not None else RULES[:_WITHOUT_ROLE]
    for rule in rules:
        _write(call, rule, "Started", rule.number)
        await call.clock.sleep(RULE_TAKES)
        call.world.advance()
        failed = judge(call.world)[rule.number - 1].failed
        percent = rule.number * 100 // len(rules)
        call.sink.progress("Test-CauSetup", rule.title, percent)
        _write(call, rule, "Failed" if failed else "Succeeded", percent, failed)
        if failed and rule is RULES[0]:
            return
    call.sink.output(_END)


def _write(call: Call, rule: BpaRule, state: str, percent: int, failed: tuple[str, ...] = ()) -> None:
    severity = rule.severity if failed else "Info"
    properties: dict[str, object] = {
        "RuleId": rule.number,
        "Title": rule.title,
        "State": SimEnum(SPACE + "RuleState", _STATES[state], state),
        "Severity": SimEnum(SPACE + "RuleSeverity", _SEVERITIES[severity], severity),
        "FailedMachines": list(failed),
        "PercentComplete": percent,
    }
    call.sink.output(shape.thing("CauBpaProgress", properties))
