"""Every benchmark runs to its end at its smallest size; what it then finds means nothing."""

import subprocess
import sys

import pytest

from benchmarks.__main__ import Name
from benchmarks.results import read_result, result_file
from conftest import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.mark.parametrize("name", Name)
def test_quick(name: Name, tmp_path) -> None:
    options = ["--quick", "--only", name, "--results", str(tmp_path), "--page", str(tmp_path / "benchmarks.md")]
    command = [sys.executable, "-m", "benchmarks", *options]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = read_result(result_file(tmp_path, name))
    assert found.quick
    assert found.rows
    assert all(row.measured is None or row.measured >= 0 or row.unit == "ms" for row in found.rows)
    assert found.title in (tmp_path / "benchmarks.md").read_text()
