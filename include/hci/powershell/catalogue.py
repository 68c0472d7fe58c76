"""What the codes and error names mean that clusters, storage, Windows Update and remoting answer with."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from include.hci.powershell.records import ErrorRecord

_HRESULT_OF_WIN32: Final = 0x80070000


@dataclass(frozen=True, slots=True)
class KnownError:
    """What is known about one error.

    ``name`` is the vendor's name; ``meaning`` says what it means for the cluster; ``next_action`` what to do about it;
    ``retry_safe`` whether the very same command may simply be given again later.
    """

    name: str
    meaning: str
    next_action: str
    retry_safe: bool


def normalize_code(code: int | str) -> int:
    """Return ``code`` as an unsigned 32-bit number.

    Takes any form in which these codes are written: 5987, "5987", 0x80071763, "0x80071763", -2147018909. Raises ValueError for
    anything else.
    """
    number = code if isinstance(code, int) else int(code.strip(), 0)
    if not -(2**31) <= number < 2**32:
        raise ValueError(f"{code!r} is not a 32-bit error code.")
    return number & 0xFFFFFFFF


def plain_code(code: int | str) -> int:
    """Return ``code`` unsigned, and as the Win32 code that it wraps where it is such an HRESULT (0x80071763 gives 5987)."""
    number = normalize_code(code)
    return number & 0xFFFF if number & 0xFFFF0000 == _HRESULT_OF_WIN32 else number


def format_code(code: int | str) -> str:
    """Return ``code`` as it is usually written: small Win32 codes in decimal, everything else as 0x with eight digits."""
    number = normalize_code(code)
    return str(number) if number < 0x10000 else f"0x{number:08X}"


def known_code(code: int | str) -> KnownError | None:
    """Return what is known about a Win32, HRESULT, Windows Update or WSMan code in any form, or None."""
    return CODES.get(plain_code(code))


def known_error_id(fully_qualified_error_id: str) -> KnownError | None:
    """Return what is known about a fully qualified error id (the part in front of the first comma counts), or None."""
    return ERROR_IDS.get(fully_qualified_error_id.partition(",")[0].strip().lower())


def known_error(record: ErrorRecord) -> KnownError | None:
    """Return what is known about ``record``: by its codes first, then by its name, or None."""
    for code in record.codes():
        if known := known_code(code):
            return known
    return known_error_id(record.fully_qualified_error_id)


def _load() -> tuple[Mapping[int, KnownError], Mapping[str, KnownError]]:
    tables = tomllib.loads((Path(__file__).parent / "known_errors.toml").read_text(encoding="utf-8"))
    codes = {row.pop("code"): KnownError(**row) for row in tables["code"]}
    ids = {row["name"].lower(): KnownError(**row) for row in tables["id"]}
    return MappingProxyType(codes), MappingProxyType(ids)


#: What each unsigned code means, and what the first part of a fully qualified error id means (by its lower-case name).
CODES, ERROR_IDS = _load()
