"""What the README says is true: commands and targets; tests/docs has the rest."""

import re
import shlex
import subprocess
import sys

import pytest

from conftest import ROOT

README = (ROOT / "README.md").read_text()


def _commands(prefix: str) -> list[str]:
    blocks = re.findall(r"```console\n(.*?)```", README, flags=re.DOTALL)
    lines = [line.split("   #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line.startswith(prefix)]


def test_every_make_target_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    named = {shlex.split(line)[1] for line in _commands("make ")} | set(re.findall(r"`make ([a-z-]+)", README))
    assert named
    assert named <= targets


@pytest.mark.parametrize("command", _commands("python -m "))
def test_every_command_and_flag_exists(command: str) -> None:
    words = shlex.split(command)
    if words[2] == "venv":
        return
    subcommand = [words[3]] if not words[3].startswith("-") else []
    arguments = [sys.executable, "-m", words[2], *subcommand, "--help"]
    environment = {"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb", "PYTHONPATH": str(ROOT)}
    text = subprocess.run(arguments, capture_output=True, text=True, check=True, env=environment).stdout
    for flag in (word for word in words if word.startswith("--")):
        assert re.search(rf"{flag}\b", text), flag
