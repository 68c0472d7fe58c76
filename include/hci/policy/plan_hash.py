"""The identity of a plan: what a person approves, and whether it still fits the cluster."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.hci.cluster.nodes import ClusterNode
from include.hci.policy.gates import find_node
from include.hci.policy.plan import Plan, PlannedNode

#: An option that came later than plans which people may have approved already: none asked for is the same as none known.
_LATER = frozenset({"restart_nodes"})
#: Options that change how long a run is patient, when it may work and who is asked, not what it does to the cluster.
PATIENCE = frozenset(
    {
        "accepted_warnings",
        "approval_timeout_minutes",
        "approvers",
        "blackouts",
        "check_cau_setup",
        "drain_timeout_minutes",
        "hooks",
        "install_timeout_minutes",
        "pause_points",
        "reboot_timeout_minutes",
        "require_acknowledgement",
        "require_approval",
        "resync_timeout_minutes",
        "script_timeout_minutes",
        "stop_after",
        "stuck_repair_minutes",
        "suspend_cluster_node_timeout_minutes",
        "validate_cluster",
        "wait_for_storage_repair_timeout_minutes",
        "warn_after",
        "windows",
    }
)


#: Definitions of Microsoft Defender Antivirus, which also fetches them by itself: that they are there already means nothing.
_DEFINITIONS = "KB2267602"


@dataclass(frozen=True, slots=True)
class NowFacts:
    """The cluster as it is now, beside a plan.

    ``builds``, ``offered`` (update ids) and ``selected`` (those of them that the run's rules pick now) go by the node's name; a
    node that was not asked again is left out. ``done`` are the nodes that this run has finished with: what differs there is its
    own work. ``options`` are those of the run, empty where they cannot have changed. ``articles``: the article numbers of what is
    offered, by update id, where they are known.
    """

    nodes: tuple[ClusterNode, ...]
    builds: Mapping[str, str] = field(default_factory=dict)
    offered: Mapping[str, Collection[str]] = field(default_factory=dict)
    selected: Mapping[str, Collection[str]] = field(default_factory=dict)
    done: Collection[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    articles: Mapping[str, str] = field(default_factory=dict)


def plan_hash(plan: Plan, options: Mapping[str, Any]) -> str:
    """Return the SHA-256 of what matters in ``plan`` under ``options`` (as JSON data), in hexadecimal digits.

    That is: the members, the nodes in their order, which of them are touched, their update ids, builds and restarts, and every
    option but those in ``PATIENCE``. Times, titles and reasons are left out, so the same plan made twice has the same hash.
    """
    content = {
        "cluster": plan.cluster.lower(),
        "members": sorted(name.lower() for name in plan.members),
        "already_out": sorted(name.lower() for name in plan.already_out),
        "max_failed_nodes": plan.max_failed_nodes,
        "nodes": [_content(node) for node in plan.nodes],
        "options": _that_matter(options),
    }
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256(canonical.encode("ascii")).hexdigest()


def differences(plan: Plan, now: NowFacts, options: Mapping[str, Any] | None = None) -> tuple[str, ...]:
    """Return in which ways ``plan`` (made under ``options``) no longer fits, as sentences; with any of them it is void."""
    done = {name.lower() for name in now.done}
    found = _membership(plan, now)
    for node in plan.nodes:
        if node.skip or node.name.lower() in done:
            continue
        member = find_node(now.nodes, node.name)
        if member is not None and not member.is_up:
            found.append(f"{node.name} is {member.state}, the plan found it Up")
        build = _of(now.builds, node.name)
        if node.build and build and build != node.build:
            found.append(f"{node.name} has build {build}, the plan found {node.build}")
        offered = _of(now.offered, node.name)
        if offered is not None:
            found += _updates(node, offered, _of(now.selected, node.name), now.articles)
    return (*found, *_options(options, now.options))


def changed_options(plan: Plan, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return which of the options that matter are others now than those ``plan`` was made with, as sentences.

    An option that only one side knows came or went with another version of this program, which nobody has decided.
    """
    both = plan.options.keys() & options.keys()
    then, now = ({name: given[name] for name in both} for given in (plan.options, options))
    return tuple(_options(then, now))


def short_hash(full: str) -> str:
    """Return as much of a plan's hash as people compare by eye."""
    return full[:12]


def _content(node: PlannedNode) -> dict[str, Any]:
    content = {
        "name": node.name.lower(),
        "touched": node.has_work,
        "updates": sorted(update.update_id.lower() for update in node.updates),
        "build": node.build,
        "restart_pending": node.restart_pending,
        "manual_maintenance": node.manual_maintenance,
    }
    # Only where it is so: plans that were approved before there was such a thing keep their hash.
    return content | ({"restart_asked": True} if node.restart_asked else {})


def _membership(plan: Plan, now: NowFacts) -> list[str]:
    then = {name.lower(): name for name in plan.members}
    here = {node.name.lower(): node.name for node in now.nodes}
    return [
        *(f"{here[key]} was added to the cluster" for key in sorted(here.keys() - then.keys())),
        *(f"{then[key]} is no longer in the cluster" for key in sorted(then.keys() - here.keys())),
    ]


def _updates(
    node: PlannedNode, offered: Collection[str], selected: Collection[str] | None, articles: Mapping[str, str]
) -> list[str]:
    planned = {update.update_id.lower(): update.label for update in node.updates}
    left_out = {key.lower(): why for key, why in node.excluded.items()}
    here = {key.lower() for key in offered}
    chosen = here if selected is None else {key.lower() for key in selected}
    # What the run's rules leave out now as well changes nothing.
    new = {key for key in here & chosen if key not in planned and key not in left_out}
    gone = planned.keys() - here
    # Defender's definitions come several times a day, each time as another update of one and the same article.
    numbers = {key.lower(): article for key, article in articles.items()}
    then = {update.update_id.lower(): update.kb for update in node.updates}
    again = {number for number in (then[key] for key in gone) if number} & {numbers.get(key) for key in new}
    gone = {key for key in gone if then[key] not in again and then[key] != _DEFINITIONS}
    new = {key for key in new if numbers.get(key) not in again}
    found = []
    if gone:
        found.append(f"{node.name} is no longer offered {', '.join(planned[key] for key in sorted(gone))}")
    if new:
        named = ", ".join(numbers.get(key, key) for key in sorted(new))
        found.append(f"{node.name} is offered what the plan does not know: {named}")
    if picked := sorted(({key.lower() for key in selected or ()} & left_out.keys()) - planned.keys()):
        named = ", ".join(left_out[key] for key in picked)
        found.append(f"{node.name} would get now what the plan leaves out ({named})")
    return found


def _options(then: Mapping[str, Any] | None, now: Mapping[str, Any]) -> list[str]:
    if then is None or not now:
        return []
    then, now = _that_matter(then), _that_matter(now)
    names = sorted(then.keys() | now.keys())
    return [
        f"the option {name} is {now.get(name)!r}, the plan was made with {then.get(name)!r}"
        for name in names
        if then.get(name) != now.get(name)
    ]


def _that_matter(options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: value for name, value in options.items() if name not in PATIENCE and not (name in _LATER and not value)
    }


def _of(values: Mapping[str, Any], name: str) -> Any:
    return next((value for key, value in values.items() if key.lower() == name.lower()), None)
