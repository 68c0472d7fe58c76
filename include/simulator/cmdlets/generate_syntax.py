"""Writes the condensed syntax tables that the binder reads, from the vendor's syntax as JSON.

Usage: ``python -m include.simulator.cmdlets.generate_syntax DIRECTORY`` where DIRECTORY holds ``windows-server-2019.json``,
``windows-server-2022.json`` and ``windows-server-2025.json`` (facts from MicrosoftDocs/windows-powershell-docs
and MicrosoftDocs/PowerShell-Docs).
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from include.simulator.cmdlets.supplement_servers import SERVERS

DOCUMENTATION_SETS = ("2019", "2022", "2025")

_SHORT_TYPES = {
    "string": "String",
    "int": "Int32",
    "psobject": "PSObject",
    "object": "Object",
    "bool": "Boolean",
    "IDictionary": "Hashtable",
}
_NULLABLE = re.compile(r"^System\.Nullable`1\[+([^\]]+)\]+$")
_DEFAULT_MARK = re.compile(r"\s*\((Default|cdxml)\)")
#: Pages of item cmdlets show a set once per provider; it is one set, and what one provider adds to it is never required.
_PROVIDER_MARK = re.compile(r" - .* providers?$")

#: Cmdlets of Windows PowerShell 5.1 whose pages the vendor's JSON lacks (PowerShell-Docs, Microsoft.PowerShell.Utility).
#: The first three have no page at all: field scripts and azure-stack-docs (cluster migration, maintain-servers) use them.
SUPPLEMENT: Mapping[str, Mapping[str, Any]] = {
    "Get-HealthFault": {"module": "Storage", "parameters": {}},
    "Get-ClusterNodeSupportedVersion": {
        "module": "FailoverClusters",
        "parameters": {
            "Cluster": {"type": "String"},
            "InputObject": {"type": "PSObject", "pipeline": "value"},
            "Name": {"type": "StringCollection", "position": 0},
        },
    },
    "Get-StorageScaleUnit": {
        "module": "Storage",
        "parameters": {"FriendlyName": {"type": "String[]", "position": 0}},
    },
    "Start-Sleep": {
        "module": "Microsoft.PowerShell.Utility",
        "sets": ["Seconds", "Milliseconds"],
        "default": "Seconds",
        "parameters": {
            "Milliseconds": {"type": "Int32", "sets": [1], "required": [1], "pipeline": "name"},
            "Seconds": {"type": "Int32", "sets": [0], "required": [0], "position": 0, "pipeline": "value+name"},
        },
    },
    "Write-Output": {
        "module": "Microsoft.PowerShell.Utility",
        "parameters": {
            "InputObject": {"type": "PSObject[]", "required": "all", "position": 0, "pipeline": "value"},
            "NoEnumerate": {"type": "SwitchParameter"},
        },
    },
    **SERVERS,
}


def main() -> None:
    """Write the three tables beside this file."""
    parser = argparse.ArgumentParser(description="Write the condensed cmdlet syntax tables.")
    parser.add_argument("directory", type=Path, help="where the vendor's syntax lies as windows-server-<year>.json")
    directory = parser.parse_args().directory
    for documentation_set in DOCUMENTATION_SETS:
        Path(__file__).with_name(f"syntax-{documentation_set}.json").write_text(
            render(directory, documentation_set), encoding="utf-8"
        )


def render(directory: Path, documentation_set: str, names: Iterable[str] | None = None) -> str:
    """Return the table of ``documentation_set`` as text, one cmdlet a line; ``names`` default to the registered cmdlets."""
    if names is None:
        from include.simulator.cmdlets import registry

        names = registry.names()
    document = json.loads((directory / f"windows-server-{documentation_set}.json").read_text(encoding="utf-8"))
    vendor: Mapping[str, Any] = document["cmdlets"]
    wanted = {name.lower() for name in names}
    condensed = {name: condense(entry) for name, entry in vendor.items() if name.lower() in wanted}
    supplement = {name: entry for name, entry in SUPPLEMENT.items() if name.lower() in wanted and name not in vendor}
    known = dict(sorted((condensed | supplement).items()))
    others = sorted(name for name in vendor if name not in known)
    lines = ",\n".join(f"{json.dumps(name)}:{_compact(entry)}" for name, entry in known.items())
    return f'{{"source":{_compact(document["source"])},\n"cmdlets":{{\n{lines}\n}},\n"others":{_compact(others)}}}\n'


def condense(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Return the facts of one cmdlet; a parameter leaves out what is usual (all sets, optional, named, no pipeline input)."""
    declared = [each["set"] for each in entry["sets"] if each["set"]]
    sets = list(dict.fromkeys(map(_set_name, declared)))
    # Some pages name sets in the parameters that their syntax part leaves out.
    for value in entry["parameters"].values():
        sets += [name for name in _names(value["sets"]) or () if name not in sets]
    condensed: dict[str, Any] = {"module": entry["module"]}
    if sets:
        condensed["sets"] = sets
        default = next((_set_name(name) for name in declared if "(Default)" in name), None)
        if default:
            condensed["default"] = default
    condensed["parameters"] = {name: _parameter(value, sets) for name, value in entry["parameters"].items()}
    general = " ".join(each["syntax"] for each in entry["sets"] if each["set"].endswith(" - All providers"))
    for name, value in condensed["parameters"].items():
        if general and f"-{name}" not in general:
            value.pop("required", None)
    return condensed


def _set_name(declared: str) -> str:
    return _PROVIDER_MARK.sub("", _DEFAULT_MARK.sub("", declared))


def _parameter(value: Mapping[str, Any], sets: list[str]) -> dict[str, Any]:
    condensed: dict[str, Any] = {"type": short_type(value["type"])}
    members = _names(value["sets"])
    if members is not None and set(members) != set(sets):
        condensed["sets"] = sorted(sets.index(name) for name in members)
    if value["required_in"]:
        required = _names(value["required_in"])
        everywhere = required is None or set(required) == set(sets)
        condensed["required"] = "all" if everywhere else sorted(sets.index(name) for name in required or ())
    if value["position"] != "Named":
        condensed["position"] = int(value["position"])
    pipeline = value["pipeline"]
    if pipeline.startswith("True"):
        condensed["pipeline"] = "+".join(
            word for word, mark in (("value", "ByValue"), ("name", "ByPropertyName")) if mark in pipeline
        )
    if value["aliases"]:
        condensed["aliases"] = value["aliases"]
    if value.get("accepted_values"):
        condensed["accepted"] = value["accepted_values"]
    return condensed


def short_type(name: str) -> str:
    """Return a .NET type name without its namespace: ``System.String[]`` is ``String[]``."""
    nullable = _NULLABLE.match(name)
    bare = (nullable.group(1) if nullable else name).strip()
    brackets = "[]" if bare.endswith("[]") else ""
    last = bare.removesuffix("[]").rsplit(".", 1)[-1]
    return _SHORT_TYPES.get(last, last) + brackets


def _names(entries: Iterable[str]) -> list[str] | None:
    """Return the single set names of a list whose entries may hold several, or None for all sets."""
    names = [_set_name(part).strip() for entry in entries for part in entry.split(",")]
    return None if "(All)" in names else names


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


if __name__ == "__main__":
    main()
