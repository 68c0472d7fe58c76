"""Which of the offered updates a run installs."""

from __future__ import annotations

import re
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from include.hci.settings.values import Settings

#: Classifications of updates under Microsoft's names (previous-versions, WSUS classification GUIDs).
Category = Literal[
    "Application",
    "Connectors",
    "CriticalUpdates",
    "DefinitionUpdates",
    "DeveloperKits",
    "FeaturePacks",
    "Guidance",
    "SecurityUpdates",
    "ServicePacks",
    "Tools",
    "UpdateRollups",
    "Updates",
]
CATEGORY_NAMES: tuple[str, ...] = get_args(Category)
_KB = re.compile(r"(?:KB)?([0-9]{6,8})", re.IGNORECASE)


def _kb(value: object) -> object:
    found = _KB.fullmatch(str(value).strip()) if isinstance(value, str | int) and not isinstance(value, bool) else None
    if not found:
        raise ValueError(f'{value!r} is not an article number. Write it as in "KB5044288".')
    return f"KB{found[1]}"


def _pattern(value: str) -> str:
    try:
        re.compile(value)
    except re.error as error:
        raise ValueError(f"{value!r} is not a regular expression: {error}.") from None
    return value


Article = Annotated[
    str,
    BeforeValidator(_kb),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": f"^{_KB.pattern}$"}, {"type": "integer"}]}),
]
TitlePattern = Annotated[str, Field(min_length=1), AfterValidator(_pattern)]


class UpdateSelection(Settings):
    """What is accepted and what is rejected: the rejected is out, and where anything is to be accepted, so is the rest."""

    accept_kbs: tuple[Article, ...] = Field(
        default=(), description="In, whatever their category, title and age: KB5044288."
    )
    reject_kbs: tuple[Article, ...] = Field(default=(), description="Out: KB5044288.")
    accept_categories: tuple[Category, ...] = Field(default=(), description="Classifications: SecurityUpdates.")
    reject_categories: tuple[Category, ...] = Field(default=(), description="Classifications: DefinitionUpdates.")
    accept_titles: tuple[TitlePattern, ...] = Field(
        default=(), description="Regular expressions that are searched for in the title, whatever the case."
    )
    reject_titles: tuple[TitlePattern, ...] = Field(
        default=(), description="Regular expressions that are searched for in the title, whatever the case: Preview."
    )
    minimum_age_days: int = Field(
        default=0,
        ge=0,
        le=365,
        description="Days since an update was published, where the node tells that (a scheduled task does, CAU's provider not),"
        " else since the cluster was first offered it.",
    )

    @property
    def categories(self) -> tuple[str, ...]:
        """The categories that have to be scanned for, each once."""
        return tuple(dict.fromkeys((*self.accept_categories, *self.reject_categories)))
