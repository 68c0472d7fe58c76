from __future__ import annotations

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from include.hci.settings.profile import NOT_SUPPORTED, UpdatingRunProfile, default_max_failed_nodes, not_supported

VENDOR = Path(__file__).resolve().parents[4] / "shared" / "reference" / "cmdlets"

#: Parameters of Invoke-CauRun that are not options of a run: which cluster, who, prompts, and other modes of the cmdlet.
NOT_OPTIONS = {
    "ClusterName", "Credential", "Force", "Confirm", "WhatIf",
    "ForceRecovery", "ClearCorruptReports", "SuspendNode", "ResumeNode",
}  # fmt: skip

#: What to set each refused option to, so that it differs from its default.
OTHER_VALUES: dict[str, Any] = {
    "enable_firewall_rules": True,
    "separate_reboots": True,
    "run_plugins_serially": True,
    "stop_on_plugin_failure": True,
    "cau_plugin_name": ["Microsoft.HotfixPlugin"],
    "cau_plugin_arguments": [{"QueryString": "x"}],
    "suspend_cluster_node_timeout_minutes": 5,
    "suspend_retries_per_node": 1,
    "wait_for_storage_repair_timeout_minutes": 5,
    "attempt_soft_reboot": True,
    "reboot_mode": "SoftReboot",
    "force_pause_no_drain": True,
    "force_pause_and_drain": True,
    "force_pause_drain_and_reboot": True,
    "skip_update_checks": True,
    "force_self_update": True,
    "site_aware_updating_order": ["Berlin"],
    "os_rolling_upgrade": True,
}


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def test_defaults_are_the_documented_ones():
    profile = UpdatingRunProfile()
    assert profile.max_failed_nodes is None
    assert profile.max_retries_per_node == 3
    assert profile.reboot_timeout_minutes == 15
    assert profile.failback_mode == "Immediate"
    assert profile.query_string == "IsInstalled=0 and Type='Software' and IsHidden=0 and IsAssigned=1"
    assert profile.cau_plugin_name == ("Microsoft.WindowsUpdatePlugin",)
    assert (profile.require_all_nodes_online, profile.include_recommended_updates, profile.stop_after) == (
        False,
        False,
        None,
    )
    assert not_supported(profile) == {}


@pytest.mark.parametrize("version", ["2019", "2022", "2025"])
def test_every_option_of_the_vendor_is_known_under_its_name(version: str):
    file = VENDOR / f"windows-server-{version}.json"
    if not file.exists():
        pytest.skip("the vendor's cmdlet syntax is not beside the repository")
    cmdlets = json.loads(file.read_text(encoding="utf-8"))["cmdlets"]
    found = (
        cmdlets["Invoke-CauRun"]
        if isinstance(cmdlets, dict)
        else next(c for c in cmdlets if c["name"] == "Invoke-CauRun")
    )
    options = {snake(name) for name in found["parameters"]} - {snake(name) for name in NOT_OPTIONS}
    assert options <= set(UpdatingRunProfile.model_fields)


def test_the_table_of_refused_options_is_tested_in_full():
    assert set(OTHER_VALUES) == set(NOT_SUPPORTED)
    assert set(NOT_SUPPORTED) <= set(UpdatingRunProfile.model_fields)


@pytest.mark.parametrize("key", sorted(OTHER_VALUES))
def test_an_option_without_effect_is_refused_when_set_and_accepted_at_its_default(key: str):
    changed = UpdatingRunProfile.model_validate({key: OTHER_VALUES[key]})
    assert list(not_supported(changed)) == [key]
    assert "is not supported yet" in not_supported(changed)[key]
    same = UpdatingRunProfile.model_validate({key: UpdatingRunProfile.model_fields[key].default})
    assert not_supported(same) == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_failed_nodes", -1),
        ("max_failed_nodes", True),
        ("max_retries_per_node", 65),
        ("max_retries_per_node", -1),
        ("max_retries_per_node", 1.5),
        ("reboot_timeout_minutes", 0),
        ("failback_mode", "Sometimes"),
        ("node_order", "HCI01"),
        ("node_order", ["HCI01", "hci01"]),
        ("node_order", ["not a name"]),
        ("query_string", ""),
        ("query_string", "   "),
        ("query_string", "Type='Software"),
        ("query_string", "IsInstalled=0 or"),
        ("query_string", "(IsInstalled=0 and Type='Software'"),
        ("query_string", "IsInstalled=0)"),
        ("stop_after", 90),
        ("stop_after", "00:00:00"),
        ("resync_stable_reads", 0),
        ("max_passes_per_node", 0),
        ("node_updater", "hope"),
        ("pre_update_script", "C:\\" + "x" * 260 + ".ps1"),
        ("pre_update_script", "pre.ps1"),
        ("pre_update_script", "C:\\Scripts\\pre.ps1; Restart-Computer"),
        ("post_update_script", "C:\\Scripts\\*.ps1"),
        ("post_update_script", "\\\\server\\post.ps1"),
        ("configuration_name", ""),
        ("configuration_name", "../Other"),
        ("script_timeout_minutes", 0),
        ("max_failed_node", 1),
    ],
)
def test_values_out_of_bounds_are_refused(key: str, value: object):
    with pytest.raises(ValidationError):
        UpdatingRunProfile.model_validate({key: value})


def test_scripts_are_named_by_paths_on_disk_or_on_a_share():
    given = {
        "pre_update_script": "C:\\ClusterStorage\\Volume 1\\pre.PS1",
        "post_update_script": "\\\\server\\share$\\post.ps1",
    }
    profile = UpdatingRunProfile.model_validate(given)
    assert (profile.pre_update_script, profile.post_update_script) == tuple(given.values())
    assert not_supported(profile) == {}


def test_warn_after_must_come_before_stop_after():
    assert UpdatingRunProfile.model_validate(
        {"warn_after": "00:59:59", "stop_after": "01:00:00"}
    ).warn_after == timedelta(minutes=59, seconds=59)
    with pytest.raises(ValidationError, match="shorter than stop_after"):
        UpdatingRunProfile.model_validate({"warn_after": "01:00:00", "stop_after": "01:00:00"})


def test_merging_takes_only_what_the_other_sets_even_when_it_sets_a_default():
    base = UpdatingRunProfile.model_validate({"max_retries_per_node": 5, "reboot_timeout_minutes": 60})
    merged = base.merged(UpdatingRunProfile.model_validate({"max_retries_per_node": 3}))
    assert (merged.max_retries_per_node, merged.reboot_timeout_minutes) == (3, 60)


@pytest.mark.parametrize(("nodes", "limit"), [(2, 0), (3, 1), (4, 1), (5, 1), (6, 2), (8, 2), (16, 5)])
def test_a_third_of_the_nodes_may_fail_by_default(nodes: int, limit: int):
    assert default_max_failed_nodes(nodes) == limit
