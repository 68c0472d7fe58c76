"""Class dumps of root/MSCluster on 2019 and 23H2; PauseClusterNode; MSCluster_ClusterService.UpdateFunctionalLevel."""

from dataclasses import replace

import pytest

from include.simulator.world.spec import demo_world, without_witness
from tests.simulator.world.console import Console
from tests.simulator.world.driver import Command, cmd

NAMESPACE = "root/MSCluster"


def node(name: str) -> Command:
    return cmd("Get-CimInstance", Namespace=NAMESPACE, ClassName="MSCluster_Node", Filter=f"Name='{name}'")


def method(name: str, **arguments: object) -> Command:
    return cmd("Invoke-CimMethod", MethodName=name, **({"Arguments": arguments} if arguments else {}))


SERVICE = cmd("Get-CimInstance", Namespace=NAMESPACE, ClassName="MSCluster_ClusterService")


async def test_a_node_has_numbers_where_the_module_has_names() -> None:
    lab = Console()
    await lab.drain(lab.nodes[1])
    found = await lab.one("HCI01", node("HCI02"))
    values = {name: found.properties[name] for name in ("State", "NodeDrainStatus", "StatusInformation", "NodeWeight")}
    assert values == {"State": 2, "NodeDrainStatus": 2, "StatusInformation": 8, "NodeWeight": 1}


@pytest.mark.parametrize(
    ("os", "variants", "there"),
    [
        ("WS2019", (), False),
        ("WS2019", ("drain-error-code-of-2022",), False),
        ("21H2", (), False),
        ("21H2", ("drain-error-code-of-2022",), True),
        ("23H2", (), True),
    ],
)
async def test_drain_error_code_by_version(os: str, variants: tuple[str, ...], there: bool) -> None:
    lab = Console(replace(demo_world(2, os), variants=frozenset(variants)))
    lab.world.groups.find("VM-1-1").vm.blocked = "pass-through disk"
    await lab.drain(lab.nodes[0])
    assert (await lab.one("HCI02", node("HCI01"))).properties.get("DrainErrorCode") == (5005 if there else None)


@pytest.mark.parametrize(("witness", "loses"), [(True, [False, False]), (False, [True, False])])
async def test_a_node_says_whether_its_loss_would_cost_quorum(witness: bool, loses: list[bool]) -> None:
    spec = demo_world(2)
    lab = Console(spec if witness else without_witness(spec))
    answers = [
        (await lab.one("HCI01", node(name), method("WillOfflineLoseQuorum"))).properties["ReturnValue"]
        for name in ("HCI01", "HCI02")
    ]
    assert answers == loses


async def test_paused_and_resumed_by_method() -> None:
    lab = Console()
    await lab.run("HCI01", node("HCI02"), method("Pause", DrainType=1))
    await lab.wait_for(lambda: lab.nodes[1].drain_status.name == "Completed")
    degraded = await lab.refusal("HCI01", node("HCI03"), method("Pause", DrainType=1))
    assert degraded.fully_qualified_error_id.startswith("MI RESULT 1")
    await lab.run("HCI01", node("HCI02"), method("Resume", FailbackType=1))
    await lab.settled()
    assert {group.name for group in lab.world.groups.on(lab.nodes[1]) if group.vm} == {"VM-2-1", "VM-2-2", "VM-2-3"}


async def test_readiness_for_the_next_level() -> None:
    lab = Console(demo_world(2, "20H2"))
    ready = (SERVICE, method("ClusterIsReadyForUpgrade"))
    answers = [(await lab.one("HCI01", *ready)).properties["isReady"]]
    for each in lab.nodes:
        each.build = 20348
        answers.append((await lab.one("HCI01", *ready)).properties["isReady"])
    assert answers == [False, False, True]
    await lab.run("HCI01", SERVICE, method("UpdateFunctionalLevel", WhatIf=True))
    assert lab.world.functional_level == 10
    await lab.run("HCI01", SERVICE, method("UpdateFunctionalLevel", WhatIf=False))
    assert lab.world.functional_level == 12


async def test_unknown_method_and_a_node_outside() -> None:
    lab = Console()
    assert (await lab.refusal("HCI01", node("HCI02"), method("Evict"))).category == "MetadataError"
    lab.world.cluster_service.stop(lab.nodes[1])
    record = await lab.refusal("HCI02", node("HCI01"))
    assert record.category == "MetadataError"


async def test_the_class_shows_its_methods() -> None:
    found = await Console().one("HCI01", cmd("Get-CimClass", Namespace=NAMESPACE, ClassName="MSCluster_Node"))
    names = {each.get("Name") for each in found.get("CimClassMethods")}  # type: ignore[attr-defined]
    assert {"Pause", "Resume", "WillOfflineLoseQuorum"} <= names
