"""Charts as SVG files, through matplotlib: few lines, no frame, letters as text so that they stay small."""

from pathlib import Path
from typing import Any, Final

from benchmarks.results import Chart, ChartKind

COLOURS: Final = ("#2f6f8f", "#d98b3a", "#6a9a58", "#a05c7b", "#7a7a7a", "#c9b458")
_WIDTH_IN: Final = 7.0
_ROW_IN: Final = 0.3
_LINES_HEIGHT_IN: Final = 3.2


def draw(chart: Chart, folder: Path) -> Path:
    """Write a chart; the same figures give the same bytes."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    style: Any = {"svg.fonttype": "none", "svg.hashsalt": "feelalike", "font.family": "sans-serif", "font.size": 9}
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{chart.name}.svg"
    with mpl.rc_context(style):
        figure, axes = plt.subplots(figsize=(_WIDTH_IN, _height(chart)), layout="constrained")
        match chart.kind:
            case ChartKind.BARS:
                _bars(axes, chart)
            case ChartKind.LINES:
                _lines(axes, chart)
        axes.set_title(chart.title, loc="left", fontsize=10)
        axes.spines[["top", "right", "left"]].set_visible(False)
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None}, facecolor="white")
        plt.close(figure)
    return file


def _height(chart: Chart) -> float:
    if chart.kind is ChartKind.LINES:
        return _LINES_HEIGHT_IN
    return 0.9 + _ROW_IN * len(chart.labels) * len(chart.series)


def _bars(axes: Any, chart: Chart) -> None:
    """Every bar with its figure beside it; one colour a series, the first on top."""
    n = len(chart.series)
    for i, (name, values) in enumerate(chart.series.items()):
        places = [row * (n + 0.6) + i for row in range(len(chart.labels))]
        bars = axes.barh(places, values, height=0.8, color=COLOURS[i % len(COLOURS)])
        axes.bar_label(bars, labels=[f"{name}  {value:.3g}" for value in values], fontsize=8, padding=3)
    middles = [row * (n + 0.6) + (n - 1) / 2 for row in range(len(chart.labels))]
    axes.set_yticks(middles, chart.labels)
    axes.tick_params(axis="y", length=0)
    axes.invert_yaxis()
    axes.margins(x=0.35)
    axes.set_xlim(left=0)
    axes.set_xlabel(chart.unit)


def _lines(axes: Any, chart: Chart) -> None:
    """Equal steps between the labels: they grow by factors."""
    places = range(len(chart.labels))
    for i, (name, values) in enumerate(chart.series.items()):
        axes.plot(places, values, marker="o", markersize=4, color=COLOURS[i % len(COLOURS)], label=name)
    axes.set_xticks(list(places), chart.labels)
    axes.set_ylim(bottom=0)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.unit)
    axes.legend(frameon=False, fontsize=8)
