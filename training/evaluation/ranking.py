"""Ranked lists of an evaluation, as the report needs them: the first few rows, and what in the lists is relevant."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from emotion.taxonomy import Taxonomy
from training.evaluation.evaluate import Field, Scored, rank_all

TOP = 3
RECALL_LEVELS = np.linspace(0, 1, 21)


@dataclass(frozen=True)
class Ranking:
    """One embedding's answer to every query."""

    top: Int64[np.ndarray, "q k"]
    """Database rows of the first 3 ranks; the full order would take a gigabyte at the size of FI."""
    by_emotion: Bool[np.ndarray, "q m"]
    by_polarity: Bool[np.ndarray, "q m"]

    def chance(self) -> float:
        """Share of relevant pictures, the expectation of a random order's NN, P@10 and FT (and nearly its mAP)."""
        return _mean_share(self.by_emotion)

    def chance_polarity(self) -> float:
        """The same by polarity."""
        return _mean_share(self.by_polarity)


def ranking(queries: Scored, gallery: Scored | None, taxonomy: Taxonomy, field: Field) -> Ranking:
    """The evaluation's own ranking, cut to what the report shows."""
    ranked = rank_all(queries, gallery, taxonomy, field)
    return Ranking(ranked.order[:, :TOP].copy(), ranked.by_emotion, ranked.by_polarity)


def precision_at_recall(relevant: Bool[np.ndarray, "q m"]) -> Float64[np.ndarray, "21"]:
    """Mean over queries of the interpolated precision, max over k of precision@k where recall@k reaches the level.

    Queries without a relevant picture are left out; NaN where none is left.
    """
    relevant = relevant[relevant.any(axis=1)]
    if len(relevant) == 0:
        return np.full(len(RECALL_LEVELS), np.nan)
    hits = relevant.cumsum(axis=1)
    precision = hits / np.arange(1, relevant.shape[1] + 1)
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    recall = hits / hits[:, -1:]
    reached = [(recall >= level - 1e-9).argmax(axis=1) for level in RECALL_LEVELS]
    rows = np.arange(len(relevant))
    return np.array([best[rows, columns].mean() for columns in reached])


def _mean_share(relevant: Bool[np.ndarray, "q m"]) -> float:
    relevant = relevant[relevant.any(axis=1)]
    return float(relevant.mean()) if len(relevant) else float("nan")
