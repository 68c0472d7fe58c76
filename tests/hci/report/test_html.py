from __future__ import annotations

import re
from datetime import timedelta
from html.parser import HTMLParser
from zoneinfo import ZoneInfo

import pytest

from include.hci.report import events as ev
from include.hci.report.build import report_of
from include.hci.report.html import render_html
from include.hci.report.values import Problem, UpdateRef
from tests.hci.report.example import NODES, START, Night, begin, failed_night, quiet_night, update_well
from tests.hci.report.judging import check_report

VOID = {"meta", "br", "link", "img", "hr", "input"}


class Structure(HTMLParser):
    """Checks that every tag is closed, and collects the texts of elements and the bars."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.headings: list[str] = []
        self.bars: list[tuple[float, float]] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag not in VOID:
            self.open.append(tag)
        style = dict(attrs).get("style") or ""
        if match := re.fullmatch(r"left:([\d.]+)%;width:([\d.]+)%", style):
            self.bars.append((float(match[1]), float(match[2])))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("h1", "h2"):
            self.headings.append(data.strip())


def page_of(night: Night, **options: object) -> tuple[str, Structure]:
    report = report_of(night.record, night.now)
    check_report(report)
    page = render_html(report, **options)  # type: ignore[arg-type]
    structure = Structure()
    structure.feed(page)
    assert structure.open == []
    return page, structure


def test_the_outcome_comes_first_and_then_what_is_left_to_do():
    page, structure = page_of(failed_night())
    assert structure.headings[:4] == [
        "Failed",
        "Left to do by hand",
        "Virtual machines that were not Online",
        "Readiness checks",
    ]
    for text in (
        "Of 4 nodes: 1 failed, 2 updated, 1 not started.",
        "Enable-CauClusterRole -ClusterName BER-CLU01 -Force",
        "KB5046616 failed on HCI02 after 3 tries.",
        "Trying again is safe.",
        "the system reserved partition is full",
        "0x800F0922",
        "no arrangement was found that has room for SQL01 of HCI02",
        "Approved by j.doe: CHG0041877",
    ):
        assert text in page


def test_a_page_needs_nothing_but_itself():
    page, structure = page_of(failed_night())
    assert not structure.tags & {"script", "link", "img", "iframe", "form", "object"}
    assert not re.search(r"https?://|url\(|@import", page)


def test_texts_of_others_cannot_become_markup():
    night = Night()
    begin(night)
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    night.after(1, ev.TurnGiven(node=evil, position=1, total=4))
    night.after(1, ev.Decided(step="drain", node=evil, decision="wait", why=evil))
    night.after(1, ev.Scanned(node=evil, updates=(UpdateRef(update_id=evil, kb=evil, title=evil),), build=evil))
    problem = Problem(title=evil, meaning=evil, next_action=evil, code=evil)
    night.after(1, ev.Failed(step="drain", node=evil, problem=problem))
    night.after(1, ev.Undone(what=evil))
    night.after(1, ev.Left(what=evil, why=evil, command=evil))
    night.after(1, ev.Approved(by=evil, comment=evil))
    night.after(1, ev.Concluded(why=evil))
    page, structure = page_of(night)
    assert "alert(1)" in page
    assert not structure.tags & {"script", "img"}


def test_every_bar_lies_within_its_lane():
    for night in (failed_night(), quiet_night()):
        _, structure = page_of(night)
        assert structure.bars
        assert all(left >= 0 and width > 0 and left + width <= 100.001 for left, width in structure.bars)


def test_bars_are_in_proportion_to_the_time():
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=("A",)))
    night.after(600, ev.Pausing(node="A"))
    night.after(300, ev.Drained(node="A"))
    night.after(100, ev.Concluded())
    _, structure = page_of(night)
    assert structure.bars == [(60.0, 30.0)]


def test_times_are_shown_in_the_zone_asked_for_and_the_zone_is_named():
    page, _ = page_of(failed_night(), timezone=ZoneInfo("Europe/Berlin"))
    assert "2026-11-03 02:00:00 CET" in page
    assert "Times are Europe/Berlin (UTC+01:00)." in page
    page, _ = page_of(failed_night())
    assert "2026-11-03 01:00:00 UTC" in page
    assert "Times are UTC." in page


def test_a_run_over_midnight_names_the_day():
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=("A",)))
    night.after(23 * 3600, ev.Pausing(node="A"))
    night.after(60, ev.Drained(node="A"))
    night.after(60, ev.Concluded())
    page, _ = page_of(night)
    assert "Wed 00:00:00" in page


def test_a_run_without_a_trouble_says_so():
    night = Night()
    begin(night)
    for position, name in enumerate(NODES, 1):
        update_well(night, name, position, 10)
    night.after(1, ev.LockReleased(guid="g"))
    night.after(1, ev.Concluded())
    page, structure = page_of(night)
    assert structure.headings[0] == "Succeeded"
    assert "Nothing. The run has taken back everything that it changed for its work." in page
    assert 'class="todo clear"' in page
    assert "failed here" not in page


def test_a_lock_that_was_not_released_stands_in_the_banner_and_among_what_is_left():
    night = Night()
    begin(night)
    night.after(1, ev.Concluded())
    page, _ = page_of(night)
    assert "<strong>not released</strong>" in page
    assert "may still be held on HCI01, HCI02, HCI03, HCI04" in page


@pytest.mark.parametrize("count", range(0, len(failed_night().record.events()), 7))
def test_a_run_that_goes_on_can_be_shown_at_any_time(count: int):
    night = failed_night()
    from include.hci.report.build import build_report

    entries = night.record.events()[:count]
    now = (entries[-1].at if entries else START) + timedelta(seconds=30)
    page = render_html(build_report(entries, now, run_id="r", cluster="c"), now=now)
    structure = Structure()
    structure.feed(page)
    assert structure.headings[0] == "Running"
    assert "Nothing so far." in page or "Left to do by hand" in page
    assert all(left + width <= 100.001 for left, width in structure.bars)


@pytest.mark.parametrize("days", [0, 0.001, 0.02, 0.3, 2, 9, 40])
def test_the_axis_never_has_more_marks_than_fit(days: float):
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=("A",)))
    night.after(days * 86400, ev.Pausing(node="A"))
    night.after(1, ev.Concluded())
    page, _ = page_of(night)
    marks = re.findall(r'class="tick" style="left:([\d.]+)%"', page)
    assert len(marks) <= 8
    assert all(float(mark) <= 100 for mark in marks)


def test_what_became_of_the_virtual_machines_and_of_the_time_is_told_at_the_top_and_in_full_below():
    page, structure = page_of(failed_night())
    top, _, rest = page.partition("<main>")
    assert "10 moved, 1 not Online at some reading" in top
    assert "Coordinator's part" in top.replace("&#39;", "'")
    assert "vm-03-2 was not Online for a while." in top
    assert "Failed on HCI03" in rest
    assert "Roles moved away in 2 min 52 s, back in 20 s" in rest
    assert '2 to HCI01: <span class="soft">vm-02-2, vm-02-5</span>' in rest
    assert "Where the time went" in structure.headings
    assert rest.index("The run has taken 2 h, more than warn_after (1 h 30 min).") < rest.index("Left to do by hand")


def test_a_virtual_machine_that_is_still_not_online_is_left_to_do_with_a_command_that_is_safe_to_copy():
    night = Night()
    begin(night)
    update_well(night, "HCI03", 1, 10, down="vm-03-2")
    night.after(1, ev.VmNotOnline(step="resume", node="HCI03", vm="Bob's VM", state="Offline"))
    night.after(1, ev.Concluded())
    page, structure = page_of(night)
    assert "Start-ClusterGroup -Name &#39;Bob&#39;&#39;s VM&#39;" in page
    assert "still so at the last reading" in page
    assert structure.headings[1:3] == ["Left to do by hand", "Virtual machines that were not Online"]


def test_a_run_without_virtual_machines_says_nothing_of_them():
    page, _ = page_of(quiet_night())
    assert "Virtual machines" not in page


def test_the_page_says_what_kind_of_run_it_is():
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=("A",), run_kind="offline-update"))
    page, _ = page_of(night)
    assert "Cluster c: offline update, with downtime" in page


def test_a_run_that_goes_on_says_first_what_it_does_and_when_it_was_heard_of_last():
    night = Night()
    begin(night)
    night.wait(1, "resync", "HCI03", "the storage is not whole <yet>")
    page, structure = page_of(night, now=night.now + timedelta(minutes=20))
    assert structure.headings[:3] == ["Running", "Now", "Left to do by hand"]
    assert "<strong>HCI03, resync:</strong> the storage is not whole &lt;yet&gt;" in page
    assert "(20 min), gives up at 05:0" in page
    assert "20 min ago. Times are UTC." in page


def test_a_run_on_which_nobody_works_any_more_is_not_called_running():
    night = Night()
    begin(night)
    night.wait(1, "resync", "HCI03", "the storage is not whole")
    page, structure = page_of(night, now=night.now + timedelta(hours=3), gone="Airflow ended <it>.")
    assert structure.headings[:2] == ["Ended unfinished", "Left to do by hand"]
    assert 'class="banner failed"' in page
    assert "Airflow ended &lt;it&gt;." in page
    assert f"<dt>Last word</dt><dd>{night.now:%Y-%m-%d %H:%M:%S} UTC</dd>" in page


def test_a_very_long_record_does_not_make_a_very_long_page():
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=("A",)))
    for number in range(400):
        night.wait(number, "resync", "A", f"waits for {'ab'[number % 2]}")
    night.after(1, ev.Concluded())
    page, _ = page_of(night)
    assert "The 300 longest of 400 waits" in page
    assert page.count('data-label="Waited for"') == 300
    assert len(report_of(night.record, night.now).waits) == 400


@pytest.mark.parametrize(
    ("command", "where", "shown"),
    [
        ("On HCI02: Set-Service ClusSvc -StartupType Automatic", "On HCI02:", "Set-Service ClusSvc"),
        ("On MGMT01, once CAU's run is over: restart WinRM", "On MGMT01, once CAU&#39;s run is over:", "restart WinRM"),
        ("Resume-ClusterNode -Name HCI02", None, "Resume-ClusterNode -Name HCI02"),
        ("Get-Thing -Path C:\\x: y", None, "Get-Thing -Path C:\\x: y"),
    ],
)
def test_a_command_can_be_copied_without_the_name_of_the_machine_on_which_it_is_given(command, where, shown):
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=("A",)))
    night.after(1, ev.Left(what="w", command=command))
    night.after(1, ev.Concluded())
    page, _ = page_of(night)
    assert f"<pre>{shown}" in page
    assert ('class="where"' in page) is (where is not None)
    assert where is None or f'<div class="where">{where}</div>' in page


def test_options_are_shown_as_a_person_would_write_them():
    night = Night()
    options = {"a": None, "b": True, "c": [], "d": ["x", "y"], "e": 0, "f": {"g": False}}
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=("A",), options=options))
    page, _ = page_of(night)
    shown = re.findall(r'data-label="Value" class="id">([^<]*)<', page)
    assert shown == ["none", "yes", "none", "x, y", "0", "g: no"]


def test_a_run_that_touched_nothing_has_no_empty_sections():
    night = Night()
    night.after(0, ev.RunStarted(run_id="r", cluster="c", nodes=("A",)))
    night.after(1, ev.Concluded())
    page, structure = page_of(night)
    assert "Timeline" not in page
    assert "Updates and steps per node" not in structure.headings
    assert "<p>Nothing.</p>" in page


def test_no_fixed_colour_is_left_out_of_the_dark_scheme():
    page, _ = page_of(failed_night())
    style = page.partition("<style>")[2].partition("</style>")[0]
    rules = [line for line in style.splitlines() if re.search(r"#[0-9a-f]{3,6}", line) and "--" not in line]
    # White letters on what is filled with a colour, and what is printed on paper.
    assert all(set(re.findall(r"#[0-9a-f]{3,6}\b", line)) <= {"#fff", "#f2f5f9"} for line in rules), rules
