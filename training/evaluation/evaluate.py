"""Evaluation of a bundle through Predictor, the path that serving takes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64

from emotion.arrays import Shares
from emotion.console import progress
from emotion.predictor import Predictor
from emotion.taxonomy import Taxonomy
from training.data.samples import Sample
from training.evaluation.classification import ClassificationMetrics, classification_metrics
from training.evaluation.retrieval import DCG_CUT, RetrievalMetrics, pool, rank, retrieval_metrics

BATCH = 16
POLARITY_FIGURES = frozenset({"accuracy_polarity", "mAP2", "prob_mAP2"})
Field = Literal["embeddings", "probs"]
"""Which of a Scored's arrays serves as the embedding."""


@dataclass(frozen=True)
class Scored:
    """Predictions beside the truth, one row a picture, in the order of the samples' hashes."""

    embeddings: Float32[np.ndarray, "n d"]
    probs: Float32[np.ndarray, "n c"]
    labels: Int64[np.ndarray, "n"]
    samples: tuple[Sample, ...]
    familiarity: Shares | None = None
    """As Predictions has it; None from a bundle that does not measure it."""
    unfamiliar: Bool[np.ndarray, "n"] | None = None


class RankedLists(NamedTuple):
    """Every query's whole list, and what in it is relevant; a query whose label takes no side has no polarity."""

    order: Int64[np.ndarray, "q m"]
    by_emotion: Bool[np.ndarray, "q m"]
    by_polarity: Bool[np.ndarray, "q m"]


@dataclass(frozen=True)
class Retrieval:
    """One embedding judged by emotion and by polarity."""

    by_emotion: RetrievalMetrics
    by_polarity: RetrievalMetrics


@dataclass(frozen=True)
class Evaluation:
    """Everything measured on one set of queries."""

    classification: ClassificationMetrics
    sv: Retrieval
    probabilities: Retrieval
    """The class probabilities used as the embedding: what the SV must beat."""
    has_polarity: bool = True
    """Whether the label set has two sides; without them there are no figures about polarity."""

    def figures(self) -> dict[str, Any]:
        """The flat JSON object of `training evaluate`; fractions 0..1, null where nothing could be measured.

        `mAP8` is the mean average precision by emotion, whatever their number; the figures about polarity
        (POLARITY_FIGURES) are left out where the label set has not two sides.
        """
        c, emotion = self.classification, self.sv.by_emotion
        figures = {
            "accuracy": c.accuracy,
            "accuracy_polarity": c.accuracy_polarity,
            "macro_f1": c.macro_f1,
            "ece": c.ece,
            "mAP8": emotion.mean_ap,
            "mAP2": self.sv.by_polarity.mean_ap,
            "NN": emotion.nn,
            "P10": emotion.p_at_10,
            "FT": emotion.ft,
            "ST": emotion.st,
            "DCG": emotion.dcg,
            "ANMRR": emotion.anmrr,
            "prob_mAP8": self.probabilities.by_emotion.mean_ap,
            "prob_mAP2": self.probabilities.by_polarity.mean_ap,
            "prob_NN": self.probabilities.by_emotion.nn,
            "prob_P10": self.probabilities.by_emotion.p_at_10,
        }
        if not self.has_polarity:
            figures = {name: value for name, value in figures.items() if name not in POLARITY_FIGURES}
        return {name: None if math.isnan(value) else round(value, 5) for name, value in figures.items()} | {
            "n_queries": emotion.n_queries,
            "dcg_cut": f"first {DCG_CUT} m ranks",
        }


def score(predictor: Predictor, samples: Sequence[Sample], description: str = "evaluating") -> Scored:
    """Predict every sample; the rows come ordered by content hash, which makes ties reproducible."""
    ordered = sorted(samples, key=lambda sample: sample.digest)
    parts = []
    with progress(description, len(ordered), "pictures") as advance:
        for start in range(0, len(ordered), BATCH):
            batch = ordered[start : start + BATCH]
            parts.append(predictor.predict([sample.path for sample in batch]))
            advance(len(batch))
    return Scored(
        np.concatenate([part.embeddings for part in parts]),
        np.concatenate([part.probabilities for part in parts]),
        np.array([sample.label for sample in ordered], dtype=np.int64),
        tuple(ordered),
        _joined([part.familiarity for part in parts]),
        _joined([part.unfamiliar for part in parts]),
    )


def evaluate(queries: Scored, taxonomy: Taxonomy, gallery: Scored | None = None) -> Evaluation:
    """Judge queries against a gallery, or leave-one-out among themselves where none is given."""
    return Evaluation(
        classification_metrics(queries.probs, queries.labels, taxonomy),
        _retrieval(queries, gallery, taxonomy, "embeddings"),
        _retrieval(queries, gallery, taxonomy, "probs"),
        taxonomy.has_polarity,
    )


def join_scored(parts: Sequence[Scored]) -> Scored:
    """The predictions of several folds, one below the other; embeddings of two folds are never to be compared."""
    return Scored(
        np.concatenate([part.embeddings for part in parts]),
        np.concatenate([part.probs for part in parts]),
        np.concatenate([part.labels for part in parts]),
        tuple(sample for part in parts for sample in part.samples),
    )


def pool_folds(folds: Sequence[Evaluation], queries: Scored, taxonomy: Taxonomy) -> Evaluation:
    """One evaluation of all folds: `queries` are classified together, retrieval stays within each query's fold."""

    def pooled(parts: Sequence[Retrieval]) -> Retrieval:
        return Retrieval(pool([part.by_emotion for part in parts]), pool([part.by_polarity for part in parts]))

    return Evaluation(
        classification_metrics(queries.probs, queries.labels, taxonomy),
        pooled([fold.sv for fold in folds]),
        pooled([fold.probabilities for fold in folds]),
        taxonomy.has_polarity,
    )


def rank_all(
    queries: Scored,
    gallery: Scored | None,
    taxonomy: Taxonomy,
    field: Field,
    own_row: Int64[np.ndarray, "q"] | None = None,
) -> RankedLists:
    """Rank every query's gallery, leave-one-out without one; ties by database position.

    `own_row` says where the queries stand in a gallery that holds them too.
    """
    database = gallery or queries
    own_row = np.arange(len(queries.labels)) if gallery is None else own_row
    order = rank(getattr(queries, field), getattr(database, field), own_row)
    sides = taxonomy.polarity_codes()
    query_side, database_side = sides[queries.labels], sides[database.labels]
    return RankedLists(
        order,
        database.labels[order] == queries.labels[:, None],
        (database_side[order] == query_side[:, None]) & (query_side >= 0)[:, None] & taxonomy.has_polarity,
    )


def _joined(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    present = [part for part in parts if part is not None]
    return np.concatenate(present) if present else None


def _retrieval(queries: Scored, gallery: Scored | None, taxonomy: Taxonomy, field: Field) -> Retrieval:
    ranked = rank_all(queries, gallery, taxonomy, field)
    return Retrieval(retrieval_metrics(ranked.by_emotion), retrieval_metrics(ranked.by_polarity))
