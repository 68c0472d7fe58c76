"""A rolling update and a run of CAU keep each other out over real sessions: the second one is refused and touches nothing."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest

from include.hci.cluster.cau_role import start_role_run
from include.hci.cluster.cau_runs import get_cau_status, leave_cau_run, run_pipeline
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.values import SWITCH
from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.settings import RunOptions
from include.hci.settings.cau_remote import CauRemoteRequest
from include.hci.settings.cau_role import CauRoleRequest
from include.hci.steps.decisions import Done, Stop
from include.hci.steps.factory import utc_now
from include.hci.steps.planning import plan_run
from include.simulator.referee import judge
from include.simulator.world.spec import CauRoleSpec, demo_world
from tests.hci.airflow.served import OTHER, Served, WireRun, served_cluster
from tests.hci.steps.cau_coordinator import options as cau_options
from tests.hci.steps.role_coordinator import EXAMPLE, schedule

#: With the role's schedule far from the time at which the simulated clock begins.
WORLD = dataclasses.replace(demo_world(2), cau_role=CauRoleSpec("Friday"))
FIREWALL = {"EnableFirewallRules": SWITCH, "MaxFailedNodes": 0}


def remote_run(served: Served) -> None:
    host, second = served.management(OTHER), timedelta(seconds=1)
    leave_cau_run(host.shell, served.cluster.name, FIREWALL, uuid4(), lasts=300 * second, settle=second)  # type: ignore[arg-type]


def role_run(served: Served) -> None:
    role = served.cluster.world.cau.role
    assert role is not None
    role.options |= {"EnableFirewallRules": True}
    start_role_run(served.shell(served.host, OTHER), served.cluster.name)


def rolling_update(served: Served, run_id: str) -> WireRun:
    return WireRun(served, RunOptions(max_failed_nodes=0), run_id=run_id)


def planned(served: Served, run_id: str) -> WireRun:
    """A rolling update that found the cluster free and has its plan."""
    run = rolling_update(served, run_id)
    assert isinstance(run.step("readiness"), Done)
    scans = {node: run.step("scan", node) for node in served.nodes}
    run.plan = plan_run(run.fleet, run.context, {node: end.details for node, end in scans.items()}, utc_now())  # type: ignore[union-attr]
    return run


def outcome(run: WireRun) -> str:
    run.record.add(ev.Concluded(), utc_now())
    return report_of(run.record, utc_now()).outcome


@pytest.mark.parametrize("begin", [remote_run, role_run])
def test_a_rolling_update_is_refused_while_a_run_of_cau_is_on(begin: Callable[[Served], None]):
    # Slowly enough for CAU's run, two hours of the cluster's, to be on for as long as it takes to be refused.
    with served_cluster(WORLD, speed=250) as served:
        world, shell = served.cluster.world, served.shell(served.host)
        before = planned(served, "planned-before")
        begin(served)
        assert get_cau_status(shell, served.cluster.name).is_on
        seen = len(served.cluster.journal.entries)

        late = rolling_update(served, "late")
        end = late.step("readiness")
        assert isinstance(end, Stop)
        assert "CAU reports RunInProgress" in end.problem.title
        end = before.step("take_lock")
        assert isinstance(end, Stop)
        assert world.cau.run is not None
        assert world.cau.run.guid in end.problem.title.lower()

        for command in ("New-CimInstance", "Suspend-ClusterNode", "Restart-Computer", "Invoke-CimMethod"):
            assert served.commands(command, seen) == []
        assert [outcome(late), outcome(before)] == ["failed", "failed"]
        run, patience = world.cau.run, time.monotonic() + 120
        while run.ended is None and time.monotonic() < patience:
            time.sleep(0.3)
        assert {result.status.name for result in run.results.values() if result.status} == {"Succeeded"}
        served.cluster.snapshot("world")
        report = report_of(before.record, utc_now()).to_json()
        assert [each.sentence for each in judge(served.cluster.journal.entries, report)] == []


def test_cau_is_refused_while_a_rolling_update_holds_the_lock():
    # The provider drops a lock after an hour in which nobody asks for it, and no trigger asks for this one.
    with served_cluster(WORLD, speed=60) as served:
        world, name, shell = served.cluster.world, served.cluster.name, served.shell(served.host)
        rolling = planned(served, "rolling")
        assert isinstance(rolling.step("take_lock"), Done)
        guid = str(rolling.context.guid)

        # By this program, in both of CAU's modes.
        remote = WireRun(
            served, cau_options(2), "cau-remote-updating", CauRemoteRequest(credssp="never").to_json(), "remote"
        )
        end = remote.step("readiness")
        assert isinstance(end, Stop)
        assert f"{guid} holds MSFT_CAURun" in end.problem.title
        request = CauRoleRequest.model_validate({"action": "update_now", "schedule": schedule()})
        role = WireRun(served, RunOptions.model_validate(EXAMPLE), "cau-self-updating", request.to_json(), "role")
        end = role.step("configure_role")
        assert isinstance(end, Stop)
        assert "its lock stands on HCI01, HCI02" in end.problem.title
        assert served.commands("Invoke-CauRun") == served.commands("Set-CauClusterRole") == []
        assert [outcome(remote), outcome(role)] == ["failed", "failed"]

        # By anybody else, with cmdlets of CAU's own.
        with pytest.raises(CommandFailed, match=guid):
            shell.run(run_pipeline(name, FIREWALL)).require()
        with pytest.raises(CommandFailed, match=guid):
            start_role_run(shell, name)
        assert world.cau.run is None
        assert {holder.guid for node in world.nodes for holder in node.locks.values()} == {guid}

        # Once the lock is given back, CAU may.
        assert isinstance(rolling.step("conclude"), Done)
        start_role_run(shell, name)
        assert get_cau_status(shell, name).is_on
