"""What a run that looks after CAU's self-updating role is asked for, and what that role cannot be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal, Self, get_args

from pydantic import Field, ValidationError

from include.hci.settings.cluster import ClusterSettings
from include.hci.settings.problems import SettingsError, SettingsProblem, explain
from include.hci.settings.profile import UpdatingRunProfile, not_by_cau
from include.hci.settings.schedule import Schedule
from include.hci.settings.values import ComputerName, Settings, Text

SOURCE = "run parameters"
_CANNOT = "cannot be run by CAU (run_by: cau)"
CauRoleAction = Literal["configure", "check", "enable", "disable", "remove", "update_now"]
ACTIONS: tuple[CauRoleAction, ...] = get_args(CauRoleAction)

#: What this coordinator acts on and a role that runs by itself knows nothing of, beside what no run of CAU's acts on.
_BEYOND: Mapping[str, str] = MappingProxyType(
    {
        "windows": "maintenance windows",
        "blackouts": "blackouts",
        "require_approval": "approval",
        "plan_only": "plan_only",
        # Invoke-CauRun has it, Add- and Set-CauClusterRole have not (windows-powershell-docs).
        "force_self_update": "force_self_update",
    }
)


class CauRoleRequest(Settings):
    """What is to be done with the role of a cluster; ``schedule`` is the cluster's, whoever runs it."""

    action: CauRoleAction = "configure"
    virtual_computer_object_name: ComputerName | None = None
    group_name: Text | None = None
    schedule: Schedule | None = Field(default=None)

    @property
    def is_run_by_cau(self) -> bool:
        """Whether the fleet file leaves the cadence to the role."""
        return self.schedule is not None and self.schedule.run_by == "cau"

    @property
    def is_run_by_airflow(self) -> bool:
        """Whether this coordinator's own rolling update has the cadence."""
        return self.schedule is not None and self.schedule.run_by == "airflow"

    @classmethod
    def for_run(cls, cluster: ClusterSettings, parameters: Mapping[str, Any]) -> Self:
        """Return the request of a run of ``cluster`` with the form's ``parameters``; raises SettingsError."""
        role = cluster.cau_role
        names = {name: parameters.get(name) or getattr(role, name) for name in type(role).model_fields}
        values = {"action": parameters.get("action", "configure"), "schedule": cluster.schedule, **names}
        return cls._checked(values, cluster.name)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the request that ``to_json`` gave; raises SettingsError."""
        return cls._checked(dict(data), None)

    def to_json(self) -> dict[str, Any]:
        """Return the request as JSON data."""
        return self.model_dump(mode="json", exclude_unset=True)

    @classmethod
    def _checked(cls, values: Mapping[str, Any], cluster: str | None) -> Self:
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            known = tuple(cls.model_fields)
            raise SettingsError(
                [
                    SettingsProblem(SOURCE, None, ".".join(map(str, item["loc"])), cluster, explain(item, known))
                    for item in error.errors(include_url=False)
                ]
            ) from None


def beyond_cau_role(options: UpdatingRunProfile, ring_offset_days: int = 0) -> tuple[str, ...]:
    """Return why a cluster with these options cannot leave its cadence to the role, each as one sentence; empty: it can."""
    fields = UpdatingRunProfile.model_fields
    found = []
    if ring_offset_days:
        found.append(f"{_CANNOT}: its role knows no rings. Put the days into the line itself.")
    if named := [text for option, text in _BEYOND.items() if getattr(options, option) != fields[option].default]:
        found.append(
            f"{_CANNOT}: its role knows no {', no '.join(named)}. Take them out of the cluster's options, or let Airflow run the "
            "schedule."
        )
    found += [f"{_CANNOT}: {option} {why}" for option, why in not_by_cau(options).items()]
    return tuple(found)
