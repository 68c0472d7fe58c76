"""The few programs of a plain WinRM shell (cmd.exe) that a simulated machine has."""

from __future__ import annotations

import re

from include.simulator.host import ByteSink, Session
from include.simulator.world.agent import WUSA_REFUSED
from include.simulator.world.machines import Machine

_CODE_PAGE = "cp437"
_VARIABLE = re.compile(r"%([A-Za-z_][\w()]*)%")


def environment(machine: Machine, session: Session) -> dict[str, str]:
    """Return the environment variables of a shell on ``machine``."""
    user = session.user.rpartition("\\")[2]
    return {
        "COMPUTERNAME": machine.name,
        "COMSPEC": r"C:\Windows\system32\cmd.exe",
        "OS": "Windows_NT",
        "PROCESSOR_ARCHITECTURE": "AMD64",
        "SystemDrive": "C:",
        "SystemRoot": r"C:\Windows",
        "USERNAME": user,
        "USERPROFILE": rf"C:\Users\{user}",
        "windir": r"C:\Windows",
        **session.environment,
    }


def run_line(machine: Machine, session: Session, line: str, stdout: ByteSink, stderr: ByteSink) -> int:
    """Run one command line and return its exit code; a program that is not there gives Windows' own message and 1."""
    variables = environment(machine, session)
    line = _expand(line, variables)
    word, _, rest = line.strip().partition(" ")
    name = word.strip('"').rpartition("\\")[2].lower().removesuffix(".exe")
    rest = rest.strip()
    if name in ("", "rem"):
        return 0
    if name == "hostname":
        stdout(_encode(f"{machine.name}\r\n"))
        return 0
    if name == "whoami":
        stdout(_encode(f"{_whoami(session)}\r\n"))
        return 0
    if name == "ver":
        stdout(_encode(f"\r\nMicrosoft Windows [Version 10.0.{machine.build}.{machine.ubr}]\r\n"))
        return 0
    if name in ("echo", "echo."):
        stdout(_encode(f"{rest or ('' if name == 'echo.' else 'ECHO is on.')}\r\n"))
        return 0
    if name == "set":
        return _set(variables, rest, stdout, stderr)
    if name == "cd" and not rest:
        stdout(_encode(f"{session.working_directory or variables['USERPROFILE']}\r\n"))
        return 0
    if name == "wusa":
        return WUSA_REFUSED
    if name == "exit":
        return _exit_code(rest)
    stderr(
        _encode(
            f"'{word}' is not recognized as an internal or external command,\r\noperable program or batch file.\r\n"
        )
    )
    return 1


def _set(variables: dict[str, str], rest: str, stdout: ByteSink, stderr: ByteSink) -> int:
    shown = {name: value for name, value in variables.items() if name.lower().startswith(rest.lower())}
    if not shown:
        stderr(_encode(f"Environment variable {rest} not defined\r\n"))
        return 1
    stdout(
        _encode(
            "".join(f"{name}={value}\r\n" for name, value in sorted(shown.items(), key=lambda item: item[0].lower()))
        )
    )
    return 0


def _exit_code(rest: str) -> int:
    number = rest.lower().removeprefix("/b").strip()
    return int(number) if re.fullmatch(r"-?\d+", number) else 0


def _whoami(session: Session) -> str:
    domain, separator, user = session.user.rpartition("\\")
    return f"{domain}{separator}{user}".lower()


def _expand(line: str, variables: dict[str, str]) -> str:
    known = {name.lower(): value for name, value in variables.items()}
    return _VARIABLE.sub(lambda match: known.get(match.group(1).lower(), match.group(0)), line)


def _encode(text: str) -> bytes:
    return text.encode(_CODE_PAGE, "replace")
