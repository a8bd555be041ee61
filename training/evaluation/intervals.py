"""95 % bootstrap intervals over queries; the model and the gallery are held fixed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from emotion.taxonomy import Taxonomy
from training.evaluation.classification import (
    ClassificationMetrics,
    expected_calibration_error,
    macro_f1,
    polarity_correct,
)
from training.evaluation.evaluate import Scored
from training.evaluation.retrieval import MEANS, RetrievalMetrics, retrieval_metrics

RESAMPLES = 1000


@dataclass(frozen=True)
class Estimate:
    """A measured value; NaN where nothing could be measured, without an interval where none was asked for."""

    value: float
    low: float | None = None
    high: float | None = None


def retrieval_estimates(
    metrics: RetrievalMetrics, parts: Sequence[Bool[np.ndarray, "q m"]], rng: np.random.Generator | None
) -> dict[str, Estimate]:
    """Every measure of `metrics` by its field's name, with intervals if a generator is given.

    `parts` says what in the queries' lists is relevant, one array for each gallery that was searched.
    """
    points = _values(metrics)
    if rng is None or metrics.n_queries == 0:
        return {name: Estimate(float(value)) for name, value in zip(MEANS, points, strict=True)}
    shares = np.concatenate([per_query(relevant) for relevant in parts])
    found = _bootstrap(lambda rows: shares[rows].mean(axis=0), points, len(shares), rng)
    return dict(zip(MEANS, found, strict=True))


def classification_estimates(
    metrics: ClassificationMetrics, queries: Scored, taxonomy: Taxonomy, rng: np.random.Generator | None
) -> dict[str, Estimate]:
    """`accuracy`, `accuracy_polarity`, `macro_f1` and `ece`."""
    names = ("accuracy", "accuracy_polarity", "macro_f1", "ece")
    points = np.array([getattr(metrics, name) for name in names])
    if rng is None:
        return {name: Estimate(float(value)) for name, value in zip(names, points, strict=True)}
    probs, labels = queries.probs, queries.labels
    named = probs.argmax(axis=1)
    sided = polarity_correct(queries.probs, queries.labels, taxonomy)

    def naming(rows: Int64[np.ndarray, "n"]) -> Float64[np.ndarray, "3"]:
        y, answer = labels[rows], named[rows]
        return np.array([(answer == y).mean(), macro_f1(y, answer), expected_calibration_error(probs[rows], y)])

    acc, f1, ece = _bootstrap(naming, points[[0, 2, 3]], len(labels), rng)
    polarity = Estimate(float(points[1]))
    if len(sided):
        (polarity,) = _bootstrap(lambda rows: sided[rows].mean(keepdims=True), points[[1]], len(sided), rng)
    return dict(zip(names, (acc, polarity, f1, ece), strict=True))


def per_query(relevant: Bool[np.ndarray, "q m"]) -> Float64[np.ndarray, "q 7"]:
    """What each query adds to the seven means; queries without a relevant picture are left out.

    ANMRR's cut depends on the largest NG among the queries, so each query is measured beside the widest one: the mean
    of the pair is known, the widest one's part too, and the difference is the query's own.
    """
    relevant = relevant[relevant.any(axis=1)]
    if len(relevant) == 0:
        return np.zeros((0, len(MEANS)))
    widest = relevant[[relevant.sum(axis=1).argmax()]]
    base = _values(retrieval_metrics(widest))
    pairs = (np.concatenate([row[None], widest]) for row in relevant)
    return np.stack([2 * _values(retrieval_metrics(pair)) - base for pair in pairs])


def _values(metrics: RetrievalMetrics) -> Float64[np.ndarray, "7"]:
    return np.array([getattr(metrics, name) for name in MEANS], dtype=np.float64)


def _bootstrap(
    statistic: Callable[[Int64[np.ndarray, "n"]], Float64[np.ndarray, "k"]],
    points: Float64[np.ndarray, "k"],
    n: int,
    rng: np.random.Generator,
) -> list[Estimate]:
    """Percentiles of the resampled statistic, moved so that its mean is the point estimate.

    The move is nothing for means; the calibration error of a resample is too large on average, and without the move
    its interval would sit above the value.
    """
    drawn = np.stack([statistic(rng.integers(0, n, n)) for _ in range(RESAMPLES)])
    centred = np.clip(drawn - drawn.mean(axis=0) + points, 0, 1)
    low, high = np.percentile(centred, (2.5, 97.5), axis=0)
    bounds = zip(points, np.minimum(low, points), np.maximum(high, points), strict=True)
    return [Estimate(float(point), float(least), float(most)) for point, least, most in bounds]
