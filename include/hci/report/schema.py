"""The JSON schema of the report, for programs that read it: ``python -m include.hci.report.schema`` writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema

from include.hci.report.model import SCHEMA, RunReport

SCHEMA_FILE = Path(__file__).with_name("report.schema.json")


def json_schema() -> dict[str, Any]:
    """Return the schema of what ``RunReport.to_json`` gives (JSON Schema 2020-12)."""
    schema: dict[str, Any] = TypeAdapter(RunReport).json_schema(mode="serialization")
    schema["properties"]["schema"] |= {"const": SCHEMA}
    del schema["properties"]["schema"]["default"]
    # Keys that a later edition of this version adds must not make a reader refuse the report.
    return {"$schema": GenerateJsonSchema.schema_dialect, "title": "Report of a cluster update", **_tidy(schema)}


def _tidy(schema: Any, *, names: bool = False) -> Any:
    """Return ``schema`` without what only repeats: titles made of keys, and the line breaks of descriptions."""
    if isinstance(schema, list):
        return [_tidy(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: " ".join(value.split())
        if key == "description" and isinstance(value, str)
        else _tidy(value, names=not names and key in ("properties", "$defs"))
        for key, value in schema.items()
        if names or key != "title"
    }


def write_schema() -> Path:
    """Write the schema beside this module; returns the file."""
    SCHEMA_FILE.write_text(json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return SCHEMA_FILE


if __name__ == "__main__":
    print(write_schema())
