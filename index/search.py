"""Nearest neighbours by Euclidean distance, in one fixed order.

FAISS proposes, this module decides. For batches FAISS computes |x|^2 + |y|^2 - 2xy in float32, which is off by about
1e-6: little for a squared distance of 1, but sqrt(1e-6) = 1e-3 for two pictures that are nearly the same. So a few
more candidates than asked for are fetched, their distances computed from the stored vectors, and the first k kept in
the order (distance, id).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32, Int64

from emotion.arrays import Embedding, Embeddings
from emotion.errors import QueryError
from emotion.runtime import Device
from index.device import DeviceIndex

EXTRA_CANDIDATES: Final = 16
ROUNDING: Final = 1e-5
"""Bound on FAISS's error in a squared distance, as a share of (|q| + |x|)^2; float32 sums of 680 terms stay below."""


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


class SearchIndex:
    """A gallery that can be searched by many threads at once.

    Args:
        index: proposes candidates.
        vectors: the gallery, one row a picture; may be a memory map.
        ids: of the rows, ascending, so that the order of rows is the order of ids.
    """

    def __init__(self, index: DeviceIndex, vectors: Embeddings, ids: Sequence[str]) -> None:
        self._index = index
        self._vectors = vectors
        self._ids = ids
        self._max_norm = float(np.sqrt(np.einsum("nd,nd->n", vectors, vectors).max()))

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def dim(self) -> int:
        """Size of an embedding."""
        return self._index.dim

    @property
    def device(self) -> Device:
        """Where searches run."""
        return self._index.device

    def search(self, queries: Embeddings, k: int) -> list[Hits]:
        """The k nearest pictures of each query; fewer when the gallery holds fewer.

        Raises:
            QueryError: a query of another dimension or with NaN or infinite values, or k < 1.
        """
        queries = self._checked(queries)
        if k < 1:
            raise QueryError(f"k must be at least 1, not {k}")
        k = min(k, len(self))
        if k > self._index.max_k:
            raise QueryError(f"k = {k} is above {self._index.max_k}, the most that an index on a GPU gives")
        return self._search(queries, k)

    def _search(self, queries: Embeddings, k: int) -> list[Hits]:
        """Widen the circle of candidates until no vector outside it can belong inside."""
        limit = min(len(self), self._index.max_k)
        n_candidates = min(k + EXTRA_CANDIDATES, limit)
        answers: dict[int, Hits] = {}
        open_queries = np.arange(len(queries))
        while len(open_queries):
            squared, rows = self._index.search(queries[open_queries], n_candidates)
            unsettled = []
            for i, query_squared, query_rows in zip(open_queries.tolist(), squared, rows, strict=True):
                hits = self._ranked(queries[i], query_rows[query_rows >= 0], k)
                if n_candidates == limit or self._is_settled(queries[i], hits, float(query_squared[-1])):
                    answers[i] = hits
                else:
                    unsettled.append(i)
            open_queries = np.array(unsettled, dtype=np.int64)
            n_candidates = min(4 * n_candidates, limit)
        return [answers[i] for i in range(len(queries))]

    def _ranked(self, query: Embedding, rows: Int64[np.ndarray, "m"], k: int) -> Hits:
        differences = self._vectors[rows].astype(np.float64) - query
        distances = np.sqrt(np.einsum("md,md->m", differences, differences)).astype(np.float32)
        order = np.lexsort((rows, distances))[:k]
        rows = rows[order]
        return Hits(rows, tuple(self._ids[row] for row in rows.tolist()), distances[order])

    def _is_settled(self, query: Embedding, hits: Hits, last_squared: float) -> bool:
        error = ROUNDING * (float(np.linalg.norm(query)) + self._max_norm) ** 2
        return float(hits.distances[-1]) ** 2 < last_squared - error

    def _checked(self, queries: Embeddings) -> Embeddings:
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise QueryError(f"queries have shape {queries.shape}; this index takes (b, {self.dim})")
        with np.errstate(over="ignore", invalid="ignore"):
            squared_norms = np.einsum("bd,bd->b", queries, queries)
        bad = np.flatnonzero(~np.isfinite(squared_norms))
        if len(bad):
            raise QueryError(f"query {bad[0]} holds NaN, infinite or too large values")
        return queries
