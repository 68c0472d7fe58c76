from __future__ import annotations

import pytest

from include.hci.settings import SettingsError
from include.hci.settings.cau_remote import CauRemoteRequest


def test_a_run_recovers_nothing_unless_it_is_told_to():
    assert CauRemoteRequest.from_json({"credssp": None}) == CauRemoteRequest(
        credssp="when_needed", force_recovery="never"
    )


def test_it_travels_as_json():
    request = CauRemoteRequest(credssp="never", force_recovery="allow")
    assert CauRemoteRequest.from_json(request.to_json()) == request


@pytest.mark.parametrize("data", [{"force_recovery": "always"}, {"force": True}, {"credssp": True}])
def test_what_it_does_not_know_is_refused_by_name(data: dict[str, object]):
    with pytest.raises(SettingsError, match=f"run parameters: {next(iter(data))}"):
        CauRemoteRequest.from_json(data)
