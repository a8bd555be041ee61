"""A short soak: the program that `make soak` runs for minutes."""

import os
import subprocess
import sys

import pytest

from conftest import ROOT


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_twenty_seconds_of_everything_at_once(shipped_bundle):
    command = [sys.executable, str(ROOT / "tests/soak.py"), "--minutes", "0.34", "--bundle", str(shipped_bundle)]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=290)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answers checked against brute force" in done.stdout
