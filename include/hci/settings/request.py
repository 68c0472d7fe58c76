"""What a run is told beyond the options of every run: the form's own part, kept in the run's record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import ValidationError

from include.hci.settings.problems import SettingsError, SettingsProblem, explain
from include.hci.settings.values import Settings

SOURCE = "run parameters"


class Request(Settings):
    """What runs of one kind are told."""

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

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Return what a run's ``parameters`` ask for, others than its own left aside; raises SettingsError."""
        return cls.from_json({key: value for key, value in parameters.items() if key in cls.model_fields})

    def to_json(self) -> dict[str, Any]:
        """Return the request as JSON data."""
        return self.model_dump(mode="json")
