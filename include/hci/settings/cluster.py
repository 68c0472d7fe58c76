"""The clusters of the fleet: as they stand in the file (entries), and resolved with defaults and profile (settings)."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, GetJsonSchemaHandler, WithJsonSchema, field_validator, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from include.hci.settings.profile import UpdatingRunProfile, default_max_failed_nodes
from include.hci.settings.schedule import MAX_OFFSET, Schedule
from include.hci.settings.values import Address, ComputerName, ConnectionId, Settings, Tag, Text

MIN_NODES, MAX_NODES = 2, 16

_VERSIONS = ("20H2", "21H2", "22H2", "2019", "2022", "2025")
OsVersion = Annotated[
    Literal["20H2", "21H2", "22H2", "2019", "2022", "2025"],
    BeforeValidator(lambda value: str(value) if isinstance(value, int) and not isinstance(value, bool) else value),
    # YAML reads 2022 as a number.
    WithJsonSchema({"enum": [*_VERSIONS, *(int(version) for version in _VERSIONS if version.isdigit())]}),
]
Port = Annotated[int, Field(ge=1, le=65535)]


class Pacing(Settings):
    """How often a waiting step looks at the cluster, in seconds."""

    first_check_seconds: float = Field(default=5, ge=0.1, le=600, description="Before the first look.")
    poll_seconds: float = Field(default=15, ge=0.1, le=3600, description="Between two looks.")


class ManagementHost(Settings):
    """A machine with the failover clustering tools, asked for CAU's own state where a node cannot be."""

    connection: ConnectionId = Field(description="Airflow connection id.")
    address: Address | None = Field(default=None, description="Replaces the host of the connection.")


class CauRole(Settings):
    """What CAU's self-updating role is called; both names are only used when the role is added."""

    virtual_computer_object_name: ComputerName | None = Field(
        default=None,
        description="Its computer object in Active Directory, where one was prestaged. Default: CAU makes one.",
    )
    group_name: Text | None = Field(default=None, description="Its cluster group. Default: CAU chooses.")


class NodeEntry(Settings):
    """One node as the file has it; a bare name is a node that is reached under its name."""

    name: ComputerName = Field(description="The node's name in the cluster (NetBIOS name).")
    address: Address | None = Field(
        default=None, description="DNS name or IP address, where the name alone does not reach it."
    )
    port: Port | None = Field(default=None, description="Port of WinRM, where it differs from the connection's.")
    connection: ConnectionId | None = Field(default=None, description="Airflow connection id of this node alone.")

    @model_validator(mode="before")
    @classmethod
    def _bare_name(cls, value: Any) -> Any:
        is_name = isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool))
        return {"name": value} if is_name else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Allow a bare name beside the group of keys."""
        schema = handler(core)
        own = handler.resolve_ref_schema(schema)
        group = {key: own.pop(key) for key in list(own) if key not in ("title", "description")}
        own["anyOf"] = [dict(group["properties"]["name"], description="The node's name."), group]
        return schema


class DefaultsEntry(Settings):
    """What every cluster has unless it says otherwise."""

    connection: ConnectionId | None = None
    management_host: ManagementHost | None = None
    profile: str | None = None
    schedule: Schedule | None = None
    pacing: Pacing = Pacing()
    tags: tuple[Tag, ...] = ()
    owner: Text | None = None


class ClusterEntry(Settings):
    """One cluster as the file has it."""

    nodes: tuple[NodeEntry, ...] = Field(
        description="2 to 16 nodes.", json_schema_extra={"minItems": MIN_NODES, "maxItems": MAX_NODES}
    )
    description: Text = Field(default="", description="For people.")
    os_version: OsVersion | None = Field(
        default=None, description="What the nodes run, for people: a run goes by what the nodes themselves say."
    )
    connection: ConnectionId | None = Field(
        default=None,
        description="Airflow connection for all nodes; its host is replaced by each node's address or name.",
    )
    management_host: ManagementHost | None = None
    profile: str | None = Field(
        default=None, description="Name of the updating-run profile; default: the profile 'default'."
    )
    profile_overrides: UpdatingRunProfile = Field(
        default=UpdatingRunProfile(), description="Options that differ from the profile for this cluster."
    )
    schedule: Schedule | None = Field(default=None, description="When to update by itself; null: never, only by hand.")
    ring_offset_days: int = Field(
        default=0, ge=0, le=MAX_OFFSET, description="So many days later than the lines of the schedule say."
    )
    cau_role: CauRole = CauRole()
    pacing: Pacing = Pacing()
    tags: tuple[Tag, ...] = Field(default=(), description="Airflow tags.")
    owner: Text | None = Field(default=None, description="Who is asked about this cluster.")

    @field_validator("nodes", mode="before")
    @classmethod
    def _node_count(cls, nodes: Any) -> Any:
        # Counted before the nodes are checked: a node with a mistake is still one of them.
        if isinstance(nodes, list | tuple) and not MIN_NODES <= len(nodes) <= MAX_NODES:
            raise ValueError(f"has {len(nodes)}: a cluster that can be updated without downtime has 2 to 16 nodes.")
        return nodes


class NodeSettings(Settings):
    """How one machine is reached: ``host`` and ``port`` replace those of the Airflow connection; None leaves them."""

    name: str
    connection: str
    host: str | None = None
    port: int | None = None

    @property
    def target(self) -> tuple[str, str, int | None]:
        """What tells one machine from another: the same target is the same machine."""
        return (
            ("connection", self.connection, self.port)
            if self.host is None
            else ("host", self.host.casefold(), self.port)
        )


class ClusterSettings(Settings):
    """One cluster with its defaults and profile resolved: everything that a run needs to know beforehand."""

    name: ComputerName
    nodes: tuple[NodeSettings, ...]
    description: str = ""
    os_version: OsVersion | None = None
    management_host: NodeSettings | None = None
    profile: str = "default"
    options: UpdatingRunProfile = UpdatingRunProfile()
    schedule: Schedule | None = None
    ring_offset_days: int = 0
    cau_role: CauRole = CauRole()
    pacing: Pacing = Pacing()
    tags: tuple[str, ...] = ()
    owner: str | None = None

    @property
    def slug(self) -> str:
        """The cluster's name as Airflow ids may have it: lower case letters, digits and ``_``; used in DAG ids."""
        return slug(self.name)

    @property
    def node_names(self) -> tuple[str, ...]:
        """The names of the nodes, in the order of the file."""
        return tuple(node.name for node in self.nodes)

    def node(self, name: str) -> NodeSettings:
        """Return the node ``name`` (upper or lower case); raises KeyError naming the nodes there are."""
        for node in self.nodes:
            if node.name.casefold() == name.casefold():
                return node
        raise KeyError(f"Cluster {self.name} has no node {name}. Its nodes are {', '.join(self.node_names)}.")

    @property
    def max_failed_nodes(self) -> int:
        """How many nodes may fail, with the documented default where the options leave it open."""
        limit = self.options.max_failed_nodes
        return default_max_failed_nodes(len(self.nodes)) if limit is None else limit


def slug(name: str) -> str:
    """Return ``name`` in lower case with ``_`` for everything that is no letter and no digit."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower())


def option_problems(options: UpdatingRunProfile, node_names: tuple[str, ...]) -> dict[str, str]:
    """Return, per option, what in ``options`` does not fit a cluster of ``node_names``."""
    problems: dict[str, str] = {}
    known = {name.casefold() for name in node_names}
    strangers = [name for name in options.node_order if name.casefold() not in known]
    if strangers:
        problems["node_order"] = (
            f"names {', '.join(strangers)}, which the cluster does not have. Its nodes are {', '.join(node_names)}."
        )
    limit = options.max_failed_nodes
    if limit is not None and limit > len(node_names) - 1:
        problems["max_failed_nodes"] = (
            f"is {limit}, but the cluster has {len(node_names)} nodes: at most {len(node_names) - 1} may fail."
        )
    return problems
