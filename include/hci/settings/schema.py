"""Writes the JSON schema of the fleet file, with which editors complete and check it while it is written.

``python -m include.hci.settings.schema`` writes ``include/fleet/fleet.schema.json``; with ``--check`` it only tells whether
that file is current (exit code 1 when it is not).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from include.hci.settings.fleet import FleetFile
from include.hci.settings.profile import NOT_BY_CAU, NOT_SUPPORTED, UpdatingRunProfile
from include.hci.settings.values import computer_name_schema

SCHEMA_PATH = Path(__file__).resolve().parents[2] / "fleet" / "fleet.schema.json"


def fleet_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of the fleet file; options that every run refuses allow their default only."""
    schema = FleetFile.model_json_schema()
    options = schema["$defs"][UpdatingRunProfile.__name__]["properties"]
    for key, instead in NOT_SUPPORTED.items():
        if key not in NOT_BY_CAU:
            options[key]["description"] += (
                f" Only for runs that are left to CAU; a rolling update refuses it: {instead}"
            )
            continue
        options[key] = {
            "title": options[key].get("title", key),
            "const": options[key]["default"],
            "description": f"{options[key]['description']} Not supported yet: leave it out. {instead}",
        }
    schema["properties"]["clusters"]["propertyNames"] = computer_name_schema()
    _tidy(schema)
    _drop_unused(schema)
    for key in ("profiles", "clusters"):
        # A heading with nothing under it yet.
        schema["properties"][key]["type"] = ["object", "null"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Fleet of clusters"}


def _tidy(node: Any) -> None:
    """Take out what only makes the file longer: titles that repeat the key, and whole groups as defaults."""
    if isinstance(node, list):
        for entry in node:
            _tidy(entry)
    elif isinstance(node, dict):
        for entry in node.get("properties", {}).values():
            entry.pop("title", None)
            if isinstance(entry.get("default"), dict):
                del entry["default"]
        for entry in node.values():
            _tidy(entry)


def _drop_unused(schema: dict[str, Any]) -> None:
    """Take out the definitions that only refused options refer to."""
    definitions = schema["$defs"]
    used: set[str] = set()
    waiting = [{key: value for key, value in schema.items() if key != "$defs"}]
    while waiting:
        text = json.dumps(waiting.pop())
        for name in definitions.keys() - used:
            if f'"#/$defs/{name}"' in text:
                used.add(name)
                waiting.append(definitions[name])
    schema["$defs"] = {name: definition for name, definition in definitions.items() if name in used}


def schema_text() -> str:
    """Return the schema as it stands in the file."""
    return json.dumps(fleet_schema(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: Sequence[str] | None = None, path: Path = SCHEMA_PATH) -> int:
    """Write or check the schema file and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m include.hci.settings.schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only tell whether the file is current")
    if not parser.parse_args(arguments).check:
        path.write_text(schema_text(), encoding="utf-8")
        return 0
    current = path.read_text(encoding="utf-8") if path.exists() else ""
    if current == schema_text():
        return 0
    print(f"{path.name} is not current. Run: python -m include.hci.settings.schema", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
