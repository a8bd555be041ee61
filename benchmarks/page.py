"""docs/benchmarks.md, written out of the results."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.results import Result, Row, shown

_HEAD = """# Benchmarks

`make bench` measures what is below and writes this page; `make bench ONLY=predictor` measures one part anew. A
time or a throughput in `x` or `%` is a ratio of two things that took turns in one run, and the figure is the median of
the rounds; only the training loader is measured after the step that it feeds. Pictures are painted and vectors made
up, so nothing has to be fetched; `make bench DATA=photos` measures with your own pictures.
"""


def page(results: Sequence[Result], charts: Path) -> str:
    """The whole page.

    Args:
        results: in the order of the page.
        charts: the folder of the SVG files, as seen from the page.
    """
    parts = [_HEAD, *_warnings(results), _machines(results), _summary(results)]
    parts += [_section(result, charts) for result in results]
    return "\n".join(part.strip() + "\n" for part in parts if part.strip())


def write_page(results: Sequence[Result], file: Path, charts: Path) -> None:
    """Write the page; links to the charts are relative to it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page(results, Path(os.path.relpath(charts, file.parent))))


def _warnings(results: Sequence[Result]) -> list[str]:
    quick = ", ".join(result.name for result in results if result.quick)
    lines = [f"> **Warning**: {quick}: measured with `--quick`; these figures mean nothing."] if quick else []
    lines += [f"> **Warning**: {result.name}: {result.noise.warning}." for result in results if result.noise.warning]
    if len({result.commit for result in results}) > 1:
        commits = ", ".join(f"{result.name} {result.commit or 'unknown'}" for result in results)
        lines.append(f"> **Warning**: parts were measured at different commits: {commits}.")
    return ["\n>\n".join(lines)] if lines else []


def _machines(results: Sequence[Result]) -> str:
    """Facts of the machine; of each, where parts were measured on several."""
    parts = []
    for machine in dict.fromkeys(result.machine.model_dump_json() for result in results):
        mine = [result for result in results if result.machine.model_dump_json() == machine]
        facts = mine[0].machine
        versions = ", ".join(f"{name} {number}" for name, number in facts.versions.items())
        days = sorted({result.started.date().isoformat() for result in mine})
        loads = ", ".join(f"{result.name} {result.noise.load:.2f} ({result.noise.busy:.2f})" for result in mine)
        when = " and ".join(days) + _commits(mine)
        parts.append(
            f"Machine: {facts.cpu}, {facts.cores} cores, {facts.memory_gb:g} GB of memory, bf16: {facts.bf16_units}. "
            f"Python {facts.python}, {versions}. Measured on {when}; load average (and cores kept "
            f"busy by others) when each part began: {loads}."
        )
    return "\n\n".join(parts)


def _commits(results: Sequence[Result]) -> str:
    known = sorted({result.commit for result in results if result.commit})
    return f" at commit {' and '.join(known)}" if known else ""


def _summary(results: Sequence[Result]) -> str:
    rows = [(row, result) for result in results for row in result.rows if row.bar is not None]
    return _table(("what", "bar", "measured", ""), (_cells(row, result) for row, result in rows))


def _cells(row: Row, result: Result) -> tuple[str, ...]:
    figure = "" if row.measured is None else shown(row.measured, row.unit)
    return row.what, str(row.bar or ""), figure, row.verdict(result.machine)


def _section(result: Result, charts: Path) -> str:
    lines = [f"## {result.title}", "", f"{result.workload}. `python -m benchmarks.{result.name}`.", ""]
    for row in result.rows:
        figure = "not measured" if row.measured is None else shown(row.measured, row.unit)
        lines.append(f"- {row.what}: {figure}" + (f" ({row.detail})" if row.detail else ""))
    for chart in result.charts:
        lines += ["", f"![{chart.title}]({(charts / chart.name).as_posix()}.svg)"]
    return "\n".join(lines)


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
