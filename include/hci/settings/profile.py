"""The updating-run profile: how a run updates a cluster, every option of CAU's under CAU's own name in snake case.

Defaults are the documented ones (windows-powershell-docs, Invoke-CauRun; windowsserverdocs, cluster-aware-updating-options and
cluster-aware-updating-plug-ins). What CAU has no option for stands under its own heading at the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator

from include.hci.settings.calendar import Blackout, MaintenanceWindow
from include.hci.settings.hooks import HookCommand
from include.hci.settings.query import split_clauses
from include.hci.settings.script_path import script_path_problem
from include.hci.settings.selection import UpdateSelection
from include.hci.settings.values import ComputerName, Settings, TimeSpan

DEFAULT_QUERY = "IsInstalled=0 and Type='Software' and IsHidden=0 and IsAssigned=1"
DEFAULT_PLUGIN = "Microsoft.WindowsUpdatePlugin"
DEFAULT_SESSION_CONFIGURATION = "Microsoft.PowerShell"

Names = tuple[ComputerName, ...]
Texts = tuple[str, ...]
Minutes = Annotated[int, Field(ge=1, le=7 * 24 * 60)]
VmName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S(.*\S)?$")]
CheckId = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[a-z0-9][a-z0-9-]*$")]


class UpdatingRunProfile(Settings):
    """The options of an updating run. Everything has its documented default, so a profile names only what differs."""

    # --- CAU's options that every run acts on
    max_failed_nodes: Annotated[int, Field(ge=0, le=15)] | None = Field(
        default=None,
        description="How many nodes may fail before the run stops; one more stops it. Default: a third of them, rounded down.",
    )
    max_retries_per_node: int = Field(
        default=3, ge=0, le=64, description="How often the update of a node that fails is tried again (0 to 64)."
    )
    node_order: Names = Field(
        default=(), description="Nodes in the order to update them; the others follow. Default: fewest roles first."
    )
    require_all_nodes_online: bool = Field(default=False, description="Refuse to start unless every node is up.")
    reboot_timeout_minutes: Minutes = Field(
        default=15,
        description="Restart and start of all services; longer fails the node. Physical servers: 60 is a better value.",
    )
    failback_mode: Literal["Immediate", "NoFailback", "Policy"] = Field(
        default="Immediate", description="How drained roles come back when a node is resumed."
    )
    include_recommended_updates: bool = Field(
        default=False, description="Windows Update plug-in: install recommended updates as well."
    )
    query_string: str = Field(
        default=DEFAULT_QUERY,
        min_length=1,
        description="Windows Update plug-in: which updates; replaces the default query entirely.",
    )

    stop_after: TimeSpan | None = Field(default=None, description="After this time (hh:mm:ss) no other node is begun.")
    warn_after: TimeSpan | None = Field(
        default=None, description="Warn after this time (hh:mm:ss); shorter than stop_after."
    )

    pre_update_script: str | None = Field(
        default=None,
        description="Path of a script (.ps1) to run on each node before it is paused; its failure fails the node.",
    )
    post_update_script: str | None = Field(
        default=None,
        description="Path of a script (.ps1) to run on each node after it was resumed; its failure fails the node.",
    )
    configuration_name: str = Field(
        default=DEFAULT_SESSION_CONFIGURATION,
        min_length=1,
        max_length=128,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$",
        description="Session configuration the scripts run in.",
    )

    # --- CAU's options on which only the runs act that are left to CAU (see NOT_SUPPORTED)
    enable_firewall_rules: bool = Field(
        default=False, description='Enable the "Remote Shutdown" firewall rules on every node.'
    )
    separate_reboots: bool = Field(default=False, description="Restart after each plug-in.")
    run_plugins_serially: bool = Field(
        default=False, description="Scan, stage and install one plug-in after the other."
    )
    stop_on_plugin_failure: bool = Field(
        default=False, description="Do not go on with the next plug-in when one fails."
    )
    cau_plugin_name: Texts = Field(default=(DEFAULT_PLUGIN,), min_length=1, description="The plug-ins of the run.")
    cau_plugin_arguments: tuple[Mapping[str, str], ...] = Field(
        default=(), description="One group of arguments per plug-in."
    )
    suspend_cluster_node_timeout_minutes: Minutes | None = Field(
        default=None, description="How long a refused pause is repeated."
    )
    suspend_retries_per_node: int | None = Field(
        default=None, ge=0, description="How often a refused pause is repeated."
    )
    wait_for_storage_repair_timeout_minutes: Minutes | None = Field(
        default=None, description="How long repair is waited for."
    )
    attempt_soft_reboot: bool = Field(default=False, description="Kernel soft reboot.")
    reboot_mode: Literal["ClusProp", "FullReboot", "SoftReboot", "PluginCustomReboot", "OrchestratorDefault"] | None = (
        Field(default=None, description="How nodes restart.")
    )
    force_pause_no_drain: bool = Field(default=False, description="Pause without draining.")
    force_pause_and_drain: bool = Field(default=False, description="Forced drain: what cannot move is taken down.")
    force_pause_drain_and_reboot: bool = Field(default=False, description="Forced drain and restart.")
    skip_update_checks: bool = Field(default=False, description="Skip CAU's checks.")
    force_self_update: bool = Field(default=False, description="Refresh the plug-in on the coordinator first.")
    site_aware_updating_order: Texts = Field(default=(), description="Order of sites in a stretched cluster.")
    os_rolling_upgrade: bool = Field(default=False, description="Upgrade the operating system node by node.")

    # --- this coordinator's own options
    drain_timeout_minutes: Minutes = Field(
        default=60, description="How long the roles of a node may take to move away."
    )
    install_timeout_minutes: Minutes = Field(default=180, description="How long one install pass on a node may take.")
    script_timeout_minutes: Minutes = Field(
        default=30, description="How long pre_update_script and post_update_script may take, each."
    )
    resync_timeout_minutes: Minutes = Field(
        default=720, description="How long the storage may take to resynchronise after a node."
    )
    resync_stable_reads: int = Field(
        default=3, ge=1, le=20, description="How many reads in a row must find the storage whole."
    )
    stuck_repair_minutes: Minutes = Field(
        default=30,
        description="A repair job that moves no bytes for this long is stuck; so long an unsafe disk may put off a restart.",
    )
    max_passes_per_node: int = Field(
        default=4, ge=1, le=20, description="How many rounds of install and restart a node may need."
    )
    plan_only: bool = Field(default=False, description="End after the plan: nothing is locked, downloaded or changed.")
    stage_only: bool = Field(
        default=False, description="End after the downloads: no node is taken out of service, nothing is installed."
    )
    require_approval: bool = Field(
        default=False, description="Ask a person to approve the plan; no answer in time means no."
    )
    approvers: Texts = Field(
        default=(),
        description="Ids of those who may approve, as Airflow's auth manager has them: user names with the simple one, numbers "
        "with FAB. None: whoever may answer the task.",
    )
    approval_timeout_minutes: Minutes = Field(default=24 * 60, description="How long the answer is waited for.")
    pause_points: tuple[Literal["before-drain", "before-restart", "after-resume"], ...] = Field(
        default=(), description="Where every node's turn is held until a person lets it go on."
    )
    node_updater: Literal["auto", "cau_provider", "system_task"] = Field(
        default="auto",
        description="How updates are installed: CAU's provider, or a scheduled task that runs as SYSTEM; auto: probed per node.",
    )

    # --- when and what: this coordinator's own as well
    windows: tuple[MaintenanceWindow, ...] = Field(
        default=(), description="Maintenance windows in which nodes may be begun. Default: always."
    )
    blackouts: tuple[Blackout, ...] = Field(
        default=(), description="Dates on which nothing may be begun, whatever the windows say."
    )
    updates: UpdateSelection = Field(
        default=UpdateSelection(), description="Which of the updates that the query finds are installed."
    )
    check_cau_setup: bool = Field(
        default=True,
        description="Let Test-CauSetup check the cluster beforehand, where there is a management host for it.",
    )
    validate_cluster: bool = Field(
        default=False, description="Let Test-Cluster check the cluster beforehand; it takes long."
    )
    require_acknowledgement: bool = Field(
        default=False, description="Refuse to start on a warning of the readiness checks that is not accepted."
    )
    accepted_warnings: tuple[CheckId, ...] = Field(
        default=(), description="Ids of readiness checks whose warnings are accepted: same-build."
    )
    local_vms: tuple[VmName, ...] = Field(
        default=(),
        description="Virtual machines that are no role of the cluster and may go down with their server, such as a domain"
        " controller of its own; any other one that runs keeps a run from starting.",
    )
    hooks: tuple[HookCommand, ...] = Field(
        default=(), description="Commands that tell a monitoring system about maintenance."
    )

    @field_validator("node_order", "site_aware_updating_order", "accepted_warnings", "local_vms")
    @classmethod
    def _named_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        seen: set[str] = set()
        for name in names:
            if name.casefold() in seen:
                raise ValueError(f"{name} is named twice.")
            seen.add(name.casefold())
        return names

    @field_validator("pre_update_script", "post_update_script")
    @classmethod
    def _script(cls, path: str | None) -> str | None:
        if path is not None and (problem := script_path_problem(path)):
            raise ValueError(problem)
        return path

    @field_validator("query_string")
    @classmethod
    def _query(cls, query: str) -> str:
        if not query.strip():
            raise ValueError("must not be empty. Leave the key out for the documented default.")
        if query.count("'") % 2:
            raise ValueError(f"{query!r} has a quote that is not closed: every value stands in two single quotes.")
        split_clauses(query)
        return query

    @field_validator("warn_after")
    @classmethod
    def _warn_before_stop(cls, warn: TimeSpan | None, info: ValidationInfo) -> TimeSpan | None:
        stop = info.data.get("stop_after")
        if warn is not None and stop is not None and warn >= stop:
            raise ValueError("must be shorter than stop_after, or the warning would come after the end.")
        return warn

    def merged(self, other: UpdatingRunProfile) -> Self:
        """Return these options with those that ``other`` sets put over them; raises pydantic.ValidationError."""
        return self.merged_with({name: getattr(other, name) for name in other.model_fields_set})

    def merged_with(self, values: Mapping[str, object]) -> Self:
        """Return these options with ``values`` (option name -> value) put over them; raises pydantic.ValidationError."""
        return self.model_validate({name: getattr(self, name) for name in self.model_fields_set} | dict(values))


#: Options on which a rolling update does not act: it is refused where one is set, because an option that is accepted and then
#: ignored is worse than none. The text says what to do instead. Runs that are left to CAU act on those that are CAU's.
NOT_SUPPORTED: Mapping[str, str] = MappingProxyType(
    {
        "enable_firewall_rules": 'Nodes are restarted from their own session, so the "Remote Shutdown" rules are not needed.',
        "separate_reboots": "It matters for several plug-ins only.",
        "run_plugins_serially": "It matters for several plug-ins only.",
        "stop_on_plugin_failure": "It matters for several plug-ins only.",
        "cau_plugin_name": "Updates come from Windows Update (or WSUS), as the nodes are configured.",
        "cau_plugin_arguments": "Use query_string and include_recommended_updates.",
        "suspend_cluster_node_timeout_minutes": "Use drain_timeout_minutes: a pause refused for degraded storage is waited for.",
        "suspend_retries_per_node": "Use drain_timeout_minutes.",
        "wait_for_storage_repair_timeout_minutes": "Use resync_timeout_minutes.",
        "attempt_soft_reboot": "Nodes restart in full.",
        "reboot_mode": "Nodes restart in full.",
        "force_pause_no_drain": "A node is never restarted with roles on it.",
        "force_pause_and_drain": "Roles are never taken down to make a drain succeed: move or stop the blocking role by hand.",
        "force_pause_drain_and_reboot": "Roles are never taken down to make a drain succeed.",
        "skip_update_checks": "The checks always run.",
        "force_self_update": "There is no plug-in to refresh.",
        "site_aware_updating_order": "Use node_order.",
        "os_rolling_upgrade": "Feature updates are not part of an updating run.",
    }
)


#: Options on which a run that is left to CAU does not act, refused there for the same reason.
NOT_BY_CAU: Mapping[str, str] = MappingProxyType(
    {
        "updates": "CAU installs what its plug-in finds: narrow query_string, or the arguments of the plug-in.",
        "stage_only": "CAU downloads and installs in one run: use plan_only, or a rolling update.",
        "pause_points": "CAU cannot be held at a node: cancel the run, or use a rolling update.",
        "node_updater": "CAU installs by its plug-ins (cau_plugin_name).",
        "hooks": "Put the commands into tasks of their own before and after the run.",
    }
)


def not_supported(profile: UpdatingRunProfile) -> dict[str, str]:
    """Return, per option that a rolling update does not act on and that ``profile`` sets, why it is refused."""
    return _refused(profile, NOT_SUPPORTED, "is not supported yet by a rolling update and would have no effect.")


def not_by_cau(profile: UpdatingRunProfile) -> dict[str, str]:
    """Return, per option that a run left to CAU does not act on and that ``profile`` sets, why it is refused."""
    return _refused(profile, NOT_BY_CAU, "has no effect on a run that is left to CAU.")


def _refused(profile: UpdatingRunProfile, table: Mapping[str, str], why: str) -> dict[str, str]:
    fields = UpdatingRunProfile.model_fields
    return {
        name: f"{why} {instead} Remove the key."
        for name, instead in table.items()
        if getattr(profile, name) != fields[name].default
    }


def default_max_failed_nodes(nodes: int) -> int:
    """Return the documented default of MaxFailedNodes for a cluster of ``nodes``: about one third, here rounded down.

    Source: windowsserverdocs, cluster-aware-updating-options ("approximately one-third of the number of cluster nodes").
    """
    return nodes // 3
