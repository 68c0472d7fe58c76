"""What the person who starts a fast offline update decides beyond the options of every run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from include.hci.settings.problems import SettingsError, SettingsProblem, explain

SOURCE = "run parameters"


class OfflineRequest(BaseModel):
    """How a whole cluster is taken down and brought back."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vm_action: Literal["shutdown", "save"] = Field(
        "shutdown", description="What is done with every running virtual machine: its guest shuts down, or it is saved."
    )
    vm_patience_minutes: int = Field(
        10, ge=1, le=240, description="How many minutes a guest may take to shut down before `vm_fallback` is done."
    )
    vm_fallback: Literal["save", "stop_run"] = Field(
        "save",
        description="What becomes of a virtual machine whose guest does not shut down: it is saved, or the run ends there and"
        " starts again what it has stopped. The power of a running machine is never switched off.",
    )
    install_before: bool = Field(
        False,
        description="Install on all servers while the cluster is still up, so that only the restarts fall into the downtime.",
    )

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Return what ``parameters`` ask for, others than its own left aside; raises SettingsError naming each bad one."""
        given = {key: value for key, value in parameters.items() if key in cls.model_fields and value is not None}
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise SettingsError(
                [
                    SettingsProblem(SOURCE, None, str(item["loc"][-1]), None, explain(item, tuple(cls.model_fields)))
                    for item in error.errors(include_url=False)
                ]
            ) from None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON data, for the run's record."""
        return self.model_dump(mode="json")
