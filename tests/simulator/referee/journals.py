"""Hand-made journals: a small cluster, a careful run over it, and the ways to bend it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from include.simulator.journal import Entry

START = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)
GUID = "5d0c6a8e-0000-5000-8000-0000000000aa"
ACTOR = "CONTOSO\\airflow"
OTHER_GUID = "99999999-0000-5000-8000-0000000000bb"
NODES = ("HCI01", "HCI02", "HCI03")
LCU = "0a0a0a0a-1111-4111-8111-111111111111"


class Script:
    """Writes a journal line by line, one minute apart."""

    def __init__(self, **snapshot: Any) -> None:
        self.entries: list[Entry] = []
        self.actor = ACTOR
        self.add("journal.opened")
        self.add("world.snapshot", **(make_snapshot() | snapshot))

    def add(self, op: str, on: str | None = None, status: str = "event", /, **detail: Any) -> Script:
        number = len(self.entries) + 1
        actor = self.actor if op == "command" else "world"
        self.entries.append(Entry(number, START + timedelta(minutes=number), op, status, actor, on, detail))
        return self

    def by(self, actor: str) -> Script:
        """Whoever sends the commands that follow."""
        self.actor = actor
        return self

    def command(self, command: str, on: str, outcome: str = "ok", /, **parameters: Any) -> Script:
        """A command that has ended."""
        self.invoke(command, on, **parameters)
        return self.add("command", on, outcome, command=command, activity=f"a{len(self.entries)}")

    def invoke(self, command: str, on: str, /, **parameters: Any) -> Script:
        """A command that has begun."""
        activity = f"a{len(self.entries) + 1}"
        return self.add("command", on, "invoke", command=command, parameters=parameters, activity=activity)

    def take_lock(self, guid: str = GUID, nodes: Iterable[str] = NODES) -> Script:
        for node in nodes:
            self.invoke("New-CimInstance", node, ClassName="MSFT_CAURun", Property={"OrchestratorGuid": guid})
            self.add("lock.taken", node, **{"class": "MSFT_CAURun", "guid": guid})
        return self

    def release_lock(self, guid: str = GUID, nodes: Iterable[str] = NODES) -> Script:
        for node in nodes:
            self.add("lock.released", node, **{"class": "MSFT_CAURun", "guid": guid})
        return self

    def state(self, node: str, state: str, drain_status: str = "NotInitiated") -> Script:
        return self.add("node.state", node, node=node, state=state, drain_status=drain_status, information=0)

    def drain(self, node: str) -> Script:
        other = next(each for each in NODES if each != node)
        self.invoke("Suspend-ClusterNode", node, Name=[node], Drain=True)
        self.state(node, "Paused", "InProgress")
        self.add(
            "group.moved", None, group=f"vm-{node}", type="VirtualMachine", source=node, destination=other, how="drain"
        )
        return self.state(node, "Paused", "Completed")

    def install(self, node: str, update_id: str = LCU, code: int = 2, orchestrator: str = GUID) -> Script:
        self.add("install.started", node, node=node, orchestrator=orchestrator)
        self.add(
            "update.installed",
            node,
            node=node,
            update_id=update_id,
            kb="KB5034129",
            title="Cumulative Update",
            result_code=code,
            hresult="0x00000000",
            orchestrator=orchestrator,
        )
        return self.add("install.finished", node, node=node, orchestrator=orchestrator)

    def order_restart(self, node: str) -> Script:
        self.invoke("Restart-Computer", node, Force=True)
        return self.add("node.restart", node, node=node, by=self.actor, ordered=True)

    def power_cycle(self, node: str) -> Script:
        self.state(node, "Down", "Completed").add("node.power", node, node=node, up=False, boot_time="x")
        self.add("disk.health", None, virtual_disk="Volume1", health="Warning", operational_status=["Degraded"])
        self.add("build", node, node=node, build=20349, ubr=2322)
        self.add("node.power", node, node=node, up=True, boot_time="y")
        return self.state(node, "Paused", "Completed")

    def resume(self, node: str) -> Script:
        self.invoke("Resume-ClusterNode", node, Name=[node], Failback="Immediate")
        self.state(node, "Up")
        self.add(
            "group.moved", None, group=f"vm-{node}", type="VirtualMachine", source="x", destination=node, how="failback"
        )
        return self

    def resync(self) -> Script:
        self.repair("Running").repair("Completed")
        return self.add("disk.health", None, virtual_disk="Volume1", health="Healthy", operational_status=["OK"])

    def repair(self, state: str) -> Script:
        return self.add(
            "repair.state",
            None,
            job="Volume1-Repair",
            virtual_disk="Volume1",
            state=state,
            bytes_total=9,
            bytes_processed=1,
        )

    def update(self, node: str) -> Script:
        """One node's whole update, done well."""
        return self.drain(node).install(node).order_restart(node).power_cycle(node).resume(node).resync()


def make_snapshot() -> dict[str, Any]:
    nodes = [
        {
            "name": name,
            "state": "Up",
            "drain_status": "NotInitiated",
            "power": "on",
            "boot_time": "2026-10-01T00:00:00+00:00",
            "build": 20349,
            "ubr": 2113,
            "installed": [],
            "pending_restart": False,
            "locks": {"MSFT_CAURun": None, "MSFT_CAUNode": None},
            "services": {},
            "credssp": False,
            "maintenance": "none",
        }
        for name in NODES
    ]
    groups = [{"name": f"vm-{name}", "type": "VirtualMachine", "owner": name, "state": "Online"} for name in NODES]
    disks = [{"name": "Volume1", "health": "Healthy", "operational_status": ["OK"], "copies": 3}]
    return {"cluster": "S-Cluster1", "nodes": nodes, "groups": groups, "virtual_disks": disks, "jobs": []}


def careful_run(nodes: Iterable[str] = NODES) -> Script:
    """A run over ``nodes`` that breaks nothing."""
    script = Script().take_lock()
    for node in nodes:
        script.update(node)
    return script.release_lock()


def true_report() -> dict[str, Any]:
    """What an honest report of the careful run says."""
    update = {
        "update_id": LCU,
        "kb": "KB5034129",
        "title": "Cumulative Update",
        "result": "succeeded",
        "hresult": "0x00000000",
    }
    return {
        "schema": 1,
        "run_id": "r",
        "cluster": "S-Cluster1",
        "outcome": "succeeded",
        "lock": {"guid": GUID, "released": True},
        "nodes": [
            {
                "name": name,
                "outcome": "updated",
                "resumed": True,
                "restarts": 1,
                "build_before": "20349.2113",
                "build_after": "20349.2322",
                "updates": [dict(update)],
                "error": None,
            }
            for name in NODES
        ],
        "undone": [],
        "left": [],
    }
