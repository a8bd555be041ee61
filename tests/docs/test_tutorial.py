"""docs/tutorial.md is run as it stands, line by line, with painted pictures in place of the reader's."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import ROOT
from demo.paint import paint_gallery

TEXT = (ROOT / "docs" / "tutorial.md").read_text("utf-8")
LATER = TEXT.index("## 3.")
READY_TIMEOUT_S = 60


def blocks(text: str) -> list[str]:
    """What is typed, but for the reader's own choices and what installs."""
    skipped = r"<!-- (?:yours|installs) -->\n```console\n.*?```"
    return re.findall(r"```console\n(.*?)```", re.sub(skipped, "", text, flags=re.DOTALL), flags=re.DOTALL)


class Reader:
    """Two terminals: one for whatever serves, one shell for the rest."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._serving: subprocess.Popen[bytes] | None = None
        self._environment = os.environ | {
            "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PICTURES": str(folder / "pictures"),
            "PHOTOS": str(folder / "photos"),
            "HELD_OUT": str(folder / "held-out"),
            "FEELALIKE_ADMIN_TOKEN": "a-secret-of-the-test",
            "PORT": str(self.port),
        }

    def type(self, text: str) -> str:
        """Run the blocks of a text, one after the other; returns what was printed."""
        printed = ""
        for block in blocks(text):
            typed = block.replace("127.0.0.1:8000", f"127.0.0.1:{self.port}")
            if re.match(r"make demo|python -m service", typed):
                self._serve(typed.strip())
            else:
                printed += self._run(typed)
        return printed

    def _run(self, script: str) -> str:
        """Run a block in a shell that knows the variables of the blocks before."""
        left = self.folder / "variables"
        done = subprocess.run(
            ["bash", "-euao", "pipefail", "-c", f"{script}\nenv -0 > {left}"],
            cwd=self.folder, env=self._environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
        self._environment = dict(entry.split("=", 1) for entry in left.read_text().split("\0") if entry)
        return done.stdout

    def _serve(self, command: str) -> None:
        self.stop()
        port = "" if command.startswith("make") else f" --port {self.port}"
        log = self.folder / "served.log"
        with log.open("wb") as out:
            self._serving = subprocess.Popen(
                ["bash", "-c", f"exec {command}{port}"],
                cwd=self.folder, env=self._environment, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        wait_until_ready(self.port, self._serving, log)

    def stop(self) -> None:
        """Ctrl-C in the first terminal."""
        if self._serving is not None:
            os.killpg(self._serving.pid, signal.SIGINT)
            self._serving.wait(20)
            self._serving = None


def wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(log.read_text())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """Somebody in a fresh copy of the project, with an environment that is installed already, and pictures."""
    for name in ("Makefile", "pyproject.toml", "models"):
        (tmp_path / name).symlink_to(ROOT / name)
    for folder in (tmp_path / "bin", tmp_path / ".venv-demo" / "bin"):
        folder.mkdir(parents=True)
        for name in ("python", "python3"):
            script = folder / name
            script.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
            script.chmod(0o755)
    (tmp_path / ".venv-demo" / ".installed").touch()
    paint_gallery(tmp_path / "pictures", 8, seed=0)
    paint_gallery(tmp_path / "held-out", 1, seed=2)
    someone = Reader(tmp_path)
    yield someone
    someone.stop()


def test_a_gallery_is_searched_and_changed(reader: Reader) -> None:
    printed = reader.type(TEXT[:LATER])
    assert '"rank": 3' in printed
    assert '"state": "succeeded"' in printed


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_model_of_ones_own_is_trained_and_served(reader: Reader) -> None:
    paint_gallery(reader.folder / "photos", 80, seed=1)
    paint_gallery(reader.folder / "held-out", 24, seed=2)
    choice = re.search(r"^PHOTO=.*$", TEXT, flags=re.MULTILINE)
    assert choice is not None
    printed = reader.type(f"```console\n{choice[0]}\n```\n{TEXT[LATER:]}")
    assert '"rank": 3' in printed
