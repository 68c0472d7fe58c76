"""What a feature update is told beyond the options of the updating run."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from include.hci.settings.request import Request
from include.hci.settings.run_options import RunOptions

#: The plug-in of CAU that brings a new version (azure-stack-docs, update-cluster).
ROLLING_UPGRADE = "Microsoft.RollingUpgradePlugin"
#: Options that a feature update sets by itself, whatever the profile says: the plug-in with its arguments, and a full restart,
#: because a kernel soft reboot must be off for feature updates (azure-stack-docs, kernel-soft-reboot).
SET_BY_IT = frozenset(
    {
        "attempt_soft_reboot",
        "cau_plugin_arguments",
        "cau_plugin_name",
        "include_recommended_updates",
        "query_string",
        "reboot_mode",
        "run_plugins_serially",
        "separate_reboots",
        "stop_on_plugin_failure",
    }
)
#: Whether a step that cannot be taken back is done: a person is asked, or it was said when the run was begun.
Consent = Literal["ask", "yes", "no"]


class FeatureUpdateRequest(Request):
    """Where the new version comes from, what is done once every node has it, and what CAU's run may do."""

    source: Literal["windows_update", "media"] = Field(
        default="windows_update",
        description="Where the nodes get the new version: Windows Update, or installation media on a share.",
    )
    media_path: str | None = Field(
        default=None,
        description="The share with the installation media (\\\\server\\share\\folder), readable by every node.",
    )
    preview_channel: bool = Field(
        default=False,
        description="Join the nodes to the preview channel first, where they are not yet (Set-PreviewChannel), and restart them.",
    )
    further_updates: bool = Field(
        default=True,
        description="Run the cluster's rolling update once every node has the new version: its own updates come only then.",
    )
    functional_level: Consent = Field(
        default="ask",
        description="Raise the cluster functional level. There is no way back, nor can a node of the former version join.",
    )
    pool_version: Consent = Field(
        default="ask", description="Raise the version of the storage pool. There is no way back."
    )
    vm_versions: Consent = Field(
        default="no",
        description="Raise the configuration version of virtual machines. There is no way back; a machine is off meanwhile.",
    )
    vm_names: tuple[str, ...] = Field(
        default=(), description="The virtual machines whose version is raised; none named: every clustered one."
    )
    running_vms: Literal["leave", "restart"] = Field(
        default="leave",
        description="What is done with a virtual machine that runs: left as it is, or shut down, updated and started.",
    )
    move_role: str | None = Field(
        default=None,
        description="The role that is moved and back to prove that live migration works; none named: a small virtual machine.",
    )
    verify_move: bool = Field(default=True, description="Prove at the end that a role moves between the nodes.")
    post_steps_only: bool = Field(
        default=False,
        description="Do only what comes after the installation: functional level, pool, virtual machines and the proof.",
    )
    credssp: Literal["when_needed", "never"] = Field(
        default="when_needed",
        description="Let the management host accept delegated credentials for the time of the run, where it does not yet and the "
        "connection passes none on.",
    )
    force_recovery: Literal["never", "allow"] = Field(
        default="never",
        description="Override the lock of an earlier run of CAU (Invoke-CauRun -ForceRecovery) once everything says that its "
        "coordinator is gone.",
    )

    @field_validator("media_path", "move_role", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("media_path")
    @classmethod
    def _is_a_share(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = value.strip().removeprefix("\\\\").split("\\")
        if not value.strip().startswith("\\\\") or len(parts) < 2 or not all(parts[:2]):
            raise ValueError("must be the path of a share, such as \\\\server\\share\\folder: every node reads from it")
        return value.strip()

    @model_validator(mode="after")
    def _media_has_a_path(self) -> Self:
        if self.source == "media" and self.media_path is None:
            raise ValueError("source: media needs media_path, the share with the installation media")
        if self.source != "media" and self.media_path is not None:
            raise ValueError("media_path is only for source: media")
        return self

    @property
    def plugin_arguments(self) -> dict[str, str]:
        """What CAU's rolling upgrade plug-in is told (azure-stack-docs, install-preview-version: the values are text)."""
        if self.source == "media":
            return {"WuConnected": "false", "PathToSetupMedia": str(self.media_path)}
        return {"WuConnected": "true"}


def upgrade_options(options: RunOptions, request: FeatureUpdateRequest) -> RunOptions:
    """Return ``options`` as a feature update under ``request`` acts on them: one plug-in, with its own arguments."""
    kept = {name: getattr(options, name) for name in RunOptions.model_fields if name not in SET_BY_IT}
    plugin = {"cau_plugin_name": (ROLLING_UPGRADE,), "cau_plugin_arguments": (request.plugin_arguments,)}
    return RunOptions.model_validate({**kept, **plugin})
