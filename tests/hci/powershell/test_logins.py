from __future__ import annotations

import stat
import threading
import time
from pathlib import Path

import pytest

from include.hci.powershell.logins import BREAK, HOLD, LoginHeld, RefusedLogins, login_of
from include.hci.powershell.refusals import Login, RefusalFolder, Refusals
from include.hci.powershell.values import Secret

WRONG = Login("CONTOSO\\svc-hci", Secret("Old-Pa55"))
RIGHT = Login("CONTOSO\\svc-hci", Secret("New-Pa55"))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def may(logins: RefusedLogins, login: Login, server: str) -> bool:
    try:
        logins.begin(login, server, 0)
    except LoginHeld:
        return False
    logins.end(login)
    return True


def refuse(logins: RefusedLogins, *servers: str, login: Login = WRONG) -> None:
    for server in servers:
        logins.refused(login, server, "no")


def test_a_login_without_a_password_cannot_lock_an_account() -> None:
    assert login_of(None, None) is None
    assert login_of("user", None) is None
    assert login_of("user", "p") == Login("user", Secret("p"))


def test_what_several_servers_refuse_is_given_to_none_for_a_while_and_then_once(clock: Clock) -> None:
    logins = RefusedLogins(clock)
    refuse(logins, "HCI01", "HCI02")
    assert may(logins, WRONG, "HCI03")
    refuse(logins, "HCI03")
    assert not may(logins, WRONG, "HCI04")
    clock.now += HOLD - 1
    assert not may(logins, WRONG, "HCI04")
    clock.now += 1
    assert may(logins, WRONG, "HCI04")
    refuse(logins, "HCI04")
    assert not may(logins, WRONG, "HCI05")


def test_a_corrected_password_is_tried_at_once(clock: Clock) -> None:
    logins = RefusedLogins(clock)
    refuse(logins, "HCI01", "HCI02", "HCI03")
    assert may(logins, RIGHT, "HCI01")


def test_one_server_that_refuses_does_not_close_the_others(clock: Clock) -> None:
    """A server that has just restarted may refuse everybody."""
    logins = RefusedLogins(clock)
    refuse(logins, *["HCI02"] * 5)
    assert may(logins, WRONG, "HCI01")
    logins.accepted(WRONG, "HCI01")
    assert not may(logins, WRONG, "HCI02")


@pytest.mark.parametrize(("times", "seconds"), [(1, BREAK), (2, 2 * BREAK), (3, 4 * BREAK), (9, HOLD), (99, HOLD)])
def test_a_server_that_refuses_is_left_alone_for_longer_each_time(clock: Clock, times: int, seconds: float) -> None:
    logins = RefusedLogins(clock)
    refuse(logins, *["HCI02"] * times)
    clock.now += seconds - 1
    assert not may(logins, WRONG, "HCI02")
    clock.now += 1
    assert may(logins, WRONG, "HCI02")


def test_an_account_is_asked_for_no_more_than_five_times_in_ten_minutes_by_one_server(clock: Clock) -> None:
    logins = RefusedLogins(clock)
    given = 0
    for _ in range(60):
        if may(logins, WRONG, "HCI02"):
            given += 1
            refuse(logins, "HCI02")
        clock.now += 10
    assert given <= 4


def test_a_login_that_works_again_begins_anew(clock: Clock) -> None:
    logins = RefusedLogins(clock)
    refuse(logins, "HCI01", "HCI02")
    logins.accepted(WRONG, "HCI02")
    refuse(logins, "HCI03")
    assert may(logins, WRONG, "HCI02")
    assert may(logins, WRONG, "HCI04")
    assert not may(logins, WRONG, "HCI03")


def test_the_text_says_who_refused_how_often_and_for_how_long(clock: Clock) -> None:
    logins = RefusedLogins(clock)
    refuse(logins, "HCI01", "HCI02", "HCI03")
    with pytest.raises(LoginHeld) as caught:
        logins.begin(WRONG, "HCI04", 0)
    text = str(caught.value)
    assert "CONTOSO\\svc-hci was refused 3 times in a row (HCI03 said: no)" in text
    assert "for 10 min" in text
    assert "Old-Pa55" not in text + repr(logins.__dict__)


def test_no_more_logins_of_an_untried_password_are_under_way_than_it_may_take() -> None:
    logins = RefusedLogins()
    under_way, most, held = 0, 0, 0
    lock = threading.Lock()

    def log_in(server: str) -> None:
        nonlocal under_way, most, held
        try:
            logins.begin(WRONG, server)
        except LoginHeld:
            held += 1
            return
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.05)
        logins.refused(WRONG, server, "no")
        with lock:
            under_way -= 1
        logins.end(WRONG)

    threads = [threading.Thread(target=log_in, args=(f"HCI{number:02d}",)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert (most, held) == (3, 13)


def test_a_password_that_works_is_held_up_by_nobody() -> None:
    logins = RefusedLogins()
    logins.accepted(RIGHT, "HCI01")
    for number in range(16):
        logins.begin(RIGHT, f"HCI{number:02d}", 0)


def test_processes_tell_each_other_what_was_refused_and_that_it_works_again(tmp_path: Path, clock: Clock) -> None:
    here, there = RefusedLogins(clock), RefusedLogins(clock)
    for logins in (here, there):
        logins.share(tmp_path / "refused")
    refuse(here, "HCI01", "HCI02")
    clock.now += 1
    refuse(there, "HCI03")
    assert not may(there, WRONG, "HCI04")
    assert not may(here, WRONG, "HCI04")
    assert may(there, RIGHT, "HCI04")
    clock.now += HOLD
    here.accepted(WRONG, "HCI04")
    assert [path.name for path in (tmp_path / "refused").iterdir()] == ["salt"]
    newcomer = RefusedLogins(clock)
    newcomer.share(tmp_path / "refused")
    assert may(newcomer, WRONG, "HCI04")


def test_the_folder_is_the_users_own_and_tells_no_password(tmp_path: Path) -> None:
    folder = RefusalFolder(tmp_path / "refused")
    assert folder.read(WRONG, 0) is None
    assert not (tmp_path / "refused").exists()
    refusals = Refusals()
    refusals.note("HCI01", "no", 5.0)
    folder.write(WRONG, refusals)
    assert folder.read(WRONG, 6.0) == refusals
    assert stat.S_IMODE((tmp_path / "refused").stat().st_mode) == 0o700
    for path in (tmp_path / "refused").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert b"Pa55" not in path.read_bytes()
        assert "Pa55" not in path.name


def test_what_is_old_or_broken_in_the_folder_counts_for_nothing(tmp_path: Path) -> None:
    folder = RefusalFolder(tmp_path)
    refusals = Refusals()
    refusals.note("HCI01", "no", 5.0)
    folder.write(WRONG, refusals)
    assert folder.read(WRONG, 5.0 + 2 * 86400) is None
    folder.write(WRONG, refusals)
    for path in tmp_path.iterdir():
        if path.name != "salt":
            path.write_text("{")
    assert folder.read(WRONG, 6.0) is None


def test_a_folder_that_cannot_be_made_is_done_without(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_text("x")
    logins = RefusedLogins(clock)
    logins.share(tmp_path / "file" / "refused")
    refuse(logins, "HCI01")
    assert not may(logins, WRONG, "HCI01")
    assert may(logins, WRONG, "HCI02")
