"""One look for every command line: progress and messages on stderr, results on stdout."""

import json
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

PLAIN_INTERVAL_S = 5.0

Advance = Callable[[int], None]


def stderr() -> Console:
    """Where people read; results for programs go to stdout."""
    return Console(stderr=True, highlight=False)


def say(message: str) -> None:
    """Print a line for the person at the terminal."""
    stderr().print(message, markup=False, soft_wrap=True)


def complain(message: str) -> None:
    """Print an error for the person at the terminal."""
    stderr().print(Text.assemble(("error:", "bold red"), f" {message}"), soft_wrap=True)


def show(markdown: str) -> None:
    """Print a result to stdout: Markdown as it is, to be kept or piped, and on a terminal as tables and headings."""
    console = Console(highlight=False)
    if console.is_terminal:
        from rich.markdown import Markdown

        console.print(Markdown(markdown))
    else:
        sys.stdout.write(markdown.rstrip("\n") + "\n")


def print_json(content: Any) -> None:
    """Print a result to stdout as one JSON document."""
    sys.stdout.write(json.dumps(content, indent=1) + "\n")
    sys.stdout.flush()


def show_figures(content: Mapping[str, Any], *, as_json: bool) -> None:
    """Print measured values to stdout: one JSON document, which scripts read, but on a terminal unless it is asked for.

    Lists are left out on a terminal.
    """
    if as_json or not Console().is_terminal:
        print_json(content)
    else:
        show_facts(content)


def show_facts(content: Mapping[str, Any]) -> None:
    """Print named values to stdout, one a line; those of an inner mapping are named by both, and lists are left out."""
    facts = list(_flat(content))
    console = Console(highlight=False)
    if console.is_terminal:
        grid = Table.grid(padding=(0, 2))
        for name, value in facts:
            grid.add_row(Text(name, style="bold"), Text(value))
        console.print(grid)
        return
    width = max((len(name) for name, _ in facts), default=0)
    sys.stdout.write("".join(f"{name:<{width}}  {value}\n" for name, value in facts))


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


def _flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in content.items():
        match value:
            case Mapping():
                yield from _flat(value, f"{prefix}{name}, ")
            case float():
                yield f"{prefix}{name}", f"{value:.4g}"
            case None | list() | tuple():
                continue
            case _:
                yield f"{prefix}{name}", str(value)
