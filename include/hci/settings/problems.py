"""What is wrong with the settings, said so that it can be mended: file, line, key, and what would be right."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel
from pydantic_core import ErrorDetails

#: Where in a document something stands: keys and list positions, as in ``("clusters", "demo", "nodes", 0)``.
Location = tuple[str | int, ...]

_SECRETS = ("password", "passwd", "pwd", "secret", "token", "login", "user", "username", "credential")


@dataclass(frozen=True, slots=True)
class SettingsProblem:
    """One thing that is wrong in ``file`` at ``line`` (from 1, None when there is no line) under ``key``.

    ``cluster`` is the cluster that cannot be used because of it; None when it concerns the file, the defaults or a profile.
    """

    file: str
    line: int | None
    key: str
    cluster: str | None
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class SettingsError(ValueError):
    """Settings that cannot be used, with every problem found."""

    def __init__(self, problems: Collection[SettingsProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def key_text(location: Location) -> str:
    """Return ``location`` as people write it: ``clusters.demo.nodes[0].name``."""
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def explain(error: ErrorDetails, allowed: Collection[str]) -> str:
    """Return one pydantic error as a sentence; ``allowed`` are the keys that the place of the error knows."""
    kind = error["type"]
    context: Mapping[str, Any] = error.get("ctx", {})
    value = _shown(error["input"])
    if kind == "extra_forbidden":
        return unknown_key(str(error["loc"][-1]), allowed)
    sentences = {
        "missing": "is missing. Add it.",
        "value_error": str(context.get("error", "")),
        "bool_parsing": f"must be true or false, not {value}.",
        "bool_type": f"must be true or false, not {value}.",
        "int_parsing": f"must be a whole number, not {value}.",
        "int_parsing_size": f"must be a whole number that is not as long as {value}.",
        "int_type": f"must be a whole number, not {value}.",
        "int_from_float": f"must be a whole number, not {value}.",
        "float_parsing": f"must be a number, not {value}.",
        "float_type": f"must be a number, not {value}.",
        "finite_number": f"must be a number, not {value}.",
        "string_type": f"must be a text, not {value}.",
        "literal_error": f"must be {context.get('expected', '')}, not {value}.",
        "greater_than_equal": f"must be {context.get('ge')} or more, not {value}.",
        "less_than_equal": f"must be {context.get('le')} or less, not {value}.",
        "greater_than": f"must be more than {context.get('gt')}, not {value}.",
        "too_short": f"needs at least {context.get('min_length')} entries, it has {context.get('actual_length')}.",
        "too_long": f"takes at most {context.get('max_length')} entries, it has {context.get('actual_length')}.",
        "string_too_short": "must not be empty.",
        "string_too_long": f"takes at most {context.get('max_length')} characters.",
        "tuple_type": f"must be a list, not {value}.",
        "dict_type": f"must be a group of keys, not {value}.",
        "model_type": f"must be a group of keys, not {value}.",
        "model_attributes_type": f"must be a group of keys, not {value}.",
    }
    return sentences.get(kind) or f"{error['msg']}."


def unknown_key(key: str, allowed: Collection[str]) -> str:
    """Return the sentence for a key that the place does not know, with the nearest known one."""
    if key.lower() in _SECRETS:
        return (
            "logins and passwords never stand in this file. Put them into the Airflow connection that 'connection' names, "
            "and remove the key here."
        )
    near = difflib.get_close_matches(key.lower(), sorted(allowed), n=1, cutoff=0.6)
    known = ", ".join(sorted(allowed)) or "none"
    return f"is not a known key. {f'Did you mean {near[0]!r}?' if near else f'Known keys here: {known}.'}"


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, Mapping):
        return "a group of keys"
    if isinstance(value, list | tuple):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def known_keys(model: type[BaseModel], location: Location) -> tuple[str, ...]:
    """Return the keys that the group at ``location`` inside ``model`` knows; nothing where it is no group of known keys."""
    for part in location:
        if isinstance(part, int) or part not in model.model_fields:
            continue
        inner = _model_inside(model.model_fields[part].annotation)
        if inner is None:
            return ()
        model = inner
    return tuple(model.model_fields)


def _model_inside(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for found in map(_model_inside, get_args(annotation)) if found), None)
