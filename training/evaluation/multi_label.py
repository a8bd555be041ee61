"""How well several labels a picture are named and found: mAP, F1, exact match, likeness of the nearest, intervals.

Every figure is computed over weighted pictures: with weight 1 for each it is the plain figure, with the counts of a
resample it is that of the resample, for all resamples at once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Bool, Float32, Float64

from training.evaluation.intervals import RESAMPLES, Estimate
from training.evaluation.retrieval import rank

FIGURES: Final = ("mAP", "macro_f1", "macro_f1_at_half", "micro_f1", "exact_match", "jaccard10")
NEAREST: Final = 10


@dataclass(frozen=True)
class MultiLabelAnswers:
    """What a model says of the test pictures, and what is so."""

    probs: Float32[np.ndarray, "n c"]
    thresholds: Float64[np.ndarray, "c"]
    """Chosen on other pictures."""
    labels: Bool[np.ndarray, "n c"]
    jaccard: Float64[np.ndarray, "n"]
    """Mean likeness of the labels of the nearest among the other test pictures."""

    @property
    def named(self) -> Bool[np.ndarray, "n c"]:
        """The labels whose probability reaches their threshold."""
        return np.asarray(self.probs >= self.thresholds)


def figures(answers: MultiLabelAnswers) -> dict[str, float]:
    """mAP, macro and micro F1, exact match and the nearest pictures' mean Jaccard likeness, as fractions.

    `macro_f1_at_half` is the macro F1 with .5 in place of the thresholds, as one would have it who chooses none.

    mAP and macro F1 are means over the labels that some picture has; average precision is the step-wise area under
    the curve of precision over recall, pictures of equal probability taken together.
    """
    values = weighted_figures(answers, np.ones((1, len(answers.labels))))[0]
    return dict(zip(FIGURES, map(float, values), strict=True))


def mean_estimates(runs: Sequence[MultiLabelAnswers], seed: int = 0) -> dict[str, Estimate]:
    """The mean over runs of each figure, with its 95 % bootstrap interval over the test pictures all runs share.

    The same resamples count for every run. What another split would change is not in the interval.
    """
    points, drawn = _resampled(runs, seed)
    # As in intervals._bootstrap: nothing for means, it takes the bias of mAP and F1 out.
    centred = np.clip(drawn - drawn.mean(axis=0) + points, 0, 1)
    return _estimates(points, centred)


def mean_differences(
    runs: Sequence[MultiLabelAnswers], base: Sequence[MultiLabelAnswers], seed: int = 0
) -> dict[str, Estimate]:
    """How much the mean over `runs` is above that over `base`, with its interval over the pictures both share."""
    (points, drawn), (others, drawn_others) = _resampled(runs, seed), _resampled(base, seed)
    point, apart = points - others, drawn - drawn_others
    return _estimates(point, apart - apart.mean(axis=0) + point)


def _resampled(
    runs: Sequence[MultiLabelAnswers], seed: int
) -> tuple[Float64[np.ndarray, "k"], Float64[np.ndarray, "r k"]]:
    """Means over the runs: of the test pictures, and of each resample of them; the same ones for one seed."""
    n = len(runs[0].labels)
    weights = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=RESAMPLES).astype(np.float64)
    points = np.mean([list(figures(run).values()) for run in runs], axis=0)
    return points, np.mean([weighted_figures(run, weights) for run in runs], axis=0)


def _estimates(points: Float64[np.ndarray, "k"], centred: Float64[np.ndarray, "r k"]) -> dict[str, Estimate]:
    low, high = np.percentile(centred, (2.5, 97.5), axis=0)
    bounds = zip(points, np.minimum(low, points), np.maximum(high, points), strict=True)
    estimates = [Estimate(float(point), float(least), float(most)) for point, least, most in bounds]
    return dict(zip(FIGURES, estimates, strict=True))


def weighted_figures(answers: MultiLabelAnswers, weights: Float64[np.ndarray, "r n"]) -> Float64[np.ndarray, "r 6"]:
    """The figures for each row of weights; a label that no weighted picture has is left out of the means."""
    truth, named = answers.labels.astype(np.float64), answers.named.astype(np.float64)
    there = weights @ truth
    present = there > 0
    precisions = np.stack([_average_precision(p, y, weights) for p, y in zip(answers.probs.T, truth.T, strict=True)], 1)
    at_half = (answers.probs >= 0.5).astype(np.float64)
    (right, said), (right_at_half, said_at_half) = [(weights @ (truth * n), weights @ n) for n in (named, at_half)]
    f1 = 2 * right / np.maximum(there + said, 1)
    f1_at_half = 2 * right_at_half / np.maximum(there + said_at_half, 1)
    micro = 2 * right.sum(axis=1) / np.maximum((there + said).sum(axis=1), 1)
    n = weights.sum(axis=1)
    exact = weights @ (answers.labels == answers.named).all(axis=1) / n
    by_label = (precisions, f1, f1_at_half)
    means = [(values * present).sum(axis=1) / np.maximum(present.sum(axis=1), 1) for values in by_label]
    return np.stack([*means, micro, exact, weights @ answers.jaccard / n], axis=1)


def best_thresholds(probs: Float32[np.ndarray, "n c"], labels: Bool[np.ndarray, "n c"]) -> Float64[np.ndarray, "c"]:
    """For each label the threshold with the best F1; .5 where no picture has the label.

    Halfway to the next lower probability, so that rounding moves no picture across; of equal ones the highest.
    """
    return np.array([_best_threshold(p, y) for p, y in zip(probs.T, labels.T, strict=True)])


def nearest_jaccard(
    embeddings: Float32[np.ndarray, "n d"], labels: Bool[np.ndarray, "n c"]
) -> Float64[np.ndarray, "n"]:
    """Mean Jaccard likeness of labels, |A and B| / |A or B|, between a picture and its 10 nearest of the others."""
    found = labels[rank(embeddings, embeddings, np.arange(len(labels)))[:, :NEAREST]]
    both = (found & labels[:, None]).sum(axis=2)
    either = (found | labels[:, None]).sum(axis=2)
    return np.asarray((both / np.maximum(either, 1)).mean(axis=1))


def any_jaccard(labels: Bool[np.ndarray, "n c"]) -> Float64[np.ndarray, "n"]:
    """Mean Jaccard likeness of labels between a picture and all the others: what a search at random comes to."""
    counts = labels.sum(axis=1, dtype=np.float64)
    both = labels.astype(np.float64) @ labels.T
    likeness = both / np.maximum(counts[:, None] + counts - both, 1)
    np.fill_diagonal(likeness, 0)
    return np.asarray(likeness.sum(axis=1) / max(len(labels) - 1, 1))


def _average_precision(
    probs: Float32[np.ndarray, "n"], truth: Float64[np.ndarray, "n"], weights: Float64[np.ndarray, "r n"]
) -> Float64[np.ndarray, "r"]:
    """The sum over ranks of the recall gained times the precision there."""
    order = np.argsort(-probs, kind="stable")
    falling = probs[order]
    last_of_ties = np.append(falling[1:] != falling[:-1], True)
    hits = (weights[:, order] * truth[order]).cumsum(axis=1)[:, last_of_ties]
    seen = weights[:, order].cumsum(axis=1)[:, last_of_ties]
    gained = np.diff(hits, axis=1, prepend=0)
    precision = hits / np.maximum(seen, 1)
    return np.asarray((gained * precision).sum(axis=1) / np.maximum(hits[:, -1], 1))


def _best_threshold(probs: Float32[np.ndarray, "n"], truth: Bool[np.ndarray, "n"]) -> float:
    if not truth.any():
        return 0.5
    values, where = np.unique(-probs.astype(np.float64), return_inverse=True)
    values = -values
    hits = np.bincount(where, weights=truth).cumsum()
    seen = np.bincount(where).cumsum()
    best = int((2 * hits / (seen + truth.sum())).argmax())
    below = values[best + 1] if best + 1 < len(values) else 0.0
    return float((values[best] + below) / 2)
