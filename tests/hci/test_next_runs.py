from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from include.hci.next_runs import main

ROOT = Path(__file__).resolve().parents[2]
FLEET = """\
profiles:
  default:
    blackouts: [{begins: 2026-11-10, timezone: Europe/Berlin, reason: Year-end closing}]
clusters:
  BER:
    connection: h
    nodes: [A1, A2]
    schedule: {timezone: Europe/Berlin, lines: [{start_date: 2026-01-01 03:00, days_after_second_tuesday: 0}]}
  HAND:
    connection: h
    nodes: [B1, B2]
"""


@pytest.fixture
def fleet(tmp_path) -> Path:
    file = tmp_path / "fleet.yaml"
    file.write_text(FLEET)
    return file


def test_local_time_and_utc_stand_side_by_side_and_what_is_left_out_says_why(fleet, capsys):
    assert main(["--fleet", str(fleet), "--after", "2026-10-01", "--count", "3"]) == 0
    text = capsys.readouterr().out
    assert "BER: 03:00 every second Tuesday of the month (Europe/Berlin)" in text
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "1 Tue 2026-10-13 03:00 +0200 Tue 2026-10-13 01:00 12 d 1 h" in rows
    assert (
        "- Tue 2026-11-10 03:00 +0100 Tue 2026-11-10 02:00 40 d 2 h left out: blackout 2026-11-10 (Year-end closing)"
        in rows
    )
    assert "2 Tue 2026-12-08 03:00 +0100 Tue 2026-12-08 02:00 68 d 2 h" in rows
    assert "3 Tue 2027-01-12 03:00 +0100 Tue 2027-01-12 02:00 103 d 2 h" in rows
    assert "HAND is updated only by hand: it has no schedule." in text


def test_one_cluster_can_be_asked_for_in_any_case(fleet, capsys):
    assert main(["ber", "--fleet", str(fleet), "--after", "2026-10-01T00:00:00+02:00"]) == 0
    text = capsys.readouterr().out
    assert "HAND" not in text
    # Ten times begin; the one in the blackout does not count.
    assert sum("03:00 +0" in line for line in text.splitlines()) == 11


def test_a_cluster_that_has_no_rolling_update_has_no_times_either(fleet, capsys):
    fleet.write_text(FLEET.replace("[A1, A2]", "[A1, A2]\n    profile_overrides: {force_self_update: true}"))
    assert main(["ber", "--fleet", str(fleet), "--after", "2026-10-01"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "No run begins: it has no rolling update, which does not act on force_self_update of its profile." in text
    assert "2026-10-13" not in text


def test_what_is_wrong_is_said_and_told_by_the_exit_code(fleet, capsys):
    assert main(["MUC", "--fleet", str(fleet)]) == 1
    assert "There is no usable cluster MUC" in capsys.readouterr().out
    fleet.write_text(FLEET.replace("[B1, B2]", "[B1, B1]"))
    assert main(["--fleet", str(fleet), "--count", "1"]) == 1
    text = capsys.readouterr().out
    assert "fleet.yaml:11" in text.replace("\n", "")
    assert "BER:" in text
    with pytest.raises(SystemExit):
        main(["--count", "0"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--count", "0"], "'0' is no number from 1 to 1000."),
        (["--count", "ten"], "'ten' is no number from 1 to 1000."),
        (["--after", "tomorrow"], "'tomorrow' is no time. Write it as"),
        (["--after", "9999-12-31"], "'9999-12-31' is no time. Write it as"),
    ],
)
def test_an_argument_that_is_wrong_is_named_with_the_right_form(fleet, capsys, arguments, said):
    with pytest.raises(SystemExit) as end:
        main([*arguments, "--fleet", str(fleet)])
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_it_needs_no_airflow():
    code = (
        "import sys; from include.hci.next_runs import main; main(['--fleet', 'include/fleet/fleet.example.yaml']); "
        "print('airflow' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.splitlines()[-1] == "False"
