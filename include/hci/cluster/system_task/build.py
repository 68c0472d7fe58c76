"""Writes task.xml: the fixed definition of the task, with worker.ps1 as its action.

Usage: ``python -m include.hci.cluster.system_task.build`` after every change of worker.ps1.
"""

from __future__ import annotations

import base64
from pathlib import Path

DEFINITION = Path(__file__).with_name("task.xml")
WORKER = Path(__file__).with_name("worker.ps1")

#: Settings and principal (win32, Task Scheduler Schema). S-1-5-18 is SYSTEM. Without a trigger the task runs only when it is
#: started, and a task is not started twice at a time. Priority 4 is the normal one; tasks have a lower one by themselves.
_XML = """\
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Author>HCI update coordinator</Author>
    <Description>Searches, downloads or installs for a run of the coordinator, and is removed afterwards.</Description>
  </RegistrationInfo>
  <Principals>
    <Principal id="System">
      <UserId>S-1-5-18</UserId>
      <RunLevel>HighestAvailable</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <Enabled>true</Enabled>
    <Hidden>true</Hidden>
    <AllowStartOnDemand>true</AllowStartOnDemand>
    <AllowHardTerminate>true</AllowHardTerminate>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>false</StartWhenAvailable>
    <RunOnlyIfIdle>false</RunOnlyIfIdle>
    <RunOnlyIfNetworkAvailable>false</RunOnlyIfNetworkAvailable>
    <WakeToRun>false</WakeToRun>
    <ExecutionTimeLimit>PT24H</ExecutionTimeLimit>
    <Priority>4</Priority>
  </Settings>
  <Actions Context="System">
    <Exec>
      <Command>C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe</Command>
      <Arguments>-NoLogo -NoProfile -NonInteractive -EncodedCommand %s</Arguments>
    </Exec>
  </Actions>
</Task>
"""


def definition(worker: str) -> str:
    """Return the definition whose action is the text ``worker``; powershell.exe takes it as Base64 of UTF-16."""
    return _XML % base64.b64encode(worker.encode("utf-16-le")).decode("ascii")


def main() -> None:
    """Write the definition beside this file."""
    DEFINITION.write_text(definition(WORKER.read_text(encoding="ascii")), encoding="ascii")


if __name__ == "__main__":
    main()
