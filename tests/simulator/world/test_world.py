import json
from dataclasses import replace
from datetime import timedelta

import pytest

from include.simulator.world.spec import CauRoleSpec, DiskSpec, VmSpec, demo_world
from include.simulator.world.versions import VERSIONS, os_version
from tests.simulator.world.driver import Lab


@pytest.mark.parametrize("os", list(VERSIONS))
@pytest.mark.parametrize("nodes", [1, 2, 3, 4, 8, 16])
def test_every_demo_world_starts_healthy(os: str, nodes: int) -> None:
    lab = Lab(demo_world(nodes, os))
    assert [node.state.name for node in lab.nodes] == ["Up"] * nodes
    assert lab.world.storage.healthy()
    assert lab.world.quorum.has_quorum
    assert lab.recorder.events == []
    assert lab.world.next_event() is None
    used = sum(disk.size * disk.copies for disk in lab.world.storage.virtual_disks)
    assert used < sum(disk.size for disk in lab.world.storage.physical_disks)


def test_snapshot_is_json_and_has_what_the_journal_promises() -> None:
    lab = Lab(replace(demo_world(2), cau_role=CauRoleSpec()))
    state = json.loads(json.dumps(lab.world.snapshot()))
    assert {"cluster", "os_version", "functional_level", "nodes", "groups", "virtual_disks", "jobs", "quorum"} <= set(
        state
    )
    node = state["nodes"][0]
    assert {
        "name", "state", "drain_status", "power", "boot_time", "build", "ubr", "installed", "pending_restart", "locks", "services",
        "credssp", "maintenance",
    } <= set(node)  # fmt: skip
    assert node["locks"] == {"MSFT_CAURun": None, "MSFT_CAUNode": None}
    assert state["quorum"] == {"votes": 3, "up_votes": 3, "witness": "Cloud Witness"}
    assert "CAUHCICL0" in {group["name"] for group in state["groups"]}


async def test_late_advance_happens_in_order_and_at_its_own_time() -> None:
    lab = Lab()
    node = lab.nodes[0]
    lab.world.drains.start(node)
    lab.clock.advance(lab.clock.now() + timedelta(hours=1))
    lab.world.advance()
    assert node.drain_status.name == "Completed"
    disk = lab.world.storage.virtual_disks[0]
    unwatched = disk.missing[node.name] / disk.write_rate
    assert unwatched < 600, "the drain was over long before anybody looked"


def test_bad_specifications_are_refused_by_name() -> None:
    good = demo_world(2)
    with pytest.raises(ValueError, match="1 to 16"):
        demo_world(17)
    with pytest.raises(ValueError, match="19H2"):
        os_version("19H2")
    with pytest.raises(ValueError, match="HCI09"):
        replace(good, vms=(VmSpec("X", "HCI09"),))
    with pytest.raises(ValueError, match="Nowhere"):
        replace(good, vms=(VmSpec("X", "HCI01", disk="Nowhere"),))
    with pytest.raises(ValueError, match="3 copies"):
        replace(good, disks=(DiskSpec("D", 10, 3),), vms=())
    with pytest.raises(ValueError, match="different names"):
        replace(good, nodes=(good.nodes[0], good.nodes[0]))


def test_names_are_found_short_long_and_in_any_case() -> None:
    world = Lab().world
    assert world.node("hci02") is world.node("HCI02.corp.contoso.com") is world.nodes[1]
    with pytest.raises(KeyError):
        world.node("HCI99")
    assert set(world.machines) == {"HCI01", "HCI02", "HCI03", "HCI04", "MGMT01"}
