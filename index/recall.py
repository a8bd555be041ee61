"""How many of the true neighbours an index finds."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float64, Int64

from emotion.arrays import Embeddings
from index.build import Gallery
from index.search import SearchIndex

RECALL_AT: Final = 10
N_QUERIES: Final = 256
_BLOCK_ROWS = 16_384
_TIE = 1e-6


@dataclass(frozen=True)
class RecallProbe:
    """Queries whose true neighbours are known; drawn once, asked of any number of indexes.

    The queries are a sample of the gallery, each with itself left out: it would always find itself, which says
    nothing. A hit counts when it is as near as the true k-th neighbour: which of several equally distant pictures is
    named is no loss.
    """

    vectors: Gallery
    rows: Int64[np.ndarray, "b"]
    """Of the queries."""
    limits: Float64[np.ndarray, "b"]
    """Distance of the k-th neighbour."""
    k: int
    """10, or all the others of a small gallery; 0 for a single picture."""

    @classmethod
    def draw(cls, vectors: Gallery, *, k: int = RECALL_AT, seed: int = 0) -> "RecallProbe":
        """Sample queries and compare each with the whole gallery; same seed, same probe."""
        rng = np.random.default_rng(seed)
        rows = np.sort(rng.choice(len(vectors), size=min(N_QUERIES, len(vectors)), replace=False))
        k = min(k, len(vectors) - 1)
        nearest = nearest_distances(np.asarray(vectors[rows]), vectors, k, exclude=rows)
        limits = nearest[:, -1] if k else np.zeros(len(rows))
        return cls(vectors, rows, limits * (1 + _TIE) + _TIE, k)

    def recall(self, index: SearchIndex) -> float:
        """Share of the k nearest neighbours that a search gives."""
        if not self.k:
            return 1.0
        queries = np.asarray(self.vectors[self.rows])
        n_found = 0
        for query, own_row, limit, hits in zip(
            queries, self.rows, self.limits, index.search(queries, self.k + 1), strict=True
        ):
            others = hits.rows[hits.rows != own_row][: self.k]
            # Not the distances that the index reports: it is the one that is tested.
            n_found += int((np.linalg.norm(self.vectors[others].astype(np.float64) - query, axis=1) <= limit).sum())
        return n_found / (self.k * len(queries))


def measure_recall(index: SearchIndex, vectors: Gallery, *, seed: int = 0) -> float:
    """Recall@10 of an index over these vectors."""
    return RecallProbe.draw(vectors, seed=seed).recall(index)


def nearest_distances(
    queries: Embeddings, vectors: Gallery, k: int, exclude: Int64[np.ndarray, "b"] | None = None
) -> Float64[np.ndarray, "b k"]:
    """The k smallest Euclidean distances of each query, ascending, in float64.

    Block by block, so that a large memory-mapped gallery fits.

    Args:
        queries: to compare.
        vectors: with these.
        k: at most n, or n - 1 with `exclude`.
        exclude: for each query a row that does not count.
    """
    exact = queries.astype(np.float64)
    own_squared = (exact**2).sum(1)[:, None]
    best = np.full((len(queries), k), np.inf)
    for start in range(0, len(vectors), _BLOCK_ROWS):
        block = np.asarray(vectors[start : start + _BLOCK_ROWS], dtype=np.float64)
        squared = own_squared + (block**2).sum(1) - 2 * exact @ block.T
        if exclude is not None:
            inside = np.flatnonzero((exclude >= start) & (exclude < start + len(block)))
            squared[inside, exclude[inside] - start] = np.inf
        seen = np.concatenate([best, squared], axis=1)
        best = np.partition(seen, k - 1, axis=1)[:, :k] if k else best
    distances: Float64[np.ndarray, "b k"] = np.sqrt(np.maximum(np.sort(best, axis=1), 0))
    return distances
