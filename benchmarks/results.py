"""What a benchmark finds: rows against their bars, and charts; one JSON file each."""

from collections.abc import Sequence
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from benchmarks.machine import Machine, Noise
from emotion.errors import DataError

RESULTS: Final = Path("benchmarks/results")
QUICK_RESULTS: Final = Path("benchmarks/results/quick")
"""Apart: figures that mean nothing must not replace those that do."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Sense(StrEnum):
    """Which side of a bar is the good one."""

    AT_MOST = "at most"
    AT_LEAST = "at least"
    ABOVE = "above"
    BELOW = "below"


class Bar(_Record):
    """What a figure has to reach."""

    sense: Sense
    limit: float
    unit: str
    """`x` for a ratio, else `%`, `ms`, `s`, `MB`."""
    needs_bf16_matrices: bool = False
    """Presumes a CPU with bf16 matrix units; elsewhere the figure is reported as it is."""

    def is_reached(self, figure: float) -> bool:
        """Whether the figure is on the good side; NaN never is."""
        match self.sense:
            case Sense.AT_MOST:
                return figure <= self.limit
            case Sense.AT_LEAST:
                return figure >= self.limit
            case Sense.ABOVE:
                return figure > self.limit
            case Sense.BELOW:
                return figure < self.limit

    def __str__(self) -> str:
        return f"{self.sense} {shown(self.limit, self.unit)}"


class Row(_Record):
    """One figure against its bar."""

    what: str
    bar: Bar | None
    """None for a figure that is only reported."""
    measured: float | None
    """None when it could not be measured; the detail says why."""
    unit: str
    detail: str = ""
    """The figures behind a ratio, and what they are of."""

    def verdict(self, machine: Machine) -> str:
        """What stands in the page's last column."""
        if self.measured is None:
            return "not measured"
        if self.bar is None:
            return ""
        if self.bar.is_reached(self.measured):
            return "reached"
        if self.bar.needs_bf16_matrices and not machine.bf16_matrices:
            return "not reached; presumes bf16 matrix units"
        return "**not reached**"


class ChartKind(StrEnum):
    """How a chart is drawn."""

    BARS = "bars"
    LINES = "lines"


class Chart(_Record):
    """Series of figures over the same labels."""

    name: str
    """Of the SVG file."""
    title: str
    unit: str
    """Of the figures."""
    labels: list[str]
    series: dict[str, list[float]]
    kind: ChartKind = ChartKind.BARS
    x_label: str = ""


class Result(_Record):
    """All that one benchmark found in one run."""

    name: str
    title: str
    quick: bool
    """Small sizes, to see that it works: the figures mean nothing."""
    started: datetime
    seconds: float
    machine: Machine
    commit: str = ""
    """Of the code when it began, with a plus where files differed from it."""
    noise: Noise
    workload: str
    """What was measured, in a sentence."""
    rows: list[Row]
    charts: list[Chart] = Field(default_factory=list)

    def save(self, folder: Path) -> Path:
        """Write it as JSON; replaces the one before in one step."""
        folder.mkdir(parents=True, exist_ok=True)
        file = result_file(folder, self.name)
        partial = file.with_suffix(".partial")
        partial.write_text(self.model_dump_json(indent=1) + "\n")
        partial.replace(file)
        return file


class Findings(_Record):
    """What a benchmark's own code gives; the rest of a Result is the same for all."""

    workload: str
    rows: list[Row]
    charts: list[Chart] = Field(default_factory=list)


def result_file(folder: Path, name: str) -> Path:
    """Where a benchmark's result is kept."""
    return folder / f"{name}.json"


def read_results(folder: Path, names: Sequence[str]) -> list[Result]:
    """The results that are there, in the order of the names; raises DataError for a damaged one."""
    return [read_result(file) for name in names if (file := result_file(folder, name)).exists()]


def read_result(file: Path) -> Result:
    """One result; raises DataError when the file is damaged."""
    try:
        return Result.model_validate_json(file.read_bytes())
    except ValidationError as error:
        raise DataError(f"{file} is not a result of this version; delete it and measure again") from error


def shown(figure: float, unit: str) -> str:
    """A figure with its unit: three digits, more where the whole part has more."""
    number = f"{figure:.0f}" if abs(figure) >= 100 else f"{figure:.3g}"
    return f"{number}{unit}" if unit == "x" else f"{number} {unit}".rstrip()


def utc_now() -> datetime:
    """The time to the second."""
    return datetime.now(UTC).replace(microsecond=0)
