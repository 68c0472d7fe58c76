"""Test-CauSetup: whether the cluster is ready for CAU (windowsserverdocs, cluster-aware-updating-requirements)."""

from __future__ import annotations

from datetime import timedelta

from include.simulator.cmdlets import cau_objects as shape
from include.simulator.cmdlets.cau_common import SPACE, cross_second_hop, reach
from include.simulator.cmdlets.registry import Call, cmdlet
from include.simulator.objects import SimEnum
from include.simulator.world.cau_setup import ERROR, RULES, judge

NUMBERED_VARIANT = "cau-bpa-rules-are-numbered"
#: How long one rule takes; the whole test takes minutes.
RULE_TAKES = timedelta(seconds=8)


@cmdlet("Test-CauSetup")
async def test_cau_setup(call: Call) -> None:
    """Write for every rule whether the cluster keeps it, one after another."""
    reach(call)
    cross_second_hop(call)
    for position in range(len(RULES)):
        await call.clock.sleep(RULE_TAKES)
        call.world.advance()
        finding = judge(call.world)[position]
        rule = finding.rule
        state = "Failed" if finding.failed else "Succeeded" if finding.ran else "NotRun"
        percent = (position + 1) * 100 // len(RULES)
        properties: dict[str, object] = {
            "RuleId": str(rule.number) if call.world.variant(NUMBERED_VARIANT) else rule.id,
            "Title": rule.title,
            "State": state,
            "Severity": SimEnum(SPACE + "CauBpaSeverity", 0 if rule.severity == ERROR else 1, rule.severity),
            "PercentComplete": percent,
            "FailedMachines": list(finding.failed),
        }
        call.sink.progress("Test-CauSetup", rule.title, percent)
        call.sink.output(shape.thing("CauBpaProgress", properties, text=rule.title))
