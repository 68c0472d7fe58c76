from __future__ import annotations

import pytest

from include.hci.settings import SettingsError
from include.hci.settings.offline import OfflineRequest


def test_without_a_word_guests_shut_down_and_everything_is_installed_in_the_downtime():
    assert OfflineRequest.from_parameters({}).to_json() == {
        "vm_action": "shutdown",
        "vm_patience_minutes": 10,
        "vm_fallback": "save",
        "install_before": False,
    }


def test_parameters_of_other_kinds_are_left_aside():
    given = {"vm_action": "save", "query_string": "IsInstalled=0", "install_before": None}
    assert OfflineRequest.from_parameters(given) == OfflineRequest(vm_action="save")


@pytest.mark.parametrize(
    ("given", "key"), [({"vm_action": "turn_off"}, "vm_action"), ({"vm_patience_minutes": 0}, "vm_patience_minutes")]
)
def test_what_cannot_be_done_is_named(given, key):
    with pytest.raises(SettingsError, match=key):
        OfflineRequest.from_parameters(given)
