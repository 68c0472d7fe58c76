"""What the parts of the report have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pydantic import ConfigDict


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the report. The text below each attribute is its description in the report's schema."""

    # Every key stands in every report: a reader never has to guess what a missing one means.
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        use_attribute_docstrings=True, json_schema_serialization_defaults_required=True
    )
