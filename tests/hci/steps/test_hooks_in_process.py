"""CAU's scripts and the hooks of a monitoring system in whole runs against the simulated cluster: what the world saw of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest

from include.hci.powershell.command import Pipeline
from include.hci.report import events as ev
from include.hci.settings import RunOptions
from include.hci.settings.hooks import HookCommand
from include.hci.steps.decisions import Act, Done, Stop
from include.simulator.cmdlets.runtime_session import jea
from include.simulator.world.cau_scripts import Script
from include.simulator.world.own_commands import OwnCommand
from include.simulator.world.spec import demo_world
from tests.hci.steps.coordinator import Coordinator, Killed
from tests.hci.steps.judging import locks, outcomes, report, violations, world_nodes
from tests.hci.steps.simulated import Simulation

PRE, POST = r"C:\ClusterStorage\Volume01\pre.ps1", r"C:\ClusterStorage\Volume01\post.ps1"


def hook(when: str, command: str, **more: object) -> HookCommand:
    shown = {"Server": "{node}", "Why": "{reason}"} if when.startswith("node") else {"Cluster": "{cluster}"}
    given = {"when": when, "connection": "monitoring", "command": command, "parameters": shown, **more}
    return HookCommand.model_validate(given)


def all_hooks(**more: object) -> tuple[HookCommand, ...]:
    return (
        hook("run-begins", "Suspend-Alarm", **more),
        hook("node-leaves", "Set-Maintenance", **more),
        hook("node-returns", "Clear-Maintenance"),
        hook("run-ends", "Resume-Alarm"),
    )


MOMENTS = {
    "Suspend-Alarm": "run-begins",
    "Set-Maintenance": "node-leaves",
    "Clear-Maintenance": "node-returns",
    "Resume-Alarm": "run-ends",
}


def coordinator(simulation: Simulation, *, retries: int = 0, max_failed: int = 1, **options: object) -> Coordinator:
    cluster = simulation.cluster
    for path in (PRE, POST):
        cluster.world.cau.scripts.put(path, Script(output=(f"{path} was here",)))
    for name in MOMENTS:
        takes = {"Server": "String", "Why": "String", "Cluster": "String"}
        cluster.offer("MGMT01", "Monitoring", OwnCommand(name, takes))
    chosen = RunOptions.model_validate({"max_failed_nodes": max_failed, "script_timeout_minutes": 10, **options})
    return Coordinator(simulation, chosen, retries=retries, endpoints={"monitoring": ("MGMT01", "Monitoring")})


def seen(run: Coordinator, commands: Iterable[str]) -> list[str]:
    """What of these commands reached the machines, as the world's journal has it: 'node command', or 'HCI01 Set-Maintenance'."""
    wanted, found = set(commands), []
    for entry in run.simulation.cluster.journal.entries:
        name = entry.detail.get("command")
        if entry.op == "command" and entry.status == "invoke" and name in wanted:
            parameters = entry.detail["parameters"]
            about = entry.node if name in (PRE, POST) else parameters.get("Server") or parameters.get("Cluster")
            found.append(f"{about} {name}")
    return found


def pauses(run: Coordinator) -> list[str]:
    entries = run.simulation.cluster.journal.entries
    return [
        entry.detail["parameters"]["Name"][0]
        for entry in entries
        if entry.op == "command" and entry.status == "invoke" and entry.detail.get("command") == "Suspend-ClusterNode"
    ]


def silence(run: Coordinator) -> dict[str, int]:
    """How many silences of each subject are still open by what the world saw of the hooks."""
    open_now: dict[str, int] = {}
    for line in seen(run, MOMENTS):
        subject, command = line.split(" ")
        step = 1 if MOMENTS[command] in ("run-begins", "node-leaves") else -1
        open_now[subject] = max(0, open_now.get(subject, 0) + step)
    return {subject: count for subject, count in open_now.items() if count}


# --- scripts ------------------------------------------------------------------------------------------------------------


def test_both_scripts_run_once_on_every_node_one_before_its_pause_and_one_after_its_resume(simulate):
    run = coordinator(simulate(demo_world(2)), pre_update_script=PRE, post_update_script=POST)
    assert isinstance(run.run(), Done)
    assert violations(run) == []
    steps = seen(run, (PRE, POST, "Suspend-ClusterNode", "Resume-ClusterNode"))
    shown = [line.replace(PRE, "pre").replace(POST, "post").rpartition(" ")[2] for line in steps]
    assert shown == ["pre", "Suspend-ClusterNode", "Resume-ClusterNode", "post"] * 2
    assert [line.split(" ")[0] for line in steps if "ps1" in line] == ["HCI01", "HCI01", "HCI02", "HCI02"]
    ended = run.record.all_of(ev.ScriptEnded, "HCI01")
    assert [(each.event.script, each.event.result) for each in ended] == [
        ("pre-update", "succeeded"),
        ("post-update", "succeeded"),
    ]
    assert ended[0].event.output == f"{PRE} was here"


FAILING = {
    "throws": ("failed", lambda world: world.cau.scripts.put(PRE, Script(fails="no backup"), "HCI02"), "no backup"),
    "is missing": ("failed", lambda world: world.cau.scripts.remove(PRE, "HCI02"), "does not find it"),
    "may not be read": ("failed", lambda world: world.cau.scripts.put(PRE, Script(unreadable=True), "HCI02"), "denied"),
    "hangs": ("timed-out", lambda world: world.cau.scripts.put(PRE, Script(hangs=True), "HCI02"), "after 10 min"),
    "fault": ("failed", lambda world: world.inject("script-fails-on-node-2"), "backup agent"),
}


@pytest.mark.parametrize("how", FAILING)
def test_a_node_whose_first_script_does_not_succeed_is_not_touched_and_the_others_go_on(simulate, how):
    result, change, reason = FAILING[how]
    run = coordinator(simulate(demo_world(4)), pre_update_script=PRE, post_update_script=POST)
    # Readiness sees a script that is missing: here it goes away, or breaks, after it.
    run.watch = lambda name, node, decision: change(run.simulation.cluster.world) if name == "take_lock" else None
    run.run()
    assert violations(run) == []
    assert outcomes(run) == {"HCI01": "updated", "HCI02": "failed", "HCI03": "updated", "HCI04": "updated"}
    assert pauses(run) == ["HCI01", "HCI03", "HCI04"]
    assert f"HCI02 {POST}" not in seen(run, (POST,))
    (ended,) = run.record.all_of(ev.ScriptEnded, "HCI02")
    assert (ended.event.result, reason in ended.event.why) == (result, True)
    (node,) = [each for each in report(run).nodes if each.name == "HCI02"]
    assert node.problem is not None
    assert "pre-update script" in node.problem.title
    assert reason in node.problem.title
    changed = [
        entry.op
        for entry in run.simulation.cluster.journal.entries
        if entry.node == "HCI02" and entry.op in ("node.state", "update.installed", "node.restart", "maintenance")
    ]
    assert changed == []


def test_a_script_that_failed_is_run_again_only_when_the_step_is_tried_again(simulate):
    run = coordinator(simulate(demo_world(2), 0, "script-fails-on-node-2"), retries=2, pre_update_script=PRE)
    run.run()
    assert seen(run, (PRE,)).count(f"HCI02 {PRE}") == 3
    assert outcomes(run)["HCI02"] == "failed"


def test_failing_scripts_use_up_the_budget(simulate):
    run = coordinator(simulate(None, 0, "script-fails"), pre_update_script=PRE)
    run.run()
    found = list(outcomes(run).values())
    assert (found.count("failed"), found.count("not-started"), pauses(run)) == (2, 2, [])


@pytest.mark.parametrize(("change", "result"), [({"fails": "no agent"}, "failed"), ({"hangs": True}, "timed-out")])
def test_a_node_whose_second_script_does_not_succeed_is_back_in_service_and_failed(simulate, change, result):
    run = coordinator(simulate(demo_world(4)), retries=1, post_update_script=POST, hooks=all_hooks())
    run.simulation.cluster.world.cau.scripts.put(POST, Script(**change), "HCI02")
    run.run()
    assert violations(run) == []
    assert outcomes(run) == {"HCI01": "updated", "HCI02": "failed", "HCI03": "updated", "HCI04": "updated"}
    assert set(world_nodes(run).values()) == {"Up"}
    assert seen(run, (POST,)).count(f"HCI02 {POST}") == 1, "a second script is never run twice"
    assert [each.event.result for each in run.record.all_of(ev.ScriptEnded, "HCI02")] == [result]
    assert run.record.facts.paused == {}
    assert silence(run) == {}


def kill_at(run: Coordinator, command: str, node: str, *, before: bool) -> None:
    done: list[str] = []

    def strike(name: str, pipeline: Pipeline) -> None:
        if pipeline.commands[0].name == command and name == node and not done:
            done.append(name)
            raise Killed

    if before:
        run.simulation.before_command = strike
    else:
        run.simulation.after_command = strike


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("path", [PRE, POST])
def test_a_script_that_may_have_run_when_the_process_died_is_not_run_again(simulate, path, before):
    run = coordinator(simulate(demo_world(4)), retries=1, pre_update_script=PRE, post_update_script=POST)
    kill_at(run, path, "HCI02", before=before)
    run.run()
    assert run.deaths == 1
    assert seen(run, (path,)).count(f"HCI02 {path}") == (0 if before else 1)
    assert outcomes(run)["HCI02"] == "failed"
    assert ("HCI02" in pauses(run)) is (path == POST)
    (node,) = [each for each in report(run).nodes if each.name == "HCI02"]
    assert "may have run or not" in node.problem.title
    assert set(world_nodes(run).values()) == {"Up"}
    assert violations(run) == []


def test_a_node_that_cannot_be_reached_for_a_moment_is_asked_again_and_its_script_runs_once(simulate):
    run = coordinator(simulate(demo_world(2)), pre_update_script=PRE)
    wire, refused = run.simulation.wires["HCI02"], []

    def refuse(name: str, pipeline: Pipeline) -> None:
        if name == "HCI02" and pipeline.commands[0].name == "Test-Path" and run.plan is not None and len(refused) < 2:
            refused.append(name)
            wire.refused = len(refused) < 2

    run.simulation.before_command = refuse
    run.watch = lambda name, node, decision: setattr(wire, "refused", False)
    assert isinstance(run.run(), Done)
    assert seen(run, (PRE,)) == [f"HCI01 {PRE}", f"HCI02 {PRE}"]
    assert len(run.record.all_of(ev.ScriptStarting, "HCI02")) == 1


def test_scripts_run_in_the_session_configuration_that_the_profile_names(simulate):
    run = coordinator(simulate(demo_world(2)), pre_update_script=PRE, configuration_name="Scripts")
    for host in run.simulation.cluster.hosts.values():
        host.configurations = {**host.configurations, "scripts": jea("Scripts", [PRE])}
    assert isinstance(run.run(), Done)
    assert seen(run, (PRE,)) == [f"HCI01 {PRE}", f"HCI02 {PRE}"]
    started = run.record.all_of(ev.ScriptStarting)
    assert {each.event.configuration for each in started} == {"Scripts"}


# --- hooks --------------------------------------------------------------------------------------------------------------


def test_a_monitoring_system_hears_of_every_moment_once_and_in_order(simulate):
    run = coordinator(simulate(demo_world(2)), hooks=all_hooks())
    assert isinstance(run.run(), Done)
    assert violations(run) == []
    cluster = run.cluster.name
    assert seen(run, MOMENTS) == [
        f"{cluster} Suspend-Alarm",
        "HCI01 Set-Maintenance",
        "HCI01 Clear-Maintenance",
        "HCI02 Set-Maintenance",
        "HCI02 Clear-Maintenance",
        f"{cluster} Resume-Alarm",
    ]
    told = [
        entry for entry in run.simulation.cluster.journal.entries if entry.detail.get("command") == "Set-Maintenance"
    ]
    assert told[0].detail["parameters"] == {"Server": "HCI01", "Why": "update of HCI01"}
    assert told[0].node == "MGMT01"
    assert run.record.facts.changes == ()
    assert report(run).undone == (), "the end of a run is no repair"


def test_the_node_is_silenced_before_its_first_script_and_until_its_last_is_over(simulate):
    run = coordinator(simulate(demo_world(2)), hooks=all_hooks(), pre_update_script=PRE, post_update_script=POST)
    run.run()
    own = [line for line in seen(run, (*MOMENTS, PRE, POST)) if line.startswith("HCI01")]
    assert own == ["HCI01 Set-Maintenance", f"HCI01 {PRE}", f"HCI01 {POST}", "HCI01 Clear-Maintenance"]


TROUBLE = {
    "a first script that fails": ("script-fails-on-node-2", {"pre_update_script": PRE}),
    "a drain that is blocked": ("drain-blocked-by-vm-on-node-2", {}),
    "an install that fails": ("install-fails-on-node-2", {}),
    "a restart that takes too long": ("restart-takes-40-minutes-on-node-2", {}),
    "a node that never comes back": ("restart-never-comes-back-on-node-2", {}),
}


@pytest.mark.parametrize("what", TROUBLE)
def test_nothing_stays_silenced_after(simulate, what):
    fault, options = TROUBLE[what]
    run = coordinator(simulate(None, 0, fault), hooks=all_hooks(), **options)
    run.run()
    assert outcomes(run)["HCI02"] == "failed"
    assert silence(run) == {}
    assert run.record.facts.changes == ()
    assert [item for item in violations(run) if item.startswith(("I10", "I12"))] == []


@pytest.mark.parametrize("seed", range(10))
def test_nothing_stays_silenced_after_a_cancel_anywhere(simulate, seed):
    run = coordinator(simulate(demo_world(2), seed), hooks=all_hooks(), pre_update_script=PRE, post_update_script=POST)
    count, last = 0, 40 + 97 * seed

    def cancel(node: str, pipeline: Pipeline) -> None:
        nonlocal count
        count += 1
        if count == last:
            run.record.add(ev.OperatorAsked(action="cancel", by="j.doe"), run.simulation.now())

    run.simulation.before_command = cancel
    run.run()
    assert count >= last
    assert silence(run) == {}
    assert run.record.facts.changes == ()
    assert set(world_nodes(run).values()) == {"Up"}


@pytest.mark.parametrize("seed", range(10))
def test_what_a_dead_run_silenced_is_ended_by_whoever_makes_it_safe(simulate, seed):
    run = coordinator(simulate(demo_world(2), seed), hooks=all_hooks(), pre_update_script=PRE)
    count, last = 0, 60 + 83 * seed

    def die(node: str, pipeline: Pipeline) -> None:
        nonlocal count
        count += 1
        if count == last:
            raise Killed

    run.simulation.before_command = die
    run.simulation.after_command = die
    run.cancellable = True
    with pytest.raises(Killed):
        run.run()
    end = run.conclude()
    assert isinstance(end, Done)
    assert end.outcome == "clean", end
    assert silence(run) == {}
    assert run.record.facts.changes == ()
    assert locks(run) == []


Change = Callable[[Simulation], object]


def set_function(name: str, **how: object) -> Change:
    takes = {"Server": "String", "Why": "String", "Cluster": "String"}
    return lambda simulation: simulation.cluster.offer("MGMT01", "Monitoring", OwnCommand(name, takes, **how))


@pytest.mark.parametrize("name", ["Suspend-Alarm", "Set-Maintenance"])
@pytest.mark.parametrize("how", [{"fails": "Access is denied."}, {"hangs": True}])
def test_a_hook_that_is_not_required_keeps_nothing_from_beginning(simulate, name, how):
    run = coordinator(simulate(demo_world(2)), hooks=all_hooks())
    set_function(name, **how)(run.simulation)
    assert isinstance(run.run(), Done)
    assert set(outcomes(run).values()) == {"updated"}
    given = [each.event for each in run.record.all_of(ev.HookGiven) if each.event.command.startswith(name)]
    assert {each.result for each in given} == {"failed" if "fails" in how else "unknown"}
    assert silence(run) == {}


def test_a_required_hook_that_fails_keeps_the_run_from_beginning_and_gives_the_lock_back(simulate):
    two = (hook("run-begins", "Set-Maintenance", parameters={"Server": "all"}), *all_hooks(required=True))
    run = coordinator(simulate(demo_world(2)), hooks=two)
    set_function("Suspend-Alarm", fails="Access is denied.")(run.simulation)
    refused = run.prepare()
    assert isinstance(refused, Stop)
    assert "Access is denied" in refused.problem.title
    assert locks(run) == []
    assert seen(run, ("Resume-Alarm",)) == [f"{run.cluster.name} Resume-Alarm"]
    assert run.record.facts.changes == ()
    assert pauses(run) == []


def test_a_required_hook_that_fails_leaves_its_node_untouched(simulate):
    run = coordinator(simulate(demo_world(4)), hooks=all_hooks(required=True), pre_update_script=PRE)
    failing = set_function("Set-Maintenance", fails="Access is denied.")
    well = set_function("Set-Maintenance")
    run.watch = lambda name, node, decision: (failing if node == "HCI02" else well)(run.simulation)
    run.run()
    assert outcomes(run) == {"HCI01": "updated", "HCI02": "failed", "HCI03": "updated", "HCI04": "updated"}
    assert "HCI02" not in pauses(run)
    assert f"HCI02 {PRE}" not in seen(run, (PRE,))
    assert silence(run) == {}


def test_what_cannot_be_ended_is_tried_again_at_the_end_and_then_left_to_a_person_with_the_command(simulate):
    run = coordinator(simulate(demo_world(2)), hooks=all_hooks())
    set_function("Clear-Maintenance", fails="Access is denied.")(run.simulation)
    run.run()
    left = report(run).left
    assert {item.node for item in left} == {"HCI01", "HCI02"}
    assert all("Clear-Maintenance -Server" in (item.command or "") for item in left)
    assert seen(run, ("Clear-Maintenance",)).count("HCI01 Clear-Maintenance") == 1 + 3
    assert seen(run, ("Resume-Alarm",)) != []
    assert locks(run) == []
    assert report(run).outcome == "failed"


def test_a_silence_whose_end_failed_once_is_ended_at_the_end_of_the_run(simulate):
    run = coordinator(simulate(demo_world(2)), hooks=all_hooks())
    set_function("Clear-Maintenance", fails="Access is denied.")(run.simulation)

    def mend(name, node, decision):
        if name == "verify" and isinstance(decision, Act | Done):
            set_function("Clear-Maintenance")(run.simulation)

    run.watch = mend
    run.run()
    assert report(run).left == ()
    assert [item.node for item in report(run).undone] == ["HCI02", "HCI01"]
    assert report(run).outcome == "succeeded"


def test_a_run_with_a_window_that_closes_tells_its_end_too(simulate):
    run = coordinator(simulate(demo_world(2)), hooks=all_hooks(), stop_after="00:00:01")
    run.run()
    assert seen(run, MOMENTS) == [f"{run.cluster.name} Suspend-Alarm", f"{run.cluster.name} Resume-Alarm"]


# --- readiness ----------------------------------------------------------------------------------------------------------


def readiness(run: Coordinator) -> tuple[dict[str, str], str]:
    end = run.step("readiness", tries=1)
    checked = run.record.last(ev.ReadinessChecked)
    assert checked is not None
    found = {
        check.id: check.status for check in checked.event.checks if check.id in ("update-scripts", "required-hooks")
    }
    return found, str(end)


def test_scripts_and_required_hooks_are_looked_for_before_anything_is_touched(simulate):
    run = coordinator(simulate(demo_world(2)), pre_update_script=PRE, hooks=all_hooks(required=True))
    assert readiness(run)[0] == {"update-scripts": "passed", "required-hooks": "passed"}


def test_a_script_that_a_node_does_not_find_refuses_the_run(simulate):
    run = coordinator(simulate(demo_world(2)), pre_update_script=PRE, post_update_script=POST)
    run.simulation.cluster.world.cau.scripts.remove(POST, "HCI02")
    found, said = readiness(run)
    assert found["update-scripts"] == "failed"
    assert f"HCI02 does not find {POST}" in said


@pytest.mark.parametrize(
    ("connection", "said"), [("there", "has no command Set-Other"), ("nowhere", "does not answer")]
)
def test_a_required_hook_that_could_not_be_given_refuses_the_run(simulate, connection, said):
    run = coordinator(
        simulate(demo_world(2)), hooks=(hook("run-begins", "Set-Other", connection=connection, required=True),)
    )
    run.endpoints = {"there": ("MGMT01", "Monitoring"), "nowhere": ("MGMT01", "Elsewhere")}
    found, end = readiness(run)
    assert found["required-hooks"] == "failed"
    assert said in end


def test_an_offline_update_says_what_it_leaves_out(simulate):
    run = coordinator(simulate(demo_world(2)), pre_update_script=PRE, hooks=all_hooks())
    started = ev.RunStarted(run_id=run.run_id, cluster=run.cluster.name, run_kind="offline-update")
    run.record.add(started, run.simulation.now())
    run.step("readiness", tries=1)
    (check,) = [each for each in run.record.last(ev.ReadinessChecked).event.checks if each.id == "unused-commands"]
    assert check.status == "failed"
    assert all(name in check.evidence for name in ("pre_update_script", "Set-Maintenance", "Clear-Maintenance"))
    assert "Suspend-Alarm" not in check.evidence


def test_a_hook_that_is_not_required_is_not_asked_for(simulate):
    run = coordinator(simulate(demo_world(2)), hooks=(hook("run-begins", "Set-Other"),))
    assert readiness(run)[0]["required-hooks"] == "not-applicable"
