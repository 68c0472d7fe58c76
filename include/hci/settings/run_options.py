"""The options of one run: the cluster's profile with what the person who started the run changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Self

from pydantic import Field, ValidationError

from include.hci.settings.cluster import ClusterSettings, option_problems
from include.hci.settings.node_choice import NodeChoice, strangers
from include.hci.settings.problems import SettingsError, SettingsProblem, explain
from include.hci.settings.profile import UpdatingRunProfile, not_by_cau, not_supported

SOURCE = "run parameters"
#: What is asked of one run and never stands in the fleet file.
RUN_ONLY = ("restart_nodes",)
_NOT_BY_CAU = MappingProxyType(
    {
        "restart_nodes": "has no effect on a run that is left to CAU, which restarts what asks for it: use a rolling update."
    }
)


class RunOptions(UpdatingRunProfile):
    """Every option of one run, resolved: nothing is left to a default that depends on the cluster."""

    max_failed_nodes: int
    restart_nodes: NodeChoice = Field(
        default=(),
        description="Restart these nodes in their turn, drained, even if nothing is to be installed on them; all: every node.",
    )

    @classmethod
    def for_run(cls, cluster: ClusterSettings, parameters: Mapping[str, Any] | None = None) -> Self:
        """Return the options of ``cluster`` with ``parameters`` (option name -> value) over them; None leaves an option.

        Numbers may come as text, as templates render them. Raises SettingsError naming every parameter that is wrong, and every
        option that a rolling update does not act on.
        """
        return cls._resolved(cluster, parameters, not_supported)

    @classmethod
    def for_cau(cls, cluster: ClusterSettings, parameters: Mapping[str, Any] | None = None) -> Self:
        """Return the options of a run that is left to CAU, as ``for_run`` does for a rolling update."""
        return cls._resolved(cluster, parameters, not_by_cau, without=_NOT_BY_CAU)

    @classmethod
    def as_given(cls, cluster: ClusterSettings) -> Self:
        """Return the options of ``cluster`` whatever kind of run acts on them: for making safe what any of them left."""
        return cls._resolved(cluster, None, lambda options: {})

    @classmethod
    def _resolved(
        cls,
        cluster: ClusterSettings,
        parameters: Mapping[str, Any] | None,
        refused: Callable[[UpdatingRunProfile], dict[str, str]],
        without: Mapping[str, str] = MappingProxyType({}),
    ) -> Self:
        given = {key: value for key, value in (parameters or {}).items() if value is not None}
        own = {key: given.pop(key) for key in RUN_ONLY if key in given}
        try:
            options = cluster.options.merged_with(given)
        except ValidationError as error:
            known = tuple(UpdatingRunProfile.model_fields)
            found = [
                (".".join(map(str, item["loc"])), explain(item, known)) for item in error.errors(include_url=False)
            ]
            raise SettingsError([_problem(cluster, key, message) for key, message in found]) from None
        problems = refused(options) | option_problems(options, cluster.node_names)
        if problems:
            raise SettingsError([_problem(cluster, key, message) for key, message in problems.items()])
        values = {name: getattr(options, name) for name in UpdatingRunProfile.model_fields}
        if options.max_failed_nodes is None:
            values["max_failed_nodes"] = cluster.max_failed_nodes
        try:
            resolved = cls.model_validate(values | own)
        except ValidationError as error:
            wrong = [(str(item["loc"][0]), explain(item, tuple(cls.model_fields))) for item in error.errors()]
            raise SettingsError([_problem(cluster, key, message) for key, message in wrong]) from None
        if problems := _restart_problems(cluster, resolved, without):
            raise SettingsError([_problem(cluster, key, message) for key, message in problems.items()])
        return resolved

    def to_json(self) -> dict[str, Any]:
        """Return the options as JSON data, for a trigger's arguments or a report."""
        return self.model_dump(mode="json")

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the options that ``to_json`` gave; raises SettingsError when ``data`` is something else."""
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise SettingsError(
                [
                    SettingsProblem(SOURCE, None, str(item["loc"][-1]), None, explain(item, tuple(cls.model_fields)))
                    for item in error.errors(include_url=False)
                ]
            ) from None


def _restart_problems(cluster: ClusterSettings, options: RunOptions, without: Mapping[str, str]) -> dict[str, str]:
    """Return why the restarts that ``options`` ask for cannot be made; ``without``: this kind of run makes none."""
    if not options.restart_nodes:
        return {}
    if without:
        return dict(without)
    if unknown := strangers(options.restart_nodes, cluster.node_names):
        there = ", ".join(cluster.node_names)
        return {"restart_nodes": f"names {', '.join(unknown)}, which the cluster does not have. Its nodes are {there}."}
    if options.stage_only:
        return {
            "restart_nodes": "would have no effect: stage_only ends the run before any node is taken out of service."
        }
    return {}


def _problem(cluster: ClusterSettings, key: str, message: str) -> SettingsProblem:
    return SettingsProblem(SOURCE, None, key, cluster.name, message)
