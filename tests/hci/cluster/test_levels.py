from __future__ import annotations

import pytest

from include.hci.cluster.levels import (
    READY,
    Level,
    get_level,
    get_pools,
    get_supported_levels,
    try_functional_level,
    update_functional_level,
    update_storage_pool,
)
from include.hci.cluster.vm_versions import VmVersion, get_default_version, get_vm_version, order, update_vm_version
from include.hci.powershell.errors import AnswerNotUnderstood
from include.hci.powershell.records import Message
from include.hci.powershell.result import Result
from tests.hci.cluster.fakes import FakeShell, enum, obj


def pool(name: str, **more: object):
    given = {"UniqueId": f"{{{name}}}", "Version": "Windows Server 2019", "HealthStatus": "Healthy"}
    return obj(name, FriendlyName=name, **{**given, "OperationalStatus": ("OK",), **more})


def test_levels_are_compared_as_pairs():
    assert Level(12, 1) < Level(12, 4) < Level(13, 0)
    assert Level(11, 40) < Level(12, 1)
    assert Level.parse(str(Level(12, 32774))) == Level(12, 32774)


def test_the_level_of_the_cluster_is_read():
    shell = FakeShell({"Get-Cluster": [obj(Name="C", ClusterFunctionalLevel=10, ClusterUpgradeVersion=2)]})
    assert get_level(shell) == Level(10, 2)


def test_a_cluster_that_names_no_level_is_not_understood():
    with pytest.raises(AnswerNotUnderstood):
        get_level(FakeShell({"Get-Cluster": [obj(Name="C")]}))


def test_a_nodes_highest_version_is_a_pair_in_one_number():
    nodes = [obj(Name="A", NodeHighestVersion=12 << 16 | 4), obj(Name="B")]
    assert get_supported_levels(FakeShell({"Get-ClusterNode": nodes})) == {"A": Level(12, 4), "B": None}


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (
            Result(information=(Message("information", "What if: x"),), warnings=(Message("warning", "y"),)),
            "What if: x y",
        ),
        (Result(), READY),
    ],
)
def test_trying_changes_nothing_and_says_what_was_said(result, said):
    shell = FakeShell({"Update-ClusterFunctionalLevel": result})
    assert try_functional_level(shell) == said
    assert not shell.sent[0].is_change
    update_functional_level(shell)
    assert shell.sent[1].is_change
    assert shell.lines == ["Update-ClusterFunctionalLevel -WhatIf", "Update-ClusterFunctionalLevel -Force"]


def test_pools_of_one_server_are_not_the_clusters():
    shell = FakeShell({"Get-StoragePool": [pool("S2D"), pool("Local", IsClustered=False)]})
    assert [found.name for found in get_pools(shell)] == ["S2D"]


@pytest.mark.parametrize(
    ("more", "trouble"),
    [
        ({}, ""),
        ({"IsReadOnly": True}, "S2D is read-only"),
        ({"HealthStatus": "Warning", "OperationalStatus": ("Degraded",)}, "S2D is Warning (Degraded)"),
        ({"OperationalStatus": ("Degraded",)}, "S2D is Healthy (Degraded)"),
    ],
)
def test_what_troubles_a_pool(more, trouble):
    [found] = get_pools(FakeShell({"Get-StoragePool": [pool("S2D", **more)]}))
    assert found.trouble == trouble


def test_a_pool_is_named_by_what_no_other_has():
    shell = FakeShell({})
    update_storage_pool(shell, "{abc}")
    assert shell.lines == ["Update-StoragePool -UniqueId '{abc}' -Confirm $false"]


def test_versions_of_virtual_machines_are_numbers():
    assert order("9.0") < order("10.0")


def test_a_machine_is_read_and_raised_through_its_role():
    shell = FakeShell(
        {"Get-VM": [obj(Version="9.0", State=enum(3, "Off"))], "Get-VMHostSupportedVersion": [obj(Version="10.0")]}
    )
    assert get_vm_version(shell, "SQL") == VmVersion("9.0", "Off")
    assert get_default_version(shell) == "10.0"
    update_vm_version(shell, "SQL")
    assert shell.lines[-1] == "Get-ClusterGroup -Name 'SQL' | Get-VM | Update-VMVersion -Force"


def test_a_role_without_a_machine_is_not_understood():
    with pytest.raises(AnswerNotUnderstood):
        get_vm_version(FakeShell({}), "SQL")
