from dataclasses import replace
from datetime import timedelta

import pytest

from include.simulator.world.catalogue import UpdateSpec, update_id
from include.simulator.world.criteria import parse
from include.simulator.world.software import SoftwareSpec
from include.simulator.world.spec import demo_world
from tests.simulator.world.driver import QUERY, Lab
from tests.simulator.world.software import with_software, with_variant


def offered(lab: Lab, query: str = QUERY, *, recommended: bool = False) -> set[str]:
    found = lab.world.updates.search(lab.nodes[0], parse(query), recommended=recommended)
    return {update.kb for update in found}


def install(lab: Lab, *names: str) -> None:
    """Have updates installed and effective on the first node."""
    for name in names:
        lab.world.updates.record(lab.nodes[0]).installed[update_id(f"{name}-{lab.world.spec.os.key}")] = True


def test_default_query_offers_cumulative_net_definitions_and_the_feature_update() -> None:
    # "An all updates query without this filter would offer a feature update" (SConfig's category filter).
    assert offered(Lab()) == {"KB5099101", "KB5099204", "KB2267602", "KB5099900"}


def test_recommended_updates_come_only_when_asked_for() -> None:
    assert "KB890830" in offered(Lab(), recommended=True)


def test_second_wave_and_preview_wait_for_the_cumulative_update() -> None:
    lab = Lab()
    optional = "IsInstalled=0 and Type='Software' and DeploymentAction='OptionalInstallation'"
    assert offered(lab, optional) == set()
    install(lab, "lcu")
    assert "KB5099377" in offered(lab)
    assert offered(lab, optional) == {"KB5099555"}


def test_servicing_stack_goes_first_where_it_is_separate() -> None:
    lab = Lab(demo_world(2, "20H2"))
    assert "KB5099012" in offered(lab)
    assert "KB5099101" not in offered(lab)
    install(lab, "ssu")
    assert "KB5099101" in offered(lab)


def test_superseded_update_is_offered_only_while_its_successor_is_not_applicable() -> None:
    lab = Lab(demo_world(2, "20H2"))
    assert "KB5098012" in offered(lab), "the new one still waits for its servicing stack"
    install(lab, "ssu")
    assert "KB5098012" not in offered(lab)
    install(lab, "lcu")
    assert "KB5098012" not in offered(lab)


async def run(lab: Lab, kind: str, query: str = QUERY) -> list[tuple[str, int, str]]:
    node = lab.nodes[0]
    operation = lab.world.updates.start(node, kind, lab.world.updates.search(node, parse(query)), "guid")
    await lab.wait_for(lambda: operation.over)
    return [(each.update.kb, each.code, f"0x{each.hresult:08X}") for each in operation.results]


async def test_nothing_installs_that_was_not_downloaded() -> None:
    lab = Lab()
    assert {(code, hresult) for _, code, hresult in await run(lab, "install")} == {(4, "0x80246007")}
    assert not lab.nodes[0].pending_restart


async def test_download_again_takes_no_time() -> None:
    lab = Lab()
    await run(lab, "download")
    began = lab.clock.now()
    await run(lab, "download")
    assert lab.clock.now() - began < timedelta(minutes=1)


async def test_build_changes_with_the_restart_and_not_before() -> None:
    lab = Lab()
    node = lab.nodes[0]
    query = QUERY + f" and UpdateID!='{update_id('feature-21H2')}'"
    await run(lab, "download", query)
    await run(lab, "install", query)
    ubr = lab.world.spec.os.ubr
    assert node.pending_restart
    assert node.ubr == ubr
    assert offered(lab, "IsInstalled=1 and RebootRequired=1") == {"KB5099101", "KB5099204"}
    await lab.drain(node)
    await lab.restart(node)
    assert not node.pending_restart
    assert node.ubr == ubr + 280
    assert offered(lab, "IsInstalled=1 and RebootRequired=1") == set()


async def test_a_restart_in_the_middle_leaves_the_rest_uninstalled() -> None:
    lab = Lab()
    node = lab.nodes[0]
    await run(lab, "download")
    operation = lab.world.updates.start(node, "install", lab.world.updates.search(node, parse(QUERY)), "guid")
    await lab.wait(timedelta(minutes=1))
    lab.world.power.crash(node)
    assert operation.over
    assert {result.code for result in operation.results} == {5}
    assert not lab.world.updates.installing(node)


async def test_feature_update_installed_by_mistake_changes_the_build() -> None:
    lab = Lab(demo_world(2, "21H2"))
    node = lab.nodes[0]
    await run(lab, "download")
    await run(lab, "install")
    await lab.drain(node)
    await lab.restart(node)
    assert node.build == 20349


async def test_feature_update_needs_its_commit_where_the_provider_has_one() -> None:
    lab = Lab(demo_world(2, "23H2"))
    node = lab.nodes[0]
    await run(lab, "download")
    await run(lab, "install")
    assert "KB5099900" not in {update.kb for update in lab.world.updates.pending(node)}
    lab.world.updates.commit(node)
    assert "KB5099900" in {update.kb for update in lab.world.updates.pending(node)}


def only(*updates: UpdateSpec, os: str = "21H2") -> Lab:
    """A world in which nothing else is on offer."""
    return Lab(replace(demo_world(2, os), updates=updates))


async def results(lab: Lab, kind: str, *updates: UpdateSpec) -> list[str]:
    operation = lab.world.updates.start(lab.nodes[0], kind, list(updates), "guid")
    await lab.wait_for(lambda: operation.over)
    return [f"0x{each.hresult:08X}" for each in operation.results]


def test_drivers_and_hidden_updates_are_found_only_by_who_asks_for_them() -> None:
    lab = Lab()
    titles = {update.title.split()[0] for update in lab.world.updates.search(lab.nodes[0], parse("IsInstalled=0"))}
    assert "Mellanox" not in titles
    drivers = parse("IsInstalled=0 and Type='Driver' and DeploymentAction='OptionalInstallation'")
    assert [each.type for each in lab.world.updates.search(lab.nodes[0], drivers)] == ["Driver"]
    assert offered(lab, "IsInstalled=0 and IsHidden=1") == {"KB4023057"}


def test_a_policy_keeps_drivers_out() -> None:
    lab = Lab()
    lab.world.policies.set(lab.nodes[0], "ExcludeWUDriversInQualityUpdate", 1)
    drivers = parse("IsInstalled=0 and Type='Driver' and DeploymentAction='OptionalInstallation'")
    assert lab.world.updates.search(lab.nodes[0], drivers) == []


def test_servers_at_mixed_patch_levels_are_offered_different_feature_updates() -> None:
    # azure-stack-docs, update-cluster, known issues: the scan returns several feature updates.
    spec = demo_world(2, "21H2")
    lab = Lab(with_software(spec, SoftwareSpec(ubr=spec.os.ubr - 100)))
    seen = [
        {each.kb for each in lab.world.updates.search(node, parse(QUERY), features_only=True)} for node in lab.nodes
    ]
    assert seen == [{"KB5098900"}, {"KB5099900"}]


def test_20h2_before_kb5003237_is_offered_no_feature_update() -> None:
    # azure-stack-docs, update-cluster: 21H2 needs build 17784.1737.
    lab = Lab(with_software(demo_world(2, "20H2"), SoftwareSpec(ubr=1736)))
    seen = [len(lab.world.updates.search(node, parse(QUERY), features_only=True)) for node in lab.nodes]
    assert seen == [0, 1]


@pytest.mark.parametrize(("os", "offered_by_wsus"), [("22H2", False), ("21H2", True)])
def test_wsus_does_not_have_the_feature_update_to_23h2(os: str, offered_by_wsus: bool) -> None:
    # azure-stack-docs, upgrade: feature updates to 23H2 were not published to WSUS.
    policies = (("WUServer", "http://wsus:8530"), ("UseWUServer", 1))
    lab = Lab(with_software(demo_world(2, os), SoftwareSpec(policies=policies)))
    managed, direct = (lab.world.updates.search(node, parse(QUERY), features_only=True) for node in lab.nodes)
    assert (bool(managed), bool(direct)) == (offered_by_wsus, True)
    assert lab.world.policies.of(lab.nodes[0]).source == "http://wsus:8530"


def test_a_wsus_address_alone_changes_nothing() -> None:
    lab = Lab(with_software(demo_world(2), SoftwareSpec(policies=(("WUServer", "http://wsus:8530"),))))
    assert lab.world.policies.of(lab.nodes[0]).source == "Windows Update"


async def test_an_update_that_wants_its_licence_accepted_does_not_install_by_itself() -> None:
    update = UpdateSpec(update_id("eula"), "KB1", "Licence", needs_input=True)
    lab = only(update)
    assert await results(lab, "download", update) == ["0x00000000"]
    assert await results(lab, "install", update) == ["0x80240023"]


async def test_a_superseded_update_is_not_applicable_any_more() -> None:
    old = UpdateSpec(update_id("old"), "KB1", "Old")
    new = UpdateSpec(update_id("new"), "KB2", "New", supersedes=(old.update_id,))
    lab = only(old, new)
    assert await results(lab, "download", old) == ["0x80240017"]
    assert await results(lab, "download", new) == ["0x00000000"]


async def test_after_a_feature_update_the_next_version_has_updates_of_its_own() -> None:
    lab = Lab(demo_world(2, "20H2"))
    node = lab.nodes[0]
    feature = next(each for each in lab.world.spec.updates if each.update_id == update_id("feature-20H2"))
    assert "KB5099131" not in offered(lab)
    await results(lab, "download", feature)
    await results(lab, "install", feature)
    await lab.drain(node)
    await lab.restart(node)
    assert (node.build, node.os.key) == (20348, "21H2")
    assert offered(lab) == {"KB5099131"}
    following = next(each for each in lab.world.spec.updates if each.kb == "KB5099131")
    await results(lab, "download", following)
    await results(lab, "install", following)
    await lab.restart(node)
    assert (node.build, node.ubr) == (20348, 1001)


@pytest.mark.parametrize("variant", ["", "feature-updates-need-a-commit", "cau-node-has-the-newer-methods"])
async def test_whether_a_staged_feature_update_needs_a_commit_on_21h2_is_open(variant: str) -> None:
    spec = demo_world(2, "21H2")
    lab = Lab(with_variant(spec, variant) if variant else spec)
    node = lab.nodes[0]
    await run(lab, "download")
    await run(lab, "install")
    takes_effect = {update.kb for update in lab.world.updates.pending(node)}
    assert ("KB5099900" in takes_effect) is (variant == "")
    lab.world.updates.commit(node)
    assert "KB5099900" in {update.kb for update in lab.world.updates.pending(node)}


async def test_preview_builds_go_to_servers_on_the_channel_after_their_restart() -> None:
    preview = UpdateSpec(update_id("preview-build"), "KB7", "Preview build", preview_build=True)
    lab = only(preview)
    node = lab.nodes[0]
    assert offered(lab) == set()
    assert lab.world.preview.set(node, "ReleasePreview", "External").restart_required
    assert offered(lab) == set(), "flight signing waits for the restart"
    await lab.drain(node)
    await lab.restart(node)
    assert offered(lab) == {"KB7"}


async def test_installing_what_is_there_succeeds_and_says_so_without_doing_it_again() -> None:
    update = UpdateSpec(update_id("once"), "KB1", "Once")
    lab = only(update)
    await results(lab, "download", update)
    assert await results(lab, "install", update) == ["0x00000000"]
    assert await results(lab, "install", update) == ["0x00240006"]
    assert len(lab.events("update.installed")) == 1
