"""The options of one run: the cluster's profile with what the person who started the run changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError

from include.hci.settings.cluster import ClusterSettings, option_problems
from include.hci.settings.problems import SettingsError, SettingsProblem, explain
from include.hci.settings.profile import UpdatingRunProfile, not_supported

SOURCE = "run parameters"


class RunOptions(UpdatingRunProfile):
    """Every option of one run, resolved: nothing is left to a default that depends on the cluster."""

    max_failed_nodes: int

    @classmethod
    def for_run(cls, cluster: ClusterSettings, parameters: Mapping[str, Any] | None = None) -> Self:
        """Return the options of ``cluster`` with ``parameters`` (option name -> value) over them; None leaves an option.

        Numbers may come as text, as templates render them. Raises SettingsError naming every parameter that is wrong.
        """
        given = {key: value for key, value in (parameters or {}).items() if value is not None}
        try:
            options = cluster.options.merged_with(given)
        except ValidationError as error:
            known = tuple(UpdatingRunProfile.model_fields)
            found = [
                (".".join(map(str, item["loc"])), explain(item, known)) for item in error.errors(include_url=False)
            ]
            raise SettingsError([_problem(cluster, key, message) for key, message in found]) from None
        problems = not_supported(options) | option_problems(options, cluster.node_names)
        if problems:
            raise SettingsError([_problem(cluster, key, message) for key, message in problems.items()])
        values = {name: getattr(options, name) for name in UpdatingRunProfile.model_fields}
        if options.max_failed_nodes is None:
            values["max_failed_nodes"] = cluster.max_failed_nodes
        return cls.model_validate(values)

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


def _problem(cluster: ClusterSettings, key: str, message: str) -> SettingsProblem:
    return SettingsProblem(SOURCE, None, key, cluster.name, message)
