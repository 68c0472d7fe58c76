"""The checks of what the operator has put beside a run: scripts on the nodes, and required hooks of a monitoring system."""

from __future__ import annotations

from include.hci.policy.checks.facts import ReadinessFacts
from include.hci.policy.checks.judging import Row, judge
from include.hci.policy.checks.result import CheckResult, Severity

_SCRIPTS = Row(
    "update-scripts",
    "Every node finds the scripts of the run",
    Severity.CRITICAL,
    "Put the script where every node can read it, or mend its path in the profile: without it every node would fail.",
    ("scripts",),
)
_HOOKS = Row(
    "required-hooks",
    "The endpoints of the required hooks answer and have their commands",
    Severity.CRITICAL,
    "Mend the endpoint or its Airflow connection, or make the hook not required.",
    ("hooks",),
)
_UNUSED = Row(
    "unused-commands",
    "The run gives every command of the profile",
    Severity.WARNING,
    "Give them by hand before and after the run, or accept that they are left out.",
)


def check_own_commands(facts: ReadinessFacts) -> tuple[CheckResult, ...]:
    """Return what would keep scripts and required hooks from being run, and which of them this kind of run leaves out."""
    missing = facts.missing_scripts
    lacking = None if missing is None else [f"{node} does not find {path}" for node, path in missing]
    unused = [f"no server is taken out by itself, so {name} is left out" for name in facts.unused_commands or ()]
    beside = () if facts.unused_commands is None else (judge(_UNUSED, facts, unused, "nothing is left out"),)
    return (
        *beside,
        judge(_SCRIPTS, facts, lacking, "every node finds them"),
        judge(_HOOKS, facts, facts.hook_problems, "they answer and have their commands"),
    )
