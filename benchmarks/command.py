"""The command line that all benchmarks share."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.machine import noise_now, this_commit, this_machine
from benchmarks.processes import end_in_order
from benchmarks.results import QUICK_RESULTS, RESULTS, Findings, Result, shown, utc_now
from demo.up import MODELS, shipped_bundle
from emotion.command_line import run
from emotion.console import say
from service.settings import ServiceSettings, variable


class Options(NamedTuple):
    """What the person at the terminal chose."""

    bundle: Path
    data: Path | None
    """A folder of photos in place of painted pictures."""
    quick: bool

    def pick(self, full: int, quick: int) -> int:
        """One size or the other."""
        return quick if self.quick else full


Measure = Callable[[Options], Findings]


def start(name: str, title: str, measure: Measure) -> None:
    """Run a benchmark from the command line: measure, write the result, show it."""
    app = typer.Typer(add_completion=False)

    @app.command(help=f"{title}. Example: python -m benchmarks.{name} --quick")
    def main(
        bundle: Annotated[Path | None, typer.Option(help="The model; the shipped one if left out.")] = None,
        data: Annotated[Path | None, typer.Option(help="A folder of photos; painted pictures if left out.")] = None,
        quick: Annotated[bool, typer.Option("--quick", help="Small sizes: shows that it works, no more.")] = False,
        out: Annotated[
            Path | None, typer.Option(help=f"Folder for the result; {RESULTS} if left out, its quick with --quick.")
        ] = None,
    ) -> None:
        forget_settings()
        options = Options(bundle or shipped_bundle(MODELS), data, quick)
        result = measured(name, title, measure, options)
        show(result)
        say(f"written to {result.save(out or (QUICK_RESULTS if quick else RESULTS))}")

    end_in_order()
    run(app)


def forget_settings() -> None:
    """Take the service's settings out of the environment: what it is held to would not have them."""
    for name in ServiceSettings.model_fields:
        os.environ.pop(variable(name), None)


def measured(name: str, title: str, measure: Measure, options: Options) -> Result:
    """Run a benchmark and note when and where that was."""
    commit, noise, started, clock = this_commit(), noise_now(), utc_now(), time.monotonic()
    if noise.warning:
        say(f"warning: {noise.warning}")
    findings = measure(options)
    return Result(
        name=name,
        title=title,
        quick=options.quick,
        started=started,
        seconds=round(time.monotonic() - clock, 1),
        machine=this_machine(),
        commit=commit,
        noise=noise,
        workload=findings.workload,
        rows=findings.rows,
        charts=findings.charts,
    )


def show(result: Result) -> None:
    """The rows as text."""
    table = Table("what", "bar", "measured", "", title=result.title)
    for row in result.rows:
        figure = "" if row.measured is None else shown(row.measured, row.unit)
        table.add_row(row.what, str(row.bar or ""), figure, row.verdict(result.machine).strip("*"))
    console = Console(width=140)
    console.print(table)
    for row in result.rows:
        console.print(f"{row.what}: {row.detail}", markup=False, highlight=False)
