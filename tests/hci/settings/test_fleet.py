from __future__ import annotations

import copy
import functools
import json
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from include.hci.policy.upcoming import next_start
from include.hci.settings.fleet import FLEET_FILE_VARIABLE, fleet_path, load_fleet, parse_fleet
from include.hci.settings.positions import read_yaml

EXAMPLE = Path(__file__).resolve().parents[3] / "include/fleet/fleet.example.yaml"

GOOD = "clusters:\n  good: {connection: hci, nodes: [G1, G2]}\n"


def parse(text: str):
    return parse_fleet(text, "fleet.yaml")


def only_problem(text: str):
    fleet = parse(text)
    assert len(fleet.problems) == 1, [str(problem) for problem in fleet.problems]
    return fleet, fleet.problems[0]


def test_defaults_profile_and_overrides_are_put_together():
    fleet = parse(
        """
defaults:
  connection: hci_shared
  profile: monthly
  owner: ops
  tags: [prod]
  pacing: {first_check_seconds: 3}
  schedule: {cron: "0 1 * * SUN", timezone: Europe/Berlin}
  management_host: {connection: hci_mgmt, address: mgmt.example.com}
profiles:
  monthly: {max_failed_nodes: 1, reboot_timeout_minutes: 60}
clusters:
  ONE:
    nodes: [N1, {name: N2, address: n2.example.com, port: 5986}, {name: N3, connection: hci_n3}]
    profile_overrides: {reboot_timeout_minutes: 90, node_order: [N3]}
    pacing: {poll_seconds: 7}
    os_version: 2022
  TWO:
    nodes: [M1, M2]
    connection: hci_two
    schedule: null
    management_host: null
    owner: others
    profile: default
"""
    )
    assert fleet.problems == ()
    one, two = fleet.clusters["ONE"], fleet.clusters["TWO"]
    assert [(node.name, node.connection, node.host, node.port) for node in one.nodes] == [
        ("N1", "hci_shared", "N1", None),
        ("N2", "hci_shared", "n2.example.com", 5986),
        ("N3", "hci_n3", None, None),
    ]
    assert (one.options.max_failed_nodes, one.options.reboot_timeout_minutes, one.options.node_order) == (
        1,
        90,
        ("N3",),
    )
    assert (one.pacing.first_check_seconds, one.pacing.poll_seconds) == (3, 7)
    assert one.os_version == "2022"
    assert one.schedule is not None
    assert one.schedule.timezone == "Europe/Berlin"
    assert one.management_host is not None
    assert (one.management_host.connection, one.management_host.host) == ("hci_mgmt", "mgmt.example.com")
    assert (one.owner, one.tags, one.profile, one.slug) == ("ops", ("prod",), "monthly", "one")
    assert (two.schedule, two.management_host, two.owner, two.nodes[0].connection) == (None, None, "others", "hci_two")
    assert two.options.reboot_timeout_minutes == 15
    assert one.node("n2").name == "N2"
    with pytest.raises(KeyError, match="N1, N2, N3"):
        one.node("X")


@pytest.mark.parametrize(
    ("entry", "line", "key", "says"),
    [
        ("{nodes: [A1, A2]}", 5, "nodes[0]", "A1 has no connection"),
        ("{connection: c, nodes: [A1]}", 5, "nodes", "has 1: "),
        ("{connection: c, nodes: [" + ",".join(f"A{n}" for n in range(17)) + "]}", 5, "nodes", "has 17: "),
        ("{connection: c, nodes: [A1, a1]}", 5, "nodes[1]", "for the second time; the first is on line 5"),
        ("{connection: c, nodes: 3}", 5, "nodes", "must be a list, not 3"),
        ("{connection: c}", 5, "nodes", "is missing"),
        ("{connection: c, nodes: [A1, {nam: A2}]}", 5, "nodes[1].name", "is missing"),
        ("{connection: c, nodes: [A1, {name: A2, address: 'a b'}]}", 5, "nodes[1].address", "neither a host name nor"),
        ("{connection: c, nodes: [A1, {name: A2, address: 'http://a'}]}", 5, "nodes[1].address", "no 'https://'"),
        ("{connection: c, nodes: [A1, {name: A2, port: 65536}]}", 5, "nodes[1].port", "65535 or less"),
        ("{connection: c, nodes: [A1, {name: A2, port: true}]}", 5, "nodes[1].port", "must be a number, not true"),
        ("{connection: c, nodes: [A1, {name: A2, address: A1}]}", 5, "nodes[1]", "reached in the same way as A1"),
        ("{nodes: [{name: A1, connection: c}, {name: A2, connection: c}]}", 5, "nodes[1]", "in the same way as A1"),
        ("{connection: c, nodes: [A1, SIXTEENCHARACTER]}", 5, "nodes[1].name", "has 16 characters"),
        ("{connection: c, nodes: [A1, 12345]}", 5, "nodes[1].name", "digits only"),
        ("{connection: c, nodes: [A1, a.b.example]}", 5, "nodes[1].name", "goes under 'address'"),
        ("{connection: 'a b', nodes: [A1, A2]}", 5, "connection", "cannot be an Airflow connection id"),
        ("{connection: c, nodes: [A1, A2], profil: x}", 5, "profil", "Did you mean 'profile'?"),
        ("{connection: c, nodes: [A1, A2], password: geheim}", 5, "password", "logins and passwords never stand"),
        ("{connection: c, nodes: [A1, A2], profile: x}", 5, "profile", "there is no profile 'x'. Profiles in this file: default"),
        ("{connection: c, nodes: [A1, A2], os_version: 23H2}", 5, "os_version", "must be '20H2'"),
        ("{connection: c, nodes: [A1, A2], pacing: {poll_seconds: 0}}", 5, "pacing.poll_seconds", "0.1 or more"),
        ("{connection: c, nodes: [A1, A2], schedule: {cron: '0 1 * *', timezone: UTC}}", 5, "schedule.cron", "five fields"),
        ("{connection: c, nodes: [A1, A2], schedule: {cron: '@daily', timezone: UTC}}", 5, "schedule.cron", "five fields"),
        ("{connection: c, nodes: [A1, A2], schedule: {cron: '0 1 * * 9', timezone: UTC}}", 5, "schedule.cron", "five fields"),
        ("{connection: c, nodes: [A1, A2], schedule: {cron: '0 1 * * 1'}}", 5, "schedule.timezone", "is missing"),
        ("{connection: c, nodes: [A1, A2], schedule: {cron: '0 1 * * 1', timezone: Berlin}}", 5, "schedule.timezone", "IANA"),
        ("{connection: c, nodes: [A1, A2], profile_overrides: {max_failed_nodes: 2}}", 5, "profile_overrides.max_failed_nodes",
         "the cluster has 2 nodes: at most 1 may fail"),
        ("{connection: c, nodes: [A1, A2], profile_overrides: {node_order: [A3]}}", 5, "profile_overrides.node_order",
         "names A3, which the cluster does not have. Its nodes are A1, A2."),
        ("nothing", 5, "", "must be a group of keys, not 'nothing'"),
        ("{connection: c, nodes: [G1, A2]}", 5, "nodes[0]", "in the same way as G1 of cluster good (line 4)"),
    ],
)  # fmt: skip
def test_a_broken_cluster_is_named_with_line_and_key_and_hurts_no_other(entry: str, line: int, key: str, says: str):
    fleet = parse(f"# one\n# two\nclusters:\n  good: {{connection: hci, nodes: [G1, G2]}}\n  bad: {entry}\n")
    assert list(fleet.clusters) == ["good"]
    found = [problem for problem in fleet.problems if problem.key == f"clusters.bad{'.' if key else ''}{key}"]
    assert len(found) == 1, [str(problem) for problem in fleet.problems]
    assert says in found[0].message
    assert (found[0].line, found[0].cluster, found[0].file) == (line, "bad", "fleet.yaml")
    assert str(found[0]).startswith(f"fleet.yaml:{line}: clusters.bad")
    assert "geheim" not in str(found[0])
    assert fleet.problems_of("bad") == fleet.problems


def test_every_problem_is_found_at_once_and_stands_on_its_own_line():
    fleet = parse(
        "clusters:\n"
        "  bad:\n"
        "    connection: c\n"
        "    tag: [x]\n"
        "    nodes:\n"
        "      - A1\n"
        "      - name: A2\n"
        "        port: 0\n"
        "    pacing:\n"
        "      poll_seconds: often\n"
    )
    assert [(problem.line, problem.key) for problem in fleet.problems] == [
        (4, "clusters.bad.tag"),
        (8, "clusters.bad.nodes[1].port"),
        (10, "clusters.bad.pacing.poll_seconds"),
    ]


def test_a_broken_profile_breaks_only_the_clusters_that_use_it():
    fleet = parse(
        "profiles:\n  bad: {max_retries_per_node: 65}\n  good: {max_retries_per_node: 64}\n"
        "clusters:\n"
        "  a: {connection: c, nodes: [A1, A2], profile: bad}\n"
        "  b: {connection: c, nodes: [B1, B2], profile: good}\n"
    )
    assert list(fleet.clusters) == ["b"]
    assert [(problem.line, problem.cluster, problem.key) for problem in fleet.problems] == [
        (2, None, "profiles.bad.max_retries_per_node"),
        (5, "a", "clusters.a.profile"),
    ]
    assert "the profile 'bad' (line 2) has a problem of its own" in fleet.problems[1].message


def test_a_profile_that_does_not_fit_is_reported_at_the_cluster_and_names_the_profile():
    _, problem = only_problem(
        "profiles:\n  big: {max_failed_nodes: 3}\nclusters:\n  a:\n    connection: c\n    nodes: [A1, A2]\n    profile: big\n"
    )
    assert (problem.line, problem.key) == (7, "clusters.a.profile")
    assert problem.message.startswith("max_failed_nodes of the profile 'big' is 3")


def test_warn_after_of_the_profile_is_checked_against_stop_after_of_the_override():
    fleet = parse(
        "clusters:\n  a:\n    connection: c\n    nodes: [A1, A2]\n"
        "    profile_overrides: {warn_after: '01:00:00', stop_after: '01:00:00'}\n"
    )
    assert any("must be shorter than stop_after" in problem.message for problem in fleet.problems)
    assert not fleet.clusters


def test_broken_defaults_stop_every_cluster_because_each_takes_settings_from_there():
    fleet = parse("defaults: {conection: c}\nclusters:\n  a: {connection: c, nodes: [A1, A2]}\n")
    assert not fleet.clusters
    assert [(problem.line, problem.cluster) for problem in fleet.problems] == [(1, None), (3, "a")]


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("clusters: [\n", 2, "is not valid YAML"),
        ("clusters:\n\tgood: x\n", 2, "is not valid YAML"),
        ("- a\n", 1, "must be a group of keys"),
        ("", None, "must be a group of keys"),
        ("profiles: {}\n", 1, "the key 'clusters' is missing"),
        ("default: {}\n" + GOOD, 1, "Did you mean 'defaults'?"),
        (GOOD + GOOD, 3, "stands here for the second time; the first is on line 1"),
        ("clusters: 3\n", 1, "must be a group of keys, one per name"),
        ("a: 1\n---\nb: 2\n", 2, "is not valid YAML"),
        ("clusters: &x\n  a: *x\n", 1, "contains itself"),
        ("clusters: !!python/object:os.system {}\n", 1, "tag"),
    ],
)
def test_a_problem_of_the_whole_file_is_one_problem_of_no_cluster(text: str, line: int | None, says: str):
    fleet, problem = only_problem(text)
    assert (dict(fleet.clusters), problem.cluster, problem.line) == ({}, None, line)
    assert says in problem.message


def test_keys_that_stand_twice_are_refused_in_the_cluster_in_which_they_stand():
    fleet, problem = only_problem(GOOD + "  bad:\n    connection: a\n    connection: b\n    nodes: [A1, A2]\n")
    assert list(fleet.clusters) == ["good"]
    assert (problem.cluster, problem.line, problem.key) == ("bad", 5, "clusters.bad.connection")


def test_a_cluster_that_stands_twice_is_not_used_at_all():
    fleet, problem = only_problem(GOOD + "  good: {connection: hci, nodes: [X1, X2]}\n")
    assert not fleet.clusters
    assert (problem.cluster, problem.line) == ("good", 3)


@pytest.mark.parametrize("other", ["GOOD-1", "good_1"])
def test_two_clusters_may_not_have_the_same_ids_in_airflow(other: str):
    fleet, problem = only_problem(
        f"clusters:\n  good-1: {{connection: c, nodes: [A1, A2]}}\n  {other}: {{connection: c, nodes: [B1, B2]}}\n"
    )
    assert list(fleet.clusters) == ["good-1"]
    assert (problem.line, problem.cluster) == (3, other)
    assert "would have the same ids in Airflow (good_1) as cluster good-1 on line 2" in problem.message


def test_a_missing_file_says_what_to_do(tmp_path: Path):
    fleet = load_fleet(tmp_path / "none.yaml")
    assert len(fleet.problems) == 1
    assert "does not exist. Create it" in str(fleet.problems[0])
    assert fleet.problems[0].cluster is None


def test_a_file_that_is_no_text_is_a_problem_not_an_exception(tmp_path: Path):
    (tmp_path / "fleet.yaml").write_bytes(b"\xff\xfe\x00clusters")
    assert "cannot be read" in load_fleet(tmp_path / "fleet.yaml").problems[0].message
    assert "cannot be read" in load_fleet(tmp_path).problems[0].message


def test_a_byte_order_mark_is_no_problem(tmp_path: Path):
    (tmp_path / "fleet.yaml").write_text(GOOD, encoding="utf-8-sig")
    assert load_fleet(tmp_path / "fleet.yaml").problems == ()


def test_the_file_is_found_by_the_variable_or_at_its_place():
    assert fleet_path({FLEET_FILE_VARIABLE: "/etc/fleet.yaml"}) == Path("/etc/fleet.yaml")
    for environ in ({}, {FLEET_FILE_VARIABLE: " "}):
        assert fleet_path(environ) == Path(__file__).resolve().parents[3] / "include" / "fleet" / "fleet.yaml"


@pytest.mark.parametrize(
    "head",
    ["profiles:\n  p: {max_failed_nodes: 0, max_failed_nodes: 1}\n", "profiles:\n  p: {}\n  p: {}\n",
     "defaults: {owner: a, owner: b}\nprofiles: {p: {}}\n"],
)  # fmt: skip
def test_nobody_guesses_which_of_two_keys_was_meant_in_what_clusters_share(head: str):
    fleet = parse(f"{head}clusters:\n  a: {{connection: c, nodes: [A1, A2], profile: p}}\n")
    assert not fleet.clusters
    assert [problem.cluster for problem in fleet.problems] == [None, "a"]
    assert "has a problem of its own" in fleet.problems[1].message


def test_options_that_only_cau_acts_on_leave_the_cluster_usable_and_keep_rolling_updates_from_it():
    fleet = parse(
        "profiles:\n"
        "  cau:\n"
        "    enable_firewall_rules: true\n"
        "clusters:\n"
        "  own: {connection: c, nodes: [A1, A2], profile_overrides: {\n"
        "    separate_reboots: true}}\n"
        "  shared: {connection: c, nodes: [B1, B2], profile: cau}\n"
        "  taken_back: {connection: c, nodes: [C1, C2], profile: cau, profile_overrides: {enable_firewall_rules: false}}\n"
    )
    assert fleet.problems == ()
    assert list(fleet.clusters) == ["own", "shared", "taken_back"]
    assert [cluster.name for cluster in fleet.rolling] == ["taken_back"]
    assert [(each.line, each.key, each.cluster) for each in fleet.refusals] == [
        (3, "profiles.cau.enable_firewall_rules", "shared"),
        (6, "clusters.own.profile_overrides.separate_reboots", "own"),
    ]
    assert all("is not supported yet by a rolling update" in each.message for each in fleet.refusals)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            f"clusters: {{a: {{connection: c, nodes: [A1, A2], ring_offset_days: {'9' * 5000}}}}}",
            "must be a whole number",
        ),
        ("[" * 5000 + "]" * 5000, "is nested too deeply"),
    ],
)
def test_a_file_that_is_absurd_is_a_problem_not_an_exception(text: str, says: str):
    assert says in only_problem(text)[1].message


#: Values that a file may hold by mistake or by malice, for any key.
STRANGE = (
    *(
        "",
        " ",
        "x",
        "-1",
        "0",
        "1e309",
        "NaN",
        "9999-12-31",
        "0001-01-01",
        "2026-02-30",
        "2026-13-01 25:61",
        "24:00",
        "99:99:99",
    ),
    *(
        "999.23:59:59",
        "9" * 5000,
        "0x" + "f" * 400,
        "\u0000",
        "\U0001f600",
        "*",
        "0 0 30 2 *",
        "* * * * * *",
        "../../etc/passwd",
    ),
    *("Europe", "SAT,", "[", "(?P<a", "true", "a" * 3000, "2999-12-31 23:59", "1970-01-01"),
    *(None, True, False, -1, 0, 1, 128, 10**30, -(10**30), 1.5, float("inf")),
    *([], [None], [[]], ["x", "x"], {}, {"": ""}, {"x": {"y": []}}, [{}], [1, "1"]),
)


def _places(value: object, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [*([at] if at else []), *(place for key, part in inner for place in _places(part, (*at, key)))]


def test_whatever_stands_in_the_file_is_a_problem_and_never_an_exception():
    whole = read_yaml(EXAMPLE.read_text(encoding="utf-8")).value
    places = _places(whole)
    random = Random(20261123)
    for _ in range(300):
        changed = copy.deepcopy(whole)
        place = random.choice(places)
        *path, last = place
        inside = functools.reduce(lambda part, key: part[key], path, changed)
        inside[last] = random.choice(STRANGE)
        fleet = parse_fleet(json.dumps(changed), "fleet.yaml")
        # What is said can be shown, and what is left can be scheduled.
        assert all(str(problem) for problem in (*fleet.problems, *fleet.refusals)), place
        for cluster in fleet.clusters.values():
            next_start(cluster, datetime(2026, 11, 23, tzinfo=UTC))
