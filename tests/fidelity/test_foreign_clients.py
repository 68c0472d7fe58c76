"""Clients that are not by the author of pypsrp, psrpcore and pyspnego, who otherwise sits on both ends of every test.

They run with HCI_FOREIGN_CLIENTS=1. What they need is brought into a temporary place by apt-get or npm; what cannot be had is
a skip with its reason. Ruby's client has to be there already (``gem install winrm``); HCI_RUBY names another interpreter.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import winrm

from include.simulator.host import ByteSink, CommandCall, Session, Sink
from include.simulator.wire import Endpoint, EndpointOptions
from tests.simulator.wire.lab import PASSWORD, USER, Lab, LabHost

pytestmark = [
    pytest.mark.foreign,
    pytest.mark.skipif(os.environ.get("HCI_FOREIGN_CLIENTS") != "1", reason="HCI_FOREIGN_CLIENTS is not 1"),
]

SECONDS = 120


class RecordingHost(LabHost):
    """Remembers the command lines; a program called powershell exits with 0, as if it had done what it was told."""

    def __init__(self) -> None:
        super().__init__("FOREIGN")
        self.lines: list[str] = []

    async def _run(self, session: Session, call: CommandCall, sink: Sink, output: Any) -> None:
        # What Ruby makes of every script.
        if call.name.lower() == "invoke-expression":
            output(f"ran {call.arguments[0].value}")
        else:
            await super()._run(session, call, sink, output)

    async def run_line(self, session: Session, line: str, stdout: ByteSink, stderr: ByteSink) -> int:
        self.lines.append(line)
        line = line.replace('"both"', "both")  # Ruby puts its commands into quotation marks
        if line.lower().startswith("powershell"):
            return 0
        return await super().run_line(session, line, stdout, stderr)


@pytest.fixture
def foreign(lab: Lab) -> Iterator[tuple[Endpoint, RecordingHost]]:
    host = RecordingHost()
    endpoint = Endpoint(host, http_port=0, https_port=0, options=EndpointOptions.lenient())
    lab.run(lab.server.add(endpoint))
    yield endpoint, host
    lab.run(endpoint.stop())
    del lab.server.endpoints[host.name]


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a program; a missing one is a skip."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} on this machine")
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=SECONDS, check=False)


def bring(*command: str, cwd: Path) -> None:
    """Run an installer; when it fails the client cannot be had here."""
    done = run(*command, cwd=cwd)
    if done.returncode:
        pytest.skip(f"{' '.join(command)} failed: {done.stderr.strip().splitlines()[-1:]}")


@pytest.fixture(scope="module")
def winrmcp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Debian's winrmcp, which is masterzen/winrm in Go."""
    directory = tmp_path_factory.mktemp("winrmcp")
    bring("apt-get", "download", "winrmcp", cwd=directory)
    (package,) = directory.glob("*.deb")
    bring("dpkg", "-x", package.name, "root", cwd=directory)
    return directory / "root" / "usr" / "bin" / "winrmcp"


def test_go_copies_a_file(winrmcp: Path, foreign: tuple[Endpoint, RecordingHost], tmp_path: Path) -> None:
    """Go's masterzen/winrm: cmd shells with Basic, a file in pieces of echo, then PowerShell to put it together."""
    endpoint, host = foreign
    source = tmp_path / "file.txt"
    source.write_text("content " * 2000)
    done = run(
        str(winrmcp),
        "-user",
        USER,
        "-pass",
        PASSWORD,
        "-addr",
        f"127.0.0.1:{endpoint.http_port}",
        str(source),
        r"C:\file.txt",
    )
    assert done.returncode == 0, done.stderr
    assert sum(line.startswith("echo ") for line in host.lines) >= 3
    assert any(line.lower().startswith("powershell") for line in host.lines)
    assert len(endpoint.service.shells) == 0, "it deletes its shells"


@pytest.fixture(scope="module")
def node_client(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The winrm-client of npm."""
    directory = tmp_path_factory.mktemp("winrm-client")
    bring("npm", "install", "--no-fund", "--no-audit", "winrm-client@0.0.11", cwd=directory)
    return directory


# The client puts the domain in capitals into its hash. A domain controller tries that as well, pyspnego's acceptor does not,
# so the suffix is written that way.
@pytest.mark.parametrize("user", [USER, rf"CONTOSO\{USER}", f"{USER}@CONTOSO.LOCAL"], ids=["basic", "domain", "upn"])
def test_node_runs_a_command_line(node_client: Path, foreign: tuple[Endpoint, RecordingHost], user: str) -> None:
    """npm's winrm-client: cmd shells, with Basic or NTLM by the form of the user's name."""
    endpoint, host = foreign
    script = (
        "const c = require('winrm-client');"
        "c.runCommand('echo hello', '127.0.0.1', process.argv[1], process.argv[2], Number(process.argv[3]))"
        ".then(out => console.log('OUT ' + out), error => { console.error(error); process.exit(1); });"
    )
    done = run("node", "-e", script, user, PASSWORD, str(endpoint.http_port), cwd=node_client)
    assert done.returncode == 0, done.stderr
    assert "OUT hello" in done.stdout
    assert host.lines == ["echo hello"]


@pytest.mark.parametrize("transport", ["plaintext", "ntlm", "credssp"])
def test_pywinrm_runs_a_command_line(foreign: tuple[Endpoint, RecordingHost], transport: str) -> None:
    """pywinrm: its SOAP is its own, its log-ins are pyspnego's."""
    endpoint, _ = foreign
    session = winrm.Session(f"http://127.0.0.1:{endpoint.http_port}/wsman", (USER, PASSWORD), transport=transport)
    answer = session.run_cmd("both")
    assert (answer.std_out, answer.std_err, answer.status_code) == (b"out\r\n", b"err\r\n", 3)


RUBY = """
require 'winrm'
options = { endpoint: ARGV[0], user: ARGV[1], password: ARGV[2] }
options[:transport] = ARGV[3].to_sym
options[:basic_auth_only] = true if ARGV[3] == 'plaintext'
connection = WinRM::Connection.new(options)
connection.shell(ARGV[4].to_sym) do |shell|
  output = shell.run(ARGV[5])
  puts "OUT #{output.stdout}"
  puts "ERR #{output.stderr}"
  puts "CODE #{output.exitcode}"
end
"""


@pytest.fixture(scope="module")
def ruby() -> str:
    """Ruby with the winrm gem, the only other implementation of the remoting protocol."""
    interpreter = os.environ.get("HCI_RUBY", "ruby")
    if run(interpreter, "-e", "require 'winrm'").returncode:
        pytest.skip("this Ruby has no winrm gem (gem install winrm)")
    return interpreter


@pytest.mark.parametrize("transport", ["plaintext", "negotiate"])
@pytest.mark.parametrize(
    ("shell", "line", "expected"),
    [("cmd", "both", ["OUT out", "ERR err", "CODE 3"]), ("powershell", "1+1", ["OUT ran"])],
)
def test_ruby_runs_commands(
    ruby: str, foreign: tuple[Endpoint, RecordingHost], transport: str, shell: str, line: str, expected: list[str]
) -> None:
    """WinRb/WinRM: a PSRP implementation and an NTLM encryption of its own."""
    endpoint, _ = foreign
    url = f"http://127.0.0.1:{endpoint.http_port}/wsman"
    done = run(ruby, "-e", RUBY, url, USER, PASSWORD, transport, shell, line)
    assert done.returncode == 0, done.stderr
    for text in expected:
        assert text in done.stdout
