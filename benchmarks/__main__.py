"""Run the benchmarks, one process each, and write the page: `python -m benchmarks`, or `make bench`."""

import subprocess
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

from benchmarks.charts import draw
from benchmarks.page import write_page
from benchmarks.processes import end_in_order
from benchmarks.results import RESULTS, read_result, read_results, result_file
from emotion.command_line import run
from emotion.console import say
from emotion.errors import FeelalikeError

PAGE: Final = Path("docs/benchmarks.md")


class Name(StrEnum):
    """Every benchmark; also the order of the page."""

    PREDICTOR = "predictor"
    DECODE = "decode"
    SEARCH = "search"
    OVERLOAD = "overload"
    MEMORY = "memory"
    COLD_START = "cold_start"
    TRAINING_STEP = "training_step"
    INDEX_BUILD = "index_build"
    INDEX_SCALE = "index_scale"
    SWAP = "swap"
    ALTERNATIVES = "alternatives"


app = typer.Typer(add_completion=False)


@app.command()
def main(
    only: Annotated[list[Name] | None, typer.Option(help="Only this one; may be given again.")] = None,
    missing: Annotated[
        bool, typer.Option("--missing", help="Only those without a result; quick ones are none.")
    ] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Small sizes: shows that it works, no more.")] = False,
    data: Annotated[Path | None, typer.Option(help="A folder of photos; painted pictures if left out.")] = None,
    results: Annotated[Path, typer.Option(help="Folder of the results.")] = RESULTS,
    page: Annotated[Path, typer.Option(help="The page to write; charts go to images/benchmarks beside it.")] = PAGE,
) -> None:
    """Measure, and write the page out of all results that there are.

    Interrupted, it keeps what is done; `--missing` goes on.

    Examples:

      python -m benchmarks

      python -m benchmarks --only predictor --only decode

      python -m benchmarks --quick --results quick --page quick/benchmarks.md
    """
    if quick and (PAGE.resolve() == page.resolve() or RESULTS.resolve() == results.resolve()):
        raise FeelalikeError("--quick is for trying it out: name another page with --page, a folder with --results")
    chosen = [name for name in only or Name if not (missing and is_done(name, results, quick=quick))]
    failed = [name for name in chosen if not measure(name, results, quick=quick, data=data)]
    write(results, page)
    if failed:
        raise FeelalikeError(f"failed: {', '.join(failed)}; their rows are missing or from a run before")


def is_done(name: Name, results: Path, *, quick: bool) -> bool:
    """Whether there is a result that counts; raises DataError for a damaged one."""
    file = result_file(results, name)
    return file.exists() and (quick or not read_result(file).quick)


def measure(name: Name, results: Path, *, quick: bool, data: Path | None) -> bool:
    """Run one benchmark in a process of its own; says whether it ended well."""
    say(f"== {name}")
    command = [sys.executable, "-m", f"benchmarks.{name}", "--out", str(results), *_options(quick, data)]
    process = subprocess.Popen(command)
    try:
        return process.wait() == 0
    except KeyboardInterrupt:
        # subprocess.run would kill it within a moment, before it has ended its servers and removed its files.
        process.terminate()
        process.wait()
        raise


def write(results: Path, page: Path) -> None:
    """Draw the charts and write the page; raises FeelalikeError without any result."""
    found = read_results(results, list(Name))
    if not found:
        raise FeelalikeError(f"there are no results in {results}")
    charts = page.parent / "images" / "benchmarks"
    for result in found:
        for chart in result.charts:
            draw(chart, charts)
    write_page(found, page, charts)
    say(f"{page}: {len(found)} of {len(Name)} benchmarks")


def _options(quick: bool, data: Path | None) -> Sequence[str]:
    return [*(["--quick"] if quick else []), *(["--data", str(data)] if data else [])]


if __name__ == "__main__":
    end_in_order()
    run(app)
