"""deploy/start.py: what it refuses, and that a stop reaches whatever it runs."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from conftest import ROOT

START = ROOT / "deploy" / "start.py"


def start(*arguments: str, **environment: str | Path) -> "subprocess.Popen[str]":
    variables = {name: str(value) for name, value in environment.items()}
    return subprocess.Popen(
        [sys.executable, START, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"} | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def refusal(tmp_path: Path, **environment: str | Path) -> str:
    given = {
        "FEELALIKE_STORE": tmp_path / "store",
        "FEELALIKE_GALLERY": tmp_path / "gallery",
        "FEELALIKE_BUNDLE": tmp_path / "bundle",
    }
    with start(**(given | environment)) as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 1, said
    assert "Traceback" not in said
    return said


def test_a_store_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    said = refusal(tmp_path, FEELALIKE_STORE=tmp_path / "file" / "store")
    assert f"user {os.getuid()} may not write to {tmp_path / 'file'}" in said
    assert "sudo chown" in said


def test_an_empty_gallery(tmp_path: Path) -> None:
    (tmp_path / "gallery" / "awe").mkdir(parents=True)
    said = refusal(tmp_path)
    assert f"no pictures in {tmp_path / 'gallery'}" in said
    assert "FEELALIKE_GALLERY=painted" in said


def test_a_missing_gallery(tmp_path: Path) -> None:
    assert f"cannot read the gallery {tmp_path / 'gallery'}: No such file" in refusal(tmp_path)


def test_a_missing_bundle(tmp_path: Path) -> None:
    (tmp_path / "gallery").mkdir()
    (tmp_path / "gallery" / "1.png").touch()
    assert "bundle.json is missing" in refusal(tmp_path)


def test_the_build_gets_the_service_s_device_and_precision(tmp_path: Path) -> None:
    (tmp_path / "gallery").mkdir()
    (tmp_path / "gallery" / "1.png").touch()
    for name in ("FEELALIKE_DEVICE", "FEELALIKE_PRECISION"):
        assert "'nonsense' is not one of" in exit_of_usage(tmp_path, name)


def exit_of_usage(tmp_path: Path, name: str) -> str:
    given = {f"FEELALIKE_{what.upper()}": tmp_path / what for what in ("store", "gallery", "bundle")}
    with start(**given, **{name: "nonsense"}, COLUMNS="200", NO_COLOR="1") as process:
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 2, said
    return said


def test_an_index_that_is_there_is_not_built_again(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "CURRENT").touch()
    said = refusal(tmp_path, FEELALIKE_PORT="0")
    assert "no bundle" in said
    assert "gallery" not in said


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 128 + signal.SIGTERM), (signal.SIGINT, 0)])
def test_a_stop_reaches_the_command_once(number: signal.Signals, code: int) -> None:
    # Python's own web server ends by Ctrl-C in order, and dies of SIGTERM.
    with start("http.server", "0", "--bind", "127.0.0.1") as process:
        assert process.stdout is not None
        said = re.search(r"Serving HTTP on \S+ port (\d+)", process.stdout.readline())
        assert said
        # Once it answers it is past the line that it prints, and where it catches the Ctrl-C.
        urlopen(f"http://127.0.0.1:{said[1]}", timeout=30).close()
        process.send_signal(number)
        process.communicate(timeout=30)
    assert process.returncode == code
