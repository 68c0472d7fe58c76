"""Writes the catalogue of failures: every fault with its expected and its seen end, and every error that is known.

``python -m tests.faults.table`` plays all faults again and writes ``include/docs/failures.md``; exit code 1: one ends otherwise.
"""

from __future__ import annotations

import functools
import re
import sys
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from include.hci.powershell.catalogue import format_code
from include.simulator.faults.catalogue import FaultRow, catalogue
from tests.faults.playing import STRUCK, play

ROOT = Path(__file__).resolve().parents[2]
DOCUMENT = ROOT / "include" / "docs" / "failures.md"
KNOWN_ERRORS = ROOT / "include" / "hci" / "powershell" / "known_errors.toml"
_ROW = re.compile(r"^\| \[`(?P<id>[^`]+)`\].*\| (?P<seen>[^|]+) \|$", re.MULTILINE)
_THEMES = {
    "coordination": "Others at work",
    "drain": "Draining and bringing home",
    "feature": "Feature updates",
    "membership": "Nodes and quorum",
    "privilege": "Rights and guards",
    "restart": "Restarts",
    "software": "Updates",
    "storage": "Storage",
    "wire": "Connections",
}
_INTRODUCTION = f"""# What can go wrong

<!-- Written by python -m tests.faults.table. Change tests/faults/expected.yaml or the rows themselves, not this file. -->

Every fault of the simulated cluster, how a rolling update has to end under it, and how it was seen to end: each one is played by
the tests with four nodes, HCI01 to HCI04, `max_failed_nodes: 1` and everything else as it is by default. A fault that is about a
node strikes HCI{STRUCK:02d}, from before the run unless its row says when. No end broke one of the twelve invariants: no second node out, no
restart under a running role, no next node before the storage is whole, nothing left behind without being named.

A node that failed is Up again unless its row says otherwise; a VM that is down says so. `make demo FAULT=<fault>` plays most of
them before your eyes, with `-on-node-{STRUCK}` behind those that need a node.
"""


@dataclass(frozen=True, slots=True)
class Expectation:
    """How a run has to end under a fault, what its whole report has to say (a pattern), and what that means for a person."""

    end: str
    run: str
    report: str
    do: str
    says: str = ""
    after: float | None = None


@functools.cache
def expectations() -> Mapping[str, Expectation]:
    """Return the expectations by fault; raises TypeError where a row has unknown keys or lacks some."""
    raw = yaml.safe_load(Path(__file__).with_name("expected.yaml").read_text(encoding="utf-8"))
    return {str(fault): Expectation(**row) for fault, row in raw.items()}


def seen_ends(document: str) -> Mapping[str, str]:
    """Return the seen end of every fault as ``document`` has it."""
    return {found["id"]: found["seen"] for found in _ROW.finditer(document)}


def render(seen: Mapping[str, str]) -> str:
    """Return the document for the ends in ``seen``."""
    rows: dict[str, list[FaultRow]] = {theme: [] for theme in _THEMES}
    for row in catalogue().values():
        rows.setdefault(row.theme, []).append(row)
    parts = [_INTRODUCTION, "## At a glance\n"]
    for theme, faults in rows.items():
        parts += [f"### {_THEMES.get(theme, theme)}\n", _overview(faults, seen)]
    for theme, faults in rows.items():
        parts.append(f"## {_THEMES.get(theme, theme)}: what to do\n")
        parts += [_chapter(row) for row in faults]
    parts.append(_errors())
    return "\n".join(parts)


def _overview(faults: Iterable[FaultRow], seen: Mapping[str, str]) -> str:
    lines = ["| Fault | Expected end | Seen end |", "|---|---|---|"]
    lines += [f"| [`{row.id}`](#{row.id}) | {expectations()[row.id].end} | {seen.get(row.id, '')} |" for row in faults]
    return "\n".join(lines) + "\n"


def _chapter(row: FaultRow) -> str:
    expected = expectations()[row.id]
    lines = [
        f"### {row.id}\n",
        f"{row.what}\n",
        f"* **The run:** {expected.run}",
        f"* **The report:** {expected.report}",
        f"* **To do:** {expected.do}",
        f"* Source: {row.source}",
    ]
    return "\n".join(lines) + "\n"


def _errors() -> str:
    known: Mapping[str, Any] = tomllib.loads(KNOWN_ERRORS.read_text(encoding="utf-8"))
    lines = [
        "## Errors that are known\n",
        "What a code or an error's name means, as reports and problems say it.\n",
        "| Error | Meaning | What to do | Again? |",
        "|---|---|---|---|",
    ]
    for kind in known.values():
        for entry in kind:
            name = entry.get("name", "")
            key = format_code(entry["code"]) if "code" in entry else str(entry.get("id", name))
            shown = f"`{key}`" + (f" {name}" if name and name != key else "")
            again = "safe" if entry["retry_safe"] else "no"
            lines.append(f"| {shown} | {_cell(entry['meaning'])} | {_cell(entry['next_action'])} | {again} |")
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def main() -> int:
    """Play every fault, write the document and return the exit code."""
    wrong = 0
    seen = {}
    for fault, expected in expectations().items():
        found = play(fault, after=expected.after)
        seen[fault] = found.end
        if found.end != expected.end or found.violations:
            wrong += 1
            print(f"{fault}\n  expected  {expected.end}\n  seen      {found.end}", *found.violations, sep="\n  ")
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(render(seen), encoding="utf-8")
    print(f"{len(seen)} faults, {wrong} of them end otherwise: {DOCUMENT.relative_to(ROOT)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
