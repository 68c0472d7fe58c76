"""What others did, and what nobody could see, is told from the journal and not held against the run."""

from __future__ import annotations

from typing import Any

import pytest

from include.simulator.referee import judge
from tests.simulator.referee.journals import GUID, LCU, OTHER_GUID, Script

VERSION_KEY = "HKLM:\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
UPDATE = {"update_id": LCU, "kb": "KB5034129", "result": "succeeded"}


def found(script: Script, report: dict[str, Any] | None = None) -> list[str]:
    return [f"{each.invariant}: {each.sentence}" for each in judge(script.entries, report, ended=True)]


def begun() -> Script:
    """A run that has restarted its node; what it read before is in the journal."""
    script = look(Script().take_lock(), "HCI01").drain("HCI01").install("HCI01")
    return script.order_restart("HCI01")


def ended(script: Script) -> Script:
    return script.resume("HCI01").resync().release_lock()


def look(script: Script, node: str, *what: str) -> Script:
    """The run reads the node's boot time, build and run lock, or only some of that."""
    reads = {
        "boot": ("Get-CimInstance", {"ClassName": "Win32_OperatingSystem"}),
        "build": ("Get-ItemProperty", {"LiteralPath": [VERSION_KEY]}),
        "lock": ("Get-CimInstance", {"ClassName": "MSFT_CAURun"}),
    }
    for each in what or reads:
        command, parameters = reads[each]
        script.command(command, node, "ok", **parameters)
    return script


def report(**node: Any) -> dict[str, Any]:
    whole = {"name": "HCI01", "outcome": "failed", "resumed": True, "restarts": 1, "updates": [UPDATE], **node}
    return {"outcome": "failed", "lock": {"guid": GUID, "released": True}, "nodes": [whole], "left": []}


# --- restarts and builds -------------------------------------------------------------------------------------------------

UNSEEN = "I12: The report says HCI01 was restarted 0 times; the world saw 1."


@pytest.mark.parametrize(
    ("read", "sentences"),
    [((), []), (("boot",), []), (("build",), []), (("boot", "build"), [UNSEEN])],
)
def test_a_restart_must_be_reported_once_the_run_has_read_the_node_since(read: tuple[str, ...], sentences: list[str]):
    script = begun().power_cycle("HCI01")
    if read:
        look(script, "HCI01", *read)
    assert found(ended(script), report(restarts=0)) == sentences


def test_a_reading_that_failed_shows_nothing():
    script = begun().power_cycle("HCI01")
    script.command("Get-CimInstance", "HCI01", "fail", ClassName="Win32_OperatingSystem")
    script.command("Get-ItemProperty", "HCI01", "ok", LiteralPath=VERSION_KEY)
    assert found(ended(script), report(restarts=0)) == []


def test_what_somebody_else_read_the_run_has_not_seen():
    script = begun().power_cycle("HCI01").by("CONTOSO\\monitoring")
    look(script, "HCI01").by("CONTOSO\\airflow")
    assert found(ended(script), report(restarts=0)) == []


@pytest.mark.parametrize(("boot_time", "sentences"), [("x", []), ("z", [UNSEEN])])
def test_a_restart_after_which_the_node_names_its_old_boot_time_is_none_for_anybody(
    boot_time: str, sentences: list[str]
) -> None:
    script = begun().state("HCI01", "Down").add("node.power", "HCI01", node="HCI01", up=False, boot_time="x")
    script.add("node.power", "HCI01", node="HCI01", up=True, boot_time=boot_time)
    look(script.state("HCI01", "Paused", "Completed"), "HCI01")
    assert found(ended(script), report(restarts=0)) == sentences


@pytest.mark.parametrize("boot_time", ["x", "z"])
def test_such_a_node_may_be_told_to_restart_again_when_it_has_had_time_to_heed_it(boot_time: str) -> None:
    script = begun().state("HCI01", "Down").add("node.power", "HCI01", node="HCI01", up=False, boot_time="x")
    script.add("node.power", "HCI01", node="HCI01", up=True, boot_time=boot_time)
    for _ in range(10):
        look(script, "HCI01", "boot")
    broken = [each for each in found(script.order_restart("HCI01")) if each.startswith("I8")]
    assert broken == (
        [] if boot_time == "x" else ["I8: HCI01 was told to restart although nothing on it waited for a restart."]
    )


@pytest.mark.parametrize(
    ("last", "claim", "honest"),
    [("before", "20349.2322", True), ("after", "20349.2322", False), ("after", "20349.9", True)],
)
def test_a_build_is_what_it_was_when_the_run_last_read_it(last: str, claim: str, honest: bool) -> None:
    script = look(begun().power_cycle("HCI01"), "HCI01")
    script.add("build", "HCI01", node="HCI01", build=20349, ubr=9)
    if last == "after":
        look(script, "HCI01", "build")
    lies = [] if honest else [f"I12: The report gives {claim} as build after of HCI01; the world says 20349.9."]
    assert found(ended(script), report(build_after=claim)) == lies


# --- updates -------------------------------------------------------------------------------------------------------------

NOT_THERE = "I12: The report says KB5034129 was installed on HCI01; the world saw no such thing."


def _undone(how: str) -> Script:
    script = look(Script().take_lock(), "HCI01").drain("HCI01")
    script.install("HCI01")
    if how == "lied":
        script.entries[-2].detail["applied"] = False  # type: ignore[index]
    script.order_restart("HCI01").power_cycle("HCI01")
    if how == "rolled back":
        script.add("update.rolled-back", "HCI01", node="HCI01", update_id=LCU, kb="KB5034129", title="x")
    return look(script, "HCI01", "boot", "build")


@pytest.mark.parametrize("how", ["lied", "rolled back"])
@pytest.mark.parametrize(
    ("offered", "told", "sentences"),
    [
        ([], {}, []),
        (["another"], {}, []),
        ([LCU], {}, [NOT_THERE]),
        ([LCU], {"remaining": [{"update_id": LCU}]}, []),
        ([LCU], {"error": "After 4 passes HCI01 is still offered KB5034129."}, []),
        ([LCU], {"error": "It broke."}, [NOT_THERE]),
    ],
)
def test_an_update_that_the_node_only_said_it_had_is_believed_until_a_scan_offers_it(
    how: str, offered: list[str], told: dict[str, Any], sentences: list[str]
) -> None:
    script = _undone(how)
    script.add("update.offered", "HCI01", node="HCI01", orchestrator=GUID, update_ids=offered)
    assert found(ended(script), report(**told)) == sentences


def test_an_update_that_was_only_said_to_be_there_may_be_installed_again():
    script = Script().take_lock().drain("HCI01").install("HCI01").install("HCI01")
    again = "I8: KB5034129 was installed again on HCI01."
    assert again in found(script)
    first = next(entry for entry in script.entries if entry.op == "update.installed")
    first.detail["applied"] = False  # type: ignore[index]
    assert again not in found(script)


def test_what_others_install_again_is_not_the_runs_repetition():
    script = Script().take_lock().drain("HCI01").install("HCI01").install("HCI01", orchestrator="by hand")
    assert found(script.resume("HCI01").release_lock()) == []


def test_in_progress_claims_neither_success_nor_failure():
    script = look(begun().power_cycle("HCI01"), "HCI01")
    unheard = report(updates=[UPDATE | {"result": "in-progress"}])
    assert found(ended(script), unheard) == []
    assert found(script, report(updates=[UPDATE | {"result": "not-started"}])) == [
        "I12: The report says KB5034129 not-started on HCI01; the world saw it installed."
    ]


# --- locks ---------------------------------------------------------------------------------------------------------------

REMOVE = "On HCI02: Get-CimInstance -ClassName {} | Remove-CimInstance"


def left(node: str, *classes: str) -> dict[str, Any]:
    command = "; ".join(REMOVE.format(each) for each in classes)
    return report() | {
        "lock": {"guid": GUID, "released": False},
        "left": [{"node": node, "what": "the lock", "command": command}],
    }


@pytest.mark.parametrize(
    ("said", "lies"),
    [
        (left("HCI02", "MSFT_CAURun"), False),
        (left("HCI02", "MSFT_CAUNode"), True),
        (left("HCI03", "MSFT_CAURun"), True),
        (report() | {"lock": {"guid": GUID, "released": False}}, True),
    ],
)
def test_a_lock_may_be_left_where_the_report_names_it_with_the_command(said: dict[str, Any], lies: bool) -> None:
    script = look(begun().power_cycle("HCI01"), "HCI01").resume("HCI01").resync()
    script.release_lock(nodes=["HCI01", "HCI03"])
    broken = [f"I10: MSFT_CAURun {GUID} was left on HCI02."] if lies else []
    assert found(script, said) == broken


@pytest.mark.parametrize("seen", [False, True])
def test_a_lock_that_vanished_unseen_may_be_called_not_released(seen: bool) -> None:
    script = look(look(begun().power_cycle("HCI01"), "HCI01"), "HCI02").resume("HCI01").resync().release_lock()
    if seen:
        look(script, "HCI02", "lock")
    lie = "I12: The report says the lock is not released; no node has it any more."
    assert found(script, left("HCI02", "MSFT_CAURun")) == ([lie] if seen else [])


def test_a_run_does_not_end_where_somebody_else_takes_a_lock():
    script = begun().add("lock.taken", "HCI09", **{"class": "MSFT_CAURun", "guid": OTHER_GUID})
    look(script.power_cycle("HCI01"), "HCI01")
    assert UNSEEN in found(ended(script), report(restarts=0))


# --- faults --------------------------------------------------------------------------------------------------------------


def test_what_a_fault_brings_about_is_nobodys_doing():
    script = Script().take_lock().drain("HCI01")
    events: list[tuple[str, dict[str, Any]]] = [
        ("service", {"node": "HCI01", "name": "ClusSvc", "start_type": "Disabled", "status": "Stopped"}),
        ("maintenance", {"node": "HCI01", "on": True, "by": "an operator"}),
        ("vm.state", {"vm": "vm-1", "owner": "HCI01", "state": "Off", "reason": "virtual disk V1 detached"}),
        ("node.restart", {"node": "HCI02", "by": "CONTOSO\\airflow", "ordered": True}),
    ]
    script.invoke("Invoke-CimMethod", "HCI01", MethodName="InstallUpdates")
    for op, detail in events:
        script.add(op, detail.get("node"), **detail)
    script.resume("HCI01").release_lock()
    blamed = {each.partition(":")[0] for each in found(script)}
    assert {"I3", "I10"} <= blamed
    for entry in script.entries:
        if entry.op in dict(events):
            entry.detail["fault"] = "some-fault"  # type: ignore[index]
    assert found(script) == []


def test_a_node_that_somebody_pauses_after_the_resume_was_resumed():
    script = ended(look(begun().power_cycle("HCI01"), "HCI01"))
    script.add("node.state", "HCI01", node="HCI01", state="Paused", drain_status="NotInitiated", fault="node-paused")
    assert found(script, report()) == []


def test_resuming_a_node_takes_its_disks_out_of_maintenance_mode_whoever_put_them_in():
    script = Script().take_lock().drain("HCI01")
    script.add("maintenance", "HCI01", node="HCI01", on=True, by="an operator", fault="maintenance-left-on")
    script.resume("HCI01").add("maintenance", "HCI01", node="HCI01", on=False, by="resume")
    assert found(script.release_lock()) == []


def test_of_a_run_that_changed_nothing_others_are_not_judged():
    script = look(Script(), "HCI01")
    script.add("node.restart", "HCI02", node="HCI02", by="CONTOSO\\someone", ordered=True)
    assert found(script, {"outcome": "failed", "lock": {"guid": None, "released": False}, "nodes": []}) == []


@pytest.mark.parametrize(("begun_before", "again"), [(True, False), (False, True)])
def test_what_others_installed_while_the_run_installed_is_not_installed_again(begun_before: bool, again: bool) -> None:
    script = Script().take_lock().drain("HCI01")
    if begun_before:
        script.install("HCI01", update_id="another")
        script.entries.pop()  # it goes on
    script.install("HCI01", orchestrator="by hand")
    script.install("HCI01")
    if begun_before:
        del script.entries[-3]  # no second beginning
    sentence = "I8: KB5034129 was installed again on HCI01."
    assert (sentence in found(script)) is again


# --- runs of CAU's own ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("self_updating", "began", "blamed"),
    [(True, "us", False), (True, "them", False), (False, "them", False), (False, "us", True)],
)
def test_a_run_of_cau_is_held_against_who_began_it_and_that_of_its_role_against_nobody(self_updating, began, blamed):
    script = ended(look(begun().power_cycle("HCI01"), "HCI01"))
    us, script.actor = script.actor, script.actor if began == "us" else "CORP\\ada"
    detail = {"run_id": OTHER_GUID, "state": "Started", "orchestrator": OTHER_GUID, "self_updating": self_updating}
    script.invoke("Invoke-CauRun", "MGMT01").add("cau.run", None, **detail)
    script.install("HCI02", orchestrator=OTHER_GUID)
    script.actor = us
    sentences = found(script, report())
    assert ("I12: The report leaves out HCI02, which was worked on." in sentences) is blamed
