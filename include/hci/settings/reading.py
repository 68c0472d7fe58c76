"""Validates parts of a settings document and turns everything that is wrong into problems with their lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from include.hci.settings.positions import Document
from include.hci.settings.problems import Location, SettingsProblem, explain, key_text, known_keys

M = TypeVar("M", bound=BaseModel)


class Reader:
    """Reads parts of ``document``; ``problems`` collects what is wrong, ``file`` is the name they carry."""

    def __init__(self, document: Document, file: str) -> None:
        self.document = document
        self.file = file
        self.problems: list[SettingsProblem] = []
        self._duplicated = [twice.location for twice in document.duplicates]
        for twice in document.duplicates:
            of_cluster = twice.location[0] == "clusters" and len(twice.location) > 1
            self.problems.append(
                SettingsProblem(
                    file,
                    twice.line,
                    key_text(twice.location),
                    str(twice.location[1]) if of_cluster else None,
                    f"stands here for the second time; the first is on line {twice.first_line}. Remove one of them.",
                )
            )

    def report(self, location: Location, cluster: str | None, message: str) -> None:
        """Add a problem at ``location``."""
        line = self.document.line(location)
        self.problems.append(SettingsProblem(self.file, line, key_text(location), cluster, message))

    def report_error(
        self, error: ValidationError, model: type[BaseModel], place: Location, cluster: str | None
    ) -> None:
        """Add every problem of a pydantic ``error`` about the part at ``place``."""
        for detail in error.errors(include_url=False):
            inside = detail["loc"]
            self.report((*place, *inside), cluster, explain(detail, known_keys(model, inside[:-1])))

    def part(self, model: type[M], value: object, place: Location, cluster: str | None) -> M | None:
        """Return ``value``, which stands at ``place``, as ``model``; None when it is wrong or has keys standing twice."""
        try:
            part = model.model_validate(value)
        except ValidationError as error:
            self.report_error(error, model, place, cluster)
            return None
        return None if any(location[: len(place)] == place for location in self._duplicated) else part

    def group(self, root: Mapping[str, object], key: str) -> Mapping[str, object]:
        """Return the group of named things under ``key``; an empty one, and a problem, when it is something else."""
        value = root.get(key)
        if isinstance(value, dict):
            return value
        if value is not None:
            self.report((key,), None, "must be a group of keys, one per name.")
        return {}
