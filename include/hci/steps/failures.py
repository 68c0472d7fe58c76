"""What a failed command means for a step: unknown and to be read again, refused, or given up."""

from __future__ import annotations

from datetime import datetime

from include.hci.powershell.catalogue import format_code
from include.hci.powershell.errors import (
    AuthenticationRefused,
    CertificateRefused,
    CommandFailed,
    ConnectionLost,
    DeadlineExceeded,
    EndpointRefused,
    NodeUnreachable,
    OutcomeUnknown,
    RemotingError,
)
from include.hci.report.values import Problem
from include.hci.steps.decisions import Action, Wait


def is_unknown(error: RemotingError) -> bool:
    """Return whether nobody can tell from ``error`` what happened on the node, so that only reading helps."""
    if isinstance(error, EndpointRefused):
        # A full quota or a WinRM service that is just starting passes by itself; missing rights do not.
        return error.retry_safe
    return isinstance(error, OutcomeUnknown | ConnectionLost | NodeUnreachable | DeadlineExceeded)


def is_refused(error: RemotingError) -> bool:
    """Return whether the node will not talk to this program however often it is asked."""
    refused = isinstance(error, AuthenticationRefused | CertificateRefused | EndpointRefused)
    return refused and not is_unknown(error)


def unknown_wait(headline: str, error: RemotingError) -> Wait:
    """Return the wait for a cluster that does not answer; it turns into a problem when the step's deadline is over."""
    return Wait(f"{headline}: {error}")


def refused_problem(who: str, error: RemotingError) -> Problem:
    """Return the problem of a command that was refused or answered with an error, with what the error itself advises."""
    code = error.code if isinstance(error, CommandFailed) else None
    return Problem(
        title=f"The {who} stopped: {error.title[0].lower()}{error.title[1:]}{f' on {error.node}' if error.node else ''}.",
        meaning=" ".join(map(_sentence, filter(None, (error.detail, error.meaning)))),
        next_action=error.next_action or "Look at the cluster, then retry the step: it reads before it acts.",
        code=None if code is None else format_code(code),
        retry_is_safe=True,
    )


def _sentence(text: str) -> str:
    text = text.strip()
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"


def gave_up(who: str, wait: Wait, deadline: datetime) -> Problem:
    """Return the problem of a wait that was not over in time."""
    return Problem(
        title=f"The {who} gave up at {deadline:%Y-%m-%d %H:%M} UTC.",
        meaning=f"It was still waiting: {wait}{'' if str(wait).endswith('.') else '.'}",
        next_action="Remove the cause, then retry the step: it goes on from what it finds.",
        retry_is_safe=True,
    )


def no_effect(who: str, action: Action, times: int) -> Problem:
    """Return the problem of an action that was done over and over without changing anything."""
    return Problem(
        title=f"The {who} stopped: '{action.describe()}' had no effect, {times} times in a row.",
        meaning="The command succeeds, but the cluster looks the same afterwards.",
        next_action="Look at the cluster's events before retrying the step.",
        retry_is_safe=True,
    )
