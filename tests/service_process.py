"""A service as a process of its own, over the fake runtime."""

import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 60

SERVE_WITH_FAKES = """
import sys
sys.path[:0] = [{root!r}, {tests!r}]
from fakes import FakeRuntime
from emotion.bundle import load_bundle
from emotion.predictor import Predictor
from service.__main__ import app
app(sys.argv[1:], obj=lambda settings: Predictor(load_bundle(settings.bundle), FakeRuntime()))
"""


def launch(command: list[str], **variables: str):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FEELALIKE_")}
    return subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, text=True, env=environment | variables, bufsize=1
    )


def address_of(process) -> str:
    lines = []
    for line in process.stderr:
        lines.append(line)
        if found := re.search(r"ready on (http://\S+)", line):
            return found[1]
    raise AssertionError("".join(lines))


def stop(process, number: int) -> tuple[int, str]:
    process.send_signal(number)
    _, log = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, log
