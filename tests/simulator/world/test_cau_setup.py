"""windowsserverdocs, cluster-aware-updating-requirements: the rules of Test-CauSetup, each broken by what it is about."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from include.simulator.world.cau_schedule import Weekdays
from include.simulator.world.cau_scripts import Script
from include.simulator.world.cau_setup import RULES, judge
from include.simulator.world.features import FEATURES
from tests.simulator.world.console import Console
from tests.simulator.world.updating import console, open_firewall

SCRIPT = "\\\\FS01\\Scripts\\Check.ps1"
WINHTTP = "HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\Internet Settings\\Connections"


def ready() -> Console:
    """A cluster that keeps every rule."""
    lab = console()
    open_firewall(lab)
    lab.world.cau.scripts.put(SCRIPT, Script("check"))
    lab.world.cau.roles.add({}, {"PreUpdateScript": SCRIPT}, owner=lab.nodes[0])
    for node in lab.nodes:
        lab.world.registry.create(node, WINHTTP)
        lab.world.registry.set(node, WINHTTP, "WinHttpSettings", "proxy.corp.contoso.com:3128")
    return lab


def option(lab: Console, **options: object) -> None:
    lab.world.cau.roles.set({}, options, use_default=False)


def never(lab: Console) -> None:
    lab.world.cau.roles.set({"DaysOfWeek": Weekdays(0).text}, {}, use_default=False)


def one_owner(lab: Console) -> None:
    role = lab.world.cau.role
    assert role
    role.possible_owners = ("HCI01",)


def other_source(lab: Console) -> None:
    lab.world.policies.set(lab.nodes[1], "WUServer", "http://wsus01:8530")
    lab.world.policies.set(lab.nodes[1], "UseWUServer", 1)


def without_framework(lab: Console) -> None:
    lab.world.features.change(lab.nodes[1], [FEATURES["net-framework-45-core"]], install=False)


def more_plugins(lab: Console) -> None:
    lab.world.cau.plugins.put_file(lab.nodes[1], "C:\\Contoso.dll", "Contoso.Firmware", "Type='Driver'")
    lab.world.cau.plugins.register(lab.nodes[1], "C:\\Contoso.dll")


NODE, CLUSTER = ("HCI02",), ("HCI-CL01",)
BROKEN: dict[int, tuple[Callable[[Console], object], tuple[str, ...]]] = {
    2: (lambda lab: lab.world.services.set_start_type(lab.nodes[1], "WinRM", "Manual"), NODE),
    3: (lambda lab: lab.world.remoting.disable_powershell(lab.nodes[1]), NODE),
    4: (lambda lab: setattr(lab.nodes[1], "build", 7601), NODE),
    5: (without_framework, NODE),
    6: (lambda lab: lab.world.services.set_start_type(lab.nodes[1], "ClusSvc", "Manual"), NODE),
    7: (lambda lab: lab.world.policies.set(lab.nodes[1], "AUOptions", 4), NODE),
    8: (other_source, NODE),
    9: (lambda lab: lab.world.firewall.enable_group(lab.nodes[1], "Remote Shutdown", False), NODE),
    10: (lambda lab: lab.world.registry.remove(lab.nodes[1], WINHTTP, "WinHttpSettings"), NODE),
    11: (lambda lab: lab.world.cau.roles.remove(), CLUSTER),
    12: (lambda lab: lab.world.cau.roles.enable(False), CLUSTER),
    13: (lambda lab: option(lab, CauPluginName=["Contoso.Firmware"]), ("HCI01", "HCI02", "HCI03", "HCI04")),
    14: (more_plugins, NODE),
    15: (never, CLUSTER),
    16: (one_owner, CLUSTER),
    17: (lambda lab: lab.world.cau.scripts.put(SCRIPT, Script("check", unreadable=True), "HCI02"), NODE),
    18: (lambda lab: lab.world.cau.scripts.put(SCRIPT, Script("something else"), "HCI02"), NODE),
    19: (
        lambda lab: option(lab, WarnAfter=timedelta(hours=5), StopAfter=timedelta(hours=4)),
        CLUSTER,
    ),
}


def test_a_cluster_that_is_ready_keeps_every_rule() -> None:
    assert [finding.rule.number for finding in judge(ready().world) if finding.failed] == []
    assert [rule.number for rule in RULES] == list(range(1, 20))


@pytest.mark.parametrize("number", BROKEN)
def test_a_rule_and_what_breaks_it(number: int) -> None:
    lab = ready()
    break_it, failed = BROKEN[number]
    break_it(lab)
    assert {finding.rule.number: finding.failed for finding in judge(lab.world) if finding.failed} == {number: failed}


def test_a_node_that_is_down_breaks_the_rule_about_its_service() -> None:
    lab = ready()
    lab.world.power.crash(lab.nodes[1], stay_down=True)
    assert {finding.rule.number: finding.failed for finding in judge(lab.world) if finding.failed} == {6: NODE}


def test_without_the_cluster_no_other_rule_runs() -> None:
    lab = ready()
    for node in lab.nodes:
        lab.world.power.crash(node, stay_down=True)
    findings = judge(lab.world)
    assert findings[0].failed == ("MGMT01",)
    assert not any(finding.ran for finding in findings[1:])


def test_a_fresh_cluster_fails_what_windows_leaves_off() -> None:
    failed = {finding.rule.id for finding in judge(console().world) if finding.failed}
    assert failed == {"RemoteShutdown", "WinHttpProxy", "RoleInstalled"}
