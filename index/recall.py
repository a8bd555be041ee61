"""How many of the true neighbours an index finds."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from jaxtyping import Float32, Float64, Int64

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
        return self._share([hits.rows for hits in index.search(queries, self.k + 1)])

    def kept(self, positions: Float32[np.ndarray, "n 2"]) -> float:
        """Share of the k nearest neighbours that are among the k nearest on a map of the gallery."""
        if not self.k:
            return 1.0
        x, y = np.ascontiguousarray(positions.T)
        squared = ((x - x[row]) ** 2 + (y - y[row]) ** 2 for row in self.rows)
        return self._share([np.argpartition(one, self.k)[: self.k + 1] for one in squared])

    def _share(self, found: Sequence[Int64[np.ndarray, "m"]]) -> float:
        """Of the true neighbours among the rows found for each query, its own not counted."""
        n_found = 0
        for own_row, limit, rows in zip(self.rows, self.limits, found, strict=True):
            others = rows[rows != own_row][: self.k]
            # Not the distances that an index reports: it is the one that is tested.
            differences = self.vectors[others].astype(np.float64) - self.vectors[own_row]
            n_found += int((np.linalg.norm(differences, axis=1) <= limit).sum())
        return n_found / (self.k * len(self.rows))


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
