from datetime import timedelta

from include.simulator.world.catalogue import update_id
from include.simulator.world.criteria import parse
from include.simulator.world.spec import demo_world
from tests.simulator.world.driver import QUERY, Lab


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
    optional = "IsInstalled=0 and DeploymentAction='OptionalInstallation'"
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
