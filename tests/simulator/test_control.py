"""Faults, scenarios and rules through the control interface of a served cluster."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.simulator.test_cli import Served


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    arguments = (
        "--nodes",
        "4",
        "--speed",
        "60",
        "--os",
        "21H2",
        "--variant",
        "functional-level-of-21h2-is-11",
        "--scenario",
        "swizzle:3:2",
    )
    made = Served(tmp_path_factory.mktemp("served"), *arguments, "--fault", "node-crashes:node=2,phase=drain,delay=5")
    yield made
    made.process.kill()
    made.process.communicate()


def injected(served: Served, fault: str) -> list[dict[str, Any]]:
    return [each for each in served.control("/faults")["faults"] if each["fault"] == fault]


def test_the_faults_of_the_command_line_are_there(served: Served) -> None:
    found = served.control("/faults")["faults"]
    assert found[0] == {"number": 1, "fault": "node-crashes", "node": "HCI02", "stage": "waiting", "strikes": 0}
    assert len(found) >= 3, "the swizzle's two are there too"
    assert any(entry["op"] == "scenario.started" for entry in served.control("/journal")["entries"])


def test_a_variant_of_the_command_line_is_on(served: Served) -> None:
    [cluster] = served.run("HCI01", "Get-Cluster")
    assert cluster.adapted_properties["ClusterFunctionalLevel"] == 11


def test_a_fault_is_put_in_and_healed(served: Served) -> None:
    body = {"id": "witness-lost"}
    assert served.control("/fault", body) == {"injected": "witness-lost"}
    [made] = injected(served, "witness-lost")
    assert (made["stage"], made["strikes"]) == ("standing", 1)
    healed = served.control("/heal", {"id": "witness-lost"})["healed"]
    assert [each["fault"] for each in healed] == ["witness-lost"]
    assert injected(served, "witness-lost")[0]["stage"] == "healed"
    assert served.control("/heal", {"id": "witness-lost"}) == {"healed": []}


def test_a_fault_is_scheduled_by_phase_time_and_chance(served: Served) -> None:
    for arguments in (
        {"phase": "install", "probability": 0.5},
        {"after": 600},
        {"per_hour": 0.001},
        {"on": {"event": "build"}},
    ):
        served.control("/fault", {"id": "slow-node", "lasts": 10, **arguments})
    made = injected(served, "slow-node")[-4:]
    assert [each["stage"] for each in made] == ["waiting"] * 4
    healed = served.control("/heal", {"id": "slow-node"})["healed"]
    assert {each["number"] for each in made} <= {each["number"] for each in healed}


def test_a_scenario_is_played(served: Served) -> None:
    answer = served.control("/scenario", {"name": "quorum-on-the-edge"})
    assert [step["fault"] for step in answer["steps"]] == ["witness-lost", "network-partition"]
    again = served.control("/scenario", {"name": "swizzle:5"})
    assert (again["scenario"], len(again["steps"])) == ("swizzle:5", 4)


@pytest.mark.parametrize(
    "rule",
    [
        {"kind": "window", "opens": "2026-11-07T20:00:00+00:00", "closes": "2026-11-08T04:00:00+00:00"},
        {"kind": "blackout", "begins": "2026-12-24T00:00:00+00:00", "ends": "2026-12-27T00:00:00+00:00"},
        {"kind": "budget", "nodes_out": 1},
        {"kind": "approval", "plan_hash": "5f2c"},
        {"kind": "permission", "what": "functional-level"},
    ],
)
def test_a_rule_is_journalled(served: Served, rule: dict[str, object]) -> None:
    assert served.control("/rules", rule) == {"rule": rule}
    entry = [each for each in served.control("/journal")["entries"] if each["op"] == "rule"][-1]
    assert (entry["status"], entry["actor"], entry["detail"]) == ("event", "control", rule)


@pytest.mark.parametrize(
    ("path", "body", "text"),
    [
        ("/fault", {"id": "slow-node", "colour": "red"}, "has no colour"),
        ("/fault", {"id": "slow-node", "phase": "lunch"}, "There is no phase 'lunch'"),
        ("/heal", {"id": "nonsense"}, "There is no fault 'nonsense'"),
        ("/heal", {"color": "red"}, "Nothing can be healed"),
        ("/scenario", {"name": "nonsense"}, "There is no scenario 'nonsense'"),
        ("/scenario", {}, "needs its name"),
        ("/rules", {}, "That is no rule"),
        ("/rules", {"kind": "wish"}, "That is no rule"),
        ("/rules", {"kind": "budget"}, "That is no rule"),
    ],
)
def test_what_cannot_be_done_is_said(served: Served, path: str, body: dict[str, object], text: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        served.control(path, body)
    assert caught.value.code == 400
    assert text in json.load(caught.value)["error"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--variant", "nonsense"), "There is no variant 'nonsense'"),
        (("--base-port", "0", "--scenario", "nonsense"), "There is no scenario 'nonsense'"),
        (("--base-port", "0", "--nodes", "2", "--scenario", "many-hands"), "needs 4 nodes; the cluster has 2"),
        (("--base-port", "0", "--fault", "slow-node:phase=lunch"), "There is no phase 'lunch'"),
    ],
)
def test_a_cluster_that_cannot_be_served_so_says_why(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    from tests.simulator.test_cli import start

    process = start("serve", "--journal", str(tmp_path / "j"), *arguments)
    _, err = process.communicate(timeout=30)
    assert (process.returncode, "Traceback" in err) == (2, False)
    assert message in err
