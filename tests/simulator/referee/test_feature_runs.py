"""A feature update by CAU and what comes after it, as the referee sees it: allowed, not allowed, too early, twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from include.simulator.journal import Entry
from include.simulator.referee import judge
from tests.simulator.world.console import Console
from tests.simulator.world.driver import cmd
from tests.simulator.world.test_feature_update import console, upgrade, world

EVERYTHING = ("remote-management", "preview-channel", "functional-level", "pool-version", "vm-power", "vm-version")
CONNECTED = {"WuConnected": "true", "UpdateClusterFunctionalLevel": "true"}
LEVEL, POOL = "cluster.functional_level", "pool.version"

_made: dict[tuple[str, ...], list[Entry]] = {}


async def feature_run(*permissions: str) -> list[Entry]:
    """The journal of a whole feature update from 20H2 with every post step, by one account."""
    if permissions not in _made:
        lab = console(world("20H2"))
        for what in permissions:
            lab.cluster.rule("permission", what=what)
        await lab.run("HCI01", cmd("Set-PreviewChannel"))
        await lab.run("MGMT01", upgrade())
        await lab.wait(timedelta(hours=2))
        await post_steps(lab)
        await lab.wait(timedelta(minutes=10))
        lab.cluster.snapshot()
        _made[permissions] = list(lab.journal.entries)
    return _made[permissions]


async def post_steps(lab: Console) -> None:
    for command in (
        cmd("Update-ClusterFunctionalLevel", WhatIf=True),
        cmd("Update-ClusterFunctionalLevel", Force=True),
        cmd("Update-StoragePool", FriendlyName=["S2D on HCI-CL01"], Confirm=False),
    ):
        await lab.run("HCI01", command)
    vm = next(group for group in lab.world.groups.all if group.vm)
    for name, more in (("Stop-VM", {"Force": True}), ("Update-VMVersion", {"Force": True}), ("Start-VM", {})):
        await lab.run(vm.owner.name, cmd(name, Name=[vm.name], **more))


def found(entries: list[Entry]) -> dict[str, str]:
    """Every broken invariant with all that is said of it."""
    said: dict[str, str] = {}
    for each in judge(entries, ended=True):
        said[each.invariant] = f"{said.get(each.invariant, '')} {each.sentence}".strip()
    return said


async def test_a_feature_update_that_is_allowed_raises_no_alarm() -> None:
    assert found(await feature_run(*EVERYTHING)) == {}


@pytest.mark.parametrize(
    ("missing", "invariant", "words"),
    [
        ("functional-level", "I9", "The functional level was raised from 10 to 12 without a permission"),
        ("pool-version", "I9", "without a permission for it (pool-version)"),
        ("vm-version", "I11", "was left 10.0; it was found 9.0"),
        ("vm-power", "I5", "went Off"),
        ("preview-channel", "I11", "The policy PreviewChannel on HCI01 was left ReleasePreview"),
        ("remote-management", "I10", "The firewall group Remote Shutdown on HCI0"),
    ],
)
async def test_what_nobody_allowed_is_named(missing: str, invariant: str, words: str) -> None:
    entries = await feature_run(*(each for each in EVERYTHING if each != missing))
    assert list(found(entries)) == [invariant]
    assert words in found(entries)[invariant]


async def test_cau_may_not_raise_the_level_either() -> None:
    lab = console(world("20H2"))
    lab.cluster.rule("permission", what="remote-management")
    await lab.run("MGMT01", upgrade(CONNECTED))
    lab.cluster.snapshot()
    assert "without a permission for it (functional-level)" in found(list(lab.journal.entries))["I9"]


def earlier(entries: list[Entry], op: str) -> list[Entry]:
    """The rise happens before the last node has the new build."""
    rise = next(entry for entry in entries if entry.op == op)
    builds = [place for place, entry in enumerate(entries) if entry.op == "build"]
    rest = [entry for entry in entries if entry is not rise]
    return [*rest[: builds[-1]], rise, *rest[builds[-1] :]]


def twice(entries: list[Entry], op: str) -> list[Entry]:
    place = next(number for number, entry in enumerate(entries) if entry.op == op)
    return [*entries[: place + 1], entries[place], *entries[place + 1 :]]


def fallen(entries: list[Entry], op: str) -> list[Entry]:
    return [
        replace(entry, detail={**entry.detail, "before": 12, "after": 10}) if entry.op == op else entry
        for entry in entries
    ]


@pytest.mark.parametrize("op", [LEVEL, POOL])
@pytest.mark.parametrize(
    ("mutation", "words"),
    [(earlier, "before all nodes ran the same build"), (twice, "was raised again"), (fallen, "fell from 12 to 10")],
)
async def test_a_rise_at_the_wrong_time_is_an_alarm(
    op: str, mutation: Callable[[list[Entry], str], list[Entry]], words: str
) -> None:
    entries = mutation(await feature_run(*EVERYTHING), op)
    numbered = [replace(entry, seq=number) for number, entry in enumerate(entries, 1)]
    assert words in found(numbered)["I9"]
