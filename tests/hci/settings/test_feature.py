from __future__ import annotations

import pytest

from include.hci.policy.cau_options import cau_parameters
from include.hci.settings import RunOptions, SettingsError
from include.hci.settings.cau_remote import CauRemoteRequest
from include.hci.settings.feature import ROLLING_UPGRADE, SET_BY_IT, FeatureUpdateRequest, upgrade_options

SHARE = r"\\files\media\22H2"


def test_what_cannot_be_taken_back_is_asked_for_unless_something_else_is_said():
    request = FeatureUpdateRequest()
    assert (request.functional_level, request.pool_version, request.vm_versions) == ("ask", "ask", "no")
    assert (request.running_vms, request.verify_move, request.further_updates) == ("leave", True, True)
    assert not request.preview_channel


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ({}, {"WuConnected": "true"}),
        ({"source": "media", "media_path": SHARE}, {"WuConnected": "false", "PathToSetupMedia": SHARE}),
        # An empty field of a form is no path.
        ({"source": "windows_update", "media_path": " "}, {"WuConnected": "true"}),
    ],
)
def test_the_plug_in_is_told_where_the_version_comes_from_and_never_to_raise_the_level(given, arguments):
    assert FeatureUpdateRequest.from_json(given).plugin_arguments == arguments


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"source": "media"}, "needs media_path"),
        ({"media_path": SHARE}, "only for source: media"),
        ({"source": "media", "media_path": r"D:\media"}, "path of a share"),
        ({"source": "media", "media_path": r"\\files"}, "path of a share"),
        ({"functional_level": "perhaps"}, "functional_level"),
        ({"functional_levle": "yes"}, "functional_levle"),
    ],
)
def test_a_request_that_cannot_be_meant_is_refused_by_name(given, says):
    with pytest.raises(SettingsError) as caught:
        FeatureUpdateRequest.from_json(given)
    assert says in str(caught.value)


def test_a_request_survives_the_record():
    request = FeatureUpdateRequest(source="media", media_path=SHARE, vm_names=("SQL01",), vm_versions="yes")
    assert FeatureUpdateRequest.from_json(request.to_json()) == request


def test_it_has_what_a_remote_updating_run_is_told():
    for name, field in CauRemoteRequest.model_fields.items():
        assert FeatureUpdateRequest.model_fields[name].default == field.default


def test_whatever_the_profile_says_cau_gets_this_plug_in_alone_and_restarts_in_full():
    options = RunOptions.model_validate(
        {
            "max_failed_nodes": 1,
            "cau_plugin_name": ["Microsoft.WindowsUpdatePlugin", "Microsoft.HotfixPlugin"],
            "cau_plugin_arguments": [{"QueryString": "IsInstalled=0"}, {"HotfixRootFolderPath": r"\\files\hotfix"}],
            "query_string": "IsInstalled=0",
            "include_recommended_updates": True,
            "run_plugins_serially": True,
            "attempt_soft_reboot": True,
            "reboot_mode": "SoftReboot",
            "enable_firewall_rules": True,
            "reboot_timeout_minutes": 60,
        }
    )
    found = cau_parameters(upgrade_options(options, FeatureUpdateRequest()))
    assert found["CauPluginName"] == [ROLLING_UPGRADE]
    assert found["CauPluginArguments"] == {"WuConnected": "true"}
    assert {"EnableFirewallRules", "RebootTimeoutMinutes", "MaxFailedNodes"} <= set(found)
    assert not {"AttemptSoftReboot", "RebootMode", "RunPluginsSerially"} & set(found)
    assert {name for name in SET_BY_IT if name not in RunOptions.model_fields} == set()
