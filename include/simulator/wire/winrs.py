"""The plain shell (cmd.exe) of the Windows Remote Shell."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import Final

from include.simulator.host import PowerShellHost, Session
from include.simulator.wire import faults, soap
from include.simulator.wire.outbox import Outbox
from include.simulator.wire.shells import Shell, ShellRequest, is_terminate

log = logging.getLogger(__name__)

#: The exit code of a console program that Ctrl+C ended (STATUS_CONTROL_C_EXIT).
CONTROL_C_EXIT: Final = -1073741510

_PIECE_BYTES: Final = 32768


class CmdShell(Shell):
    """Runs command lines through the host; what is sent to their standard input is dropped."""

    input_streams = "stdin"
    output_streams = "stdout stderr"
    created_elements = (
        "ShellId",
        "ResourceUri",
        "Owner",
        "ClientIP",
        "WorkingDirectory",
        "Environment",
        "IdleTimeOut",
        "InputStreams",
        "OutputStreams",
        "ShellRunTime",
        "ShellInactivity",
    )

    def __init__(self, host: PowerShellHost, session: Session, request: ShellRequest) -> None:
        super().__init__(host, session, request)
        self._running: dict[str, asyncio.Task[None]] = {}

    def command(self, command_id: str | None, line: str, arguments: list[str]) -> str:
        """Start a command line; the server gives the id unless the client brings one."""
        command_id = command_id or soap.new_id()
        outbox = self.commands[command_id] = Outbox()
        # Windows never gives these operations back before the shell ends (MS-WSMV, product behaviour of Signal).
        self.count(1)
        task = self.spawn(self._run(outbox, " ".join([line, *arguments])))
        self._running[command_id] = task
        task.add_done_callback(lambda _: self._running.pop(command_id, None))
        return command_id

    async def _run(self, outbox: Outbox, line: str) -> None:
        try:
            code = await self.host.run_line(
                self.session, line, partial(_push, outbox, "stdout"), partial(_push, outbox, "stderr")
            )
        except asyncio.CancelledError:
            outbox.finish(CONTROL_C_EXIT)
            raise
        except Exception:
            log.exception("%s: the command line %r failed inside the simulator", self.host.name, line)
            code = 1
        outbox.finish(code)

    def send(self, command_id: str | None, data: bytes) -> None:
        """Check the command; its input goes nowhere."""
        self.find(command_id or "")

    def signal(self, command_id: str, code: str) -> None:
        """Ctrl+C ends the command; terminate also forgets it."""
        forget = is_terminate(code)
        outbox = self.find(command_id)
        task = self._running.get(command_id)
        if task:
            task.cancel()
        if forget:
            del self.commands[command_id]
            outbox.close(faults.aborted())


def _push(outbox: Outbox, stream: str, data: bytes, /) -> None:
    for start in range(0, len(data), _PIECE_BYTES):
        outbox.push(stream, data[start : start + _PIECE_BYTES])
