from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from include.hci.report.build import report_of
from include.hci.report.model import RunReport
from include.hci.report.schema import SCHEMA_FILE, json_schema
from tests.hci.report.example import Night, failed_night, quiet_night
from tests.hci.report.judging import check_report, strict


def test_the_schema_in_the_repository_is_current():
    assert json.loads(SCHEMA_FILE.read_text(encoding="utf-8")) == json_schema(), (
        "Run python -m include.hci.report.schema and commit the result."
    )


def test_it_is_a_schema_of_the_dialect_that_it_names():
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["schema"]["const"] == 1


def test_every_key_is_described_and_stands_in_every_report():
    schema = json_schema()
    for name, part in {"RunReport": schema, **schema["$defs"]}.items():
        assert part["description"], name
        assert set(part["required"]) == set(part["properties"]), name
        undescribed = [key for key, value in part["properties"].items() if not value.get("description")]
        assert undescribed == [], f"{name}: write what these are below them, as the others have it."


@pytest.mark.parametrize("night", [failed_night(), quiet_night(), Night()], ids=["failed", "quiet", "empty"])
def test_every_report_fits_it(night: Night):
    check_report(report_of(night.record, night.now))


@pytest.mark.parametrize(
    "change",
    [
        {"outcome": "splendid"},
        {"nodes": [{"name": "HCI01"}]},
        {"started_at": 1},
        {"schema": 2},
        {"unheard_of": True},
        {"time": {"wall_seconds": "long"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_is_no_report_does_not_fit_it(change: dict[str, Any]):
    night = quiet_night()
    report = report_of(night.record, night.now).to_json() | change
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(strict(json_schema())).validate(report)


def test_a_reader_takes_keys_that_a_later_edition_adds():
    report = RunReport("r", "c", "running", "h", lock=report_of(quiet_night().record, quiet_night().now).lock)
    jsonschema.Draft202012Validator(json_schema()).validate(report.to_json() | {"added_later": 1})
