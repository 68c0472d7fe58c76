from __future__ import annotations

from typing import Any

import pytest

from include.hci.cluster.machine import Build, WindowsVersion
from include.hci.policy.checks.coordinator import ROLLING_UPGRADE, CoordinatorFacts, check_coordinator, is_same_machine

WINDOWS_UPDATE, HOTFIX = "Microsoft.WindowsUpdatePlugin", "Microsoft.HotfixPlugin"


def facts(**more: Any) -> CoordinatorFacts:
    known: dict[str, Any] = {
        "configured": True,
        "name": "MGMT01",
        "version": WindowsVersion(Build(20348, 2113), "Windows Server 2022 Datacenter"),
        "plugins": (WINDOWS_UPDATE, HOTFIX),
        "can_delegate": True,
        "accepts": False,
    }
    return CoordinatorFacts(**known | more)


def refused(found: CoordinatorFacts, *plugins: str, may_switch: bool = True, **parameters: object) -> dict[str, str]:
    checks = check_coordinator(
        found, ("HCI01", "HCI02"), plugins or (WINDOWS_UPDATE,), parameters, may_switch=may_switch
    )
    assert all(check.remediation for check in checks if not check.passed)
    return {check.id: check.evidence for check in checks if check.refuses}


def test_a_machine_beside_the_cluster_with_the_tools_may_coordinate():
    assert refused(facts()) == {}


@pytest.mark.parametrize(
    ("found", "id", "says"),
    [
        (CoordinatorFacts(configured=False), "management-host", "has no management_host"),
        (CoordinatorFacts(configured=True, problem="no route"), "management-host", "does not answer: no route"),
        (facts(name="hci02"), "coordinator-outside", "hci02 is a node of the cluster"),
        (facts(name="HCI01.corp.contoso.com"), "coordinator-outside", "would restart in the middle of its own run"),
        (facts(plugins=None, plugins_problem="not recognized"), "coordinator-module", "not recognized"),
        (facts(plugins=(HOTFIX,)), "coordinator-module", f"{WINDOWS_UPDATE} is not registered"),
        (facts(can_delegate=False), "coordinator-credentials", "has no password to delegate"),
        (facts(accepts=None, problem="denied"), "coordinator-credentials", "cannot be read: denied"),
    ],
)
def test_what_is_wrong_with_the_machine_is_named(found: CoordinatorFacts, id: str, says: str):
    assert says in refused(found)[id]


@pytest.mark.parametrize(
    ("found", "may_switch", "is_refused"),
    [
        (facts(passes_credentials=True, accepts=None, can_delegate=False), False, False),
        (facts(accepts=True), False, False),
        (facts(accepts=False), True, False),
        (facts(accepts=False), False, True),
    ],
)
def test_credentials_are_passed_on_or_may_be_switched_on(found: CoordinatorFacts, may_switch: bool, is_refused: bool):
    assert ("coordinator-credentials" in refused(found, may_switch=may_switch)) is is_refused


@pytest.mark.parametrize(
    ("build", "allowed"),
    [
        (Build(17763, 6000), False),
        (Build(17784, 1736), False),
        (Build(17784, 1737), True),
        (Build(20348, 1), True),
        (Build(26100, 1), True),
    ],
)
def test_the_rolling_upgrade_needs_a_new_enough_machine(build: Build, allowed: bool):
    found = facts(version=WindowsVersion(build), plugins=(ROLLING_UPGRADE,))
    assert ("coordinator-version" not in refused(found, ROLLING_UPGRADE)) is allowed


@pytest.mark.parametrize(
    ("build", "parameter", "allowed"),
    [
        (Build(17763), "RebootMode", False),
        (Build(20348), "RebootMode", True),
        (Build(20348), "SuspendRetriesPerNode", False),
        (Build(26100), "SuspendRetriesPerNode", True),
        (Build(17763), "ForceSelfUpdate", False),
        (Build(17763), "StopAfter", True),
    ],
)
def test_parameters_that_its_windows_does_not_know_are_named(build: Build, parameter: str, allowed: bool):
    found = refused(facts(version=WindowsVersion(build)), **{parameter: 1})
    assert (found == {}) is allowed
    assert allowed or f"no -{parameter}" in found["coordinator-version"]


def test_names_of_one_machine_are_known_in_any_form():
    assert is_same_machine("MGMT01", "mgmt01.corp.contoso.com")
    assert not is_same_machine("MGMT01", "MGMT011")
    assert not is_same_machine("", "")
