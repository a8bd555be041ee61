"""The report's charts as inline SVG: precision against recall, reliability, training curves."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Float32, Float64, Int64
from markupsafe import Markup

from training.evaluation.classification import ECE_BINS
from training.evaluation.ranking import RECALL_LEVELS
from training.evaluation.svg import Frame, drawing, element, label

QUARTERS = (0.0, 0.25, 0.5, 0.75, 1.0)
Row = Mapping[str, float | int | None]
Series = tuple[str, str, list[tuple[float, float]]]
"""Name, class and points."""


def precision_recall(
    name: str, sv: Float64[np.ndarray, "21"], probs: Float64[np.ndarray, "21"], chance: float
) -> Markup:
    """One emotion's interpolated precision at 21 recall levels, for both embeddings, over the level of chance."""
    frame = Frame(240, 176)
    parts = [frame.grid(QUARTERS[::2], QUARTERS[::2], "recall", "precision")]
    if not math.isnan(chance):
        parts.append(frame.line(((0, chance), (1, chance)), "chance"))
    for values, class_ in ((probs, "line probs"), (sv, "line sv")):
        points = [(x, y) for x, y in zip(RECALL_LEVELS.tolist(), values.tolist(), strict=True) if not math.isnan(y)]
        parts.append(frame.line(points, class_))
    if np.isnan(sv).all():
        parts.append(label(frame.px(0.5), frame.py(0.5), "nothing to find", class_="axis"))
    return drawing(frame.width, frame.height, f"Precision against recall for {name}", *parts)


def reliability(probs: Float32[np.ndarray, "n c"], labels: Int64[np.ndarray, "n"], ece: float) -> Markup:
    """Accuracy of the answers in 15 bins of confidence against the diagonal; below, how many answers a bin holds."""
    confidence = probs.max(axis=1)
    correct = probs.argmax(axis=1) == labels
    bins = np.minimum((confidence * ECE_BINS).astype(int), ECE_BINS - 1)
    counts = np.bincount(bins, minlength=ECE_BINS)
    frame = Frame(360, 300)
    below = Frame(360, 96, y=(0, max(int(counts.max()), 1)), top=14)
    parts = [frame.grid(QUARTERS, QUARTERS, "", "accuracy"), frame.line(((0, 0), (1, 1)), "diagonal")]
    histogram = [below.grid(QUARTERS, (0, int(counts.max())), "confidence", "pictures")]
    for b in np.flatnonzero(counts):
        left, right = float(b / ECE_BINS), float((b + 1) / ECE_BINS)
        accuracy, mean = float(correct[bins == b].mean()), float(confidence[bins == b].mean())
        said = f"{counts[b]} pictures: accuracy {accuracy:.3f}, mean confidence {mean:.3f}"
        parts.append(frame.bar(left, right, accuracy, "bar", said))
        parts.append(frame.line(((mean, accuracy), (mean, mean)), "gap"))
        parts.append(element("circle", cx=frame.px(mean), cy=frame.py(accuracy), r=3, class_="dot"))
        histogram.append(below.bar(left, right, float(counts[b]), "bar quiet", said))
    moved = element("g", *histogram, transform="translate(0 286)")
    return drawing(
        360, 384, f"Reliability diagram, expected calibration error {ece:.3f}", *parts, moved, class_="plot reliability"
    )


def loss_curves(history: Sequence[Row]) -> Markup | None:
    """The loss and its parts by epoch; None without any."""
    names = (("loss", "total", "line sv"), ("classification", "class", "line probs"))
    series = _series(history, (*names, ("embedding", "embedding", "line third")))
    if not series:
        return None
    top = max(y for _, _, points in series for _, y in points)
    return _curves("Training loss by epoch", "loss", series, len(history), top * 1.05 or 1.0)


def validation_curves(history: Sequence[Row]) -> Markup | None:
    """Accuracy and mAP of the validation pictures by epoch; None without any."""
    wanted = (("val_accuracy", "accuracy", "line probs"), ("val_map", "mAP", "line sv"))
    series = _series(history, wanted)
    return _curves("Validation by epoch", "validation", series, len(history), 1.0) if series else None


def _series(history: Sequence[Row], wanted: Sequence[tuple[str, str, str]]) -> list[Series]:
    found = []
    for key, name, class_ in wanted:
        values = [(float(number), row.get(key)) for number, row in enumerate(history, start=1)]
        points = [(epoch, float(value)) for epoch, value in values if value is not None and math.isfinite(value)]
        if points:
            found.append((name, class_, points))
    return found


def _curves(title: str, y_name: str, series: Sequence[Series], n: int, top: float) -> Markup:
    frame = Frame(460, 250, x=(1, max(n, 2)), y=(0, top), right=112)
    step = max(1, math.ceil(n / 8))
    parts = [frame.grid(range(1, n + 1, step), _ticks(top), "epoch", y_name)]
    for (name, class_, points), y in zip(series, _spread([frame.py(p[-1][1]) for _, _, p in series]), strict=True):
        end_x, end_y = points[-1]
        parts.append(frame.line(points, class_))
        parts.append(element("circle", cx=frame.px(end_x), cy=frame.py(end_y), r=3.5, class_=f"end {class_}"))
        parts.append(label(frame.width - 106, y + 4, f"{name} {end_y:.3f}", "start", "name"))
    said = "; ".join(f"{name} ends at {points[-1][1]:.3f}" for name, _, points in series)
    return drawing(frame.width, frame.height, f"{title}: {said}", *parts)


def _ticks(top: float) -> list[float]:
    """Round values from 0 to the top, six at most."""
    unit = 10.0 ** math.floor(math.log10(top))
    step = next(unit * part for part in (0.2, 0.25, 0.5, 1.0, 2.0) if top / (unit * part) <= 5.01)
    return [round(step * i, 9) for i in range(int(top / step + 1e-9) + 1)]


def _spread(heights: Sequence[float], gap: float = 15.0) -> list[float]:
    """Move labels apart, downwards, so that none covers another."""
    placed = list(heights)
    order = sorted(range(len(placed)), key=lambda i: placed[i])
    for above, below in pairwise(order):
        placed[below] = max(placed[below], placed[above] + gap)
    return placed
