from __future__ import annotations

from uuid import UUID

import pytest

from include.hci.cluster.lock import LockHeld, RunLock
from include.hci.powershell.command import Pipeline
from include.hci.powershell.errors import NodeUnreachable
from tests.hci.cluster.fakes import FakeCluster
from tests.hci.cluster.lockable import LockableShell

OURS = UUID("11111111-1111-1111-1111-111111111111")
THEIRS = UUID("22222222-2222-2222-2222-222222222222")
NODES = ("HCI01", "HCI02", "HCI03")


def cluster(**held: UUID) -> FakeCluster:
    return FakeCluster(
        {node: LockableShell(node, {"MSFT_CAURun": held[node]} if node in held else {}) for node in NODES}
    )


def holders(of: FakeCluster) -> dict[str, UUID | None]:
    return {node: shell.held.get("MSFT_CAURun") for node, shell in of.shells.items()}  # type: ignore[attr-defined]


def test_a_free_lock_is_taken_on_every_node():
    free = cluster()
    assert RunLock(free, OURS).take(NODES) == NODES
    assert RunLock(free, OURS).read(NODES).is_ours


def test_nodes_are_taken_in_the_order_of_their_names():
    free = cluster()
    assert RunLock(free, OURS).take(reversed(NODES)) == NODES


def test_taking_again_changes_nothing():
    mine = cluster(HCI01=OURS, HCI02=OURS, HCI03=OURS)
    assert RunLock(mine, OURS).take(NODES) == ()
    assert not any("New-CimInstance" in line for shell in mine.shells.values() for line in shell.lines)


def test_a_conflict_gives_back_what_was_taken_and_names_the_holder():
    contested = cluster(HCI03=THEIRS)
    with pytest.raises(LockHeld, match=str(THEIRS)) as raised:
        RunLock(contested, OURS).take(NODES)
    assert raised.value.node == "HCI03"
    assert holders(contested) == {"HCI01": None, "HCI02": None, "HCI03": THEIRS}


def test_a_conflict_leaves_what_was_ours_before_this_call():
    contested = cluster(HCI01=OURS, HCI03=THEIRS)
    with pytest.raises(LockHeld):
        RunLock(contested, OURS).take(NODES)
    assert holders(contested) == {"HCI01": OURS, "HCI02": None, "HCI03": THEIRS}


def test_a_node_that_does_not_answer_takes_nothing():
    silent = cluster()
    silent.shells["HCI02"].dead = True  # type: ignore[attr-defined]
    with pytest.raises(NodeUnreachable):
        RunLock(silent, OURS).take(NODES)
    assert holders(silent) == {"HCI01": None, "HCI02": None, "HCI03": None}


def test_the_state_names_ours_foreign_and_missing():
    state = RunLock(cluster(HCI01=OURS, HCI02=THEIRS), OURS).read(NODES)
    assert (state.ours, state.missing) == (("HCI01",), ("HCI03",))
    assert [holder.node for holder in state.foreign] == ["HCI02"]
    assert not state.is_ours


def test_a_lock_on_no_node_is_nobodys():
    assert not RunLock(cluster(), OURS).read(()).is_ours


def test_reading_our_own_lock_asks_by_its_id_which_keeps_it_alive():
    mine = cluster(HCI01=OURS)
    RunLock(mine, OURS).read(("HCI01",))
    assert all("-Filter" in line for line in mine.shells["HCI01"].lines)


def test_releasing_touches_only_our_own():
    mixed = cluster(HCI01=OURS, HCI02=THEIRS)
    release = RunLock(mixed, OURS).release(NODES)
    assert release.kept == {}
    assert holders(mixed) == {"HCI01": None, "HCI02": THEIRS, "HCI03": None}


def test_releasing_goes_on_when_a_node_is_down_and_says_so():
    mine = cluster(HCI01=OURS, HCI02=OURS, HCI03=OURS)
    mine.shells["HCI02"].dead = True  # type: ignore[attr-defined]
    release = RunLock(mine, OURS).release(NODES)
    assert release.released == ("HCI01", "HCI03")
    assert release.kept == {"HCI02": "no route"}


class RacedShell(LockableShell):
    """A node on which another step of the same run, or somebody else, is a moment quicker."""

    def __init__(self, node: str, quicker: UUID) -> None:
        super().__init__(node)
        self.quicker = quicker

    def _new(self, pipeline: Pipeline) -> object:
        self.held["MSFT_CAURun"] = self.quicker
        return super()._new(pipeline)


def test_a_lock_that_another_step_of_this_run_has_just_taken_is_ours():
    raced = FakeCluster({"HCI01": RacedShell("HCI01", OURS)})
    assert RunLock(raced, OURS).take(["HCI01"]) == ()
    assert RunLock(raced, OURS).read(["HCI01"]).is_ours


def test_a_lock_that_somebody_else_has_just_taken_is_theirs():
    raced = FakeCluster({"HCI01": RacedShell("HCI01", THEIRS)})
    with pytest.raises(LockHeld, match=str(THEIRS)):
        RunLock(raced, OURS).take(["HCI01"])
