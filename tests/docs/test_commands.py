"""Every command of ours that a page names exists, with its flags; so does every key that `--set` names."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

import demo.__main__
import index.__main__
import service.__main__
import training.__main__
from conftest import ROOT
from reference_pages.fields import leaves
from training.config import TrainingConfig

PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))]
APPS = {
    "demo": demo.__main__.app,
    "index": index.__main__.app,
    "service": service.__main__.app,
    "training": training.__main__.app,
}
KEYS = {row.key for row in leaves(TrainingConfig)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_flag_exists(page: Path) -> None:
    assert [problem for words in commands(page.read_text("utf-8")) for problem in problems(words)] == []


def test_a_wrong_flag_command_or_key_would_be_found() -> None:
    typed = ("index info --stoer s", "training fti", "training fit --set loop.epoch=1")
    text = "".join(f"```console\npython -m {line}\n```\n" for line in typed)
    found = [problem for words in commands(text) for problem in problems(words)]
    assert found == ["index info has no --stoer", "training has no fti", "no key loop.epoch"]


def commands(text: str) -> Iterator[list[str]]:
    """The words of every `python -m OURS` in a console block, lines that go on joined."""
    for block in re.findall(r"```(?:console|bash)\n(.*?)```", text, flags=re.DOTALL):
        for line in re.sub(r"\\\n\s*", " ", block).splitlines():
            named = re.search(r"-m (demo|index|service|training)\b[^|>]*", line.split(" #")[0])
            if named:
                yield shlex.split(named[0])[1:]


def problems(words: list[str]) -> Iterator[str]:
    """What a command has that ours do not know."""
    command: Any = typer.main.get_command(APPS[words[0]])
    name, rest = words[0], words[1:]
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        if rest[0] not in command.commands:
            yield f"{name} has no {rest[0]}"
            return
        name, command, rest = f"{name} {rest[0]}", command.commands[rest[0]], rest[1:]
    flags = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
    for word, following in zip(rest, [*rest, ""][1:], strict=True):
        flag = word.partition("=")[0]
        if flag.startswith("--") and flag not in {*flags, "--help"}:
            yield f"{name} has no {flag}"
        if flag == "--set" and (key := following.partition("=")[0]) not in KEYS:
            yield f"no key {key}"
