from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.hci.cluster.agents import Agents
from include.hci.cluster.levels import Level
from include.hci.cluster.machine import Build, WindowsVersion
from include.hci.cluster.nodes import ClusterResource
from include.hci.cluster.virtual_machines import VirtualMachine
from include.hci.policy.checks.feature import FeatureFacts, FeatureRules, check_feature
from include.hci.policy.checks.result import CheckResult, Severity, Status
from include.hci.policy.readiness import ReadinessFacts, Unread
from tests.hci.policy.readiness_facts import GIB, NAMES, but

NOW = datetime(2026, 11, 3, tzinfo=UTC)
CRITICAL, WARNING, INFORMATION = Severity.CRITICAL, Severity.WARNING, Severity.INFORMATION
HCI, SERVER = ("Azure Stack HCI", "ServerAzureStackHCICor"), ("Windows Server 2022 Datacenter", "ServerDatacenter")
#: Everything of a feature update that was read, and nothing wrong with it.
FINE = FeatureFacts(
    soft_reboot="",
    agents=dict.fromkeys(NAMES, Agents()),
    level=Level(10, 2),
    supported=dict.fromkeys(NAMES, Level(10, 2)),
)


def vm(version: str = "9.0", processor: int | None = 20, node: str = "HCI01") -> VirtualMachine:
    return VirtualMachine("VM1", node, "Running", True, 8 * GIB, ("Ok",), version, processor)


def nodes(*builds: str, product: tuple[str, str] = HCI) -> dict[str, WindowsVersion]:
    return {name: WindowsVersion(Build.parse(text), *product) for name, text in zip(NAMES, builds, strict=True)}


def cluster(*builds: str, product: tuple[str, str] = HCI, **more: Any) -> ReadinessFacts:
    versions = nodes(*(builds or ("17784.1737",) * 3), product=product)
    return but(**{"versions": versions, "virtual_machines": (vm(),), **more})


def checks(facts: ReadinessFacts, found: FeatureFacts = FINE, **rules: Any) -> dict[str, CheckResult]:
    made = check_feature(facts, found, FeatureRules(**rules), NOW)
    assert all(check.remediation for check in made if not check.passed)
    return {check.id: check for check in made}


def failed(facts: ReadinessFacts, found: FeatureFacts = FINE, **rules: Any) -> dict[str, Severity]:
    return {key: check.severity for key, check in checks(facts, found, **rules).items() if not check.passed}


def test_nothing_speaks_against_a_cluster_that_is_ready():
    assert failed(cluster()) == {}


@pytest.mark.parametrize(
    ("builds", "product", "expected"),
    [
        (("17784.1737",) * 3, HCI, {}),
        (("20348.2113",) * 3, SERVER, {}),
        (("17784.1736",) * 3, HCI, {"rolling-upgrade-20h2": CRITICAL}),
        (("17784.1737", "17784.1737", "17784.1738"), HCI, {"patch-level": CRITICAL}),
        (("20348.11", "17784.1737", "17784.1737"), HCI, {}),
        (("20348.11", "20348.12", "17784.1737"), HCI, {}),
        (("20348.11", "17784.1737", "17784.1738"), HCI, {"patch-level": CRITICAL}),
        (("20349.1", "20348.11", "17784.1737"), HCI, {"patch-level": CRITICAL}),
        (("20345.1", "17784.1737", "17784.1737"), HCI, {"known-version": WARNING}),
        (("20345.1", "20345.1", "20345.1"), HCI, {"known-version": CRITICAL}),
        (("17763.5122",) * 3, HCI, {"known-version": CRITICAL}),
        (("17763.5122",) * 3, ("", ""), {}),
    ],
)
def test_builds_are_known_new_enough_and_equal_but_for_nodes_that_are_ahead(builds, product, expected):
    assert failed(cluster(*builds, product=product)) == expected


@pytest.mark.parametrize(
    ("builds", "expected"),
    [
        (("20348.11",) * 3, {}),
        (("20348.11", "20348.12", "20348.12"), {}),
        (("20348.1", "17784.1", "17784.1"), {"patch-level": CRITICAL}),
    ],
)
def test_the_steps_afterwards_need_one_version(builds, expected):
    assert failed(cluster(*builds), post_steps_only=True) == expected


@pytest.mark.parametrize(
    ("value", "rules", "expected"),
    [
        ("", {}, Status.PASSED),
        ("0", {}, Status.PASSED),
        ("2", {}, Status.PASSED),
        ("1", {}, Status.FAILED),
        ("1", {"full_reboot": True}, Status.PASSED),
        ("0", {"attempt_soft_reboot": True}, Status.FAILED),
        ("1", {"attempt_soft_reboot": True, "full_reboot": True}, Status.FAILED),
        (None, {}, Status.NOT_APPLICABLE),
        (None, {"attempt_soft_reboot": True}, Status.FAILED),
    ],
)
def test_kernel_soft_reboot_has_to_be_off(value, rules, expected):
    assert checks(cluster(), replace(FINE, soft_reboot=value), **rules)["soft-reboot"].status is expected


def test_what_could_not_be_read_of_it_refuses():
    facts = cluster(unread=(Unread("soft-reboot", "access is denied"),))
    assert failed(facts, replace(FINE, soft_reboot=None)) == {"soft-reboot": CRITICAL}


@pytest.mark.parametrize(
    ("agents", "expected"),
    [
        (Agents("Running", "10.19.2591.0"), {"vmm-agent": CRITICAL}),
        (Agents("Running", "4.1.3223.0"), {"vmm-agent": CRITICAL}),
        (Agents("Running", "10.22.1287.0 (build)"), {}),
        (Agents("Running", "10.25.100.0"), {}),
        (Agents("Running"), {"vmm-agent": WARNING}),
        (Agents("Stopped"), {"vmm-agent": WARNING}),
        (Agents(networking=True), {"network-controller": INFORMATION}),
    ],
)
def test_agents_of_other_tools_are_judged_by_their_version(agents, expected):
    found = replace(FINE, agents={**dict.fromkeys(NAMES, Agents()), "HCI02": agents})
    assert failed(cluster(), found) == expected


@pytest.mark.parametrize(
    ("version", "takes", "expected"),
    [
        ("8.0", {}, {}),
        ("10.0", {}, {}),
        ("7.1", {}, {"vm-versions": CRITICAL}),
        ("", {}, {"vm-versions": WARNING}),
        ("8.0", {"HCI01": ("8.0", "9.0", "10.0")}, {}),
        ("8.0", {"HCI01": ("9.0", "10.0")}, {"vm-versions": CRITICAL}),
        ("9.0", {"HCI01": ("9.0", "10.0"), "HCI02": ("10.0",)}, {"vm-versions": CRITICAL}),
    ],
)
def test_every_virtual_machine_has_to_start_on_the_new_version(version, takes, expected):
    assert failed(cluster(virtual_machines=(vm(version),)), replace(FINE, takes=takes)) == expected


@pytest.mark.parametrize(
    ("loads", "status"),
    [
        ((60, 60, 60), Status.PASSED),
        ((100, 50, 50), Status.PASSED),
        ((70, 70, 70), Status.FAILED),
        ((60, 60, None), Status.NOT_APPLICABLE),
    ],
)
def test_the_processors_of_all_nodes_but_one_carry_the_load(loads, status):
    machines = tuple(vm(processor=load, node=name) for load, name in zip(loads, NAMES, strict=True))
    check = checks(cluster(virtual_machines=machines))["processor"]
    assert (check.status, check.severity) == (status, WARNING)


@pytest.mark.parametrize(
    ("builds", "supports", "weeks", "status"),
    [
        (("17784.1737",) * 3, Level(10, 2), 500, Status.PASSED),
        (("20348.1", "17784.1737", "17784.1737"), Level(10, 2), 3, Status.PASSED),
        (("20348.1", "17784.1737", "17784.1737"), Level(10, 2), 5, Status.FAILED),
        (("20348.1", "17784.1737", "17784.1737"), Level(10, 2), None, Status.NOT_APPLICABLE),
        (("20348.1",) * 3, Level(12, 1), 5, Status.FAILED),
        (("20348.1",) * 3, Level(12, 1), 3, Status.PASSED),
    ],
)
def test_mixed_mode_should_not_last_longer_than_four_weeks(builds, supports, weeks, status):
    installed = {} if weeks is None else dict.fromkeys(NAMES, NOW - timedelta(weeks=weeks))
    found = replace(FINE, supported=dict.fromkeys(NAMES, supports), installed=installed)
    assert checks(cluster(*builds), found)["mixed-mode"].status is status


def test_media_ask_for_caus_role():
    assert failed(cluster(), media=True) == {"media-role": CRITICAL}
    assert failed(cluster(cau_role={"Status": "Offline"}), media=True) == {}
    unasked = cluster(not_asked={"cau-role": "CAU could not be asked"})
    assert failed(unasked, media=True) == {"media-role": CRITICAL}


def test_storage_replica_is_said_because_it_asks_for_a_second_restart():
    resource = ClusterResource("SR1", "Storage Replica", "Online", "Replicated", "HCI01")
    check = checks(cluster(resources=(resource,)))["storage-replica"]
    assert (check.severity, check.status) == (INFORMATION, Status.FAILED)
    assert "Replicated" in check.evidence
    assert "restart_nodes" in check.remediation
