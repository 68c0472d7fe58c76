"""Where-Object, Select-Object, Measure-Object and their like on the objects of the simulated machines."""

import json

import pytest

from include.simulator.cmdlets import registry
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"Property": "State", "EQ": None, "Value": "Paused"}, ["HCI02"]),
        ({"Property": "State", "NE": None, "Value": "paused"}, ["HCI01", "HCI03", "HCI04"]),
        ({"Property": "State", "EQ": None, "Value": 2}, ["HCI02"]),
        ({"Property": "Name", "Like": None, "Value": "*0[34]"}, ["HCI03", "HCI04"]),
        ({"Property": "Name", "NotLike": None, "Value": "*1"}, ["HCI02", "HCI03", "HCI04"]),
        ({"Property": "Name", "In": None, "Value": ["hci01", "x"]}, ["HCI01"]),
        ({"Property": "Name", "Match": None, "Value": "3$"}, ["HCI03"]),
        ({"Property": "BuildNumber", "GE": None, "Value": 20348}, ["HCI01", "HCI02", "HCI03", "HCI04"]),
        ({"Property": "BuildNumber", "LT": None, "Value": 20348}, []),
        ({"Property": "NoSuchProperty"}, []),
        ({"Property": "DynamicWeight"}, ["HCI01", "HCI02", "HCI03", "HCI04"]),
    ],
)
async def test_where_object(arguments: dict[str, object], found: list[str]) -> None:
    lab = Console()
    lab.world.membership.pause(lab.nodes[1])
    nodes = (await lab.run("HCI01", cmd("Get-ClusterNode"), ("Where-Object", arguments))).values
    assert [node.to_string for node in nodes] == found


async def test_where_object_compares_what_type_data_shows() -> None:
    lab = Console()
    healthy = cmd("Where-Object", Property="HealthStatus", EQ=None, Value="Healthy")
    assert len((await lab.run("HCI01", cmd("Get-VirtualDisk"), healthy)).values) == 4


async def test_select_object() -> None:
    lab = Console()
    picked = (
        await lab.run("HCI01", cmd("Get-ClusterNode"), cmd("Select-Object", Property=["Name", "Nope"], First=2))
    ).values
    assert [each.notes for each in picked] == [{"Name": "HCI01", "Nope": None}, {"Name": "HCI02", "Nope": None}]
    assert picked[0].type_names[0] == "Selected.Microsoft.FailoverClusters.PowerShell.ClusterNode"
    names = (await lab.run("HCI01", cmd("Get-ClusterNode"), cmd("Select-Object", ExpandProperty="Name", Last=1))).values
    assert names == ["HCI04"]
    wrong = await lab.run("HCI01", cmd("Get-Cluster"), cmd("Select-Object", ExpandProperty="Nope"))
    assert wrong.errors[0].fully_qualified_error_id.startswith("ExpandPropertyNotFound")


async def test_measure_object() -> None:
    lab = Console()
    count = await lab.one("HCI01", cmd("Get-ClusterGroup"), cmd("Measure-Object"))
    assert count.get("Count") == 15
    sizes = await lab.one(
        "HCI01", cmd("Get-VirtualDisk"), cmd("Measure-Object", Property="Size", Sum=None, Maximum=None)
    )
    assert (sizes.get("Sum"), sizes.get("Maximum")) == (4 * 2048 * 1024.0**3, 2048 * 1024.0**3)
    nothing = await lab.one("HCI01", cmd("Get-StorageJob"), cmd("Measure-Object"))
    assert nothing.get("Count") == 0


async def test_convert_to_json_and_out_null() -> None:
    lab = Console()
    text = (
        await lab.run(
            "HCI01",
            cmd("Get-ClusterNode"),
            cmd("Select-Object", Property=["Name", "State"]),
            cmd("ConvertTo-Json", Compress=None),
        )
    ).values
    assert [json.loads(str(each)) for each in text] == [[{"Name": f"HCI0{n}", "State": 0} for n in (1, 2, 3, 4)]]
    assert (await lab.run("HCI01", cmd("Get-ClusterNode"), cmd("Out-Null"))).values == []


async def test_get_command_lists_what_the_machine_plays() -> None:
    lab = Console()
    found = await lab.one("HCI01", cmd("Get-Command", Name="Suspend-ClusterNode"))
    assert (found.get("Name"), found.get("ModuleName")) == ("Suspend-ClusterNode", "FailoverClusters")
    missing = await lab.run("HCI01", cmd("Get-Command", Name="Invoke-Magic"))
    assert missing.errors[0].category == "ObjectNotFound"


@pytest.mark.parametrize(("on", "value"), [(False, "false"), (True, "true")])
async def test_credssp_setting(on: bool, value: str) -> None:
    lab = Console()
    lab.nodes[0].credssp = on
    item = await lab.one("HCI01", cmd("Get-Item", Path="WSMan:\\localhost\\Service\\Auth\\CredSSP"))
    assert item.get("Value") == value


def test_a_name_is_registered_once_and_found_in_any_case() -> None:
    assert registry.find("GET-CLUSTERNODE") is registry.find("FailoverClusters\\Get-ClusterNode") is not None
    assert registry.find("Get-Nothing") is None
    with pytest.raises(ValueError, match="registered twice"):
        registry.cmdlet("get-clusternode")(registry.find("Get-Cluster"))
