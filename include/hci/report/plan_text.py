"""The plan as a person reads it before saying yes or no: Markdown, as Airflow shows it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from include.hci.policy.outlook import Outlook
from include.hci.policy.plan import Plan, PlannedNode
from include.hci.policy.plan_hash import short_hash

_PHASES = {"drain": "Drain", "install": "Install", "restart": "Restart", "resume": "Resume", "resync": "Resync"}
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|])")


def plan_markdown(plan: Plan, outlook: Outlook, full_hash: str) -> str:
    """Return what ``plan`` does to which node and what it means, under its hash."""
    working = [node for node in plan.nodes if node.has_work]
    idle = [node for node in plan.nodes if not node.has_work]
    lines = [
        f"Plan `{short_hash(full_hash)}` of cluster **{_safe(plan.cluster)}**, made {_moment(plan.made_at)}.",
        "",
        f"One server at a time, in this order ({len(working)} of {len(plan.nodes)} have something to do):",
        "",
        "| | Server | Build | What it gets |",
        "|---|---|---|---|",
        *(
            f"| {place} | **{_safe(node.name)}** | {_safe(node.build)} | {_work(node)} |"
            for place, node in enumerate(working, 1)
        ),
        "",
    ]
    if idle:
        said = "; ".join(f"{_safe(node.name)}: {_safe(node.skip or 'nothing to install')}" for node in idle)
        lines += [f"Left alone: {said}.", ""]
    first, expected, last = outlook.ends
    phases = ", ".join(f"{_PHASES.get(step, step)} {outlook.phases[step].describe()}" for step in outlook.phases)
    lines += [
        f"**Time.** A server takes {outlook.node.describe()} ({phases}). "
        f"If it begins now, the run ends between {_moment(first)} and {_moment(last)}, probably {_moment(expected)}.",
        "",
    ]
    lines += _listed("Why they are in", (text for node in plan.nodes for text in _reasons(node)))
    by_task = [node for node in working if node.updater == "system_task"]
    lines += _listed("Installed by a scheduled task", (f"{node.name}: {node.updater_why}" for node in by_task))
    out = [(node, key, why) for node in plan.nodes for key, why in node.excluded.items()]
    lines += _listed(
        "Left out on purpose", (f"{node.name}: {why}" for node, key, why in out if key not in node.superseded)
    )
    lines += _listed("Superseded", (f"{node.name}: {why}" for node, key, why in out if key in node.superseded))
    if outlook.risks:
        lines += ["**Risks**", "", *(f"- {_safe(text)}" for text in outlook.risks), ""]
    return "\n".join(lines)


def outlook_lines(outlook: Outlook) -> list[str]:
    """Return the time that a plan takes and what could go wrong, as lines of a log."""
    first, expected, last = outlook.ends
    phases = ", ".join(f"{_PHASES.get(step, step)} {found.describe()}" for step, found in outlook.phases.items())
    return [
        f"A server takes {outlook.node.describe()} ({phases}).",
        f"If it begins now, the run ends between {_moment(first)} and {_moment(last)}, probably {_moment(expected)}.",
        *(f"Risk: {text}" for text in outlook.risks),
    ]


def _listed(title: str, texts: Iterable[str]) -> list[str]:
    found = sorted(set(map(_safe, texts)))
    return [f"**{title}**", "", *(f"- {text}" for text in found), ""] if found else []


def _reasons(node: PlannedNode) -> list[str]:
    return [
        f"{update.label}: {node.reasons[update.update_id]}"
        for update in node.updates
        if update.update_id in node.reasons
    ]


def _work(node: PlannedNode) -> str:
    updates = [_safe(update.label) for update in node.updates]
    if node.restart_asked:
        updates.append("a restart, as asked for")
    elif node.restart_pending:
        updates.append("a restart that is pending")
    return "<br>".join(updates)


def _safe(text: str) -> str:
    # Titles come from an update server and reasons from the cluster: they must not become markup.
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
