"""kill -9 in the middle of adding, deleting, compacting and building."""

import os
import subprocess
import sys

import pytest

from conftest import ROOT


def kill(folder, n_rounds: int, seed: int, longest_life_s: float) -> str:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}
    command = [
        sys.executable,
        str(ROOT / "tests" / "killed.py"),
        str(folder),
        *map(str, (n_rounds, seed, longest_life_s)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_was_answered_holds_after_a_kill(tmp_path):
    assert "'kills': 24" in kill(tmp_path, 24, seed=7, longest_life_s=0.08)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(4))
def test_what_was_answered_holds_after_hundreds_of_kills(tmp_path, seed):
    assert "'kills': 150" in kill(tmp_path, 150, seed, longest_life_s=0.3)
