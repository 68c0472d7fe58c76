"""What a run in CAU's remote-updating mode is told beyond the options of the updating run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, ValidationError

from include.hci.settings.problems import SettingsError, SettingsProblem, explain
from include.hci.settings.values import Settings

SOURCE = "run parameters"


class CauRemoteRequest(Settings):
    """How a remote-updating run reaches the nodes, and what it may do about a run that has lost its coordinator."""

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

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """Return the request that ``data`` describes, keys that are None left out; raises SettingsError naming what is wrong."""
        try:
            return cls.model_validate({key: value for key, value in data.items() if value is not None})
        except ValidationError as error:
            known = tuple(cls.model_fields)
            problems = [
                SettingsProblem(SOURCE, None, ".".join(map(str, item["loc"])), None, explain(item, known))
                for item in error.errors(include_url=False)
            ]
            raise SettingsError(problems) from None

    def to_json(self) -> dict[str, Any]:
        """Return the request as JSON data."""
        return self.model_dump(mode="json")
