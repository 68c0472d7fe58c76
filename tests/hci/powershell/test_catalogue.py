from __future__ import annotations

import pytest

from include.hci.powershell.catalogue import (
    CODES,
    ERROR_IDS,
    format_code,
    known_code,
    known_error,
    known_error_id,
    normalize_code,
)
from include.hci.powershell.records import ErrorRecord


@pytest.mark.parametrize(
    "code", [5987, "5987", " 5987 ", 0x80071763, "0x80071763", "0X80071763", -2147018909, "-2147018909"]
)
def test_a_code_is_known_in_every_form(code: int | str) -> None:
    known = known_code(code)
    assert known is not None
    assert known.name == "ERROR_CLUSTER_SPACE_DEGRADED"
    assert known.retry_safe


@pytest.mark.parametrize(
    ("code", "name"),
    [
        (-2145124330, "WU_E_INSTALL_NOT_ALLOWED"),
        ("0x80240016", "WU_E_INSTALL_NOT_ALLOWED"),
        (0x00240005, "WU_S_REBOOT_REQUIRED"),
        (2150858843, "ERROR_WSMAN_UNEXPECTED_SELECTORS"),
        ("0x80338029", "ERROR_WSMAN_OPERATION_TIMEDOUT"),
        ("0x80070005", "ERROR_ACCESS_DENIED"),
        (5, "ERROR_ACCESS_DENIED"),
        (0x8004100E, "WBEM_E_INVALID_NAMESPACE"),
        # What an update's own result and a search carry: WinHTTP's numbers come wrapped.
        (0x80072EE2 - 2**32, "ERROR_WINHTTP_TIMEOUT"),
        (0x80072EFD, "ERROR_WINHTTP_CANNOT_CONNECT"),
        (0x80070BC9, "ERROR_FAIL_REBOOT_REQUIRED"),
        (0x80070422, "ERROR_SERVICE_DISABLED"),
        (0x80246007, "WU_E_DM_NOTDOWNLOADED"),
        (-2145116150, "WU_E_UH_CANREQUIREINPUT"),
        (0x80070020, "ERROR_SHARING_VIOLATION"),
    ],
)
def test_codes_of_every_family_are_known(code: int | str, name: str) -> None:
    known = known_code(code)
    assert known is not None
    assert known.name == name


def test_what_is_not_known_is_none() -> None:
    assert known_code(0x80131501) is None
    assert known_error_id("Something,Else") is None
    assert known_error(ErrorRecord("odd")) is None


@pytest.mark.parametrize("code", ["", "five", "0x1234567890", 2**32, -(2**31) - 1])
def test_what_is_no_code_is_refused(code: int | str) -> None:
    with pytest.raises(ValueError):
        normalize_code(code)


@pytest.mark.parametrize(("code", "shown"), [(5987, "5987"), (-2145124330, "0x80240016"), ("0x00240005", "0x00240005")])
def test_codes_are_written_the_usual_way(code: int | str, shown: str) -> None:
    assert format_code(code) == shown


def test_every_entry_says_what_to_do() -> None:
    for known in (*CODES.values(), *ERROR_IDS.values()):
        assert known.name
        assert known.meaning
        assert known.meaning[0].islower() or known.meaning.startswith(("WinRM", "wusa"))
        assert not known.meaning.endswith(".")
        assert known.next_action[0].isupper()
        assert known.next_action.endswith(".")


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (ErrorRecord("x", native_code=5987, hresult=0x80131501), "ERROR_CLUSTER_SPACE_DEGRADED"),
        (ErrorRecord("x", hresult=0x80071763), "ERROR_CLUSTER_SPACE_DEGRADED"),
        (ErrorRecord("Exception from HRESULT: 0x80240016"), "WU_E_INSTALL_NOT_ALLOWED"),
        (ErrorRecord("gone", "HRESULT 0x80041010,Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand"), "WBEM_E_INVALID_CLASS"),
        (ErrorRecord("x", "CommandNotFoundException"), "CommandNotFoundException"),
        (ErrorRecord("x", "NamedParameterNotFound,Microsoft.X", hresult=0x80131501), "NamedParameterNotFound"),
    ],
)  # fmt: skip
def test_a_record_is_looked_up_by_its_codes_then_by_its_name(record: ErrorRecord, name: str) -> None:
    known = known_error(record)
    assert known is not None
    assert known.name == name
