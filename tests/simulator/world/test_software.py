"""The software that a world's specification puts on its machines."""

from dataclasses import replace

import pytest

from include.simulator.world.software import SoftwareSpec
from include.simulator.world.spec import demo_world
from tests.simulator.world.driver import Lab
from tests.simulator.world.software import with_software

ASR = "HKLM:\\SOFTWARE\\Policies\\Microsoft\\Windows Defender\\Windows Defender Exploit Guard\\ASR\\Rules"


def test_only_the_machine_that_was_meant_differs() -> None:
    software = SoftwareSpec(
        ubr=1999,
        policies=(("NoAutoUpdate", 1),),
        registry=((ASR, "d1e49aac-8f56-4280-b9ba-993a6d77406c", 1),),
        start_types=(("ClusSvc", "Manual"),),
        bitlocker=True,
        remoting=False,
        without_features=("RSAT-Clustering",),
    )
    lab = Lab(with_software(demo_world(2), software))
    first, second = lab.nodes
    world = lab.world
    assert [node.ubr for node in lab.nodes] == [1999, world.spec.os.ubr]
    assert [world.policies.values(node) for node in lab.nodes] == [{"NoAutoUpdate": 1}, {}]
    assert [world.registry.values(node, ASR) is not None for node in lab.nodes] == [True, False]
    assert [node.services["ClusSvc"].start_type for node in lab.nodes] == ["Manual", "Automatic"]
    assert [world.bitlocker.state(node)["C:"] for node in lab.nodes] == ["On", "Off"]
    assert [world.remoting.state(node).powershell for node in lab.nodes] == [False, True]
    assert [world.features.installed(node, "RSAT-Clustering-PowerShell") for node in (first, second)] == [False, True]


def test_the_beginning_of_a_world_is_no_change() -> None:
    lab = Lab(with_software(demo_world(2), SoftwareSpec(policies=(("AUOptions", 4),), bitlocker=True)))
    assert lab.recorder.events == []


def test_the_management_host_has_software_of_its_own() -> None:
    lab = Lab(replace(demo_world(2), host_software=SoftwareSpec(without_features=("RSAT-Clustering",))))
    assert not lab.world.features.installed(lab.world.management_host, "RSAT-Clustering")
    assert lab.world.features.installed(lab.nodes[0], "RSAT-Clustering")


@pytest.mark.parametrize(
    ("software", "says"),
    [
        (SoftwareSpec(policies=(("Nope", 1),)), "Nope"),
        (SoftwareSpec(firewall=("Nope",)), "group 'Nope'"),
        (SoftwareSpec(start_types=(("Nope", "Manual"),)), "service 'Nope'"),
        (SoftwareSpec(start_types=(("ClusSvc", "Later"),)), "Later"),
        (SoftwareSpec(without_features=("Nope",)), "feature 'Nope'"),
    ],
)
def test_software_that_there_is_not_is_named(software: SoftwareSpec, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Lab(with_software(demo_world(2), software))
