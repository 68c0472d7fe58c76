from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from include.hci.settings.fleet import fleet_path, load_fleet
from include.hci.settings.positions import read_yaml
from include.hci.settings.profile import NOT_SUPPORTED
from include.hci.settings.schema import SCHEMA_PATH, fleet_schema, main, schema_text

SHIPPED = sorted(SCHEMA_PATH.parent.glob("*.yaml"))


def is_valid(text: str) -> bool:
    return jsonschema.Draft202012Validator(fleet_schema()).is_valid(read_yaml(text).value)


def test_the_committed_schema_is_current():
    assert SCHEMA_PATH.read_text(encoding="utf-8") == schema_text()
    assert main(["--check"]) == 0


def test_a_schema_that_is_not_current_is_told_and_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path = tmp_path / "fleet.schema.json"
    assert main(["--check"], path) == 1
    assert "Run: python -m include.hci.settings.schema" in capsys.readouterr().err
    assert main([], path) == 0
    assert main(["--check"], path) == 0


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(fleet_schema())


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_shipped_files_fit_the_schema_and_have_no_problem(file: Path):
    jsonschema.Draft202012Validator(fleet_schema()).validate(read_yaml(file.read_text(encoding="utf-8")).value)
    fleet = load_fleet(file)
    assert fleet.problems == ()
    assert fleet.clusters
    assert file.read_text(encoding="utf-8").startswith("# yaml-language-server: $schema=fleet.schema.json\n")


def test_the_demo_cluster_is_as_the_demonstration_needs_it():
    demo = load_fleet(fleet_path({})).clusters["demo"]
    assert [(node.name, node.connection, node.host) for node in demo.nodes] == [
        (f"HCI{number:02}", f"hci_demo_hci{number:02}", None) for number in range(1, 5)
    ]
    assert demo.management_host is not None
    assert (demo.management_host.connection, demo.management_host.host) == ("hci_demo_mgmt", None)
    assert (demo.pacing.first_check_seconds, demo.pacing.poll_seconds, demo.slug) == (1, 1, "demo")


def test_the_example_shows_every_supported_key():
    text = (SCHEMA_PATH.parent / "fleet.example.yaml").read_text(encoding="utf-8")
    schema = fleet_schema()
    for name, definition in schema["$defs"].items():
        for key in definition.get("properties", {}):
            assert key in NOT_SUPPORTED or f"{key}:" in text, f"{name}.{key} is not shown"


@pytest.mark.parametrize(
    "text",
    [
        "clusters: {a: {nodes: [A1, A2]}, b: {nodes: [{name: B1, port: 5986}, B2], os_version: 2019}}",
        "clusters:\nprofiles:\n",
        "clusters: {a: {nodes: [A1, A2], profile_overrides: {max_failed_nodes: 1, warn_after: null}, schedule: null}}",
        "clusters: {a: {nodes: [A1, A2], schedule: {cron: 0 1 * * 0, timezone: UTC, start_within: 01:00:00}}}",
        "clusters: {a: {nodes: [A1, A2], schedule: {timezone: UTC, lines: [{start_date: 2026-03-02 03:00, days_of_week: 4, weeks_of_month: [3]}]}}}",
    ],
)
def test_the_schema_accepts_what_is_right(text: str):
    assert is_valid(text)


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        "clusters: {a: {nodes: [A1]}}",
        "clusters: {a: {nodes: [A1, A2], other: 1}}",
        "clusters: {a: {nodes: [A1, {nam: A2}]}}",
        "clusters: {a: {nodes: [A1, {name: A2, port: 70000}]}}",
        "clusters: {a name: {nodes: [A1, A2]}}",
        "clusters: {a: {nodes: [A1, A2], os_version: 2016}}",
        "clusters: {a: {nodes: [A1, A2], profile_overrides: {hooks: [{}]}}}",
        "clusters: {a: {nodes: [A1, A2], profile_overrides: {max_retries_per_node: 65}}}",
        "clusters: {a: {nodes: [A1, A2], profile_overrides: {failback_mode: x}}}",
        "{clusters: {}, profile: {}}",
        "clusters: {a: {nodes: [A1, A2], schedule: {timezone: UTC}}}",
        "clusters: {a: {nodes: [A1, A2], schedule: {timezone: UTC, lines: [{days_after_second_tuesday: 28, start_date: 2026-03-02 03:00}]}}}",
        "clusters: {a: {nodes: [A1, A2], schedule: {timezone: UTC, lines: [{start_date: 2026-03-02 03:00, days_of_week: 128, interval_weeks: 1}]}}}",
        "clusters: {a: {nodes: [A1, A2], ring_offset_days: 28}}",
    ],
)
def test_the_schema_refuses_what_is_wrong(text: str):
    assert not is_valid(text)
