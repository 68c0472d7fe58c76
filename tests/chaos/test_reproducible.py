from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: Seeds with faults and deaths in them, whatever the catalogue makes of them.
SEEDS = (3, 8, 31, 77)


def journal(seed: int, path: Path, hash_seed: str) -> bytes:
    command = [sys.executable, "-m", "tests.chaos.reproduce", str(seed), "--no-shrink", "--journal", str(path)]
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert path.exists(), done.stderr
    return path.read_bytes()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_seed_gives_the_same_journal_in_another_process(seed: int, tmp_path: Path) -> None:
    first, second = journal(seed, tmp_path / "first", "1"), journal(seed, tmp_path / "second", "4242")
    assert len(first.splitlines()) > 20
    assert first == second


def test_another_seed_gives_another_journal(tmp_path: Path) -> None:
    assert journal(3, tmp_path / "three", "1") != journal(4, tmp_path / "four", "1")
