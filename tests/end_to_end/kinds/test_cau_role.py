"""CAU's self-updating role over the wire, from its first day to its last: set up, switched off and on, told to update, removed."""

from __future__ import annotations

from typing import Any

import pytest

from include.hci.airflow.names import cau_self_dag_id
from tests.end_to_end.harness import wait_for
from tests.end_to_end.stack import Stack, World

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

DAG = cau_self_dag_id("role")
#: What the world has to see for the vendor's example of a role (azure-stack-docs, update-cluster), as PowerShell has bound it; the
#: time that CAU waits for a restart is this fleet's own.
EXAMPLE: dict[str, Any] = {
    "ClusterName": "role",
    "VirtualComputerObjectName": "ROLE-CAU",
    "MaxFailedNodes": 0,
    "MaxRetriesPerNode": 3,
    "CauPluginName": ["Microsoft.WindowsUpdatePlugin"],
    "CauPluginArguments": [{"IncludeRecommendedUpdates": "False"}],
    "RequireAllNodesOnline": True,
    "RebootTimeoutMinutes": 60,
    "EnableFirewallRules": True,
    "StartDate": "2020-03-02T03:00:00+00:00",
    "DaysOfWeek": "Tuesday",
    "WeeksOfMonth": [3],
    "Force": True,
}
#: What the report has to say of the role, as it was read back.
READ_BACK = {
    "Status": "Online",
    "StartDate": "2020-03-02T03:00:00+00:00",
    "DaysOfWeek": "Tuesday",
    "WeeksOfMonth": "3",
    "CauPluginName": "Microsoft.WindowsUpdatePlugin",
    "CauPluginArguments": "IncludeRecommendedUpdates=False",
    "MaxFailedNodes": "0",
    "MaxRetriesPerNode": "3",
    "RequireAllNodesOnline": "True",
    "EnableFirewallRules": "True",
    "RebootTimeoutMinutes": "60",
}
SCHEDULE = {
    "start_date": "2020-03-02T03:00:00+00:00",
    "days_of_week": "Tuesday",
    "weeks_of_month": [3],
    "interval_weeks": None,
}


def test_the_role_is_set_up_switched_told_to_update_and_removed(stack: Stack):
    with stack.world("role", "--management-credssp", "on", speed=300) as world:
        world.tell("/rules", kind="permission", what="cau-role")

        report = asked(stack, world, "configure", "succeeded")
        assert world.commands("Add-CauClusterRole") == [EXAMPLE]
        assert places(world, "Add-CauClusterRole") == {"MGMT01"}
        role = rows(report, "The role")
        assert {name: value for name, value, _ in role if name in READ_BACK} == READ_BACK
        assert {difference for _, _, difference in role} == {""}
        assert all("03:00 UTC" in time for (time,) in rows(report, "When it updates the cluster next"))
        assert role_of(world) == {"enabled": True, **SCHEDULE}
        assert not world.commands("Set-CauClusterRole")

        asked(stack, world, "disable", "succeeded")
        assert role_of(world) == {"enabled": False, **SCHEDULE}

        asked(stack, world, "enable", "succeeded")
        assert role_of(world) == {"enabled": True, **SCHEDULE}

        asked(stack, world, "update_now", "succeeded")
        assert world.commands("Set-CauClusterRole") == [{"ClusterName": "role", "UpdateNow": True, "Force": True}]
        wait_for(lambda: ended(world) is not None, 240)
        assert ended(world) == "Succeeded"
        installed = {(line["node"], line["detail"]["result_code"]) for line in world.events("update.installed")}
        assert installed == {(node, 2) for node in world.cluster.node_names}
        assert {node["state"] for node in world.state()["nodes"]} == {"Up"}

        report = asked(stack, world, "remove", "succeeded")
        assert report["headline"] == "The cluster has no self-updating role."
        assert world.state()["cau_role"] is None


def asked(stack: Stack, world: World, action: str, outcome: str) -> dict[str, Any]:
    """Have a run look after the role; return its report, which the world agrees with."""
    run = stack.begin(DAG, {"action": action})
    assert stack.wait(DAG, run, 180) == "success", (action, stack.task_states(DAG, run), stack.report("role", run))
    report = stack.report("role", run)
    assert report["outcome"] == outcome, report["headline"]
    assert world.judge(stack.report_file("role", run)) == []
    return report


def rows(report: dict[str, Any], title: str) -> list[list[str]]:
    """Return the rows of a section of the report."""
    found: list[list[str]] = next(section["rows"] for section in report["sections"] if section["title"] == title)
    return found


def role_of(world: World) -> dict[str, Any]:
    """Return the role as the world has it: whether it is enabled, and its schedule."""
    role = world.state()["cau_role"]
    return {"enabled": role["enabled"], **{name: role["schedule"][name] for name in SCHEDULE}}


def places(world: World, command: str) -> set[str]:
    """Return the machines on which the command was given."""
    return {line["node"] for line in world.events("command") if line["detail"]["command"] == command}


def ended(world: World) -> str | None:
    """Return how the run of the role has ended, or None while it goes on."""
    told = [line["detail"] for line in world.events("cau.run")]
    [begun] = [each["run_id"] for each in told if each.get("self_updating")]
    last: str = [each["state"] for each in told if each["run_id"] == begun][-1]
    return None if last in ("Started", "CoordinatorMoved") else last
