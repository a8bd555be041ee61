"""What every command line has in common: help with examples, errors without a traceback, exit codes.

`python -m training`, `index`, `service` and `demo` are Typer apps made by `command_line`, whose commands are of class
Command, and are started by `run`. docs/command-line.md is written from them.
"""

import io
import json
import os
import re
import sys
import tempfile
import textwrap
import traceback
import warnings
from collections.abc import Mapping
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, NamedTuple

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperCommand, TyperGroup, TyperOption

from emotion.console import complain, say
from emotion.errors import ConfigError, FeelalikeError

DEBUG_FLAG: Final = "--debug"
DEBUG_VARIABLE: Final = "FEELALIKE_DEBUG"
JSON_FLAG: Final = "--json"
_OFF: Final = ("", "0", "false", "no", "off")
_EXAMPLES: Final = re.compile(r"\n\s*Examples?:\s*\n")
_EXTRAS: Final = {
    "faiss": "cpu",
    "openvino": "cpu",
    "torch": "training",
    "torchvision": "training",
    "timm": "training",
    "safetensors": "training",
    "scipy": "training",
    "sklearn": "training",
    "jinja2": "training",
    "onnx": "training",
    "onnxscript": "training",
    "pytorch_metric_learning": "training",
    "threadpoolctl": "training",
    "nncf": "int8",
    "cv2": "experiments",
    "skimage": "experiments",
}
"""Module to the extra that brings it."""


class ExitCode(IntEnum):
    """What the end of a command says to the program that ran it."""

    DONE = 0
    FAILED = 1
    """The command ran and something in the world was not as it should be: a file, a model, a store, a check."""
    USAGE = 2
    """The command was not run: an unknown option, a value out of range, a setting that is unknown or wrong."""
    UNEXPECTED = 70
    """An error that this software did not foresee."""
    INTERRUPTED = 130
    """Ctrl-C; `index build` by SIGTERM too."""


class Help(NamedTuple):
    """The docstring of a command, in its two parts."""

    text: str
    examples: tuple[str, ...]


class Command(TyperCommand):
    """A command whose docstring ends with `Examples:`, shown last and ready to be copied."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["help"], self.examples = read_help(kwargs.get("help"))
        super().__init__(*args, **kwargs)

    def get_params(self, ctx: Any) -> list[Any]:
        """The options, flags without a type: `--json <bool>` reads as if a word had to follow."""
        return _plain_flags(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        super().format_help(ctx, formatter)
        _print_examples(self.examples)


class Group(TyperGroup):
    """Several commands; the examples are those of the command that runs where none is named."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["help"], self.examples = read_help(kwargs.get("help"))
        super().__init__(*args, **kwargs)

    def get_params(self, ctx: Any) -> list[Any]:
        """As those of a command."""
        return _plain_flags(super().get_params(ctx))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help, and what is true of all commands."""
        super().format_help(ctx, formatter)
        _print_examples(self.examples)
        codes = ", ".join(f"{code.value} {code.name.lower()}" for code in ExitCode)
        Console(highlight=False).print(Text(f" {DEBUG_FLAG} shows tracebacks. Exit codes: {codes}.\n", style="dim"))


def command_line(**settings: Any) -> typer.Typer:
    """An empty command line in our look, with Typer's settings; give each of its commands `cls=Command`."""
    look: dict[str, Any] = {
        "cls": Group,
        "no_args_is_help": True,
        "add_completion": False,
        "rich_markup_mode": "markdown",
        "pretty_exceptions_enable": False,
    }
    return typer.Typer(**(look | settings))


def read_help(docstring: str | None) -> Help:
    """A docstring's text and its examples, one a line."""
    text, *rest = _EXAMPLES.split(docstring or "", maxsplit=1)
    lines = (line.strip() for line in (rest[0] if rest else "").splitlines())
    return Help(textwrap.dedent(text).strip(), tuple(line for line in lines if line))


def run(app: typer.Typer) -> None:
    """Run a command line and end the process with an ExitCode.

    An expected error is one message, an unexpected one a line that says where its traceback lies; `--debug` or
    FEELALIKE_DEBUG=1 shows the traceback of both. With `--json` stdout gets the error as its one JSON document.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name need not be text
    # Pillow warns of odd metadata, each time in other words. Python keeps every warning that it has shown, for ever.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    debug = wants_debug(sys.argv, os.environ)
    # -h as an option of its own would take a column in every help.
    arguments = ["--help" if word == "-h" else word for word in sys.argv[1:] if word != DEBUG_FLAG]
    try:
        app(args=arguments)
    except SystemExit as end:
        if isinstance(getattr(end.__context__, "__cause__", None), KeyboardInterrupt):
            say("interrupted")  # a command that knows how to go on has said so itself
        if JSON_FLAG in arguments and end.code in (ExitCode.USAGE, ExitCode.INTERRUPTED):
            what = "wrong usage, see stderr" if end.code == ExitCode.USAGE else "interrupted"
            _write_error(what, ExitCode(end.code).name.lower())
        raise
    except Exception as error:
        if debug:
            traceback.print_exc()
        message = explain(error, debug=debug)
        if JSON_FLAG in arguments:
            _write_error(message, type(error).__name__)
        complain(message)
        sys.exit(code_of(error))


def _write_error(message: str, kind: str) -> None:
    sys.stdout.write(json.dumps({"error": message, "kind": kind}) + "\n")


def wants_debug(arguments: list[str], environment: Mapping[str, str]) -> bool:
    """Whether tracebacks are to be shown."""
    return DEBUG_FLAG in arguments or environment.get(DEBUG_VARIABLE, "").lower() not in _OFF


def code_of(error: Exception) -> ExitCode:
    """What an error ends a command with."""
    match error:
        case ConfigError():
            return ExitCode.USAGE
        case FeelalikeError() | OSError() | ModuleNotFoundError():
            return ExitCode.FAILED
        case _:
            return ExitCode.UNEXPECTED


def explain(error: Exception, *, debug: bool = False) -> str:
    """An error in one message for a person; the traceback of an unexpected one goes into a file."""
    match error:
        case FeelalikeError():
            return str(error)
        case OSError(filename=name, strerror=reason) if name is not None and reason is not None:
            return f"{os.fsdecode(name) if isinstance(name, str | bytes) else name}: {reason}"
        case OSError():
            return str(error)
        case ModuleNotFoundError(name=str(name)):
            return f"the package {name} is not installed: {how_to_install(name)}"
        case _:
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            details = "" if debug else _details(error)
            return f"unexpected {what} ({_place(error)}){details}"


def how_to_install(module: str) -> str:
    """The command that brings a module which is missing."""
    extra = _EXTRAS.get(module.partition(".")[0])
    if extra is None:
        return f"pip install {module}, or install this software again"
    return f"pip install 'feelalike[{extra}]', or from a checkout: pip install -e '.[{extra}]'"


def _details(error: Exception) -> str:
    try:
        descriptor, name = tempfile.mkstemp(prefix="feelalike-error-", suffix=".txt")
        os.close(descriptor)
        with Path(name).open("w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(f"{' '.join(sys.argv)}\n\n")
            traceback.print_exception(error, file=stream)
    except OSError:
        traceback.print_exception(error)  # better on the terminal than nowhere
        return "; this is a fault of the software: please report it with the lines above"
    return f"; this is a fault of the software: please report it with {name}, or run again with {DEBUG_FLAG}"


def _place(error: Exception) -> str:
    """The last line of our own code that the error passed."""
    ours = Path(__file__).parents[1]
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(ours)]
    own = [frame for frame in frames if "site-packages" not in Path(frame.filename).relative_to(ours).parts]
    if not own:
        return "outside of this software"
    return f"{Path(own[-1].filename).relative_to(ours)}, line {own[-1].lineno}"


def _plain_flags(params: list[Any]) -> list[Any]:
    for param in params:
        if isinstance(param, TyperOption) and param.is_flag and param.metavar is None:
            param.metavar = ""
    return params


def _print_examples(examples: tuple[str, ...]) -> None:
    if not examples:
        return
    console = Console(highlight=False)
    console.print(Text(f" Example{'s' if len(examples) > 1 else ''}:\n", style="bold"))
    for example in examples:
        console.print(Text(folded(example, console.width - 1)), soft_wrap=True)
        console.print()


def folded(command: str, width: int) -> str:
    """A command over several lines that a shell takes as one; an option stays beside its value."""
    first, *options = re.split(r" (?=--)", command)
    lines = [f"   {first}"]
    for word in options:
        if len(lines[-1]) + 1 + len(word) > width - 2:
            lines.append(f"       {word}")
        else:
            lines[-1] += f" {word}"
    return " \\\n".join(lines)
