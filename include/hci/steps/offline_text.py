"""The plan of a fast offline update as a person reads it before saying yes or no: Markdown, as Airflow shows it."""

from __future__ import annotations

import re

from include.hci.policy.plan import Plan
from include.hci.policy.plan_hash import short_hash
from include.hci.report.offline_events import OfflinePlanned
from include.hci.report.timeline import duration_text
from include.hci.settings.offline import OfflineRequest

_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|])")
_PHASES = {
    "stop_vms": "Stop the virtual machines",
    "stop_cluster": "Virtual disks offline, cluster stopped",
    "install_offline": "Install on all servers",
    "restart_offline": "Restart the servers",
    "start_cluster": "Start the cluster, disks online",
    "start_vms": "Start the virtual machines",
}


def offline_markdown(plan: Plan, planned: OfflinePlanned, full_hash: str) -> str:
    """Return what goes down, for how long, and what each server gets, under the plan's hash."""
    request = OfflineRequest.from_parameters(planned.request)
    low, expected, high = (
        sum(getattr(phase, name) for phase in planned.phases.values()) for name in ("low", "expected", "high")
    )
    verb = "saved" if request.vm_action == "save" else "shut down"
    lines = [
        f"Plan `{short_hash(full_hash)}`: **the whole cluster {_safe(plan.cluster)} goes down.**",
        "",
        f"All {len(planned.nodes)} servers are updated at once. {len(planned.running)} virtual machines are {verb} and are"
        f" down for about **{_minutes(expected)}** ({_minutes(low)} to {_minutes(high)}). A window must be open for"
        f" {_minutes(planned.window_minutes)}.",
        "",
        "| Phase | Takes |",
        "|---|---|",
        *(
            f"| {_PHASES.get(step, step)} | {_minutes(phase.expected)} ({_minutes(phase.low)} to {_minutes(phase.high)}) |"
            for step, phase in planned.phases.items()
        ),
        "",
    ]
    if request.vm_action == "shutdown":
        then = "is saved" if request.vm_fallback == "save" else "ends the run, and what was stopped is started again"
        lines += [f"A guest that does not shut down within {request.vm_patience_minutes} min {then}.", ""]
    if request.install_before:
        lines += [
            "Updates are installed on all servers before anything is stopped; the restarts are in the downtime.",
            "",
        ]
    lines += ["**Stopped**", ""]
    for node in planned.nodes:
        names = [_safe(vm.name) for vm in planned.running if vm.node == node]
        lines.append(f"- {_safe(node)}: {', '.join(names) or 'none'}")
    idle = [_safe(vm.name) for vm in planned.vms if not vm.running]
    lines += ["", f"Not running, and left so: {', '.join(idle)}." if idle else "", "", "**Servers**", ""]
    for each in plan.nodes:
        updates = ", ".join(_safe(update.label) for update in each.updates)
        work = updates or ("a restart that is pending" if each.restart_pending else "nothing to install")
        lines.append(f"- {_safe(each.name)} ({_safe(each.build)}): {_safe(each.skip) if each.skip else work}")
    lines += ["", "More updates may be offered after the first restart; they are installed in the same downtime.", ""]
    return "\n".join(lines)


def _minutes(count: float) -> str:
    return duration_text(60 * count)


def _safe(text: str) -> str:
    # Titles come from an update server and names from the cluster: they must not become markup.
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
