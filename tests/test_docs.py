"""The README names make targets that exist; tests/docs has the rest."""

import re
import shlex

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
