"""What the Windows Update Agent lets a caller do (win32, using-wua-from-a-remote-computer)."""

import pytest

from include.simulator.world.agent import AgentError, Logon, UpdateAgent
from include.simulator.world.criteria import parse
from tests.simulator.world.driver import QUERY, Lab


@pytest.mark.parametrize("logon", list(Logon))
async def test_a_network_logon_may_search_and_nothing_else(logon: Logon) -> None:
    lab = Lab()
    agent = UpdateAgent(lab.world, lab.nodes[0], logon)
    found = agent.search(parse(QUERY))
    assert found
    actions = [
        lambda: agent.download(found),
        lambda: agent.install(found),
        agent.commit,
        agent.restart_required,
    ]
    if logon is Logon.NETWORK:
        for act in actions:
            with pytest.raises(AgentError) as refused:
                act()
            assert refused.value.hresult == 0x80070005
        assert not lab.events("install.started")
        return
    operation = agent.download(found)
    await lab.wait_for(lambda: operation.over)
    operation = agent.install(found)
    with pytest.raises(AgentError) as busy:
        agent.install(found)
    assert busy.value.hresult == 0x80240016
    await lab.wait_for(lambda: operation.over)
    assert agent.restart_required()
