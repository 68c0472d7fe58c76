"""What comes after a feature update over real ports: levels, pools and virtual machines as remoting gives them."""

from __future__ import annotations

import dataclasses

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.settings.feature import FeatureUpdateRequest
from include.hci.steps.decisions import Done
from include.hci.steps.factory import utc_now
from include.simulator.referee import judge
from include.simulator.world.spec import demo_world
from tests.hci.airflow.served import WireRun, served_cluster
from tests.hci.steps.cau_coordinator import options

REQUEST = FeatureUpdateRequest(
    post_steps_only=True, functional_level="yes", pool_version="yes", vm_versions="yes", running_vms="restart"
)


def test_everything_is_raised_and_a_role_moves_over_real_sessions():
    spec = dataclasses.replace(demo_world(2, "21H2", vms_per_node=1), formed_with="20H2")
    with served_cluster(spec, delegates=False) as served:
        cluster, world = served.cluster, served.cluster.world
        for what in ("functional-level", "pool-version", "vm-version", "vm-power"):
            cluster.rule("permission", what=what)
        run = WireRun(served, options(2), "feature-update", REQUEST.to_json())
        ends = {}
        for name in ("take_lock", "functional_level", "pool_version", "vm_versions", "move_role", "conclude"):
            end = run.step(name)
            assert isinstance(end, Done), f"{name}: {end}"
            ends[name] = end.outcome
        assert ends == {
            "take_lock": "taken",
            "functional_level": "raised",
            "pool_version": "raised",
            "vm_versions": "done",
            "move_role": "moved",
            "conclude": "clean",
        }
        run.record.add(ev.Concluded(), utc_now())
        assert (world.functional_level, world.storage.pool_version) == (12, "Windows Server 2022")
        machines = {group.name: (group.vm.version, group.vm.state) for group in world.groups.all if group.vm}
        assert set(machines.values()) == {("10.0", "Running")}
        assert cluster.hosts[served.host].machine.credssp is False
        cluster.snapshot("world")
        report = report_of(run.record, utc_now())
        assert [each.sentence for each in judge(cluster.journal.entries, report.to_json())] == []
