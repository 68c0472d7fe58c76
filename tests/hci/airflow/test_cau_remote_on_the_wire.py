"""A run in CAU's remote-updating mode over real ports: CredSSP, a session that is left, objects as remoting gives them."""

from __future__ import annotations

from include.hci.policy.plan import Plan
from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.settings.cau_remote import CauRemoteRequest
from include.hci.steps.decisions import Done
from include.hci.steps.factory import utc_now
from include.simulator.referee import judge
from tests.hci.airflow.served import WireRun, served_cluster
from tests.hci.steps.cau_coordinator import options


def test_a_run_over_real_sessions_outlives_the_client_that_began_it():
    with served_cluster(delegates=False) as served:
        cluster, host = served.cluster, served.host
        run = WireRun(served, options(2), "cau-remote-updating", CauRemoteRequest().to_json())
        for name in ("readiness", "prepare", "preview", "run_cau", "collect", "conclude"):
            end = run.step(name)
            assert isinstance(end, Done), f"{name}: {end}"
            if name == "preview":
                run.plan = Plan.from_json(end.details["plan"])
        run.record.add(ev.Concluded(), utc_now())
        report = report_of(run.record, utc_now())
        assert (report.outcome, report.left) == ("succeeded", ())
        last = cluster.world.cau.last_report()
        assert last is not None
        assert {node.name: {each.update_id for each in node.updates} for node in report.nodes} == {
            name: {each.result.update.update_id for each in result.succeeded} for name, result in last.results.items()
        }
        assert {each.plugin for node in report.nodes for each in node.updates} == {"Microsoft.WindowsUpdatePlugin"}
        assert all(each.at is not None for node in report.nodes for each in node.updates)
        assert cluster.hosts[host].machine.credssp is False
        served.close()
        assert not [shell for shell in served.server.endpoints[host].service.shells if not shell.connected]
        cluster.snapshot("world")
        assert [each.sentence for each in judge(cluster.journal.entries, report.to_json())] == []
