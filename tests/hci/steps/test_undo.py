from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.hci.cluster.facade import Cluster
from include.hci.powershell.errors import CommandFailed, NodeUnreachable
from include.hci.powershell.records import ErrorRecord
from include.hci.report import events as ev
from include.hci.report.facts import Change
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage
from include.hci.steps.conclude import MOST_TRIES, Conclude
from include.hci.steps.context import StepContext
from include.hci.steps.decisions import Done, Scene
from include.hci.steps.engine import StepRunner, run_step
from include.hci.steps.undo import Standing, Undoer
from tests.hci.cluster.fakes import FakeCluster
from tests.hci.steps.facts import NOW, context, minutes
from tests.hci.steps.test_conclude import world
from tests.hci.steps.test_engine import Clock


@dataclass
class Services:
    """Start types of services, and an undoer that sets them back; ``dead`` nodes do not answer, ``stubborn`` ones refuse."""

    start: dict[str, str]
    dead: set[str] = field(default_factory=set)
    stubborn: set[str] = field(default_factory=set)
    order: list[str] = field(default_factory=list)

    def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
        if change.node in self.dead:
            raise NodeUnreachable("no route", node=change.node)
        undo = None if self.start[change.node] == change.before else SetBack(self, change)
        return Standing(change, *self.describe(change), undo)

    def describe(self, change: Change) -> tuple[str, str]:
        return f"{change.subject} on {change.node}", f"Set-Service {change.subject} {change.before}"


@dataclass
class SetBack:
    services: Services
    change: Change

    def describe(self) -> str:
        return f"Set-Service on {self.change.node}"

    def perform(self, scene: Scene) -> None:
        if self.change.node in self.services.stubborn:
            raise CommandFailed([ErrorRecord("access is denied", native_code=5)])
        self.services.start[self.change.node] = self.change.before
        self.services.order.append(self.change.node)


def changing(node: str) -> ev.Changing:
    return ev.Changing(
        step="stop_cluster",
        node=node,
        change="service-start-type",
        subject="ClusSvc",
        before="Automatic",
        after="Disabled",
    )


def conclude(services: Services, *nodes: str) -> tuple[Done, RunRecord]:
    cluster, record, clock = world()
    return run(services, cluster, record, clock, *nodes)


def run(services: Undoer, cluster: FakeCluster, record: RunRecord, clock: Clock, *nodes: str) -> tuple[Done, RunRecord]:
    for node in nodes:
        record.add(changing(node), NOW)
    undoers: Mapping[ev.ChangeKind, Undoer] = {"service-start-type": services}
    step = Conclude(context(record), clock, undoers)
    end = run_step(StepRunner(step, cluster, record, clock, clock() + minutes(60)), clock.sleep)
    assert isinstance(end, Done)
    return end, record


def test_what_was_changed_last_is_taken_back_first_and_the_lock_is_given_back_after_it():
    services = Services({"HCI01": "Disabled", "HCI02": "Disabled"})
    end, record = conclude(services, "HCI01", "HCI02")
    assert (end.outcome, services.order) == ("clean", ["HCI02", "HCI01"])
    assert record.facts.changes == ()
    assert [stamped.event.what for stamped in record.all_of(ev.Undone)] == [
        "ClusSvc on HCI02: as it was found",
        "ClusSvc on HCI01: as it was found",
    ]


def test_what_is_as_it_was_found_already_is_not_touched():
    services = Services({"HCI01": "Automatic"})
    end, record = conclude(services, "HCI01")
    assert (end.outcome, services.order, record.facts.changes) == ("clean", [], ())


def test_a_machine_that_does_not_answer_is_left_with_the_command_and_the_rest_is_taken_back():
    services = Services({"HCI01": "Disabled", "HCI02": "Disabled"}, dead={"HCI02"})
    end, record = conclude(services, "HCI01", "HCI02")
    assert (end.outcome, services.order) == ("left-work", ["HCI01"])
    left = [(stamped.event.node, stamped.event.command) for stamped in record.all_of(ev.Left)]
    assert left == [("HCI02", "Set-Service ClusSvc Automatic")]
    assert [change.node for change in record.facts.changes] == ["HCI02"]


def test_what_cannot_be_put_back_is_tried_a_few_times_and_left():
    services = Services({"HCI01": "Disabled"}, stubborn={"HCI01"})
    end, record = conclude(services, "HCI01")
    assert end.outcome == "left-work"
    tries = [
        entry
        for entry in record.events()
        if isinstance(entry.event, ev.Decided) and entry.event.action == "Set-Service on HCI01"
    ]
    assert 1 <= len(tries) <= MOST_TRIES


def test_a_cluster_that_was_stopped_by_the_run_is_brought_back_before_anything_is_read_from_it():
    cluster, record, clock = world()

    class Starts(Services):
        def read(self, cluster: Cluster, context: StepContext, change: Change) -> Standing:
            for shell in shells:
                shell.dead = self.start["HCI01"] != "Automatic"  # type: ignore[attr-defined]
            return super().read(cluster, context, change)

    shells = list(cluster.shells.values())
    services = Starts({"HCI01": "Disabled"})
    end, record = run(services, cluster, record, clock, "HCI01")
    assert (end.outcome, services.order, record.facts.lock_nodes) == ("clean", ["HCI01"], ())


def test_a_change_that_is_announced_again_keeps_what_was_found_at_first():
    record = RunRecord(MemoryStorage())
    record.add(changing("HCI01"), NOW)
    record.add(changing("HCI01").model_copy(update={"before": "Disabled"}), NOW)
    assert [change.before for change in record.facts.open_changes("service-start-type")] == ["Automatic"]
