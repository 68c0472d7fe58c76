"""Pipelines that are left to themselves, on a machine that speaks the real protocol."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from uuid import uuid4

import pytest

from include.hci.powershell import detached
from include.hci.powershell.command import Command
from include.hci.powershell.detached import end_session, leave_running
from include.hci.powershell.errors import (
    CommandFailed,
    DeadlineExceeded,
    EndpointRefused,
    NodeUnreachable,
    OutcomeUnknown,
)
from include.simulator.objects import SimError, TerminatingError
from include.simulator.wire.wire_faults import FaultKind

LONG = Command("Invoke-CauRun", {"ClusterName": "HCI-CL01"})
SOON = timedelta(seconds=1)


def lasting(machine) -> None:
    async def run(call, sink):
        for number in range(1000):
            sink.output(f"still here {number}")
        await asyncio.sleep(3600)

    machine.host.cmdlets["Invoke-CauRun"] = run


def wait_for(done) -> None:
    until = time.monotonic() + 5
    while not done() and time.monotonic() < until:
        time.sleep(0.05)
    assert done()


def test_what_was_left_goes_on_until_its_session_is_ended(machine):
    lasting(machine)
    session = uuid4()
    leave_running(machine.settings(), LONG, session, lasts=timedelta(days=2), settle=SOON)
    time.sleep(0.3)
    assert machine.host.cancelled == []
    shells = {shell.id: shell for shell in machine.endpoint.service.shells}
    left = shells[str(session).upper()]
    assert (left.connected, left.idle_seconds) == (False, 2 * 24 * 3600.0)
    end_session(machine.settings(), session)
    wait_for(lambda: machine.host.cancelled == ["Invoke-CauRun"])
    # It is not there any more, and that is what was wanted.
    end_session(machine.settings(), session)


def test_a_pipeline_that_is_refused_says_so_and_leaves_no_session(machine):
    async def refuse(call, sink):
        raise TerminatingError(SimError("The cluster is locked.", "ClusterLocked", "InvalidOperation"))

    machine.host.cmdlets["Invoke-CauRun"] = refuse
    with pytest.raises(CommandFailed, match="locked"):
        leave_running(machine.settings(), LONG, uuid4(), lasts=timedelta(days=1), settle=SOON)
    assert list(machine.endpoint.service.shells) == []


def test_a_machine_that_is_not_there_has_begun_nothing(machine):
    with pytest.raises(NodeUnreachable):
        leave_running(machine.settings(port=1), LONG, uuid4(), lasts=timedelta(days=1), settle=SOON)
    with pytest.raises(NodeUnreachable):
        end_session(machine.settings(port=1), uuid4())


@pytest.mark.parametrize(("kind", "action"), [(FaultKind.RESET, "Create"), (FaultKind.QUOTA, "Command")])
def test_a_session_in_which_nothing_was_begun_does_not_stay_for_days(machine, kind, action):
    lasting(machine)
    machine.fault(kind, action, quota="operations")
    with pytest.raises((NodeUnreachable, EndpointRefused)):
        leave_running(machine.settings(), LONG, uuid4(), lasts=timedelta(days=2), settle=SOON)
    assert machine.host.calls == []
    assert list(machine.endpoint.service.shells) == []


def test_a_session_of_which_a_node_that_hung_told_nothing_does_not_stay_either(machine, monkeypatch):
    lasting(machine)
    monkeypatch.setattr(detached, "_OVERHEAD", timedelta(seconds=1))
    machine.fault(FaultKind.HALF_ANSWER, "Create")
    with pytest.raises(DeadlineExceeded):
        leave_running(machine.settings(), LONG, uuid4(), lasts=timedelta(days=2), settle=SOON)
    assert list(machine.endpoint.service.shells) == []


def test_a_connection_that_breaks_before_the_session_is_left_leaves_the_outcome_unknown(machine):
    lasting(machine)
    session = uuid4()
    machine.fault(FaultKind.RESET_BEFORE, "Disconnect")
    with pytest.raises(OutcomeUnknown):
        leave_running(machine.settings(), LONG, session, lasts=timedelta(days=1), settle=SOON)
    assert machine.host.cancelled == []
    end_session(machine.settings(), session)
    wait_for(lambda: machine.host.cancelled == ["Invoke-CauRun"])
