"""One look for every command line: progress, messages on stderr, errors without a traceback."""

import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from emotion.errors import FeelalikeError

PLAIN_INTERVAL_S = 5.0
EXIT_INTERRUPTED = 130

Advance = Callable[[int], None]


def stderr() -> Console:
    """Where people read; results for programs go to stdout."""
    return Console(stderr=True, highlight=False)


def say(message: str) -> None:
    """Print a line for the person at the terminal."""
    stderr().print(message, markup=False, soft_wrap=True)


def run(app: typer.Typer) -> None:
    """Run a command line: our errors and the system's become one line and exit code 1; `--debug` keeps the traceback.

    Ctrl-C ends it with code 130; a command that can go on afterwards says so itself.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a file's name need not be text
    debug = "--debug" in sys.argv
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(args=arguments)
    except (FeelalikeError, OSError) as error:
        if debug:
            raise
        say(f"error: {error}")
        sys.exit(1)


@contextmanager
def progress(description: str, total: int, unit: str) -> Iterator[Advance]:
    """Show how far a loop is: a bar on a terminal, a plain line every few seconds elsewhere.

    Yields a function to be called with the number of units just done.
    """
    console = stderr()
    if console.is_terminal:
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bars:
            yield _bar(bars, description, total, unit)
    else:
        yield _plain(console, description, total, unit)


def _bar(bars: Progress, description: str, total: int, unit: str) -> Advance:
    task = bars.add_task(description, total=total, rate="")
    start = time.monotonic()

    def advance(count: int) -> None:
        done = bars.tasks[task].completed + count
        rate = done / max(time.monotonic() - start, 1e-9)
        bars.update(task, advance=count, rate=f"{rate:.1f} {unit}/s")

    return advance


def _plain(console: Console, description: str, total: int, unit: str) -> Advance:
    start = shown = time.monotonic()
    done = 0

    def advance(count: int) -> None:
        nonlocal shown, done
        done += count
        now = time.monotonic()
        if now - shown >= PLAIN_INTERVAL_S or done == total:
            shown = now
            rate = done / max(now - start, 1e-9)
            left = (total - done) / rate
            console.print(f"{description}: {done}/{total} {unit}, {rate:.1f}/s, {left:.0f} s left", markup=False)

    return advance
