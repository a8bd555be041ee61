"""Ranked lists of an evaluation, as the report needs them: the first few rows, and what in the lists is relevant."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float64, Int64

from emotion.taxonomy import Taxonomy
from training.evaluation.evaluate import Field, Scored, rank_all

TOP = 3
RECALL_LEVELS = np.linspace(0, 1, 21)


@dataclass(frozen=True)
class Ranking:
    """One embedding's answer to every query; of several folds, each query's answer from its own fold."""

    top: Int64[np.ndarray, "q k"]
    """Database rows of the first 3 ranks; the full order would take a gigabyte at the size of FI."""
    by_emotion: Bool[np.ndarray, "q m"]
    by_polarity: Bool[np.ndarray, "q m"]
    searched: Int64[np.ndarray, "q"]
    """How many pictures each query searched; the columns after them are padding."""
    fold: Int64[np.ndarray, "q"]

    def chance(self) -> float:
        """Share of relevant pictures, the expectation of a random order's NN, P@10 and FT (and nearly its mAP)."""
        return self.share(self.by_emotion)

    def chance_polarity(self) -> float:
        """The same by polarity."""
        return self.share(self.by_polarity)

    def share(self, relevant: Bool[np.ndarray, "q m"]) -> float:
        """Mean share of relevant pictures among those searched, over the queries that have any."""
        able = relevant.any(axis=1)
        return float((relevant.sum(axis=1)[able] / self.searched[able]).mean()) if able.any() else float("nan")

    def parts(self, relevant: Bool[np.ndarray, "q m"]) -> list[Bool[np.ndarray, "p n"]]:
        """The lists of each fold by themselves, without padding."""
        mine = [self.fold == fold for fold in np.unique(self.fold)]
        return [relevant[rows, : self.searched[rows][0]] for rows in mine]

    def only(self, rows: Bool[np.ndarray, "q"]) -> "Ranking":
        """The ranking of some of the queries."""
        return Ranking(*(getattr(self, field.name)[rows] for field in fields(self)))


def ranking(queries: Scored, gallery: Scored | None, taxonomy: Taxonomy, field: Field) -> Ranking:
    """The evaluation's own ranking, cut to what the report shows."""
    ranked = rank_all(queries, gallery, taxonomy, field)
    n, m = ranked.order.shape
    return Ranking(
        ranked.order[:, :TOP].copy(),
        ranked.by_emotion,
        ranked.by_polarity,
        np.full(n, m, dtype=np.int64),
        np.zeros(n, dtype=np.int64),
    )


def join(rankings: Sequence[Ranking]) -> Ranking:
    """The leave-one-out rankings of several folds, one below the other; rows are those of the joined predictions."""
    sizes = [len(ranking.searched) for ranking in rankings]
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return Ranking(
        _stack([ranking.top + start for ranking, start in zip(rankings, first, strict=True)]),
        _stack([ranking.by_emotion for ranking in rankings]),
        _stack([ranking.by_polarity for ranking in rankings]),
        np.concatenate([ranking.searched for ranking in rankings]),
        np.repeat(np.arange(len(rankings)), sizes),
    )


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


def _stack(parts: Sequence[np.ndarray]) -> np.ndarray:
    """One below the other, zeros or False to the right of the shorter lists."""
    width = max(part.shape[1] for part in parts)
    return np.concatenate([np.pad(part, ((0, 0), (0, width - part.shape[1]))) for part in parts])
