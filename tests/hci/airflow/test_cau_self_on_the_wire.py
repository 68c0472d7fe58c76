"""CAU's self-updating role over real ports: a date as text, tables, switches and enumerations as remoting carries them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.html import render_html
from include.hci.report.model import RunReport
from include.hci.settings import RunOptions
from include.hci.settings.cau_role import CauRoleRequest
from include.hci.steps.decisions import Done, Stop
from include.hci.steps.factory import utc_now
from tests.hci.airflow.served import Served, WireRun, served_cluster
from tests.hci.steps.role_coordinator import EXAMPLE, STEPS, schedule


def look_after(served: Served, action: str, run_id: str) -> tuple[RunReport, Done | Stop]:
    options = RunOptions.model_validate({**EXAMPLE, "stop_after": "08:00:00", "node_order": served.nodes})
    request = CauRoleRequest.model_validate({"action": action, "schedule": schedule()})
    run = WireRun(served, options, "cau-self-updating", request.to_json(), run_id)
    end = run.steps(STEPS)
    run.record.add(ev.Concluded(), utc_now())
    return report_of(run.record, utc_now()), end


def test_the_role_is_set_up_compared_and_started_over_real_sessions():
    with served_cluster() as served:
        world = served.cluster.world
        report, end = look_after(served, "configure", "run-1")
        assert isinstance(end, Done), end
        role = world.cau.role
        assert role is not None
        assert role.schedule is not None
        assert role.schedule.start == datetime(2020, 3, 2, 3, tzinfo=UTC)
        assert role.options["StopAfter"] == timedelta(hours=8)
        assert role.options["NodeOrder"] == served.nodes
        assert report.outcome == "succeeded"
        assert "03:00 UTC" in render_html(report)

        report, end = look_after(served, "check", "run-2")
        assert isinstance(end, Done), end
        assert report.outcome == "nothing-to-do"

        role.options["MaxFailedNodes"] = 1
        _, end = look_after(served, "check", "run-3")
        assert isinstance(end, Stop)
        assert "MaxFailedNodes is 1, asked for was 0" in end.problem.title
        _, end = look_after(served, "configure", "run-4")
        assert isinstance(end, Done), end

        _, end = look_after(served, "update_now", "run-5")
        assert isinstance(end, Done), end
        assert world.cau.run is not None
        assert world.cau.run.by_role
