"""What a run that looks after CAU's self-updating role may write down: features, firewall, and the role before and after."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from include.hci.report.event import RunEvent, StepName
from include.hci.report.values import Frozen

RoleChange = Literal["add", "set", "enable", "disable", "remove", "update-now"]


class FeaturesInstalling(RunEvent):
    """Features are about to be installed on a node. They stay."""

    kind = "intent"
    event: Literal["features_installing"] = "features_installing"
    step: StepName = "prepare"
    node: str
    names: tuple[str, ...] = ()


class FeaturesInstalled(RunEvent):
    """Windows says that the features are on the node; ``restart_needed``: they work only after a restart."""

    kind = "done"
    event: Literal["features_installed"] = "features_installed"
    step: StepName = "prepare"
    node: str
    names: tuple[str, ...] = ()
    restart_needed: bool = False


class FeaturesRead(RunEvent):
    """Which of the features that CAU needs a node has, and which are missing."""

    kind = "outcome"
    event: Literal["features_read"] = "features_read"
    step: StepName = "prepare"
    node: str
    installed: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


class FirewallOpening(RunEvent):
    """The rules for remote restarts are about to be enabled on a node. They stay enabled: CAU needs them at every run."""

    kind = "intent"
    event: Literal["firewall_opening"] = "firewall_opening"
    step: StepName = "firewall"
    node: str


class FirewallRead(RunEvent):
    """Whether a node's rules for remote restarts are enabled; None: it has no such rules."""

    kind = "outcome"
    event: Literal["firewall_read"] = "firewall_read"
    step: StepName = "firewall"
    node: str
    allowed: bool | None = None


class RoleChanging(RunEvent):
    """The role is about to be changed by ``command``; ``before`` are its parameters, None where there was no role."""

    kind = "intent"
    event: Literal["role_changing"] = "role_changing"
    step: StepName = "configure_role"
    role_change: RoleChange = "set"
    command: str = ""
    before: Mapping[str, str] | None = None


class RoleChanged(RunEvent):
    """The command came back without an error; what it did is for the next reading to tell."""

    kind = "done"
    event: Literal["role_changed"] = "role_changed"
    step: StepName = "configure_role"
    role_change: RoleChange = "set"
    where: str = ""


class RoleChangeRefused(RunEvent):
    """The command was answered with an error."""

    kind = "problem"
    event: Literal["role_change_refused"] = "role_change_refused"
    step: StepName = "configure_role"
    role_change: RoleChange = "set"
    why: str = ""


class RoleDifference(Frozen):
    """One parameter of the role that is not what was asked for."""

    name: str
    asked: str = ""
    found: str = ""


class RoleRead(RunEvent):
    """The role as it was read back at the end.

    ``parameters`` are its own, ``asked`` those of the fleet file (None: none). ``times`` are its next times for people,
    ``cau_run`` the state of CAU's runs. ``proven`` says that what was asked of this run is so.
    """

    kind = "outcome"
    event: Literal["role_read"] = "role_read"
    step: StepName = "verify_role"
    present: bool = False
    enabled: bool | None = None
    parameters: Mapping[str, str] = Field(default_factory=dict)
    asked: Mapping[str, str] | None = None
    findings: tuple[str, ...] = ()
    differences: tuple[RoleDifference, ...] = ()
    times: tuple[str, ...] = ()
    zones: Mapping[str, str] = Field(default_factory=dict)
    cau_run: str = ""
    proven: bool = False
