"""The plan as a person reads it before saying yes or no: Markdown, as Airflow shows it."""

from __future__ import annotations

import re
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
    left_out = {f"{_safe(node.name)}: {_safe(why)}" for node in plan.nodes for why in node.excluded.values()}
    if left_out:
        lines += ["**Left out on purpose**", "", *(f"- {text}" for text in sorted(left_out)), ""]
    if outlook.risks:
        lines += ["**Risks**", "", *(f"- {_safe(text)}" for text in outlook.risks), ""]
    return "\n".join(lines)


def _work(node: PlannedNode) -> str:
    updates = [_safe(update.label) for update in node.updates]
    if node.restart_pending:
        updates.append("a restart that is pending")
    return "<br>".join(updates)


def _safe(text: str) -> str:
    # Titles come from an update server and reasons from the cluster: they must not become markup.
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
