"""Nearest neighbours by Euclidean distance, in one fixed order.

FAISS proposes, this module decides. For batches FAISS computes |x|^2 + |y|^2 - 2xy in float32, which is off by about
1e-6: little for a squared distance of 1, but sqrt(1e-6) = 1e-3 for two pictures that are nearly the same. So more
candidates than asked for are fetched, their distances computed from the stored vectors, and the first k kept in the
order (distance, id).
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64

from emotion.arrays import Distances, Embeddings, Rows
from emotion.errors import QueryError
from emotion.runtime import Device
from index.device import DeviceIndex
from index.ranking import Hits, rank
from index.rows import PictureIds
from index.spec import IvfSpec

EXTRA_CANDIDATES: Final = 16
_WIDER: Final = 4


class SearchIndex:
    """A gallery that can be searched by many threads at once.

    Args:
        index: proposes candidates.
        vectors: the gallery, one row a picture; may be a memory map.
        ids: of the rows, ascending, so that the order of rows is the order of ids.
        ivf: parameters of an approximate index; None for an exact one.
    """

    def __init__(self, index: DeviceIndex, vectors: Embeddings, ids: Sequence[str], ivf: IvfSpec | None = None) -> None:
        self._index = index
        self._vectors = np.ascontiguousarray(vectors)  # a plain view: rows of a memory map are slow to make
        self._ids = ids
        self._strategy = _Exact(index, vectors) if ivf is None else _Approximate(index, ivf)

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

    @property
    def failure(self) -> str | None:
        """Why nothing can be searched any more; None while all is well."""
        return self._index.failure

    @property
    def most_hits(self) -> int:
        """The most neighbours that one search gives: on the CPU any number, capped by the gallery."""
        return self._index.max_k if self.device is Device.CUDA else sys.maxsize

    def search(self, queries: Embeddings, k: int) -> list[Hits]:
        """The k nearest pictures of each query; fewer when the gallery holds fewer.

        Raises:
            QueryError: a query of another dimension or with NaN or infinite values, or k < 1.
            DeviceMemoryError: the GPU has no memory left for these queries.
            DeviceLostError: the GPU failed, now or before.
        """
        queries = self._checked(queries)
        if k < 1:
            raise QueryError(f"k must be at least 1, not {k}")
        k = min(k, len(self))
        if k > self._index.max_k:
            raise QueryError(f"k = {k} is above {self._index.max_k}, the most that an index on a GPU gives")
        return self._search(queries, k)

    def _search(self, queries: Embeddings, k: int) -> list[Hits]:
        """Rank what is proposed; widen the circle for the queries that this does not settle."""
        answers: dict[int, Hits] = {}
        open_queries = np.arange(len(queries))
        for one_round in self._strategy.rounds(k):
            if not len(open_queries):
                break
            asked = queries[open_queries] if answers else queries
            squared, rows = one_round.propose(asked)
            hits = self._ranked(asked, rows, k)
            answers.update(zip(open_queries.tolist(), hits, strict=True))
            open_queries = open_queries[~one_round.settles(asked, hits, squared[:, -1])]
        return [answers[i] for i in range(len(queries))]

    def _ranked(self, queries: Embeddings, candidates: Rows, k: int) -> list[Hits]:
        rows, distances, counts = rank(self._vectors, queries, candidates, k)
        ids = self._named(rows)
        ends = np.cumsum(counts).tolist()
        slices = [slice(end - count, end) for end, count in zip(ends, counts.tolist(), strict=True)]
        return [Hits(rows[one], ids[one], distances[one]) for one in slices]

    def _named(self, rows: Int64[np.ndarray, "m"]) -> tuple[str, ...]:
        if isinstance(self._ids, PictureIds):
            return self._ids.take(rows)
        return tuple(self._ids[row] for row in rows.tolist())

    def _checked(self, queries: Embeddings) -> Embeddings:
        queries = np.ascontiguousarray(queries, dtype=np.float32)
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise QueryError(f"queries have shape {queries.shape}; this index takes (b, {self.dim})")
        with np.errstate(over="ignore", invalid="ignore"):
            is_finite = np.isfinite(np.vecdot(queries, queries))
        if not is_finite.all():
            raise QueryError(f"query {is_finite.argmin()} holds NaN, infinite or too large values")
        return queries


class _Round(NamedTuple):
    """One look for candidates, and whether it was wide enough."""

    propose: Callable[[Embeddings], tuple[Distances, Rows]]
    """Squared distances as FAISS rounds them, and rows."""
    settles: Callable[[Embeddings, Sequence[Hits], Float32[np.ndarray, "b"]], Bool[np.ndarray, "b"]]
    """Told the queries, their best hits and the squared distances of their last candidates."""


class _Exact:
    """Every vector is compared: wider means more candidates, until no vector outside them can belong inside.

    On the CPU the last round takes the whole gallery. On a GPU it takes 2048, and only more than 2048 vectors within
    the rounding of the k-th neighbour's distance could leave the order among them unproven.
    """

    def __init__(self, index: DeviceIndex, vectors: Embeddings) -> None:
        self._index = index
        self._max_norm = float(np.sqrt(np.einsum("nd,nd->n", vectors, vectors).max()))

    def rounds(self, k: int) -> Iterator[_Round]:
        for n_candidates in _widening(k + EXTRA_CANDIDATES, min(self._index.count, self._index.max_k)):
            yield _Round(partial(self._index.search, k=n_candidates), self._are_settled)

    def _are_settled(
        self, queries: Embeddings, hits: Sequence[Hits], last_squared: Float32[np.ndarray, "b"]
    ) -> Bool[np.ndarray, "b"]:
        norms = np.sqrt(np.vecdot(queries, queries, dtype=np.float64))
        error = self._index.rounding * (norms + self._max_norm) ** 2
        worst = np.array([one.distances[-1] for one in hits], dtype=np.float64)
        settled: Bool[np.ndarray, b] = worst**2 < last_squared - error
        return settled


class _Approximate:
    """Only the nearest lists are read: wider means more lists, until they hold k vectors.

    What lies in the lists left out is never known; how much that costs was measured when the index was built. All
    lists together hold the whole gallery, so an answer is never short.
    """

    def __init__(self, index: DeviceIndex, ivf: IvfSpec) -> None:
        self._index = index
        self._ivf = ivf

    def rounds(self, k: int) -> Iterator[_Round]:
        wanted = max(self._ivf.candidates_per_hit * k, k + EXTRA_CANDIDATES)
        n_candidates = min(wanted, self._index.count, self._index.max_k)
        for n_probe in _widening(self._ivf.n_probe, self._ivf.n_lists):
            propose = partial(self._index.search, k=n_candidates, n_probe=n_probe)
            yield _Round(propose, lambda _queries, hits, _last: np.array([len(one) == k for one in hits], dtype=bool))


def _widening(first: int, last: int) -> Iterator[int]:
    while first < last:
        yield first
        first *= _WIDER
    yield last
