"""Offline updates over Airflow and the wire: approved by a person, with a server that is lost, and with workers that die."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest

from include.hci.airflow.names import make_safe_dag_id, offline_update_dag_id
from tests.end_to_end.harness import wait_for
from tests.end_to_end.offline.downtime import assert_is_what_the_world_saw
from tests.end_to_end.stack import Stack, World

pytestmark = [pytest.mark.end_to_end, pytest.mark.timeout(900)]

LARGE = bool(os.environ.get("HCI_LARGE_RUNS"))
takes_long = pytest.mark.skipif(not LARGE, reason="takes minutes more: set HCI_LARGE_RUNS=1")

CALM, LOST, DIED, WIDE = (offline_update_dag_id(name) for name in ("calm", "lost", "died", "wide"))


class Run:
    """An offline update and the world that it goes on in."""

    def __init__(self, stack: Stack, world: World, dag: str) -> None:
        self.stack, self.world, self.dag = stack, world, dag
        for what in ("cluster-stop", "vm-power"):
            world.tell("/rules", kind="permission", what=what)
        self.id = stack.begin(dag)
        self._approved = False

    def approve(self) -> None:
        """Answer, once, as the person would who reads which machines go down."""
        if not self._approved:
            self.stack.answer(self.dag, self.id, "approve", "Approve", "tonight")
            self._approved = True

    def wait(self, seconds: float = 600) -> str:
        return self.stack.wait(self.dag, self.id, seconds)

    def states(self, task: str) -> list[str | None]:
        """Return the states of the task's instances, one per server."""
        return [row.state for row in self.stack.api.task_instances(self.dag, self.id) if row.task_id.endswith(task)]

    @property
    def report_file(self):  # type: ignore[no-untyped-def]
        return self.stack.report_file(self.world.cluster.name, self.id)

    def report(self) -> dict:  # type: ignore[type-arg]
        return self.stack.report(self.world.cluster.name, self.id)

    def judge(self) -> list[str]:
        return self.world.judge(self.report_file)

    def services(self) -> dict[str, tuple[str, str]]:
        """Return status and start type of every server's cluster service."""
        nodes = self.world.state()["nodes"]
        services = {node["name"]: node["services"]["ClusSvc"] for node in nodes}
        return {name: (service["status"], service["start_type"]) for name, service in services.items()}


@pytest.fixture(scope="module")
def begun(stack: Stack) -> Iterator[dict[str, Run]]:
    """All that are played begun at the same time, none of them approved yet."""
    with contextlib.ExitStack() as down:
        worlds = {DIED: down.enter_context(stack.world("died"))}
        if LARGE:
            gone = "restart-never-comes-back:node=LOST02"
            worlds[CALM] = down.enter_context(stack.world("calm", speed=300))
            worlds[LOST] = down.enter_context(stack.world("lost", "--fault", gone))
        yield {dag: Run(stack, world, dag) for dag, world in worlds.items()}


@takes_long
def test_the_downtime_in_the_report_is_the_sum_of_its_parts_and_what_the_world_saw(
    begun: dict[str, Run], capsys: pytest.CaptureFixture[str]
):
    calm = begun[CALM]
    calm.approve()
    assert calm.wait() == "success", calm.stack.task_states(CALM, calm.id)
    assert_everything_is_back(calm)
    assert {node["outcome"] for node in calm.report()["nodes"]} == {"updated"}
    with capsys.disabled():
        print(f"\n{assert_is_what_the_world_saw(calm.world, calm.report_file)}")


def test_workers_that_die_while_the_cluster_is_disabled_leave_nothing_behind(begun: dict[str, Run]):
    died, world = begun[DIED], begun[DIED].world
    died.approve()
    wait_for(lambda: "Disabled" in {start for _, start in died.services().values()}, 240, poll=0.05)
    lose_power(died.stack)
    wait_for(lambda: bool(world.events("install.started")), 240)
    # Now a task is at work that was taken from the triggerer: its process dies with the scheduler's workers.
    wait_for(lambda: "running" in died.states("_offline"), 240, poll=0.1)
    assert {start for _, start in died.services().values()} == {"Disabled"}
    lose_power(died.stack)
    assert died.wait() == "success", died.stack.task_states(DIED, died.id)
    assert_everything_is_back(died)
    assert len(world.commands("Stop-Cluster")) == 1


@takes_long
def test_a_server_that_does_not_come_back_is_left_and_brought_back_by_hand_once_it_answers(begun: dict[str, Run]):
    lost, world = begun[LOST], begun[LOST].world
    lost.approve()
    assert lost.wait() == "failed", lost.stack.task_states(LOST, lost.id)
    assert {node["name"]: node["state"] for node in world.state()["nodes"]} == {
        "LOST01": "Up", "LOST02": "Down", "LOST03": "Up", "LOST04": "Up",
    }  # fmt: skip
    assert {vm["state"] for vm in world.state()["vms"]} == {"Running"}
    report = lost.report()
    assert report["outcome"] == "failed"
    assert "Still down: ClusSvc of LOST02" in report["headline"]
    assert any("Set-Service ClusSvc -StartupType Automatic" in str(left["command"]) for left in report["left"])
    assert {node["name"] for node in report["nodes"] if node["outcome"] == "updated"} == {"LOST01", "LOST03", "LOST04"}
    assert lost.judge() == []

    world.tell("/heal", id="restart-never-comes-back")
    wait_for(lambda: all(node["power"] == "on" for node in world.state()["nodes"]), 60)
    assert lost.services()["LOST02"] == ("Stopped", "Disabled")
    dag = make_safe_dag_id("lost")
    by_hand = lost.stack.begin(dag)
    assert lost.stack.wait(dag, by_hand) == "success", lost.stack.task_states(dag, by_hand)
    assert_everything_is_back(lost, outcome="failed")


@takes_long
def test_sixteen_servers_at_once(stack: Stack, begun: dict[str, Run], capsys: pytest.CaptureFixture[str]):
    with stack.world("wide", speed=300) as world:
        wide = Run(stack, world, WIDE)
        wide.approve()
        assert wide.wait(1200) == "success", stack.task_states(WIDE, wide.id)
        assert_everything_is_back(wide)
        assert [node["outcome"] for node in wide.report()["nodes"]] == ["updated"] * 16
        with capsys.disabled():
            print(f"\n{assert_is_what_the_world_saw(world, wide.report_file)}")


def assert_everything_is_back(run: Run, outcome: str = "succeeded") -> None:
    state, report = run.world.state(), run.report()
    assert (report["outcome"], report["left"], report["lock"]["released"]) == (outcome, [], True)
    assert set(run.services().values()) == {("Running", "Automatic")}
    assert {node["state"] for node in state["nodes"]} == {"Up"}
    assert not any(value for node in state["nodes"] for value in node["locks"].values())
    assert {vm["state"] for vm in state["vms"]} == {"Running"}
    assert run.judge() == []


def lose_power(stack: Stack) -> None:
    """End everything that works on runs at once, and switch it on again."""
    for component in ("scheduler", "triggerer"):
        stack.kill(component)
    for component in ("scheduler", "triggerer"):
        stack.start_again(component)
