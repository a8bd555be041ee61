"""Write command-line.md from the commands themselves; a test holds the file to it. Run: python docs/command_line.py"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import typer
from typer.main import get_command

from demo.__main__ import app as demo
from emotion.command_line import Command, Group
from index.__main__ import app as index
from service.__main__ import app as service
from training.__main__ import app as training

APPS = {"training": training, "index": index, "service": service, "demo": demo}

HEADER = """# Command line

Written by `docs/command_line.py` from the commands; `--help` of each says the same.

**Output.** Results go to stdout, progress, warnings and errors to stderr: a bar on a terminal, plain lines elsewhere.
Where stdout is no terminal, tables are Markdown and the figures of `training fit`, `evaluate`, `crossval` and `valence`
one JSON document. With `--json` stdout is one JSON document and nothing else; where the command failed that is
`{"error": "...", "kind": "..."}`. `index build --json-progress` prints a line at every step instead.

**Errors** are one message: what was wrong, where, and what to do. `--debug` on any command, or `FEELALIKE_DEBUG=1`,
adds the traceback. An error that nobody foresaw leaves its traceback in a file, which the message names.

**Exit codes**, of all commands:

| code | meaning |
|---|---|
| 0 | done |
| 1 | failed: a file, model, store, port or check is not as it should be |
| 2 | wrong usage: an unknown option or setting, a value out of range; nothing was done |
| 70 | an error that nobody foresaw: please report it |
| 130 | interrupted by Ctrl-C; `index build` by SIGTERM too. The message says how to go on |

`training data inspect` ends with 1 where `training fit` would fail, `index verify` and `service doctor` where something
is broken. A service that is stopped by SIGTERM or Ctrl-C has done what it was told and ends with 0.
"""


class Described(NamedTuple):
    """A command and the words that call it."""

    words: tuple[str, ...]
    command: Any

    @property
    def call(self) -> str:
        """As it is typed."""
        return "python -m " + " ".join(self.words)

    @property
    def runs(self) -> bool:
        """Whether it does something by itself, and does not only hold others."""
        return isinstance(self.command, Command) or bool(self.command.examples)


def every_command() -> Iterator[Described]:
    """All commands and groups, each group before what it holds."""
    for name, app in APPS.items():
        yield from _walk(Described((name,), get_command(app)))


def _walk(described: Described) -> Iterator[Described]:
    yield described
    if isinstance(described.command, Group):
        for name, command in described.command.commands.items():
            yield from _walk(Described((*described.words, name), command))


def page() -> str:
    """The whole page."""
    return HEADER + "".join(map(_section, every_command()))


def _section(described: Described) -> str:
    level = "#" * min(len(described.words) + 1, 3)
    parts = [f"\n{level} `{described.call}`\n", described.command.help or ""]
    if described.runs:
        if rows := [_row(described, param) for param in _params(described)]:
            parts.append("\n| option | value | default | |\n|---|---|---|---|\n" + "\n".join(rows))
        parts.append("\n```console\n" + "\n".join(described.command.examples) + "\n```")
    return "\n".join(parts) + "\n"


def _params(described: Described) -> list[Any]:
    return [param for param in described.command.params if not param.hidden]


def _row(described: Described, param: Any) -> str:
    context = typer.Context(described.command, info_name=described.call)
    is_argument = param.param_type_name == "argument"
    names = param.name.upper().rstrip("_") if is_argument else ", ".join([*param.opts, *param.secondary_opts])
    kind = "" if getattr(param, "is_flag", False) else (param.display_type_rich(ctx=context) or "").strip("<>")
    kind = f"{kind.removesuffix(' range')}{_range(param)}"
    default = "required" if param.required else _default(param)
    cells = (f"`{names}`", kind.replace("|", ", "), default, (param.help or "").replace("|", "\\|"))
    return f"| {' | '.join(cells)} |"


def _range(param: Any) -> str:
    match getattr(param, "min", None), getattr(param, "max", None):
        case None, None:
            return ""
        case low, None:
            return f", {low} or more"
        case None, high:
            return f", {high} or less"
        case low, high:
            return f", {low} to {high}"


def _default(param: Any) -> str:
    value = param.default
    if value is None or getattr(param, "is_flag", False):
        return ""
    return f"`{getattr(value, 'value', value)}`"


if __name__ == "__main__":
    (Path(__file__).parent / "command-line.md").write_text(page())
