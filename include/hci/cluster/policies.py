"""What one node's registry says about who else installs updates on it, and whether it waits for a restart."""

from __future__ import annotations

from dataclasses import dataclass

from include.hci.powershell.command import Command
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.psobject import PSObject
from include.hci.powershell.shell import Shell

_POLICY_KEY = r"HKLM:\SOFTWARE\Policies\Microsoft\Windows\WindowsUpdate"
_AU_KEY = rf"{_POLICY_KEY}\AU"
#: Where group policy puts the attack surface reduction rules, one value per rule id.
_ASR_KEY = r"HKLM:\SOFTWARE\Policies\Microsoft\Windows Defender\Windows Defender Exploit Guard\ASR\Rules"
#: "Block process creations originating from PSExec and WMI commands"; in Block mode CAU's provider gets 0x80070005.
_WMI_RULE = "d1e49aac-8f56-4280-b9ba-993a6d77406c"
_SERVICING_KEY = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\Component Based Servicing\RebootPending"
_UPDATE_KEY = r"HKLM:\SOFTWARE\Microsoft\Windows\CurrentVersion\WindowsUpdate\Auto Update\RebootRequired"
_SESSION_KEY = r"HKLM:\SYSTEM\CurrentControlSet\Control\Session Manager"

#: AUOptions: 2 notify, 3 download and notify, 4 download and install on a schedule, 5 the local administrator chooses.
AUTO_INSTALL = 4


@dataclass(frozen=True, slots=True)
class UpdatePolicy:
    """The Windows Update policy of a node; None where no policy sets a value."""

    no_auto_update: bool | None = None
    au_options: int | None = None
    use_wu_server: bool | None = None
    wu_server: str = ""

    @property
    def installs_by_itself(self) -> bool:
        """Whether the node installs updates on a schedule of its own."""
        return self.no_auto_update is not True and self.au_options == AUTO_INSTALL

    @property
    def source(self) -> str:
        """Where the node gets its updates from: the WSUS server, or Windows Update."""
        return self.wu_server.rstrip("/").lower() if self.use_wu_server and self.wu_server else "Windows Update"


@dataclass(frozen=True, slots=True)
class PendingRestart:
    """What in the registry says that a node waits for a restart.

    ``file_renames`` alone proves nothing: many programs leave a file to be replaced at the next restart.
    """

    servicing: bool = False
    windows_update: bool = False
    file_renames: bool = False

    @property
    def is_certain(self) -> bool:
        """Whether Windows itself waits for a restart."""
        return self.servicing or self.windows_update

    @property
    def reasons(self) -> tuple[str, ...]:
        """What waits, as a person names it."""
        named = (
            (self.servicing, "component servicing"),
            (self.windows_update, "Windows Update"),
            (self.file_renames, "files to be renamed"),
        )
        return tuple(name for found, name in named if found)


def get_update_policy(shell: Shell) -> UpdatePolicy:
    """Return the Windows Update policy of the node; a key that is not there sets nothing."""
    updates, automatic = _key(shell, _POLICY_KEY), _key(shell, _AU_KEY)
    return UpdatePolicy(
        no_auto_update=None if automatic is None else automatic.boolean("NoAutoUpdate", None),
        au_options=None if automatic is None else automatic.integer("AUOptions", None),
        use_wu_server=None if automatic is None else automatic.boolean("UseWUServer", None),
        wu_server="" if updates is None else updates.string("WUServer", ""),
    )


def blocks_wmi_processes(shell: Shell) -> bool:
    """Return whether group policy has Defender block the processes that WMI starts."""
    rules = _key(shell, _ASR_KEY)
    return rules is not None and rules.integer(_WMI_RULE, 0) == 1


def get_pending_restart(shell: Shell) -> PendingRestart:
    """Return which registry keys say that the node waits for a restart."""
    session = _key(shell, _SESSION_KEY)
    return PendingRestart(
        servicing=_exists(shell, _SERVICING_KEY),
        windows_update=_exists(shell, _UPDATE_KEY),
        file_renames=session is not None and any(session.strings("PendingFileRenameOperations", ())),
    )


def _key(shell: Shell, path: str) -> PSObject | None:
    try:
        found = shell.run(Command("Get-ItemProperty", {"LiteralPath": path})).require().objects()
    except CommandFailed as error:
        if error.has_error_id("PathNotFound"):
            return None
        raise
    # A key without values gives no object at all.
    return found[0] if found else None


def _exists(shell: Shell, path: str) -> bool:
    return shell.run(Command("Test-Path", {"LiteralPath": path})).require().output == (True,)
