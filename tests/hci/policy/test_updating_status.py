from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from include.hci.cluster.cau import CauRunState, LockHolder
from include.hci.cluster.nodes import ClusterNode
from include.hci.cluster.rollout import ADMIN_CENTER_TASK, ScheduledTask
from include.hci.cluster.values import DrainStatus, NodeState, StatusInformation
from include.hci.policy.upcoming import Upcoming
from include.hci.policy.updating_status import OwnRun, StatusFacts, updating_status
from tests.hci.policy.readiness_facts import OURS, THEIRS

NOW = datetime(2026, 11, 3, 1, 30, tzinfo=UTC)
BEGAN = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
UP = (ClusterNode("HCI01", NodeState.UP), ClusterNode("HCI02", NodeState.UP))
PAUSED = (UP[0], ClusterNode("HCI02", NodeState.PAUSED, DrainStatus.COMPLETED))
FREE = CauRunState("RunNotInProgress")
BUSY = CauRunState("RunInProgress", "HCI01", str(THEIRS), BEGAN, (("HCI02", "Installing"),))
IDLE = StatusFacts("CL01", UP, cau_run=FREE, role={}, own_next=Upcoming(datetime(2026, 11, 10, 2, tzinfo=UTC)))
OWN = OwnRun("manual__1", "rolling_update__cl01", "rolling-update", OURS, BEGAN, "ada", "HCI02", NOW, "it restarts")


def lock(node: str, guid: UUID = THEIRS, kind: str = "MSFT_CAURun") -> LockHolder:
    return LockHolder(node, kind, guid)  # type: ignore[arg-type]


LOCKED = (lock("HCI01"), lock("HCI02"))
WORKED = (*LOCKED, lock("HCI02", kind="MSFT_CAUNode"))
THIRD = UUID("77777777-7777-7777-7777-777777777777")

UPDATERS = {
    "nobody": (IDLE, "idle", "Nobody is updating CL01.", []),
    "an unread part is said": (
        replace(IDLE, cau_run=None, unread=("CAU: no such command",)),
        "idle",
        "Nobody is updating CL01, as far as could be read.",
        [],
    ),
    "no node answered": (
        StatusFacts("CL01", unread=("no node answered",)),
        "unknown",
        "Who is updating CL01 cannot be told: no node of it answered.",
        [],
    ),
    "our run": (
        replace(IDLE, own=(OWN,), holders=(lock("HCI01", OURS), lock("HCI02", OURS))),
        "updating",
        "CL01 is being updated by the rolling update manual__1 of this Airflow, now HCI02.",
        [(True, ("HCI02",), NOW, "it restarts")],
    ),
    "our run is seen although no node answers": (
        StatusFacts("CL01", own=(replace(OWN, node="", doing=""),)),
        "updating",
        "CL01 is being updated by the rolling update manual__1 of this Airflow.",
        [(True, (), NOW, "")],
    ),
    "our dead run with its lock": (
        replace(IDLE, own=(replace(OWN, alive=False, paused=("HCI02",)),), holders=(lock("HCI01", OURS),)),
        "blocked",
        "Nobody is updating CL01, but the rolling update manual__1 of this Airflow stands in the way:"
        " it has died in Airflow; its lock still stands on HCI01; make_safe undoes it.",
        [(False, ("HCI02",), BEGAN, "it has died in Airflow; its lock still stands on HCI01; make_safe undoes it")],
    ),
    "a CAU run and the node it works on": (
        replace(IDLE, cau_run=BUSY, holders=WORKED),
        "updating",
        "CL01 is being updated by Cluster-Aware Updating, now HCI02.",
        [(True, ("HCI02",), BEGAN, "CAU reports RunInProgress, coordinated by HCI01 (HCI02 Installing)")],
    ),
    "a CAU run whose locks do not carry its id": (
        replace(IDLE, cau_run=replace(BUSY, run_id="other"), holders=LOCKED),
        "updating",
        "CL01 is being updated by Cluster-Aware Updating.",
        [(True, (), BEGAN, "CAU reports RunInProgress, coordinated by HCI01 (HCI02 Installing)")],
    ),
    "a state of CAU that nobody documents counts as work": (
        replace(IDLE, cau_run=CauRunState("RunSomething")),
        "updating",
        "CL01 is being updated by Cluster-Aware Updating.",
        [(True, (), None, "CAU reports RunSomething")],
    ),
    "a failed CAU run": (
        replace(IDLE, cau_run=CauRunState("RunFailed")),
        "blocked",
        "Nobody is updating CL01, but Cluster-Aware Updating stands in the way: CAU reports RunFailed: recover it with"
        " Invoke-CauRun -ForceRecovery once no coordinator is alive.",
        [
            (
                False,
                (),
                None,
                "CAU reports RunFailed: recover it with Invoke-CauRun -ForceRecovery once no coordinator is alive",
            )
        ],
    ),
    "a foreign lock": (
        replace(IDLE, holders=WORKED),
        "updating",
        "CL01 is being updated by another coordinator, now HCI02.",
        [
            (
                True,
                ("HCI02",),
                None,
                f"lock {THEIRS} on HCI01, HCI02, of no run that this Airflow knows; it disappears after an hour without activity",
            )
        ],
    ),
    "a third coordinator beside CAU": (
        replace(IDLE, cau_run=BUSY, holders=(*LOCKED, lock("HCI01", THIRD, "MSFT_CAUNode"))),
        "updating",
        "CL01 is being updated by Cluster-Aware Updating and another coordinator, now HCI01.",
        [
            (True, (), BEGAN, "CAU reports RunInProgress, coordinated by HCI01 (HCI02 Installing)"),
            (
                True,
                ("HCI01",),
                None,
                f"lock {THIRD} on HCI01, of no run that this Airflow knows; it disappears after an hour without activity",
            ),
        ],
    ),
    "Windows Admin Center": (
        replace(IDLE, tasks={"HCI02": (ScheduledTask(ADMIN_CENTER_TASK, "\\", "Running"),)}),
        "updating",
        "CL01 is being updated by Windows Admin Center, now HCI02.",
        [(True, ("HCI02",), None, f"its task {ADMIN_CENTER_TASK} is Running")],
    ),
    "a task that only waits": (
        replace(IDLE, tasks={"HCI02": (ScheduledTask(ADMIN_CENTER_TASK, "\\", "Ready"),)}),
        "idle",
        "Nobody is updating CL01.",
        [],
    ),
}


@pytest.mark.parametrize("case", UPDATERS)
def test_who_updates_the_cluster(case):
    facts, state, headline, updaters = UPDATERS[case]
    status = updating_status(facts, NOW)
    assert (status.state, status.headline) == (state, headline)
    assert [(one.active, one.nodes, one.since, one.said) for one in status.updaters] == updaters
    assert json.loads(json.dumps(status.to_json()))["state"] == state


OUT = {
    "nobody": (IDLE, []),
    "our run": (
        replace(IDLE, nodes=PAUSED, own=(replace(OWN, paused=("hci02",)),)),
        ["HCI02 is Paused: the rolling update manual__1 of this Airflow took it out"],
    ),
    "our run, restarting": (
        replace(
            IDLE,
            nodes=(UP[0], ClusterNode("HCI02", NodeState.DOWN)),
            own=(replace(OWN, paused=("HCI02",), restarting=("HCI02",)),),
        ),
        ["HCI02 is Down: the rolling update manual__1 of this Airflow is restarting it"],
    ),
    "our run that is over": (
        replace(IDLE, nodes=PAUSED, own=(replace(OWN, alive=False, paused=("HCI02",)),)),
        ["HCI02 is Paused: the rolling update manual__1 of this Airflow took it out, and is over"],
    ),
    "CAU": (
        replace(IDLE, nodes=PAUSED, cau_run=BUSY, holders=WORKED),
        ["HCI02 is Paused: Cluster-Aware Updating works on it"],
    ),
    "CAU, without its lock": (
        replace(IDLE, nodes=PAUSED, cau_run=BUSY),
        ["HCI02 is Paused: probably Cluster-Aware Updating, which is at work"],
    ),
    "another coordinator": (
        replace(IDLE, nodes=PAUSED, holders=WORKED),
        [f"HCI02 is Paused: the coordinator {THEIRS} works on it"],
    ),
    "a person": (
        replace(IDLE, nodes=PAUSED),
        ["HCI02 is Paused: no updater that is known: a person or another program paused it"],
    ),
    "the cluster itself": (
        replace(IDLE, nodes=(ClusterNode("HCI01", NodeState.DOWN, status=StatusInformation.QUARANTINED),)),
        ["HCI01 is Down, quarantined: the cluster itself keeps it out (quarantined)"],
    ),
    "a drain that failed": (
        replace(IDLE, nodes=(ClusterNode("HCI01", NodeState.PAUSED, DrainStatus.FAILED),)),
        [
            "HCI01 is Paused, not drained: its drain failed: no updater that is known: a person or another program paused it"
        ],
    ),
    "disks in maintenance mode": (
        replace(IDLE, maintained=("HCI01",)),
        ["HCI01 is with its disks in maintenance mode: no updater that is known"],
    ),
}


@pytest.mark.parametrize("case", OUT)
def test_whose_doing_it_is_that_a_node_is_out(case):
    facts, said = OUT[case]
    assert [str(one) for one in updating_status(facts, NOW).out] == said


THIRD_TUESDAY = {"StartDate": "2026-01-01T03:00:00", "DaysOfWeek": "Tuesday", "WeeksOfMonth": "3"}
ROLE = "Cluster-Aware Updating's self-updating role"
NEXT = {
    "only ours": ({}, ["this Airflow, 2026-11-10 02:00 UTC"]),
    "neither": ({"own_next": None}, ["this Airflow, nothing (it has no schedule)"]),
    "the schedule is CAU's": (
        {"own_next": None, "own_none": "its schedule is left to CAU's self-updating role"},
        ["this Airflow, nothing (its schedule is left to CAU's self-updating role)"],
    ),
    "the role is later": (
        {"role": THIRD_TUESDAY, "role_online": True},
        [
            "this Airflow, 2026-11-10 02:00 UTC",
            f"{ROLE}, 2026-11-17 03:00 UTC (if the servers' clocks are in UTC)",
        ],
    ),
    "the role is earlier, in its own time zone": (
        {"role": THIRD_TUESDAY | {"WeeksOfMonth": "1"}, "role_online": None, "timezone": "America/New_York"},
        [
            f"{ROLE}, 2026-11-03 03:00 America/New_York (2026-11-03 08:00 UTC) (if the servers' clocks are in America/New_York)",
            "this Airflow, 2026-11-09 21:00 America/New_York (2026-11-10 02:00 UTC)",
        ],
    ),
    "a role that is disabled": (
        {"role": THIRD_TUESDAY, "role_online": False},
        ["this Airflow, 2026-11-10 02:00 UTC", f"{ROLE}, nothing (the role is disabled)"],
    ),
    "a role that is not understood": (
        {"role": {"DaysOfWeek": "Someday"}, "role_online": True},
        [
            "this Airflow, 2026-11-10 02:00 UTC",
            f"{ROLE}, nothing (its schedule is not understood: look at Get-CauClusterRole)",
        ],
    ),
    "a time without a run": (
        {"own_next": Upcoming(datetime(2026, 11, 4, 2, tzinfo=UTC), remark="no node is begun then: a blackout")},
        ["this Airflow, 2026-11-04 02:00 UTC (no node is begun then: a blackout)"],
    ),
}


@pytest.mark.parametrize("case", NEXT)
def test_what_comes_next_on_either_side(case):
    changes, said = NEXT[case]
    assert [str(one) for one in updating_status(replace(IDLE, **changes), NOW).coming] == said


def test_the_text_says_everything():
    facts = replace(IDLE, nodes=PAUSED, cau_run=BUSY, holders=WORKED, unread=("tasks on HCI01: Access is denied",))
    lines = updating_status(facts, NOW).lines()
    assert [line.partition(":")[0] for line in lines[1:]] == ["at work", "out of service", "next", "could not be read"]
    assert lines[1].startswith("at work: Cluster-Aware Updating on HCI02 since 2026-11-03 01:00 UTC: CAU reports")
