"""The search criteria of the Windows Update Agent (win32, IUpdateSearcher::Search), applied to the catalogue."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

#: WU_E_INVALID_CRITERIA
INVALID_CRITERIA = 0x80240032

_TOKEN = re.compile(r"\s*(?:(?P<string>'[^']*')|(?P<op>!=|=)|(?P<word>[A-Za-z0-9_\-]+)|(?P<other>\S))")
_NUMBERS = (
    "isinstalled",
    "ishidden",
    "isassigned",
    "ispresent",
    "rebootrequired",
    "autoselectonwebsites",
    "browseonly",
)
_TEXTS = ("type", "deploymentaction", "updateid", "revisionnumber")
_NOT_EQUAL = ("type", "updateid")

Facts = Mapping[str, object]


class InvalidCriteriaError(ValueError):
    """The text is no valid search criteria."""


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison."""

    name: str
    operator: str
    value: str

    def holds(self, facts: Facts) -> bool:
        """Tell whether it is true of an update with these facts."""
        fact = facts.get(self.name)
        if self.operator == "contains":
            return isinstance(fact, tuple) and self.value.lower() in {str(each).lower() for each in fact}
        text = str(int(fact)) if isinstance(fact, bool) else str(fact)
        return (text.lower() == self.value.lower()) is (self.operator == "=")


@dataclass(frozen=True, slots=True)
class Criteria:
    """Alternatives (OR) of terms that must all hold (AND)."""

    clauses: tuple[tuple[Term, ...], ...]

    def matches(self, facts: Facts) -> bool:
        """Tell whether an update with these facts is found."""
        return any(all(term.holds(facts) for term in clause) for clause in self.clauses)


def parse(text: str) -> Criteria:
    """Parse search criteria; raises InvalidCriteriaError.

    AND binds tighter than OR. A clause that says nothing of DeploymentAction means DeploymentAction='Installation'.
    """
    tokens = _tokens(text)
    clauses: list[tuple[Term, ...]] = []
    terms: list[Term] = []
    while True:
        terms.append(_term(tokens))
        joint = tokens.pop(0).lower() if tokens else ""
        if joint == "and":
            continue
        clauses.append(_with_default(terms))
        terms = []
        if not joint:
            return Criteria(tuple(clauses))
        if joint != "or":
            raise InvalidCriteriaError(f"{joint!r} stands where AND or OR belongs.")


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    at = 0
    while at < len(text.rstrip()):
        match = _TOKEN.match(text, at)
        if match is None or match["other"]:
            raise InvalidCriteriaError(f"{text[at:].strip()[:1]!r} is not allowed in search criteria.")
        found.append(match[0].strip())
        at = match.end()
    return found


def _term(tokens: list[str]) -> Term:
    if len(tokens) < 3:
        raise InvalidCriteriaError("The criteria end in the middle of a comparison.")
    name, operator, value = (tokens.pop(0) for _ in range(3))
    key, operator = name.lower(), operator.lower()
    quoted = value.startswith("'")
    if key == "categoryids":
        valid = operator == "contains" and quoted
    elif key in _NUMBERS:
        valid = operator == "=" and value in ("0", "1")
    elif key in _TEXTS:
        valid = (operator == "=" or (operator == "!=" and key in _NOT_EQUAL)) and (quoted or key == "revisionnumber")
    else:
        raise InvalidCriteriaError(f"There is no criterion {name!r}.")
    if not valid:
        raise InvalidCriteriaError(f"{name} {operator} {value} is no valid comparison.")
    return Term(key, operator, value.strip("'"))


def _with_default(terms: list[Term]) -> tuple[Term, ...]:
    if any(term.name == "deploymentaction" for term in terms):
        return tuple(terms)
    return (*terms, Term("deploymentaction", "=", "Installation"))
