"""Candidates to hits: exact distances, in one fixed order, for all queries of a batch together."""

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import faiss
import numpy as np
from jaxtyping import Float32, Int64

from emotion.arrays import Distances, Embedding, Embeddings, Rows

_BLOCK_ROWS: Final = 256
"""Differences of so many vectors in float64 stay in a core's cache."""
_TINY: Final = 1e-30
"""Squares so small lose digits in float32: all of them are compared in float64."""


@dataclass(frozen=True)
class Hits:
    """The neighbours of one query, nearest first; equal distances in the order of their ids."""

    rows: Int64[np.ndarray, "k"]
    """Positions in the snapshot's arrays."""
    ids: tuple[str, ...]
    distances: Float32[np.ndarray, "k"]
    """Euclidean."""

    def __len__(self) -> int:
        return len(self.ids)


class Ranked(NamedTuple):
    """The best candidates of each query of a batch, one query's behind the other's."""

    rows: Int64[np.ndarray, "n"]
    distances: Float32[np.ndarray, "n"]
    counts: Int64[np.ndarray, "b"]
    """How many of each query; the first of these rows are its nearest, and there are k at most."""


def rank(vectors: Embeddings, queries: Embeddings, candidates: Rows, k: int) -> Ranked:
    """The k nearest candidates of each query, by (distance, row).

    Args:
        vectors: the gallery (n, d), C-contiguous; a memory map is read only where candidates lie.
        queries: (b, d).
        candidates: (b, m) rows of the gallery; -1 stands for none.
        k: at least 1. A query with fewer candidates gets them all.
    """
    roughly = _roughly_squared(vectors, queries, candidates)
    kept = (candidates >= 0) & (roughly <= _limits(roughly, k, vectors.shape[1]))
    rows = candidates[kept]
    if len(queries) == 1:  # what a lone search asks: half the time of the way below
        distances = exact_distances(vectors.take(rows, axis=0), queries[0])
        order = np.lexsort((rows, distances))[:k]
        return Ranked(rows[order], distances[order], np.array([len(order)]))
    query_of, _ = np.nonzero(kept)
    distances = _distances(vectors, queries, rows, query_of)
    order = np.lexsort((rows, distances, query_of))
    counts = kept.sum(axis=1)
    place = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    order = order[place < k]
    return Ranked(rows[order], distances[order], np.minimum(counts, k))


def exact_distances(vectors: Embeddings, query: Embedding | Embeddings) -> Float32[np.ndarray, "b"]:
    """Euclidean distances by the definition, in float64, rounded once: the numbers that every answer is ordered by.

    Args:
        vectors: (b, d).
        query: one for all, (d,), or one for each, (b, d).
    """
    differences = vectors.astype(np.float64)
    differences -= query
    distances: Float32[np.ndarray, b] = np.sqrt(np.vecdot(differences, differences)).astype(np.float32)
    return distances


def _roughly_squared(vectors: Embeddings, queries: Embeddings, candidates: Rows) -> Distances:
    """Squared distances in float32, by FAISS on its threads; infinite where there is no candidate."""
    squared = np.empty(candidates.shape, np.float32)
    query_of = np.repeat(np.arange(len(queries), dtype=np.int64), candidates.shape[1])
    rows = np.ascontiguousarray(np.maximum(candidates, 0))
    library: Any = faiss
    pointer = library.swig_ptr
    library.pairwise_indexed_L2sqr(
        vectors.shape[1],
        rows.size,
        pointer(queries),
        pointer(query_of),
        pointer(vectors),
        pointer(rows),
        pointer(squared),
    )
    squared[candidates < 0] = np.inf
    return squared


def _limits(squared: Distances, k: int, d: int) -> Float32[np.ndarray, "b 1"]:
    """Up to where a candidate may be among the k nearest, for all that float32 loses of a sum of d squares."""
    if squared.shape[1] <= k:
        return np.full((len(squared), 1), np.inf, np.float32)
    kth = np.partition(squared, k - 1, axis=1)[:, k - 1 : k]
    widened: Float32[np.ndarray, "b 1"] = kth * np.float32(1 + (d + 8) * np.finfo(np.float32).eps) + np.float32(_TINY)
    return widened


def _distances(
    vectors: Embeddings, queries: Embeddings, rows: Int64[np.ndarray, "n"], query_of: Int64[np.ndarray, "n"]
) -> Float32[np.ndarray, "n"]:
    blocks = [slice(start, start + _BLOCK_ROWS) for start in range(0, len(rows), _BLOCK_ROWS)]
    distances = np.empty(len(rows), np.float32)
    for block in blocks:
        distances[block] = exact_distances(vectors.take(rows[block], axis=0), queries[query_of[block]])
    return distances
