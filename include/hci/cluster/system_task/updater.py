"""The node updater that works through a SYSTEM task: every scan, download and installation is a job that is waited for."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import date, timedelta

from include.hci.cluster.files import path_exists
from include.hci.cluster.machine import get_services
from include.hci.cluster.scheduled_tasks import get_task
from include.hci.cluster.system_task.job import Job, StillAtWork, begin
from include.hci.cluster.system_task.protocol import Answer, Found, Mode, Outcome
from include.hci.cluster.updater import UpdaterProbe
from include.hci.cluster.updates import Update, UpdateResult, hresult_of
from include.hci.powershell.errors import CommandFailed
from include.hci.powershell.shell import Shell

_POWERSHELL = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"
#: Finds nothing: asks for nothing but whether a restart is pending.
_NOTHING = "UpdateID='00000000-0000-0000-0000-000000000000'"
#: No update is older than the agent itself.
_FIRST_YEAR = 2000


@dataclass(slots=True)
class Memory:
    """What finished scans have answered, until somebody has made use of it; ``incomplete``: one says that it had errors."""

    searches: dict[str, tuple[Update, ...]] = field(default_factory=dict)
    restart_pending: bool | None = None
    incomplete: bool = False

    def take(self, answer: Answer) -> None:
        """Remember a scan's answer."""
        self.searches.update({item.criteria: tuple(map(update_of, item.updates)) for item in answer.searches})
        self.restart_pending = answer.restart_pending
        self.incomplete = self.incomplete or answer.incomplete

    def clear(self) -> None:
        """Forget everything."""
        self.searches.clear()
        self.restart_pending = None
        self.incomplete = False


class SystemTaskUpdater:
    """Updates one node through jobs of a SYSTEM task.

    What has not been answered yet makes every method begin a job and raise StillAtWork. ``new_job`` makes a job and announces
    it where a crash cannot lose it, before anything is changed. ``memory`` holds the answers of finished scans.
    """

    name = "system_task"

    def __init__(
        self, shell: Shell, new_job: Callable[[Mode, tuple[str, ...]], Job], memory: Memory | None = None
    ) -> None:
        self.shell = shell
        self.new_job = new_job
        self.memory = memory or Memory()
        self._ahead: tuple[str, ...] = ()

    def probe(self) -> UpdaterProbe:
        """Return whether tasks can be registered and run on the node."""
        try:
            schedule = get_services(self.shell, ("Schedule",))
            if not any(service.is_running for service in schedule):
                return UpdaterProbe(False, "the Task Scheduler does not run")
            get_task(self.shell, "HciUpdate")
            if not path_exists(self.shell, _POWERSHELL):
                return UpdaterProbe(False, f"there is no {_POWERSHELL}")
        except CommandFailed as error:
            return UpdaterProbe(False, error.detail)
        return UpdaterProbe(True, "the Task Scheduler runs and shows its tasks")

    def ahead(self, searches: Collection[str]) -> None:
        """Take note of what is going to be scanned for, so that one job answers all of it."""
        self._ahead = tuple(dict.fromkeys(searches))

    def scan(self, criteria: str) -> tuple[Update, ...]:
        """Return what a finished job has found; else begin one."""
        if criteria in self.memory.searches:
            return self.memory.searches[criteria]
        self._begin("scan", self._ahead if criteria in self._ahead else (criteria,))
        return ()

    def download(self, criteria: str, timeout: timedelta) -> tuple[UpdateResult, ...]:
        """Begin to download what fits ``criteria``."""
        self._begin("download", (criteria,))
        return ()

    def install(self, criteria: str, timeout: timedelta) -> tuple[UpdateResult, ...]:
        """Begin to install what fits ``criteria``."""
        self._begin("install", (criteria,))
        return ()

    def restart_needed(self) -> bool:
        """Return what the last finished job has seen; else begin one."""
        if self.memory.restart_pending is None:
            self._begin("scan", (_NOTHING,))
        return bool(self.memory.restart_pending)

    def release(self) -> None:
        """Nothing: every job takes its own things away."""

    def _begin(self, mode: Mode, searches: tuple[str, ...]) -> None:
        job = self.new_job(mode, searches)
        begin(self.shell, job)
        raise StillAtWork(job)


def update_of(item: Found) -> Update:
    """Return one update of an answer."""
    try:
        published = date.fromisoformat(item.published) if item.published else None
    except ValueError:
        published = None
    # An empty date of COM's is the 30th of December 1899.
    if published is not None and published.year < _FIRST_YEAR:
        published = None
    return Update(item.update_id, item.title, item.description, item.asks, published)


def result_of(item: Outcome) -> UpdateResult:
    """Return one result of an answer."""
    return UpdateResult(update_of(item), item.result_code, hresult_of(item.hresult), item.restart_required)
