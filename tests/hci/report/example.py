"""A rich example: a night in which two of four nodes are updated, the third fails and the fourth is never begun."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from include.hci.report import events as ev
from include.hci.report.record import RunRecord
from include.hci.report.storage import MemoryStorage, Storage
from include.hci.report.values import (
    Check,
    DiskState,
    ExcludedUpdate,
    JobState,
    Problem,
    Progress,
    RoleSeen,
    UpdateRef,
    UpdateResult,
)

START = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
GUID = "0d8f4c9e-3f1b-5b0a-9a55-0c5a3f4d9b11"
NODES = ("HCI03", "HCI01", "HCI02", "HCI04")
OLD, NEW = "20348.2762", "20348.2849"

CUMULATIVE = UpdateRef(
    update_id="5f1c1d6e-7a7d-4c0c-9b53-6f3f9c1f0a01",
    kb="KB5046616",
    title="2026-10 Cumulative Update for Azure Stack HCI, version 21H2 for x64-based Systems (KB5046616)",
)
FRAMEWORK = UpdateRef(
    update_id="5f1c1d6e-7a7d-4c0c-9b53-6f3f9c1f0a02",
    kb="KB5045993",
    title="2026-10 Cumulative Update for .NET Framework 3.5 and 4.8 (KB5045993)",
)
FEATURE = ExcludedUpdate(
    update_id="5f1c1d6e-7a7d-4c0c-9b53-6f3f9c1f0aff",
    title="Azure Stack HCI, version 22H2",
    why="a feature update is never part of an updating run",
)


class Night:
    """Writes a record while its own clock goes on."""

    def __init__(self, storage: Storage | None = None) -> None:
        self.record = RunRecord(storage or MemoryStorage())
        self.now = START

    def after(self, seconds: float, event: ev.RunEvent) -> None:
        """Let ``seconds`` pass, then write ``event``."""
        self.now += timedelta(seconds=seconds)
        self.record.add(event, self.now)

    def wait(self, seconds: float, step: ev.StepName, node: str, why: str, progress: Progress | None = None) -> None:
        """Let ``seconds`` pass, then write down a wait."""
        until = self.now + timedelta(hours=4)
        self.after(seconds, ev.Decided(step=step, node=node, decision="wait", why=why, progress=progress, until=until))


def good(update: UpdateRef, *, reboot: bool = False) -> UpdateResult:
    return UpdateResult(**update.model_dump(), result="succeeded", hresult="0x00000000", reboot_required=reboot)


def bad(update: UpdateRef) -> UpdateResult:
    return UpdateResult(
        **update.model_dump(),
        result="failed",
        hresult="0x800F0922",
        meaning="The servicing stack could not finish the update; most often the system reserved partition is full.",
        next_action="Free space on the system reserved partition of HCI02, then start another run.",
    )


def begin(night: Night) -> None:
    disks = tuple(
        DiskState(name=f"Volume{number}", health="Healthy", operational_status=("OK",), copies=2)
        for number in (1, 2, 3)
    )
    night.after(
        0,
        ev.RunStarted(
            run_id="scheduled__2026-11-03T01:00:00+00:00",
            cluster="BER-CLU01",
            nodes=("HCI01", "HCI02", "HCI03", "HCI04"),
            options={
                "max_failed_nodes": 0,
                "reboot_timeout_minutes": 60,
                "query_string": "IsInstalled=0",
                "stop_after": None,
            },
            started_by="schedule",
            poll_seconds=15,
        ),
    )
    night.after(
        8,
        ev.ReadinessChecked(
            checks=(
                Check(
                    id="nodes-up",
                    title="Every node is Up",
                    severity="critical",
                    status="passed",
                    evidence="4 nodes are Up",
                    duration_seconds=0.4,
                ),
                Check(
                    id="memory",
                    title="Without any one node the others have the memory for its virtual machines",
                    status="failed",
                    evidence="no arrangement was found that has room for SQL01 of HCI02",
                    remediation="Shut down or move virtual machines that are not needed before the next run.",
                    duration_seconds=2.6,
                ),
                Check(
                    id="validation",
                    title="Cluster validation finds nothing",
                    status="not-applicable",
                    evidence="not read in this run: the option validate_cluster is off",
                ),
            )
        ),
    )
    night.after(2, ev.StorageRead(moment="before", virtual_disks=disks))
    for node in NODES:
        night.after(20, ev.Scanned(node=node, updates=(CUMULATIVE, FRAMEWORK), excluded=(FEATURE,), build=OLD))
        night.after(1, ev.NodeUpdaterChosen(node=node, updater="cau_provider", why="MSFT_CAUNode offers every method"))
    night.after(
        5,
        ev.Planned(
            order=NODES,
            updates=dict.fromkeys(NODES, (CUMULATIVE, FRAMEWORK)),
            why={"HCI03": "fewest roles: 2", "HCI01": "3 roles", "HCI02": "5 roles", "HCI04": "owns the cluster group"},
            max_failed_nodes=0,
            estimated_minutes=210,
        ),
    )
    night.after(60, ev.Approved(by="j.doe", comment="CHG0041877"))
    night.after(3, ev.LockTaking(guid=GUID, nodes=tuple(sorted(NODES))))
    night.after(2, ev.LockTaken(guid=GUID, nodes=tuple(sorted(NODES))))
    for node in NODES:
        night.after(1, ev.Staging(node=node, updates=(CUMULATIVE, FRAMEWORK)))
    for node in NODES:
        night.after(70, ev.Staged(node=node, results=(good(CUMULATIVE), good(FRAMEWORK))))


def vms(node: str, number: int) -> tuple[str, ...]:
    return tuple(f"vm-{node[-2:]}-{each}" for each in range(1, number + 1))


def seen(owners: dict[str, str], **states: str) -> tuple[RoleSeen, ...]:
    return tuple(
        RoleSeen(name=name, kind="VirtualMachine", state=states.get(name.replace("-", "_"), "Online"), owner=owner)
        for name, owner in owners.items()
    )


HOMES = {name: node for node, number in zip(NODES, (2, 3, 5, 4), strict=True) for name in vms(node, number)}


def drain(night: Night, node: str, position: int) -> None:
    night.after(4, ev.TurnGiven(node=node, position=position, total=4))
    own = [name for name, home in HOMES.items() if home == node]
    share = RoleSeen(name="files", kind="FileServer", state="Online", owner=node)
    night.after(1, ev.Pausing(node=node, roles=("Cluster Group", "files", *own), seen=(*seen(HOMES), share)))
    progress = Progress(subject="roles moved away", done=1, total=2, seconds_left=40)
    night.wait(2, "drain", node, f"{own[0]} is moving to HCI04", progress)
    others = [name for name in NODES if name != node]
    moved = seen({name: others[number % 3] for number, name in enumerate(own)})
    night.after(170, ev.Drained(node=node, roles_moved=len(own) + 2, seen=(*moved, share)))


def update_well(night: Night, node: str, position: int, gib: float, *, down: str = "") -> None:
    drain(night, node, position)
    night.after(3, ev.InstallStarted(node=node, install_pass=1, updates=(CUMULATIVE, FRAMEWORK)))
    night.wait(5, "install", node, "Windows Update is installing 2 updates")
    night.after(
        1100, ev.InstallFinished(node=node, install_pass=1, results=(good(CUMULATIVE, reboot=True), good(FRAMEWORK)))
    )
    boot = night.now - timedelta(days=29)
    night.after(4, ev.RestartOrdered(node=node, boot_time_before=boot, why="KB5046616 needs a restart"))
    night.wait(2, "restart", node, f"{node} does not answer yet")
    if down:
        night.after(100, ev.VmNotOnline(step="restart", node=node, vm=down, state="Failed", owner="HCI03"))
        night.after(50, ev.VmOnline(step="restart", node=node, vm=down, owner="HCI03"))
    night.after(540, ev.Restarted(node=node, boot_time=night.now + timedelta(seconds=300), build=NEW))
    night.after(4, ev.Resuming(node=node))
    night.after(25, ev.Resumed(node=node, seen=seen({name: home for name, home in HOMES.items() if home == node})))
    for done in (0.2, 0.5, 0.9):
        progress = Progress(
            subject="Volume2",
            done=gib * done,
            total=gib,
            unit="GiB",
            per_second=3.1,
            seconds_left=gib * (1 - done) / 3.1,
        )
        night.wait(2, "resync", node, f"resync of Volume2 at {done:.0%}", progress)
        night.now += timedelta(seconds=gib / 3.1 * 0.3)
    night.after(30, ev.Resynced(node=node, gib=gib, seconds=gib / 3.1))


def failed_night(storage: Storage | None = None) -> Night:
    """Return the record of the night, to its end."""
    night = Night(storage)
    begin(night)
    update_well(night, "HCI03", 1, 1024)
    update_well(night, "HCI01", 2, 2870, down="vm-03-2")
    drain(night, "HCI02", 3)
    night.after(3, ev.InstallStarted(node="HCI02", install_pass=1, updates=(CUMULATIVE, FRAMEWORK)))
    night.wait(5, "install", "HCI02", "Windows Update is installing 2 updates")
    night.after(1500, ev.InstallFinished(node="HCI02", install_pass=1, results=(bad(CUMULATIVE), good(FRAMEWORK))))
    night.after(
        2,
        ev.Failed(
            step="install",
            node="HCI02",
            problem=Problem(
                title="KB5046616 failed on HCI02 after 3 tries.",
                meaning="HCI02 keeps its old build; its virtual machines run on the other nodes.",
                next_action="Read C:\\Windows\\Logs\\CBS\\CBS.log on HCI02 around 02:40, then clear the task 'turn' of HCI02.",
                code="0x800F0922",
                retry_is_safe=True,
            ),
        ),
    )
    why = "The run has taken 2 h, more than warn_after (1 h 30 min)."
    night.after(1, ev.RanLong(why=why))
    night.after(3, ev.Resuming(node="HCI02"))
    night.after(20, ev.Resumed(node="HCI02"))
    night.after(40, ev.Resynced(node="HCI02", gib=12, seconds=35))
    for node in ("HCI03", "HCI01"):
        night.after(15, ev.Verified(node=node, build=NEW))
    disks = (
        DiskState(name="Volume1", health="Healthy", operational_status=("OK",), copies=2),
        DiskState(name="Volume2", health="Warning", operational_status=("In Service",), copies=2),
        DiskState(name="Volume3", health="Healthy", operational_status=("OK",), copies=2),
    )
    job = JobState(name="Volume2-Repair", state="Running", virtual_disk="Volume2", gib_processed=3, gib_total=12)
    night.after(2, ev.StorageRead(step="verify", moment="after", virtual_disks=disks, jobs=(job,)))
    night.after(1, ev.Undone(what="HCI02 was resumed, which this run had paused.", node="HCI02"))
    night.after(
        1,
        ev.Left(
            what="CAU's clustered role is still disabled.",
            why="It was disabled before the run began, so the run left it alone.",
            command="Enable-CauClusterRole -ClusterName BER-CLU01 -Force",
        ),
    )
    night.after(2, ev.LockReleased(guid=GUID))
    night.after(1, ev.Concluded(why="More nodes failed than max_failed_nodes allows (0)."))
    return night


def quiet_night(storage: Storage | None = None) -> Night:
    """Return the record of a run that found nothing to do."""
    night = Night(storage)
    night.after(
        0, ev.RunStarted(run_id="manual__1", cluster="BER-CLU01", nodes=tuple(sorted(NODES)), started_by="j.doe")
    )
    for node in NODES:
        night.after(9, ev.Scanned(node=node, build=NEW, excluded=(FEATURE,)))
    night.after(1, ev.Planned(order=NODES, updates=dict.fromkeys(NODES, ())))
    night.after(3, ev.LockTaking(guid=GUID, nodes=NODES))
    night.after(2, ev.LockTaken(guid=GUID, nodes=NODES))
    night.after(2, ev.LockReleased(guid=GUID, nodes=NODES))
    night.after(1, ev.Concluded())
    return night
