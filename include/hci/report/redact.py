"""Keeps secrets out of records and reports."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Mapping

HIDDEN = "***"

_WORDS = "password|passwd|passphrase|pwd|secret|token|api[_-]?key|private[_-]?key|credential|authorization|connection[_-]?string"
_SECRET_KEY = re.compile(rf"(?:^|[^a-z])(?:{_WORDS})s?(?:$|[^a-z])|(?:{_WORDS})s?$", re.IGNORECASE)
_TEXT = r"""\"(?:[^"\\]|\\.)*\"|\"[^"]*\"|'[^']*'"""
_ASSIGNMENT = re.compile(
    rf"""((?:{_WORDS})["']?\s*[:=]\s*)(?:{_TEXT}|(?:(?:bearer|basic|negotiate)\s+)?[^\s,;&}}]+)""",
    re.IGNORECASE,
)
# A parameter's name has an end: without one a long line of dashes would take minutes.
_PARAMETER = re.compile(rf"""(-[\w-]{{0,40}}(?:{_WORDS})\s+)(?:{_TEXT}|[^\s-]\S*)""", re.IGNORECASE)
_SECURE_STRING = re.compile(rf"(ConvertTo-SecureString\s+(?:-String\s+)?)(?:{_TEXT}|[^\s-]\S*)", re.IGNORECASE)
_ELEMENT = re.compile(rf"""(<[^<>]{{0,80}}(?:{_WORDS})["']?\s*>)[^<]+""", re.IGNORECASE)
_SCHEME = re.compile(r"\b(bearer|basic|negotiate)\s+[A-Za-z0-9+/=._~-]{12,}", re.IGNORECASE)
#: Without one of these no text holds what the five above look for; most texts hold none.
_HINT = re.compile(rf"{_WORDS}|bearer|basic|negotiate|securestring", re.IGNORECASE)
_URL = re.compile(r"(\w{1,20}://[^\s/:@]{1,256}:)[^\s/@]+(@)")


class Redactor:
    """Replaces what looks like a secret, and every one of the known ``secrets``, by ``***``."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Longest first: a secret may contain another one. Very short ones would hide half of every sentence.
        self._secrets = sorted({secret for secret in secrets if len(secret) >= 4}, key=len, reverse=True)

    def __repr__(self) -> str:
        return f"Redactor({len(self._secrets)} known secrets)"

    def clean(self, value: object) -> object:
        """Return ``value`` (JSON data) without secrets: by key, by what texts look like, and by the known secrets."""
        if isinstance(value, Mapping):
            return {
                self.text(str(key)): HIDDEN if is_secret_key(str(key)) and item is not None else self.clean(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.clean(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def text(self, text: str) -> str:
        """Return ``text`` without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = _URL.sub(rf"\1{HIDDEN}\2", text)
        if _HINT.search(text) is None:
            return text
        text = _ASSIGNMENT.sub(rf"\1{HIDDEN}", text)
        text = _PARAMETER.sub(rf"\1{HIDDEN}", text)
        text = _SECURE_STRING.sub(rf"\1{HIDDEN}", text)
        text = _ELEMENT.sub(rf"\1{HIDDEN}", text)
        return _SCHEME.sub(rf"\1 {HIDDEN}", text)


@functools.lru_cache(maxsize=1024)
def is_secret_key(key: str) -> bool:
    """Tell whether a value under ``key`` is taken for a secret (``password``, ``client_secret``, ``AccessToken`` ...)."""
    words = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", key)
    return _SECRET_KEY.search(words) is not None
