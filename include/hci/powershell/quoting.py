"""Texts as a person types them in PowerShell, for the commands that reports and logs tell people to give."""

from __future__ import annotations

import re

#: What PowerShell takes for a single quote (``CharExtensions.IsSingleQuote``): the typographic ones as well, which names of
#: virtual machines may hold. ``CodeGeneration.EscapeSingleQuotedStringContent`` doubles them in the same way.
_QUOTES = re.compile("['\u2018\u2019\u201a\u201b]")


def quoted(text: str) -> str:
    """Return ``text`` as a literal that nothing in it can end."""
    return "'" + _QUOTES.sub(lambda found: found[0] * 2, text) + "'"
