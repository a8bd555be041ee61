"""Retrieval metrics by emotion and by polarity (definitions: docs/method.md, "Retrieval metrics").

A query never matches itself; ties are broken by database position. NG is the number of relevant items of a query;
queries without any are left out of every mean.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

DCG_CUT = 3
"""DCG looks at the first 3 m ranks: the paper states no cut; this one fits its table, the full list does not."""
PRECISION_AT = 10
MEANS = ("mean_ap", "nn", "ft", "st", "dcg", "anmrr", "p_at_10")


@dataclass(frozen=True)
class RetrievalMetrics:
    """Means over queries, fractions in 0..1; `per_query_ap` keeps the queries apart for intervals."""

    mean_ap: float
    nn: float
    ft: float
    st: float
    dcg: float
    anmrr: float
    p_at_10: float
    n_queries: int
    per_query_ap: Float64[np.ndarray, "q"]


def rank(
    queries: Float32[np.ndarray, "q d"],
    database: Float32[np.ndarray, "n d"],
    own_row: Int64[np.ndarray, "q"] | None = None,
) -> Int64[np.ndarray, "q m"]:
    """Database rows by rising Euclidean distance; with `own_row`, each query's own row is left out."""
    distances = (database**2).sum(axis=1)[None, :] - 2 * queries @ database.T
    order = np.argsort(distances, axis=1, kind="stable")
    if own_row is not None:
        order = order[order != own_row[:, None]].reshape(len(queries), -1)
    return np.asarray(order, dtype=np.int64)


def retrieval_metrics(relevant: Bool[np.ndarray, "q m"]) -> RetrievalMetrics:
    """All metrics from the relevance of each query's ranked list."""
    relevant = relevant[relevant.any(axis=1)]
    if len(relevant) == 0:
        return _nothing_measured()
    ng = relevant.sum(axis=1)
    ap = average_precision(relevant)
    return RetrievalMetrics(
        mean_ap=float(ap.mean()),
        nn=float(relevant[:, 0].mean()),
        ft=float((_hits_within(relevant, ng) / ng).mean()),
        st=float((_hits_within(relevant, 2 * ng) / ng).mean()),
        dcg=float(_normalised_dcg(relevant, ng).mean()),
        anmrr=float(_nmrr(relevant, ng).mean()),
        p_at_10=float(relevant[:, :PRECISION_AT].mean(axis=1).mean()),
        n_queries=len(relevant),
        per_query_ap=ap,
    )


def average_precision(relevant: Bool[np.ndarray, "q m"]) -> Float64[np.ndarray, "q"]:
    """AP = (1/NG) * sum over relevant ranks k of precision@k."""
    ranks = np.arange(1, relevant.shape[1] + 1)
    precision = relevant.cumsum(axis=1) / ranks
    return np.asarray((precision * relevant).sum(axis=1) / relevant.sum(axis=1))


def pool(parts: Sequence[RetrievalMetrics]) -> RetrievalMetrics:
    """The means over the queries of several galleries, each measured in its own."""
    measured = [part for part in parts if part.n_queries]
    if not measured:
        return _nothing_measured()
    n = [part.n_queries for part in measured]
    means = {name: float(np.average([getattr(part, name) for part in measured], weights=n)) for name in MEANS}
    return RetrievalMetrics(**means, n_queries=sum(n), per_query_ap=np.concatenate([p.per_query_ap for p in measured]))


def _nothing_measured() -> RetrievalMetrics:
    nan = float("nan")
    return RetrievalMetrics(nan, nan, nan, nan, nan, nan, nan, n_queries=0, per_query_ap=np.zeros(0))


def _hits_within(relevant: Bool[np.ndarray, "q m"], cut: Int64[np.ndarray, "q"]) -> Int64[np.ndarray, "q"]:
    ranks = np.arange(1, relevant.shape[1] + 1)
    hits: Int64[np.ndarray, q] = (relevant & (ranks <= cut[:, None])).sum(axis=1)
    return hits


def _normalised_dcg(relevant: Bool[np.ndarray, "q m"], ng: Int64[np.ndarray, "q"]) -> Float64[np.ndarray, "q"]:
    """G1 + sum_{i>=2} G_i / log2(i) over the ideal's, both cut at 3 NG."""
    ranks = np.arange(1, relevant.shape[1] + 1)
    discount = 1 / np.maximum(np.log2(np.maximum(ranks, 2)), 1)
    within = ranks <= DCG_CUT * ng[:, None]
    ideal = (ranks <= ng[:, None]) * discount
    return np.asarray((relevant * within * discount).sum(axis=1) / ideal.sum(axis=1))


def _nmrr(relevant: Bool[np.ndarray, "q m"], ng: Int64[np.ndarray, "q"]) -> Float64[np.ndarray, "q"]:
    """MPEG-7: K = min(4 NG, 2 GTM), a relevant item beyond K counts as rank 1.25 K."""
    ranks = np.arange(1, relevant.shape[1] + 1)
    cut = np.minimum(4 * ng, 2 * ng.max())[:, None]
    counted = np.where(ranks > cut, 1.25 * cut, ranks)
    average_rank = (counted * relevant).sum(axis=1) / ng
    lowest = 0.5 * (1 + ng)
    return np.asarray((average_rank - lowest) / (1.25 * cut[:, 0] - lowest))
