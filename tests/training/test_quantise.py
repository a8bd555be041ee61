"""The int8 graph of a bundle; what is checked stands in int8_checks.py."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

CHECKS = Path(__file__).with_name("int8_checks.py")
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("nncf") is None, reason="the extra int8 (nncf) is not installed")
def test_int8_in_a_process_of_its_own():
    """NNCF loads OpenVINO for itself, and unloads it: see `the_core` for what that can do to a process."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(CHECKS)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=110)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "7 passed" in done.stdout
