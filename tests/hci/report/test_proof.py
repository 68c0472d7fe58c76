"""The sections about other hands: what the report says was compared, as found, changed and not proven."""

from __future__ import annotations

from datetime import timedelta

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.html import render_html
from include.hci.report.model import Section
from include.hci.report.proof import COMPARED, LEFT, OTHERS
from include.hci.report.proof_events import NodeFound, NotAsFound
from tests.hci.report.example import Night

FOUND = NodeFound(
    name="HCI01",
    state="Up",
    in_maintenance=False,
    credssp_server=False,
    credssp_client=False,
    services={"ClusSvc": "Automatic", "wuauserv": "Manual"},
    firewall={"Remote Shutdown": False},
    tasks=(),
    endpoints=("microsoft.powershell",),
)
EVERYTHING = "state, maintenance mode, CredSSP, service start types, firewall groups, scheduled tasks, session configurations, run lock"


def proven(*after: NodeFound, before: NodeFound = FOUND, **proof: object) -> dict[str, Section]:
    night = Night()
    night.after(60, ev.SnapshotTaken(moment="before", nodes=(before,)))
    night.after(3600, ev.SnapshotTaken(step="conclude", moment="after", nodes=after))
    night.after(1, ev.HygieneProved(**proof))  # type: ignore[arg-type]
    return told(night)


def told(night: Night) -> dict[str, Section]:
    return {section.title: section for section in report_of(night.record, night.now).sections}


def changed(**values: object) -> NodeFound:
    return FOUND.model_copy(update=values)


def test_everything_that_is_as_it_was_found_is_named_with_the_times_of_both_readings():
    section = proven(FOUND)[LEFT]
    assert section.rows == (("HCI01", EVERYTHING, "", ""),)
    assert section.sentences == (
        "Every node was read before anything was touched (2026-11-03 01:01 UTC) and again after everything was undone"
        " (2026-11-03 02:01 UTC).",
    )


def test_what_differs_is_shown_with_what_it_was_and_nothing_beside_it():
    now = changed(
        services={"ClusSvc": "Disabled", "wuauserv": "Manual"}, tasks=("HciUpdate-1",), locks={"MSFT_CAURun": "x"}
    )
    assert proven(now)[LEFT].rows[0][2] == (
        "service start types: ClusSvc Disabled, it was Automatic; scheduled tasks: HciUpdate-1, it was none;"
        " run lock: MSFT_CAURun x, it was absent"
    )


def test_what_was_not_read_is_not_proven_with_the_reason():
    now = changed(credssp_server=None, unread={"CredSSP": "access is denied"})
    assert proven(now)[LEFT].rows[0][2:] == ("", "CredSSP (access is denied)")
    silent = NodeFound(name="HCI01", state="Down", unread={"everything else": "the node is Down"})
    row = proven(silent)[LEFT].rows[0]
    assert row[2:] == ("state: Down, it was Up", "everything else (the node is Down)")
    assert "run lock" not in row[1]


def test_nodes_that_came_or_went_have_nothing_to_be_compared_with():
    rows = proven(changed(name="HCI09"))[LEFT].rows
    assert rows == (
        ("HCI09", "", "", "it was not in the cluster when everything was read"),
        ("HCI01", "", "", "it is not in the cluster any more"),
    )


def test_a_proof_that_could_not_be_made_says_so():
    night = Night()
    night.after(1, ev.HygieneProved(unproven="the cluster does not answer"))
    assert told(night)[LEFT].sentences == ("Not proven: the cluster does not answer.",)


def test_what_somebody_else_changed_has_a_section_of_its_own():
    mine = NotAsFound(node="HCI01", what="mine", command="undo mine", by_run=True)
    other = NotAsFound(
        node="", what="the self-updating role is disabled", command="Enable-CauClusterRole -Force", by_run=False
    )
    found = proven(FOUND, remainders=(mine, other))
    assert found[OTHERS].rows == (("cluster", "the self-updating role is disabled", "Enable-CauClusterRole -Force"),)
    assert OTHERS not in proven(FOUND, remainders=(mine,))


def test_each_turn_tells_what_was_compared_and_a_second_try_tells_nothing_new():
    night = Night()
    night.after(1, ev.ClusterCompared(node="HCI01"))
    for _ in range(2):
        night.after(1, ev.ClusterCompared(node="HCI02", changed=("A.", "B."), unread=("c (d)",)))
    assert told(night)[COMPARED].rows == (("HCI01", "nothing", "nothing"), ("HCI02", "A. B.", "c (d)"))


def test_a_record_without_any_of_it_has_no_such_section():
    assert told(Night()) == {}


def test_the_page_has_the_plan_s_hash_and_the_sections():
    night = Night()
    night.after(1, ev.Planned(order=("HCI01",), plan_id="0123456789abcdef"))
    night.after(1, ev.ClusterCompared(node="HCI01", changed=("<b>HCI09</b> was added.",)))
    report = report_of(night.record, night.now + timedelta(seconds=1))
    assert report.to_json()["plan"]["plan_hash"] == "0123456789abcdef"
    page = render_html(report)
    assert "Plan <code>0123456789ab</code>." in page
    assert "&lt;b&gt;HCI09&lt;/b&gt; was added." in page
