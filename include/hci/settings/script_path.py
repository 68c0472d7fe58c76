"""What a path of a PowerShell script may look like that is sent as the name of a command."""

from __future__ import annotations

import re

#: CAU takes as many characters (windows-powershell-docs, Invoke-CauRun).
LONGEST = 260
_PART = r"[^\\/:*?\"<>|`\[\]\x00-\x1f\x7f]+"
_PATH = re.compile(rf"(?:[A-Za-z]:|\\\\{_PART}\\{_PART})(?:\\{_PART})*\\{_PART}\.ps1", re.IGNORECASE)


def script_path_problem(text: str) -> str:
    """Return why ``text`` is not the absolute path of a script; empty where it is one.

    PowerShell looks such a name up as a path, wildcards included, and never reads it as script: what could be a wildcard, or no
    file at all, is refused.
    """
    if len(text) > LONGEST:
        return f"has {len(text)} characters; {LONGEST} are the most."
    if not _PATH.fullmatch(text) or any(part.strip(" .") != part for part in text.split("\\")[1:] if part):
        return (
            f"{text!r} is not the absolute path of a PowerShell script that the nodes can reach: "
            r"C:\ClusterStorage\Volume1\pre-update.ps1 or \\server\share\pre-update.ps1."
        )
    return ""
