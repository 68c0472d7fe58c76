from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from include.hci.cluster.storage import StorageJob
from include.hci.policy.progress import Progress, show_bytes, show_duration
from include.hci.policy.resync import LONGEST_LEFT, Movement, follow, is_stuck, resync_progress

GIB = 1024**3
START = datetime(2026, 11, 3, 1, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-5, "0 s"),
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (599, "9 min 59 s"),
        (629, "10 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (5430, "1 h 30 min"),
        (90000, "25 h"),
    ],
)
def test_durations_are_said_as_people_do(seconds, text):
    assert show_duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (GIB, "1 GiB"), (412.4 * GIB, "412 GiB")]
)
def test_bytes_are_said_as_people_do(count, text):
    assert show_bytes(count) == text


def test_a_wait_tells_what_how_far_how_fast_and_how_long():
    progress = Progress("resync of Volume2", 412 * GIB, 1023 * GIB, "bytes", 3.1 * GIB, timedelta(seconds=200))
    assert str(progress) == "resync of Volume2: 412 of 1,023 GiB, 3.1 GiB/s, about 3 min 20 s left"


@pytest.mark.parametrize(
    ("progress", "text"),
    [
        (Progress("drain of A"), "drain of A"),
        (Progress("drain of A", 3, 12, "roles"), "drain of A: 3 of 12 roles"),
        (Progress("copy", 5 * GIB, unit="bytes"), "copy: 5 GiB"),
        (Progress("copy", 0.0, 0.0, "bytes"), "copy: 0 of 0 B"),
    ],
)
def test_what_is_not_known_is_not_said(progress, text):
    assert str(progress) == text


def job(name: str, processed: float, total: float, state: str = "Running", identity: str = "") -> StorageJob:
    return StorageJob(name, state, int(processed * GIB), int(total * GIB), identity=identity)


def after(*readings: list[StorageJob], step: timedelta = timedelta(minutes=1)) -> Movement:
    movement: Movement | None = None
    for number, jobs in enumerate(readings):
        movement = follow(movement, jobs, START + number * step)
    assert movement is not None
    return movement


@pytest.mark.parametrize(
    ("readings", "moved_minute"),
    [
        ([[job("A", 1, 10)]], 0),
        ([[job("A", 1, 10)], [job("A", 1, 10)], [job("A", 1, 10)]], 0),
        ([[job("A", 1, 10)], [job("A", 2, 10)], [job("A", 2, 10)]], 1),
        # A job that begins again from the start does not move on until it gets further than before.
        ([[job("A", 5, 10)], [job("A", 0, 10)], [job("A", 4, 10)], [job("A", 5, 10)]], 0),
        ([[job("A", 5, 10)], [job("A", 0, 10)], [job("A", 6, 10)]], 2),
        ([[job("A", 5, 10)], [job("A", 5, 10), job("B", 0, 10)]], 1),
        ([[job("A", 5, 10)], [job("B", 0, 10)]], 1),
        # Gone, back and gone again is the same job going round in circles.
        ([[job("A", 5, 10)], [], [job("A", 5, 10)], [], [job("A", 5, 10)]], 1),
        ([[], [], []], 0),
        # A job that does not know yet how much there is to do has nothing that it could fall short of.
        ([[job("A", 0, 0, "Suspended")], [job("A", 0, 400)], [job("A", 9, 400)], [job("A", 9, 400)]], 2),
        ([[job("A", 0, 0, "Suspended")], [job("A", 0, 0, "Suspended")]], 0),
    ],
)
def test_movement_is_fewer_bytes_left_than_ever(readings, moved_minute):
    assert after(*readings).moved_at == START + timedelta(minutes=moved_minute)


def same_name(*jobs: tuple[str, float]) -> list[StorageJob]:
    return [job("Repair", processed, 10, identity=identity) for identity, processed in jobs]


@pytest.mark.parametrize(
    ("readings", "moved_minute"),
    [
        # Of two at a time each has its own mark; so has one that begins when the other is over.
        ([same_name(("1", 9)), same_name(("1", 9), ("2", 0)), same_name(("1", 9), ("2", 1))], 2),
        ([same_name(("1", 9)), [], same_name(("2", 0)), same_name(("2", 1))], 3),
        ([same_name(("1", 9)), same_name(("2", 0)), same_name(("2", 0))], 1),
        # That it comes and goes under ever new identities is no movement by itself.
        ([same_name(("1", 5)), [], same_name(("2", 5)), [], same_name(("3", 5)), []], 1),
        ([same_name(("1", 5)), same_name(("1", 0)), same_name(("1", 4))], 0),
    ],
)
def test_jobs_of_one_name_are_told_apart_by_their_identity(readings, moved_minute):
    assert after(*readings).moved_at == START + timedelta(minutes=moved_minute)


def test_bytes_of_a_second_job_of_the_same_name_are_counted():
    movement = after(same_name(("1", 9)), same_name(("1", 9), ("2", 0)), same_name(("1", 9), ("2", 4)))
    assert movement.copied == 4 * GIB


@pytest.mark.parametrize(("minutes", "stuck"), [(29, False), (30, True), (45, True)])
def test_a_resync_is_stuck_when_nothing_moved_for_the_limit(minutes, stuck):
    movement = after([job("A", 1, 10)])
    assert is_stuck(movement, timedelta(minutes=30), START + timedelta(minutes=minutes)) is stuck


def test_the_rate_is_smoothed_and_the_time_left_follows_it():
    movement = after([job("A", 0, 100)], [job("A", 6, 100)], [job("A", 12, 100)])
    progress = resync_progress([job("A", 12, 100)], movement)
    assert progress is not None
    assert progress.per_second == pytest.approx(0.1 * GIB)
    assert progress.left == timedelta(seconds=880)
    assert movement.copied == 12 * GIB


def test_a_resync_that_has_stopped_moving_promises_no_end_however_long_it_is_read():
    def reading(number: int) -> list[StorageJob]:
        return [job("Volume1-Repair", min(number, 3) * 90, 2048)]

    movement = None
    for number in range(2000):
        now = START + number * timedelta(seconds=15)
        movement = follow(movement, reading(number), now)
        progress = resync_progress(reading(number), movement)
        assert progress is not None
        assert progress.left is None or progress.left <= LONGEST_LEFT
        assert (progress.left is None) is (progress.per_second is None)
    assert str(progress) == "resync of Volume1: 0.3 of 2 TiB"
    assert is_stuck(movement, timedelta(minutes=30), now)


def test_a_job_that_appears_does_not_count_as_speed():
    movement = after([job("A", 0, 100)], [job("A", 6, 100), job("B", 50, 100)])
    assert movement.copied == 6 * GIB


def test_several_jobs_are_one_progress_with_their_volumes_named():
    jobs = [job(f"Volume{number}-Repair", 1, 2) for number in range(1, 6)]
    assert str(resync_progress(jobs)) == "resync of Volume1, Volume2, Volume3 and 2 more: 5 of 10 GiB"


def test_without_jobs_there_is_no_progress():
    assert resync_progress([]) is None
