"""The plain shell of the Windows Remote Shell: command lines, their streams and their ends."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from include.simulator.wire import names
from tests.fidelity.conftest import ClusterOnTheWire
from tests.fidelity.raw import Answer, Raw

WITHOUT_CMD = '<w:OptionSet><w:Option Name="WINRS_SKIP_CMD_SHELL">TRUE</w:Option></w:OptionSet>'
WANTED = (
    r"<rsp:WorkingDirectory>C:\Temp</rsp:WorkingDirectory>"
    '<rsp:Environment><rsp:Variable Name="RING">pilot &amp; rest</rsp:Variable></rsp:Environment>'
)


@dataclass(frozen=True, slots=True)
class CommandShell:
    """An open cmd shell."""

    raw: Raw
    created: Answer

    @property
    def id(self) -> str:
        """Its id."""
        return self.created.text("ShellId")

    def start(self, line: str, *arguments: str, headers: str = "") -> Answer:
        """Start a command line."""
        more = "".join(f"<rsp:Arguments>{each}</rsp:Arguments>" for each in arguments)
        body = f"<rsp:CommandLine><rsp:Command>{line}</rsp:Command>{more}</rsp:CommandLine>"
        return self.raw.post("Command", body, self.id, resource=names.CMD_SHELL, headers=headers)

    def receive(self, command_id: str) -> Answer:
        """Ask for what a command has printed."""
        target = f' CommandId="{command_id}"' if command_id else ""
        body = f"<rsp:Receive><rsp:DesiredStream{target}>stdout stderr</rsp:DesiredStream></rsp:Receive>"
        return self.raw.post("Receive", body, self.id, resource=names.CMD_SHELL)

    def signal(self, command_id: str, word: str) -> Answer:
        """Send a signal."""
        body = f'<rsp:Signal CommandId="{command_id}"><rsp:Code>{names.SHELL}/signal/{word}</rsp:Code></rsp:Signal>'
        return self.raw.post("Signal", body, self.id, resource=names.CMD_SHELL)

    def output(self, line: str, *arguments: str, headers: str = "") -> str:
        """Run a command line to its end and return what it printed."""
        command_id = self.start(line, *arguments, headers=headers).text("CommandId")
        printed = b""
        while True:
            answer = self.receive(command_id)
            printed += b"".join(answer.streams)
            if answer.state == "Done":
                return printed.decode()


def opened(raw: Raw, wanted: str = "") -> CommandShell:
    body = f"<rsp:Shell>{wanted}<rsp:InputStreams>stdin</rsp:InputStreams></rsp:Shell>"
    return CommandShell(raw, raw.post("Create", body, resource=names.CMD_SHELL))


@pytest.fixture
def shell(raw: Raw) -> Iterator[CommandShell]:
    made = opened(raw)
    yield made
    raw.post("Delete", shell_id=made.id, resource=names.CMD_SHELL)


@pytest.fixture
def on_a_node(on_the_wire: ClusterOnTheWire) -> CommandShell:
    return opened(Raw(on_the_wire.endpoint.http_port), WANTED)


def test_a_new_shell_is_told_in_nine_elements(shell: CommandShell) -> None:
    """Recorded answers of every Windows: cmd shells describe themselves shorter than PowerShell sessions."""
    described = shell.created.root.find(f".//{{{names.SHELL}}}Shell")
    assert described is not None
    assert [each.tag.rpartition("}")[2] for each in described] == [
        "ShellId",
        "ResourceUri",
        "Owner",
        "ClientIP",
        "IdleTimeOut",
        "InputStreams",
        "OutputStreams",
        "ShellRunTime",
        "ShellInactivity",
    ]


def test_directory_and_environment_are_told_again(on_a_node: CommandShell) -> None:
    """MS-WSMV 2.2.4.37 (WorkingDirectory, Environment) and recorded answers."""
    assert on_a_node.created.text("WorkingDirectory") == r"C:\Temp"
    assert on_a_node.created.text("Variable") == "pilot & rest"


def test_commands_run_with_directory_and_environment(on_a_node: CommandShell) -> None:
    """MS-WSMV 2.2.4.37: they are those of the commands of the shell."""
    assert on_a_node.output("cd") == "C:\\Temp\r\n"
    assert on_a_node.output("echo", "%RING%") == "pilot & rest\r\n"


def test_streams_end_one_by_one(shell: CommandShell) -> None:
    """Recorded answers: an empty End element for each stream with the last answer."""
    answer = shell.receive(shell.start("both").text("CommandId"))
    streams = list(answer.root.iter(f"{{{names.SHELL}}}Stream"))
    assert [(each.attrib["Name"], each.attrib.get("End")) for each in streams] == [
        ("stdout", None),
        ("stderr", None),
        ("stdout", "true"),
        ("stderr", "true"),
    ]
    assert (answer.state, answer.text("ExitCode")) == ("Done", "3")


def test_a_receive_names_its_command(shell: CommandShell) -> None:
    """Recorded answers: fault 87 of the shell's plug-in, with InvalidValue as its detail."""
    refused = shell.receive("")
    assert refused.fault == (87, "w:InvalidParameter")
    assert refused.text("FaultDetail").endswith("/InvalidValue")
    assert "Shell cmd plugin" in refused.body.decode()


def test_without_cmd_a_program_needs_its_path(shell: CommandShell) -> None:
    """MS-WSMV 2.2.4.36, WINRS_SKIP_CMD_SHELL, and recorded answers: nothing searches the path, so the file is not found."""
    assert shell.start("hostname", headers=WITHOUT_CMD).fault == (2147942402, "w:InternalError")


def test_without_cmd_a_path_is_started(on_a_node: CommandShell) -> None:
    """MS-WSMV 2.2.4.36, WINRS_SKIP_CMD_SHELL."""
    assert on_a_node.output(r"C:\Windows\system32\HOSTNAME.EXE", headers=WITHOUT_CMD) == "HCI02\r\n"


def test_ctrl_c_ends_a_command_with_its_exit_code(shell: CommandShell) -> None:
    """NTSTATUS STATUS_CONTROL_C_EXIT, 0xC000013A: what console programs end with."""
    command_id = shell.start("wait", "60").text("CommandId")
    assert shell.signal(command_id, "ctrl_c").status == 200
    assert shell.receive(command_id).text("ExitCode") == str(0xC000013A - 2**32)


def test_terminate_forgets_a_command(shell: CommandShell) -> None:
    """MS-WSMV 2.2.4.38; recorded answers: invalid selectors for what is not there any more."""
    command_id = shell.start("echo", "hello").text("CommandId")
    assert shell.signal(command_id, "Terminate").status == 200
    assert shell.receive(command_id).fault == (2150858843, "w:InvalidSelectors")
