"""What every picture adds to every figure, so that a figure can be had over any of the pictures, a resample too."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from jaxtyping import Bool, Float64, Int64

from emotion.taxonomy import Taxonomy
from training.evaluation.classification import expected_calibration_error, macro_f1, polarity_correct
from training.evaluation.evaluate import Field, Scored, join_scored, rank_all
from training.evaluation.intervals import RESAMPLES, per_query
from training.evaluation.retrieval import MEANS

LOWER_IS_BETTER: Final = ("ece", "ANMRR")
ORDER: Final = (
    *("accuracy", "accuracy_polarity", "macro_f1", "ece", "mAP8", "mAP2", "NN", "P10", "FT", "ST", "DCG", "ANMRR"),
    *("prob_mAP8", "prob_mAP2", "prob_NN", "prob_P10"),
)
"""As in Evaluation.figures."""
SEED: Final = 0
_BY_EMOTION: Final = ("mAP8", "NN", "FT", "ST", "DCG", "ANMRR", "P10")
"""The names that people know, in the order of MEANS."""
_OF_PROBS: Final = ("mAP8", "NN", "P10")
_N_WHOLE: Final = 2
"""Figures that are no mean over pictures: macro F1 and the calibration error, the first of Outcome.names()."""


class Outcome:
    """The test pictures of several folds, ordered fold by fold and by content hash.

    A query searches the gallery of its own fold, or the rest of its fold where there is none. A gallery may hold all
    the queries too, which then do not find themselves.

    Probabilities that are NaN are none: no figure needs them but the class head's, which cannot be measured then.

    Args:
        folds: the test pictures of each fold.
        taxonomy: their label set.
        galleries: what those of each fold search; leave-one-out where none are given.
    """

    def __init__(self, folds: Sequence[Scored], taxonomy: Taxonomy, galleries: Sequence[Scored] | None = None) -> None:
        parts = [_by_digest(scored) for scored in folds]
        searched = [None] * len(parts) if galleries is None else [_by_digest(scored) for scored in galleries]
        joined = join_scored(parts)
        self.folds = np.repeat(np.arange(len(parts)), [len(part.labels) for part in parts])
        self.probs, self.labels = joined.probs, joined.labels
        self.named = joined.probs.argmax(axis=1)
        found = [_retrieval(part, gallery, taxonomy) for part, gallery in zip(parts, searched, strict=True)]
        shares = [self.named == self.labels, _polarity(joined, taxonomy), np.concatenate(found)]
        self.shares = np.column_stack(shares).astype(np.float64)
        self.has_probs = not np.isnan(self.probs).any()
        if not self.has_probs:
            of_probs = [name.startswith(("accuracy", "prob_")) for name in self.names()[_N_WHOLE:]]
            self.shares[:, of_probs] = np.nan

    @staticmethod
    def names() -> list[str]:
        """The figures, in the order of `figures`."""
        probs = [f"prob_{name}" for name in (*_OF_PROBS, "mAP2")]
        return ["macro_f1", "ece", "accuracy", "accuracy_polarity", *_BY_EMOTION, "mAP2", *probs]

    def figures(self, rows: Int64[np.ndarray, "n"] | None = None) -> Float64[np.ndarray, "k"]:
        """Every figure over these rows, or all; NaN where no row takes part."""
        rows = np.arange(len(self.labels)) if rows is None else rows
        y = self.labels[rows]
        whole = [np.nan] * _N_WHOLE
        if self.has_probs:
            whole = [macro_f1(y, self.named[rows]), expected_calibration_error(self.probs[rows], y)]
        shares = self.shares[rows]
        counted = (~np.isnan(shares)).sum(axis=0)
        means = np.where(counted > 0, np.nansum(shares, axis=0) / np.maximum(counted, 1), np.nan)
        return np.concatenate([whole, means])

    def drawn(self, resamples: int = RESAMPLES) -> Float64[np.ndarray, "r k"]:
        """The figures of so many resamples within the folds; the same pictures for all outcomes of the same folds."""
        rng = np.random.default_rng(SEED)
        return np.stack([self.figures(rows) for rows in _resampled(self.folds, resamples, rng)])


def interval(drawn: Float64[np.ndarray, "r"], value: float) -> tuple[float, float] | None:
    """95 % interval of a figure, or of a difference, from what it was over resamples; None where none could say.

    The resamples are moved so that their mean is the value: nothing for means; takes out the bias of macro F1 and of
    the calibration error.
    """
    measured = drawn[~np.isnan(drawn)]
    if np.isnan(value) or not len(measured):
        return None
    low, high = np.percentile(measured - measured.mean() + value, (2.5, 97.5))
    return float(low), float(high)


def verdict(figure: str, difference: float, low: float, high: float) -> str:
    """`better` or `worse` where the interval of the difference leaves zero out, else empty."""
    if low <= 0 <= high:
        return ""
    return "better" if (difference > 0) == (figure not in LOWER_IS_BETTER) else "worse"


def _by_digest(scored: Scored) -> Scored:
    order = np.argsort([sample.digest for sample in scored.samples])
    samples = tuple(scored.samples[row] for row in order)
    return Scored(scored.embeddings[order], scored.probs[order], scored.labels[order], samples)


def _polarity(scored: Scored, taxonomy: Taxonomy) -> Float64[np.ndarray, "n"]:
    correct = polarity_correct(scored.probs, scored.labels, taxonomy)
    sided = taxonomy.polarity_codes()[scored.labels] >= 0
    found = np.full(len(sided), np.nan)
    if len(correct):
        found[sided] = correct
    return found


def _retrieval(scored: Scored, gallery: Scored | None, taxonomy: Taxonomy) -> Float64[np.ndarray, "n k"]:
    """By emotion and by polarity, embedding and class probabilities."""

    own_row = None if gallery is None else _own_rows(scored, gallery)

    def both(field: Field) -> tuple[Float64[np.ndarray, "n 7"], Float64[np.ndarray, "n 7"]]:
        ranked = rank_all(scored, gallery, taxonomy, field, own_row)
        return _aligned(ranked.by_emotion), _aligned(ranked.by_polarity)

    (emotion, polarity), (prob_emotion, prob_polarity) = both("embeddings"), both("probs")
    ap = MEANS.index("mean_ap")
    wanted = [_BY_EMOTION.index(name) for name in _OF_PROBS]
    return np.column_stack([emotion, polarity[:, ap], prob_emotion[:, wanted], prob_polarity[:, ap]])


def _own_rows(scored: Scored, gallery: Scored) -> Int64[np.ndarray, "n"] | None:
    """Where the queries stand in the gallery; None where it holds none of them."""
    places = {sample.digest: row for row, sample in enumerate(gallery.samples)}
    found = [places[sample.digest] for sample in scored.samples if sample.digest in places]
    if found and len(found) < len(scored.samples):
        raise ValueError("a gallery holds all of the queries or none")
    return np.array(found, dtype=np.int64) if found else None


def _aligned(relevant: Bool[np.ndarray, "q m"]) -> Float64[np.ndarray, "q 7"]:
    found = np.full((len(relevant), len(MEANS)), np.nan)
    found[relevant.any(axis=1)] = per_query(relevant)
    return found


def _resampled(folds: Int64[np.ndarray, "n"], times: int, rng: np.random.Generator) -> Iterator[Int64[np.ndarray, "n"]]:
    """Rows drawn with replacement, from each fold as many as it has."""
    members = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
    for _ in range(times):
        yield np.concatenate([rng.choice(rows, len(rows)) for rows in members])
