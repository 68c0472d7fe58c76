"""Holds a report against its schema."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import jsonschema

from include.hci.report.model import RunReport
from include.hci.report.schema import json_schema


def strict(schema: Any) -> Any:
    """Return ``schema`` with no key allowed that it does not name, so that a report with a wrong key is found out."""
    if isinstance(schema, list):
        return [strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: strict(value) for key, value in schema.items()}
    is_object = isinstance(closed.get("properties"), dict) and closed.get("type") == "object"
    return {**closed, "additionalProperties": False} if is_object else closed


@cache
def _validator() -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        strict(json_schema()), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )


def check_report(report: RunReport) -> None:
    """Raise jsonschema.ValidationError when what is written of ``report`` is not as its schema says."""
    check_data(json.loads(report.to_text()))


def check_data(report: Any) -> None:
    """Raise jsonschema.ValidationError when the data of a report is not as its schema says."""
    _validator().validate(report)
