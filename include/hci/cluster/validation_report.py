"""Reading the report of cluster validation: which test came out how, whatever the language of the server.

Test-Cluster returns the path of its report and nothing else. The report is a page with a row per test: a link with the test's
name in the server's language, an image whose name is the result's (``WarningImg``), and the result in words. The names of the
images are not documented; in every report that is known they are the result's identifiers. The words are never read.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Literal

Outcome = Literal["passed", "warned", "failed", "not-run"]
_OUTCOMES: dict[str, Outcome] = {
    "success": "passed",
    "succeeded": "passed",
    "passed": "passed",
    "information": "passed",
    "notapplicable": "passed",
    "warning": "warned",
    "canceled": "not-run",
    "cancelled": "not-run",
    "notrun": "not-run",
    "skipped": "not-run",
}
#: Identifiers joined by commas: the line in which the cmdlet says how it came out as a whole.
_FLAGS = re.compile(r"[A-Z][A-Za-z]+(?:, [A-Z][A-Za-z]+)*")
#: The flags of a cluster that passes, with warnings or without. Everything else that ends like them is a refusal.
APPROVED = frozenset({"ClusterApproved", "ClusterConditionallyApproved"})


@dataclass(frozen=True, slots=True)
class TestResult:
    """How one test came out, or one category of tests as a whole; ``name`` is in the server's language."""

    __test__ = False

    name: str
    outcome: Outcome


def read_report(text: str) -> tuple[TestResult, ...]:
    """Return every row of the report ``text``, each name once; none where it is no such report.

    A result that is not known counts as failed. Where a name comes twice, with different results, the worse one counts.
    """
    reader = _Reader()
    reader.feed(text)
    reader.close()
    worst: dict[str, Outcome] = {}
    for name, image in reader.rows:
        word = image.removesuffix("Img").replace(" ", "").lower()
        outcome = _OUTCOMES.get(word, "failed")
        if name not in worst or _GRAVITY.index(outcome) > _GRAVITY.index(worst[name]):
            worst[name] = outcome
    return tuple(TestResult(name, outcome) for name, outcome in worst.items())


def read_flags(warnings: Sequence[str]) -> frozenset[str]:
    """Return the flags with which the cmdlet says how it came out as a whole, none where it says no such thing.

    They are the names of an enumeration's values and are the same in every language.
    """
    for warning in reversed(warnings):
        for line in warning.splitlines():
            flags = frozenset(line.strip().split(", "))
            if _FLAGS.fullmatch(line.strip()) and any(flag.startswith(("Cluster", "Had")) for flag in flags):
                return flags
    return frozenset()


def named(results: Collection[TestResult], outcome: Outcome) -> tuple[str, ...]:
    """Return the names of those that came out like ``outcome``."""
    return tuple(result.name for result in results if result.outcome == outcome)


_GRAVITY: tuple[Outcome, ...] = ("passed", "warned", "not-run", "failed")


class _Reader(HTMLParser):
    """Collects the rows that have a result: the text of their link and the name of their image."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.rows: list[tuple[str, str]] = []
        self._link: list[str] | None = None
        self._name = self._image = ""
        self._has_result = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "tr":
            self._name = self._image = ""
            self._has_result = False
        elif tag == "a" and given.get("href"):
            self._link = []
        elif tag == "result":
            self._has_result = True
        elif tag == "img" and given.get("name"):
            self._image = str(given["name"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._link is not None:
            self._name = self._name or " ".join("".join(self._link).split())
            self._link = None
        elif tag == "tr" and self._has_result and self._name and self._image:
            self.rows.append((self._name, self._image))

    def handle_data(self, data: str) -> None:
        if self._link is not None:
            self._link.append(data)
