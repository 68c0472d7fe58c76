"""Session configurations: no-language endpoints, visible commands, unknown endpoints."""

from __future__ import annotations

import psrpcore
import pytest

from include.simulator.wire import names
from tests.fidelity.conftest import ClusterOnTheWire
from tests.fidelity.raw import KINDS, Message, Raw, Session

HCI_UPDATE = f"{names.POWERSHELL}/HciUpdate"


@pytest.fixture
def restricted(on_the_wire: ClusterOnTheWire) -> Session:
    return Session(Raw(on_the_wire.endpoint.http_port), HCI_UPDATE)


def run(session: Session, *commands: str, script: bool = False) -> list[Message]:
    shell = psrpcore.ClientPowerShell(session.pool)
    for command in commands:
        if script:
            shell.add_script(command)
        else:
            shell.add_command(command)
    return session.all_of(session.start(shell)[0])


def failed(found: list[Message]) -> str:
    assert 'N="PipelineState">5<' in found[-1].text, found[-1].text
    return found[-1].text


@pytest.mark.parametrize("script", ["Get-ClusterNode", "$true", "1+1", "{"])
def test_no_language_endpoints_refuse_scripts_before_reading_them(restricted: Session, script: str) -> None:
    """Recorded answers and PowerShell-Docs, about_Language_Modes: ScriptsNotAllowed, a ParseException, state Failed."""
    text = failed(run(restricted, script, script=True))
    assert "ScriptsNotAllowed" in text
    assert "<T>System.Management.Automation.ParseException</T>" in text
    assert "The syntax is not supported by this runspace" in text
    restricted.close()


def test_visible_commands_run(restricted: Session) -> None:
    """PowerShell-Docs, jea/role-capabilities: VisibleCmdlets."""
    assert 'N="PipelineState">4<' in run(restricted, "Get-ClusterNode")[-1].text
    restricted.close()


@pytest.mark.parametrize("command", ["Suspend-ClusterNode", "ConvertTo-Json", "Where-Object", "No-Such"])
def test_other_commands_are_as_if_absent(restricted: Session, command: str) -> None:
    """PowerShell-Docs, jea/using-jea: CommandNotFoundException, whether Windows has the command or not."""
    assert "CommandNotFoundException" in failed(run(restricted, command))
    restricted.close()


def test_one_invisible_command_stops_the_whole_pipeline(restricted: Session) -> None:
    """PowerShell looks every command of a pipeline up before it runs any."""
    found = run(restricted, "Get-ClusterNode", "ConvertTo-Json")
    assert [KINDS[message.kind] for message in found] == ["PipelineState"]
    restricted.close()


def test_get_command_lists_what_is_visible(restricted: Session) -> None:
    """PowerShell-Docs, jea/session-configurations: RestrictedRemoteServer shows eight commands, roles add theirs."""
    found = run(restricted, "Get-Command")
    texts = "".join(message.text for message in found if KINDS[message.kind] == "PipelineOutput")
    for name in ("Get-ClusterNode", "Get-CimInstance", "Get-Command", "Measure-Object", "Select-Object", "Out-Default"):
        assert f'<S N="Name">{name}</S>' in texts
    for name in ("Suspend-ClusterNode", "Where-Object", "ConvertTo-Json", "Get-VM"):
        assert f'<S N="Name">{name}</S>' not in texts
    restricted.close()


def test_command_metadata_keeps_to_what_is_visible(restricted: Session) -> None:
    """MS-PSRP 2.2.2.14: what Import-PSSession asks; the defaults of a restricted session are functions."""
    command_id, _ = restricted.start(
        psrpcore.ClientGetCommandMetadata(restricted.pool, ["*-ClusterNode", "Select-Object"])
    )
    count, *described, _ = restricted.all_of(command_id)
    assert '<I32 N="Count">2</I32>' in count.text
    assert [("CmdletInfo" in each.text, "FunctionInfo" in each.text) for each in described] == [
        (True, False),
        (False, True),
    ]
    restricted.close()


def test_full_language_endpoints_show_everything(on_the_wire: ClusterOnTheWire) -> None:
    """PowerShell-Docs, about_Session_Configurations: Microsoft.PowerShell is not restricted."""
    session = Session(Raw(on_the_wire.endpoint.http_port))
    texts = "".join(message.text for message in run(session, "Get-Command"))
    assert '<S N="Name">Suspend-ClusterNode</S>' in texts
    session.close()


def test_scripts_elsewhere_say_that_there_is_no_engine(on_the_wire: ClusterOnTheWire) -> None:
    """The one place where the simulator is not Windows: it never pretends to have run a script."""
    session = Session(Raw(on_the_wire.endpoint.http_port))
    assert "ScriptsNotSimulated" in failed(run(session, "1+1", script=True))
    session.close()
