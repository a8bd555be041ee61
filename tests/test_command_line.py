"""Every command of every package: it has a help with examples that can be typed, and says what it found as JSON."""

import importlib.util
import re
import shlex
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from conftest import ROOT
from emotion.command_line import JSON_FLAG


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("command_line_page", ROOT / "docs" / "command_line.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PAGE = _load()
COMMANDS = list(PAGE.every_command())
RUNNING = [described for described in COMMANDS if described.runs]
WITHOUT_REPORT = {"python -m service", "python -m demo up"}
"""They serve until they are stopped."""


def _words(example: str) -> list[str]:
    """What follows `-m` in an example; variables and torchrun may stand before it."""
    words = shlex.split(example)
    return words[words.index("-m") + 1 :]


def _parse(command: Any, words: list[str]) -> None:
    """Take words as the command would, without running it."""
    if words and words[0] in getattr(command, "commands", {}):
        _parse(command.commands[words[0]], words[1:])
    else:
        command.make_context("example", list(words))


def test_all_packages_are_there() -> None:
    calls = {described.call for described in RUNNING}
    assert {"python -m training fit", "python -m training experiment table1", "python -m index build"} <= calls
    assert {"python -m service", "python -m service doctor", "python -m demo up"} <= calls
    assert len(calls) >= 27


@pytest.mark.parametrize("described", RUNNING, ids=lambda described: described.call)
def test_a_command_explains_itself(described: Any) -> None:
    assert len(described.command.help) > 20
    assert described.command.examples, "its docstring ends with Examples:"
    assert any(example.split(" -m ")[1].startswith(" ".join(described.words)) for example in described.command.examples)
    for example in described.command.examples:
        package, *words = _words(example)
        _parse(PAGE.get_command(PAGE.APPS[package]), words)
    assert all(param.help for param in described.command.params), "every option says what it is"
    options = {option for param in described.command.params for option in param.opts}
    assert (JSON_FLAG in options) is (described.call not in WITHOUT_REPORT)


@pytest.mark.parametrize("name", PAGE.APPS)
@pytest.mark.parametrize("columns", [80, 120])
def test_help_fits_the_terminal(name: str, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    for described in COMMANDS:
        if described.words[0] == name:
            words = [*described.words[1:], "--help"]
            text = CliRunner().invoke(PAGE.APPS[name], words, prog_name=f"python -m {name}").output
            assert max(map(len, text.splitlines())) <= columns + 1, text
            folded = re.sub(r" \\\n\s+", " ", text)
            assert all(example in folded for example in described.command.examples)


def test_the_page_is_up_to_date() -> None:
    text = (ROOT / "docs" / "command-line.md").read_text()
    assert text == PAGE.page(), "run: python docs/command_line.py"
    for described in RUNNING:
        section = text.split(f"`{described.call}`\n", maxsplit=1)[1].split("\n#", maxsplit=1)[0]
        for param in described.command.params:
            if param.param_type_name == "option":
                assert all(f"`{option}" in section for option in param.opts[:1])
